//! A named pipe, whose opening waits for the other side: what a worker thread can be kept in.

use std::ffi::{CStr, CString};

/// Removed when dropped.
pub(crate) struct Fifo(CString);

impl Fifo {
    pub(crate) fn new(name: &str) -> Fifo {
        let path = std::env::temp_dir().join(format!("annulus-{name}.{}", std::process::id()));
        let path = path.into_os_string().into_encoded_bytes();
        let path = CString::new(path).expect("no zero byte in it");
        // SAFETY: the path is a C string.
        let made = unsafe { libc::mkfifo(path.as_ptr(), 0o600) };
        assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
        Fifo(path)
    }

    pub(crate) fn path(&self) -> &CStr {
        &self.0
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // SAFETY: the path is a C string.
        let _ = unsafe { libc::unlink(self.0.as_ptr()) };
    }
}

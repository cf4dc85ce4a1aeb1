//! A descriptor that stands in for one that was given up.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use super::Kernel;
use crate::Errno;

impl Kernel {
    /// A descriptor on which every operation fails with EBADF: the root directory, O_PATH.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn placeholder(&self) -> io::Result<OwnedFd> {
        match self {
            Kernel::Uring(_) => std::fs::OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
                .open("/")
                .map(OwnedFd::from),
        }
    }

    /// `dup3`(2): makes `over` another name of `placeholder`, in one step. What `over` was is
    /// closed.
    ///
    /// # Errors
    /// EBUSY while `over` is being opened by another thread; EINTR is retried.
    pub fn replace(&self, placeholder: BorrowedFd<'_>, over: BorrowedFd<'_>) -> Result<(), Errno> {
        match self {
            Kernel::Uring(_) => loop {
                let (from, to) = (placeholder.as_raw_fd(), over.as_raw_fd());
                // SAFETY: dup3 reads no memory, and both numbers are open descriptors.
                if unsafe { libc::dup3(from, to, libc::O_CLOEXEC) } >= 0 {
                    return Ok(());
                }
                match io::Error::last_os_error().raw_os_error() {
                    Some(libc::EINTR) => {}
                    errno => return Err(Errno::from_raw(errno.unwrap_or(libc::EBADF))),
                }
            },
        }
    }
}

//! OPENAT: opens a path, relative to the working directory unless it is absolute.

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;

pub(crate) struct OpenAt {
    path: CString,
    flags: i32,
    mode: u32,
}

impl OpenAt {
    /// `flags` as for openat(2), to which O_CLOEXEC is added; `mode` matters with O_CREAT only.
    pub(crate) fn new(path: CString, flags: i32, mode: u32) -> OpenAt {
        OpenAt {
            path,
            flags: flags | os::O_CLOEXEC,
            mode,
        }
    }
}

// SAFETY: the kernel reads the path, whose heap block this op owns until the terminal CQE.
unsafe impl Op for OpenAt {
    /// An abandoned descriptor is closed by its drop.
    type Output = io::Result<OwnedFd>;
    const CODE: Opcode = Opcode::OPENAT;

    fn fill(&mut self, sqe: &mut Sqe) {
        // SAFETY: the path is a C string that lives until the terminal CQE.
        unsafe { sqe.prep_openat(os::AT_FDCWD, self.path.as_ptr(), self.flags, self.mode) };
    }

    fn finish(self, cqe: Cqe) -> io::Result<OwnedFd> {
        let fd = cqe.result()?;
        // SAFETY: the kernel has just made this descriptor for us, and told nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
    }

    fn lost(errno: Errno) -> Option<io::Result<OwnedFd>> {
        Some(Err(errno.into()))
    }
}

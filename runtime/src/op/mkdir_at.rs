//! MKDIRAT: makes a directory.

use std::ffi::CString;
use std::io;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;

pub(crate) struct MkdirAt {
    path: CString,
    mode: u32,
}

impl MkdirAt {
    /// `mode` as for mkdirat(2), less the umask.
    pub(crate) fn new(path: CString, mode: u32) -> MkdirAt {
        MkdirAt { path, mode }
    }
}

// SAFETY: the kernel reads the path, whose heap block this op owns until the terminal CQE.
unsafe impl Op for MkdirAt {
    type Output = io::Result<()>;
    const CODE: Opcode = Opcode::MKDIRAT;

    fn fill(&mut self, sqe: &mut Sqe) {
        // SAFETY: the path is a C string that lives until the terminal CQE.
        unsafe { sqe.prep_mkdirat(os::AT_FDCWD, self.path.as_ptr(), self.mode) };
    }

    fn finish(self, cqe: Cqe) -> io::Result<()> {
        cqe.result().map(drop).map_err(io::Error::from)
    }

    fn lost(errno: Errno) -> Option<io::Result<()>> {
        Some(Err(errno.into()))
    }
}

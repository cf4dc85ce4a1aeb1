//! SYMLINKAT: a name that stands for a path.

use std::ffi::CString;
use std::io;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;

pub(crate) struct SymlinkAt {
    target: CString,
    link: CString,
}

impl SymlinkAt {
    /// `link` will stand for `target`.
    pub(crate) fn new(target: CString, link: CString) -> SymlinkAt {
        SymlinkAt { target, link }
    }
}

// SAFETY: the kernel reads both paths, whose heap blocks this op owns until the terminal CQE.
unsafe impl Op for SymlinkAt {
    type Output = io::Result<()>;
    const CODE: Opcode = Opcode::SYMLINKAT;

    fn fill(&mut self, sqe: &mut Sqe) {
        let (target, link) = (self.target.as_ptr(), self.link.as_ptr());
        // SAFETY: both are C strings that live until the terminal CQE.
        unsafe { sqe.prep_symlinkat(target, os::AT_FDCWD, link) };
    }

    fn finish(self, cqe: Cqe) -> io::Result<()> {
        cqe.result().map(drop).map_err(io::Error::from)
    }

    fn lost(errno: Errno) -> Option<io::Result<()>> {
        Some(Err(errno.into()))
    }
}

//! RENAMEAT: gives a file another name, in place of what had that name.

use std::ffi::CString;
use std::io;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;

pub(crate) struct RenameAt {
    from: CString,
    to: CString,
}

impl RenameAt {
    pub(crate) fn new(from: CString, to: CString) -> RenameAt {
        RenameAt { from, to }
    }
}

// SAFETY: the kernel reads both paths, whose heap blocks this op owns until the terminal CQE.
unsafe impl Op for RenameAt {
    type Output = io::Result<()>;
    const CODE: Opcode = Opcode::RENAMEAT;

    fn fill(&mut self, sqe: &mut Sqe) {
        let (from, to) = (self.from.as_ptr(), self.to.as_ptr());
        // SAFETY: both are C strings that live until the terminal CQE.
        unsafe { sqe.prep_renameat(os::AT_FDCWD, from, os::AT_FDCWD, to, 0) };
    }

    fn finish(self, cqe: Cqe) -> io::Result<()> {
        cqe.result().map(drop).map_err(io::Error::from)
    }

    fn lost(errno: Errno) -> Option<io::Result<()>> {
        Some(Err(errno.into()))
    }
}

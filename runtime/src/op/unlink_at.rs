//! UNLINKAT: removes a name, or an empty directory.

use std::ffi::CString;
use std::io;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;

pub(crate) struct UnlinkAt {
    path: CString,
    flags: i32,
}

impl UnlinkAt {
    /// A name that is not a directory's.
    pub(crate) fn file(path: CString) -> UnlinkAt {
        UnlinkAt { path, flags: 0 }
    }

    /// A directory, which must be empty.
    pub(crate) fn dir(path: CString) -> UnlinkAt {
        UnlinkAt {
            path,
            flags: os::AT_REMOVEDIR,
        }
    }
}

// SAFETY: the kernel reads the path, whose heap block this op owns until the terminal CQE.
unsafe impl Op for UnlinkAt {
    type Output = io::Result<()>;
    const CODE: Opcode = Opcode::UNLINKAT;

    fn fill(&mut self, sqe: &mut Sqe) {
        // SAFETY: the path is a C string that lives until the terminal CQE.
        unsafe { sqe.prep_unlinkat(os::AT_FDCWD, self.path.as_ptr(), self.flags) };
    }

    fn finish(self, cqe: Cqe) -> io::Result<()> {
        cqe.result().map(drop).map_err(io::Error::from)
    }

    fn lost(errno: Errno) -> Option<io::Result<()>> {
        Some(Err(errno.into()))
    }
}

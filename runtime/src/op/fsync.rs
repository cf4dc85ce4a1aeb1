//! FSYNC: what the kernel holds of a file goes to its device.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use annulus_ring::{Cqe, Errno, FSYNC_DATASYNC, Opcode, Sqe};

use super::Op;

pub(crate) struct Fsync {
    file: Arc<File>,
    flags: u32,
}

impl Fsync {
    /// As fsync(2).
    pub(crate) fn all(file: Arc<File>) -> Fsync {
        Fsync { file, flags: 0 }
    }

    /// As fdatasync(2).
    pub(crate) fn data(file: Arc<File>) -> Fsync {
        Fsync {
            file,
            flags: FSYNC_DATASYNC,
        }
    }
}

// SAFETY: no memory is lent; the descriptor is kept open by the reference to the file.
unsafe impl Op for Fsync {
    type Output = io::Result<()>;
    const CODE: Opcode = Opcode::FSYNC;

    fn fill(&mut self, sqe: &mut Sqe) {
        sqe.prep_fsync(self.file.as_raw_fd(), self.flags);
    }

    fn finish(self, cqe: Cqe) -> io::Result<()> {
        cqe.result().map(drop).map_err(io::Error::from)
    }

    fn lost(errno: Errno) -> Option<io::Result<()>> {
        Some(Err(errno.into()))
    }
}

//! WRITE: an owned buffer to a file, once: fewer bytes than asked may be written.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use crate::buf::{IoBuf, Lent};

pub(crate) struct Write<B> {
    file: Arc<File>,
    buf: Lent<B>,
    offset: u64,
}

impl<B: IoBuf> Write<B> {
    /// Writes at `offset`, or at the cursor for `CURRENT_POSITION`.
    pub(crate) fn new(file: Arc<File>, buf: B, offset: u64) -> Write<B> {
        Write {
            file,
            buf: Lent::source(buf),
            offset,
        }
    }
}

// SAFETY: the kernel reads the buffer, which this op owns until the terminal CQE; the descriptor
// is kept open by the reference to the file.
unsafe impl<B: IoBuf> Op for Write<B> {
    type Output = (io::Result<usize>, B);
    const CODE: Opcode = Opcode::WRITE;

    fn fill(&mut self, sqe: &mut Sqe) {
        let fd = self.file.as_raw_fd();
        // SAFETY: `Lent` is valid for reads of its length until the terminal CQE.
        unsafe { sqe.prep_write(fd, self.buf.ptr(), self.buf.len(), self.offset) };
    }

    fn finish(self, cqe: Cqe) -> Self::Output {
        let written = cqe.result().map(|n| n as usize).map_err(io::Error::from);
        (written, self.buf.into_inner())
    }

    fn lost(errno: Errno) -> Option<Self::Output> {
        B::stand_in().map(|buf| (Err(errno.into()), buf))
    }
}

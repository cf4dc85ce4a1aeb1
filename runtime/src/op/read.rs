//! READ: bytes of a file into an owned buffer.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use crate::buf::{IoBufMut, Lent};

pub(crate) struct Read<B> {
    file: Arc<File>,
    buf: Lent<B>,
    offset: u64,
}

impl<B: IoBufMut> Read<B> {
    /// Reads at most `limit` bytes at `offset`, or at the cursor for `CURRENT_POSITION`.
    pub(crate) fn new(file: Arc<File>, buf: B, limit: usize, offset: u64) -> Read<B> {
        Read {
            file,
            buf: Lent::target(buf, limit),
            offset,
        }
    }
}

// SAFETY: the kernel writes into the buffer, which this op owns until the terminal CQE; the
// descriptor is kept open by the reference to the file.
unsafe impl<B: IoBufMut> Op for Read<B> {
    type Output = (io::Result<usize>, B);
    const CODE: Opcode = Opcode::READ;

    fn fill(&mut self, sqe: &mut Sqe) {
        let fd = self.file.as_raw_fd();
        // SAFETY: `Lent` is valid for writes of its length until the terminal CQE.
        unsafe { sqe.prep_read(fd, self.buf.ptr(), self.buf.len(), self.offset) };
    }

    fn finish(self, cqe: Cqe) -> Self::Output {
        match cqe.result() {
            // SAFETY: a READ that reports n bytes has written the first n.
            Ok(n) => (Ok(n as usize), unsafe { self.buf.into_filled(n) }),
            Err(errno) => (Err(errno.into()), self.buf.into_inner()),
        }
    }

    fn lost(errno: Errno) -> Option<Self::Output> {
        B::stand_in().map(|buf| (Err(errno.into()), buf))
    }
}

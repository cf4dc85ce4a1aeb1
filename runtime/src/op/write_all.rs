//! WRITE, again and again until every byte is in the file.
//!
//! What a `File` has said Ready to is written by this one. Nothing cancels it: it outlives the
//! `File`, and shutdown waits for it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use annulus_ring::{CURRENT_POSITION, Cqe, Errno, Opcode, Sqe};

use super::{OnDrop, Op};

pub(crate) struct WriteAll {
    file: Arc<File>,
    buf: Vec<u8>,
    written: usize,
}

impl WriteAll {
    /// Writes the whole of `buf` where the file's cursor is.
    pub(crate) fn new(file: Arc<File>, buf: Vec<u8>) -> WriteAll {
        WriteAll {
            file,
            buf,
            written: 0,
        }
    }
}

// SAFETY: the kernel reads the buffer, which this op owns until the terminal CQE; the descriptor
// is kept open by the reference to the file.
unsafe impl Op for WriteAll {
    type Output = (io::Result<()>, Vec<u8>);
    const CODE: Opcode = Opcode::WRITE;
    const ON_DROP: OnDrop = OnDrop::Finish;

    fn fill(&mut self, sqe: &mut Sqe) {
        let rest = &self.buf[self.written..];
        // A longer write than the kernel takes at once is a short one, and goes on by `again`.
        let len = u32::try_from(rest.len()).unwrap_or(u32::MAX);
        // SAFETY: `rest` lies in the Vec, which nobody touches until the terminal CQE.
        unsafe { sqe.prep_write(self.file.as_raw_fd(), rest.as_ptr(), len, CURRENT_POSITION) };
    }

    fn again(&mut self, cqe: Cqe) -> bool {
        let Ok(n) = cqe.result() else { return false };
        self.written += n as usize;
        assert!(
            self.written <= self.buf.len(),
            "the kernel wrote more than it was given"
        );
        n > 0 && self.written < self.buf.len()
    }

    fn finish(self, cqe: Cqe) -> Self::Output {
        let result = match cqe.result() {
            Ok(_) if self.written == self.buf.len() => Ok(()),
            Ok(_) => Err(io::ErrorKind::WriteZero.into()),
            Err(errno) => Err(errno.into()),
        };
        (result, self.buf)
    }

    fn lost(errno: Errno) -> Option<Self::Output> {
        Some((Err(errno.into()), Vec::new()))
    }
}

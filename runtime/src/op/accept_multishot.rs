//! ACCEPT, multishot: one SQE, and a CQE for each connection.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use crate::uring::backlog::Backlog;

pub(crate) struct AcceptMultishot {
    listener: RawFd,
    backlog: Arc<Backlog>,
}

impl AcceptMultishot {
    /// Accepts from `listener` into the backlog until it ends, by error or because it was asked.
    pub(crate) fn new(listener: RawFd, backlog: Arc<Backlog>) -> AcceptMultishot {
        AcceptMultishot { listener, backlog }
    }

    fn land(backlog: &Backlog, fd: u32) {
        // SAFETY: the kernel has just made this descriptor for us, and told nobody else.
        backlog.push(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    }
}

// SAFETY: the kernel is lent no memory: the peers' addresses are not asked for. The descriptor is
// a number: the listener that owns it closes it behind everything that is queued.
unsafe impl Op for AcceptMultishot {
    /// The error that ended it, if one did.
    type Output = io::Result<()>;
    const CODE: Opcode = Opcode::ACCEPT;

    fn fill(&mut self, sqe: &mut Sqe) {
        let flags = os::SOCK_NONBLOCK | os::SOCK_CLOEXEC;
        sqe.prep_multishot_accept(self.listener, flags);
    }

    unsafe fn more(this: *mut Self, cqe: Cqe) {
        // SAFETY: the table calls this with a live op, of which the kernel was given no memory.
        let backlog = Arc::clone(unsafe { &(*this).backlog });
        if let Ok(fd) = cqe.result() {
            Self::land(&backlog, fd);
            backlog.wake();
        }
    }

    fn finish(self, cqe: Cqe) -> io::Result<()> {
        match cqe.result() {
            Ok(fd) => {
                Self::land(&self.backlog, fd);
                Ok(())
            }
            // Asked for by a full backlog.
            Err(Errno::ECANCELED) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn lost(errno: Errno) -> Option<io::Result<()>> {
        Some(Err(errno.into()))
    }
}

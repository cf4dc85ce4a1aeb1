//! POLL_ADD: asks to be told when a descriptor becomes ready.
//!
//! The read side's poll is multishot: one SQE serves every wait of the descriptor's life, at
//! one CQE per arrival, which is what a reader waits for anyway. The write side's is one-shot:
//! room comes back with every acknowledged byte or sent datagram, and nobody wants a CQE for
//! it but a writer that found the buffer full. Urgent data is one-shot too, for the kernel
//! wakes a poll for it with every ordinary byte.
//!
//! A poll is edge-triggered once it stands, and looks at the descriptor once when it is armed.

use std::os::fd::RawFd;
use std::sync::Arc;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use crate::io::Ready;
use crate::io::readiness::{Readiness, Side};

pub(crate) struct PollAdd {
    fd: RawFd,
    side: Side,
    readiness: Arc<Readiness>,
    /// The side is not armed by this operation any more.
    ended: bool,
}

impl PollAdd {
    /// A poll of `fd` that reports to `readiness`. Only for whoever
    /// [claimed](Readiness::arm) the side.
    pub(crate) fn new(fd: RawFd, side: Side, readiness: Arc<Readiness>) -> PollAdd {
        PollAdd {
            fd,
            side,
            readiness,
            ended: false,
        }
    }
}

impl Drop for PollAdd {
    /// Dropped before the kernel had it: the next wait has to submit another.
    fn drop(&mut self) {
        if !self.ended {
            self.readiness.fail(self.side, 0);
        }
    }
}

// SAFETY: a poll lends the kernel no memory; the descriptor is a number, and the socket that
// owns it cancels its polls before it gives the number back.
unsafe impl Op for PollAdd {
    type Output = ();
    const CODE: Opcode = Opcode::POLL_ADD;

    fn fill(&mut self, sqe: &mut Sqe) {
        // POLLERR and POLLHUP are always told.
        match self.side {
            Side::Read => sqe.prep_poll_multishot(self.fd, mask(os::POLLIN | os::POLLRDHUP)),
            Side::Write => sqe.prep_poll_add(self.fd, mask(os::POLLOUT)),
            Side::Priority => sqe.prep_poll_add(self.fd, mask(os::POLLPRI)),
        };
    }

    unsafe fn more(this: *mut Self, cqe: Cqe) {
        // SAFETY: the table calls this with a live op, and the kernel was given no part of it.
        let readiness = Arc::clone(unsafe { &(*this).readiness });
        if let Ok(mask) = cqe.result() {
            readiness.land(Ready::from_poll(mask));
        }
    }

    unsafe fn adrift(this: *mut Self, _errno: Errno) {
        // SAFETY: as in `more`.
        let this = unsafe { &*this };
        let (side, readiness) = (this.side, Arc::clone(&this.readiness));
        // Whoever looks again finds that the home refuses everything, and why.
        readiness.fail(side, 0);
    }

    fn finish(mut self, cqe: Cqe) {
        self.ended = true;
        match cqe.result() {
            Ok(mask) => self.readiness.finish(self.side, Ready::from_poll(mask)),
            // Cancelled by the socket or by shutdown: whoever still waits looks again.
            Err(error) if error.raw() == os::ECANCELED => self.readiness.fail(self.side, 0),
            Err(error) => self.readiness.fail(self.side, error.raw() as u16),
        }
    }
}

fn mask(events: os::c_short) -> u32 {
    events as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_that_never_reached_the_kernel_leaves_its_side_unarmed() {
        let readiness = Arc::new(Readiness::new(Ready::EMPTY));
        assert!(readiness.arm(Side::Read));
        drop(PollAdd::new(0, Side::Read, Arc::clone(&readiness)));
        assert!(!readiness.is_armed(Side::Read));
    }
}

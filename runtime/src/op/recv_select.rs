//! RECV into a buffer that the kernel selects from the home's pool when bytes arrive.
//!
//! A stream submits it for a read that waits, and for nobody else: an idle connection holds
//! no buffer, and what is not read stays with the kernel.

use std::os::fd::RawFd;
use std::sync::Arc;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use super::landing::Landing;
use crate::io::Ready;
use crate::io::readiness::Readiness;

pub(crate) struct RecvSelect {
    fd: RawFd,
    len: u32,
    landing: Arc<Landing>,
    readiness: Arc<Readiness>,
    /// It has landed.
    ended: bool,
}

impl RecvSelect {
    /// A receive of up to `len` bytes, for whoever made `landing` [begin](Landing::begin).
    pub(crate) fn new(
        fd: RawFd,
        len: u32,
        landing: Arc<Landing>,
        readiness: Arc<Readiness>,
    ) -> RecvSelect {
        RecvSelect {
            fd,
            len,
            landing,
            readiness,
            ended: false,
        }
    }
}

impl Drop for RecvSelect {
    /// Dropped before the kernel had it: nothing was received.
    fn drop(&mut self) {
        if !self.ended {
            self.landing.call_off();
            self.readiness.land(Ready::READABLE);
        }
    }
}

// SAFETY: the kernel writes only to the pool's memory, which the landing keeps alive, and only
// to the buffer that its terminal CQE names. The descriptor is a number, and the stream that
// owns it cancels its receive before it gives the number back.
unsafe impl Op for RecvSelect {
    type Output = ();
    const CODE: Opcode = Opcode::RECV;

    fn fill(&mut self, sqe: &mut Sqe) {
        let group = self.landing.pool().group();
        // SAFETY: a buffer is read only after a CQE has named it, and given back only then.
        let sqe = unsafe { sqe.prep_recv_select(self.fd, self.len, 0, group) };
        // It waits because there was nothing: another look would find nothing.
        sqe.set_poll_first();
    }

    unsafe fn adrift(this: *mut Self, _errno: Errno) {
        // SAFETY: the kernel was lent the pool's memory, and no part of the op.
        let readiness = Arc::clone(unsafe { &(*this).readiness });
        // The receive is in flight for good; the home says why to whoever looks.
        readiness.wake(Ready::READABLE);
    }

    fn finish(mut self, cqe: Cqe) {
        self.ended = true;
        // Also where it brought nothing: readers have let news pass while it was in flight.
        self.readiness
            .land(self.landing.land(cqe) | Ready::READABLE);
    }
}

//! SEND_ZC: an owned buffer to a socket's peer, without copying it into the kernel.
//!
//! ```text
//!   Lent --CQE with F_MORE: result--> Lent, result known --NOTIF--> Back
//!     |
//!     +--CQE without F_MORE: result, and no notification follows--> Back
//! ```
//!
//! Whoever waits for the result looks at [`Progress`]; whoever waits for the buffer, at the
//! operation.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annulus_ring::{Cqe, Errno, Opcode, Sqe};
use futures_util::task::AtomicWaker;

use super::Op;
use crate::buf::{IoBuf, Lent};
use crate::uring::lanes::SendTicket;

pub(crate) struct SendZc<B> {
    fd: RawFd,
    buf: Lent<B>,
    progress: Arc<Progress>,
}

/// The buffer of a zero-copy send, back from the kernel.
pub(crate) struct SentZc<B> {
    pub(crate) buf: B,
    /// With a ticket in it that nobody took, it wakes others when it is dropped: not in `finish`,
    /// but with the output.
    _progress: Option<Arc<Progress>>,
}

/// What is known of a zero-copy send before its buffer is free.
pub(crate) struct Progress {
    /// The `res` of the result's CQE, or [`UNKNOWN`].
    res: AtomicI64,
    pub(crate) waker: AtomicWaker,
    ticket: Mutex<Option<SendTicket>>,
}

/// No CQE's `res` is this long.
const UNKNOWN: i64 = i64::MAX;

impl Progress {
    pub(crate) fn new(ticket: SendTicket) -> Progress {
        Progress {
            res: AtomicI64::new(UNKNOWN),
            waker: AtomicWaker::new(),
            ticket: Mutex::new(Some(ticket)),
        }
    }

    /// The result, once there is one.
    pub(crate) fn result(&self) -> Option<Result<usize, Errno>> {
        match self.res.load(Ordering::Acquire) {
            UNKNOWN => None,
            res @ 0.. => Some(Ok(res as usize)),
            errno => Some(Err(Errno::from_raw(-errno as i32))),
        }
    }

    /// The right to send, for whoever hands the result out.
    pub(crate) fn take_ticket(&self) -> Option<SendTicket> {
        self.lock_ticket().take()
    }

    fn lock_ticket(&self) -> MutexGuard<'_, Option<SendTicket>> {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, cqe: Cqe) {
        if let (Ok(sent), Some(ticket)) = (cqe.result(), &mut *self.lock_ticket()) {
            ticket.sent(sent);
        }
        self.res.store(i64::from(cqe.res()), Ordering::Release);
    }
}

impl<B: IoBuf> SendZc<B> {
    /// Sends on the socket whose lane the ticket in `progress` is for.
    pub(crate) fn new(fd: RawFd, buf: Lent<B>, progress: Arc<Progress>) -> SendZc<B> {
        SendZc { fd, buf, progress }
    }
}

// SAFETY: the kernel reads the buffer, which this op owns until the terminal CQE, the
// notification if there is one. `more` touches `progress` only, which was not lent. The descriptor
// is a number: the socket that owns it closes it behind everything that is queued.
unsafe impl<B: IoBuf> Op for SendZc<B> {
    type Output = SentZc<B>;
    const CODE: Opcode = Opcode::SEND_ZC;

    fn fill(&mut self, sqe: &mut Sqe) {
        let (ptr, len) = (self.buf.ptr(), self.buf.len());
        // SAFETY: `Lent` is valid for reads of its length until the terminal CQE.
        unsafe { sqe.prep_send_zc(self.fd, ptr, len, os::MSG_NOSIGNAL, 0) };
    }

    unsafe fn adrift(this: *mut Self, errno: Errno) {
        // SAFETY: as in `more`.
        let progress = Arc::clone(unsafe { &(*this).progress });
        if progress.result().is_none() {
            progress.land(Cqe::failed(0, errno));
            if let Some(ticket) = &*progress.lock_ticket() {
                ticket.adrift();
            }
            progress.waker.wake();
        }
    }

    unsafe fn more(this: *mut Self, cqe: Cqe) {
        // SAFETY: the table calls this with a live op; the kernel was not given this field.
        let progress = Arc::clone(unsafe { &(*this).progress });
        progress.land(cqe);
        progress.waker.wake();
    }

    fn finish(self, cqe: Cqe) -> SentZc<B> {
        if !cqe.notif() {
            self.progress.land(cqe);
        }
        SentZc {
            buf: self.buf.into_inner(),
            _progress: Some(self.progress),
        }
    }

    fn lost(_errno: Errno) -> Option<SentZc<B>> {
        B::stand_in().map(|buf| SentZc {
            buf,
            _progress: None,
        })
    }
}

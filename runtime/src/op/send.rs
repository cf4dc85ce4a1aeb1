//! SEND: an owned buffer to a socket's peer.

use std::os::fd::RawFd;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use crate::buf::{IoBuf, Lent};
use crate::uring::lanes::SendTicket;

pub(crate) struct Send<B> {
    fd: RawFd,
    buf: Lent<B>,
    ticket: SendTicket,
}

/// What became of a send. Dropped with an unsettled ticket, it poisons the stream if it was short.
pub(crate) struct Sent<B> {
    pub(crate) result: Result<usize, Errno>,
    pub(crate) buf: B,
    /// The turn to send; none where the ring that failed keeps it.
    pub(crate) ticket: Option<SendTicket>,
}

impl<B: IoBuf> Send<B> {
    /// Sends on the socket whose lane the ticket is for.
    pub(crate) fn new(fd: RawFd, buf: Lent<B>, ticket: SendTicket) -> Send<B> {
        Send { fd, buf, ticket }
    }
}

// SAFETY: the kernel reads the buffer, which this op owns until the terminal CQE. The descriptor
// is a number: the socket that owns it closes it behind everything that is queued.
unsafe impl<B: IoBuf> Op for Send<B> {
    type Output = Sent<B>;
    const CODE: Opcode = Opcode::SEND;

    fn fill(&mut self, sqe: &mut Sqe) {
        let (ptr, len) = (self.buf.ptr(), self.buf.len());
        // SAFETY: `Lent` is valid for reads of its length until the terminal CQE.
        unsafe { sqe.prep_send(self.fd, ptr, len, os::MSG_NOSIGNAL) };
    }

    unsafe fn adrift(this: *mut Self, _errno: Errno) {
        // SAFETY: the table calls this with a live op; the kernel was not given this field.
        let ticket = unsafe { &(*this).ticket };
        ticket.adrift();
    }

    fn finish(mut self, cqe: Cqe) -> Sent<B> {
        let result = match cqe.result() {
            Ok(n) => {
                self.ticket.sent(n);
                Ok(n as usize)
            }
            Err(errno) => Err(errno),
        };
        Sent {
            result,
            buf: self.buf.into_inner(),
            ticket: Some(self.ticket),
        }
    }

    fn lost(errno: Errno) -> Option<Sent<B>> {
        let sent = |buf| Sent {
            result: Err(errno),
            buf,
            ticket: None,
        };
        B::stand_in().map(sent)
    }
}

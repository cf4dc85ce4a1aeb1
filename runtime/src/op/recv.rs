//! RECV: bytes of a socket into an owned buffer.

use std::os::fd::RawFd;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::Op;
use crate::buf::{IoBufMut, Lent, bytes_of};
use crate::uring::lanes::RecvTicket;

pub(crate) struct Recv<B> {
    fd: RawFd,
    buf: Lent<B>,
    ticket: RecvTicket,
}

/// What a receive brought. Dropped with its ticket, the socket's next reader may go on.
pub(crate) struct Received<B> {
    pub(crate) result: Result<usize, Errno>,
    pub(crate) buf: B,
    /// The turn to receive; none where the ring that failed keeps it.
    pub(crate) ticket: Option<RecvTicket>,
}

impl<B: IoBufMut> Recv<B> {
    /// Receives from the socket whose lane the ticket is for.
    pub(crate) fn new(fd: RawFd, buf: B, ticket: RecvTicket) -> Recv<B> {
        Recv {
            fd,
            buf: Lent::target(buf, usize::MAX),
            ticket,
        }
    }
}

// SAFETY: the kernel writes into the buffer, which this op owns until the terminal CQE. The
// descriptor is a number: the socket that owns it closes it behind everything that is queued.
unsafe impl<B: IoBufMut> Op for Recv<B> {
    type Output = Received<B>;
    const CODE: Opcode = Opcode::RECV;

    fn fill(&mut self, sqe: &mut Sqe) {
        // SAFETY: `Lent` is valid for writes of its length until the terminal CQE.
        unsafe { sqe.prep_recv(self.fd, self.buf.ptr(), self.buf.len(), 0) };
    }

    unsafe fn adrift(this: *mut Self, _errno: Errno) {
        // SAFETY: the table calls this with a live op; the kernel was not given this field.
        let ticket = unsafe { &(*this).ticket };
        ticket.adrift();
    }

    fn finish(self, cqe: Cqe) -> Received<B> {
        let (result, buf) = match cqe.result() {
            // SAFETY: a RECV that reports n bytes has written the first n.
            Ok(n) => (Ok(n as usize), unsafe { self.buf.into_filled(n) }),
            Err(errno) => (Err(errno), self.buf.into_inner()),
        };
        Received {
            result,
            buf,
            ticket: Some(self.ticket),
        }
    }

    fn lost(errno: Errno) -> Option<Received<B>> {
        let received = |buf| Received {
            result: Err(errno),
            buf,
            ticket: None,
        };
        B::stand_in().map(received)
    }

    fn discard(output: Received<B>) {
        if let (Ok(n), Some(ticket)) = (output.result, output.ticket) {
            ticket.stash(&bytes_of(&output.buf)[..n]);
        }
    }
}

//! CONNECT: connects a socket to a peer.
//!
//! The operation owns the socket until the peer has answered: dropped before that, it is
//! cancelled, and the descriptor closes with its terminal CQE.

use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{Cqe, Errno, Opcode, SockAddr, Sqe};

use super::Op;

pub(crate) struct Connect {
    socket: OwnedFd,
    peer: SockAddr,
}

impl Connect {
    pub(crate) fn new(socket: OwnedFd, peer: SockAddr) -> Connect {
        Connect { socket, peer }
    }
}

// SAFETY: the kernel copies the address when it takes the SQE; until then, and after, it lies
// in this op, which does not move before its terminal CQE.
unsafe impl Op for Connect {
    type Output = Result<OwnedFd, Errno>;
    const CODE: Opcode = Opcode::CONNECT;

    fn fill(&mut self, sqe: &mut Sqe) {
        let (addr, len) = (self.peer.as_ptr(), self.peer.len());
        // SAFETY: the address outlives the operation, as above.
        unsafe { sqe.prep_connect(self.socket.as_raw_fd(), addr.cast(), len) };
    }

    fn finish(self, cqe: Cqe) -> Result<OwnedFd, Errno> {
        cqe.result()?;
        Ok(self.socket)
    }

    fn lost(errno: Errno) -> Option<Result<OwnedFd, Errno>> {
        Some(Err(errno))
    }
}

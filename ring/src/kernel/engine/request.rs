//! A request: one SQE from its consumption to its last CQE.
//!
//! ```text
//!                    +--> Waiting ----ready: tried again, done----+
//!   Held --start-----+--> Offloaded --------arrived---------------+--> (gone)
//!     |              +--> Timed ------ran out, or counted---------+
//!     |              +--> (done at once)                          |
//!     |              +--> Late ------called--------------------------+
//!     +--the entry before it failed---> (gone)                    |
//!                         Waiting, Offloaded, Timed --cancel--> Ended --> (gone)
//! ```

use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::net::{IORING_ACCEPT_MULTISHOT, IORING_RECV_MULTISHOT};
use annulus_syscalls::io_uring::io_uring_sqe;
use annulus_syscalls::io_uring::op;
use annulus_syscalls::io_uring::sqe_flags::{
    IOSQE_BUFFER_SELECT, IOSQE_CQE_SKIP_SUCCESS, IOSQE_IO_HARDLINK, IOSQE_IO_LINK,
};

use super::args::Args;
use super::timeout::Timer;
use super::world::Lease;

/// Names a request, also after it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(super) index: usize,
    /// The submission's number: an index is used again, this is not.
    pub(super) sequence: u64,
}

impl Key {
    /// The submission's number: no other request of the ring has it.
    pub(crate) fn number(self) -> u64 {
        self.sequence
    }
}

/// A buffer that was selected from a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selected {
    pub(crate) address: u64,
    pub(crate) len: u32,
    pub(crate) id: u16,
}

/// An operation as a [`World`](super::world::World) tries it.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) sqe: io_uring_sqe,
    /// What the SQE only pointed to, and its submitter has back by now.
    pub(crate) args: Args,
    /// The buffer for this attempt, where the group gives it.
    pub(crate) selected: Option<Selected>,
    /// Bytes that earlier attempts moved.
    pub(crate) done: u32,
    /// An earlier attempt has begun what a later one only asks about.
    pub(crate) begun: bool,
    /// Registered files and buffers that it uses.
    pub(crate) leases: Vec<Lease>,
}

impl Operation {
    /// Where data goes or comes from.
    pub(crate) fn buffer(&self) -> (u64, usize) {
        match self.selected {
            Some(selected) => (selected.address, selected.len as usize),
            None => (self.sqe.addr, self.sqe.len as usize),
        }
    }

    /// How much data is to be moved.
    pub(crate) fn bytes(&self) -> usize {
        match &self.args {
            args @ (Args::Iov(_) | Args::Message(..)) => args.iov_bytes(),
            _ => self.buffer().1,
        }
    }

    pub(crate) fn selects(&self) -> bool {
        self.sqe.flags & IOSQE_BUFFER_SELECT != 0
    }

    /// Whether it goes on after a CQE.
    pub(crate) fn is_multishot(&self) -> bool {
        let ioprio = self.sqe.ioprio;
        match self.sqe.opcode {
            op::IORING_OP_ACCEPT => ioprio & IORING_ACCEPT_MULTISHOT != 0,
            op::IORING_OP_RECV | op::IORING_OP_RECVMSG => ioprio & IORING_RECV_MULTISHOT != 0,
            op::IORING_OP_READ_MULTISHOT => true,
            _ => false,
        }
    }
}

/// What a request is doing.
#[derive(Debug)]
pub(super) enum State {
    /// Not started: behind others in a chain, or behind a drain.
    Held,
    /// Until its descriptor is ready for one of `mask`.
    Waiting {
        fd: i32,
        mask: u32,
    },
    Offloaded,
    Timed(Timer),
    /// A fault delays it: a cancel that has not looked yet, a notification that is to come.
    Late,
    /// Its last CQE is about to be posted.
    Ended,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) op: Operation,
    pub(super) state: State,
    pub(super) sequence: u64,
    /// The next entry of its chain.
    pub(super) next: Option<Key>,
    /// The LINK_TIMEOUT that limits it.
    pub(super) limit: Option<Key>,
    /// Another request with the same user data that can be cancelled.
    pub(super) namesake: Option<Key>,
    /// It will not run but end with this.
    pub(super) preset: Option<i32>,
    /// Bytes of all its buffers, if it has several.
    pub(super) whole: i32,
    /// No CQE if it succeeds.
    pub(super) quiet: bool,
    /// The flags of the buffer that it took before a thread ran it.
    pub(super) claimed: Option<u32>,
    /// Whether the index of what can be cancelled has it.
    pub(super) indexed: bool,
}

impl Request {
    pub(super) fn new(sqe: io_uring_sqe, args: Args, sequence: u64) -> Request {
        Request {
            op: Operation {
                sqe,
                args,
                selected: None,
                done: 0,
                begun: false,
                leases: Vec::new(),
            },
            state: State::Held,
            sequence,
            next: None,
            limit: None,
            namesake: None,
            preset: None,
            whole: 0,
            quiet: sqe.flags & IOSQE_CQE_SKIP_SUCCESS != 0,
            claimed: None,
            indexed: false,
        }
    }

    pub(super) fn opcode(&self) -> u8 {
        self.op.sqe.opcode
    }

    pub(super) fn user_data(&self) -> u64 {
        self.op.sqe.user_data
    }

    pub(super) fn is_linked(&self) -> bool {
        self.op.sqe.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK) != 0
    }

    /// Whether this result breaks a chain: any failure does, but for those of operations that
    /// io_uring lets pass, and so does moving less data than was asked for.
    pub(super) fn fails_with(&self, res: i32) -> bool {
        if self.preset.is_some() || res == -Errno::ECANCELED.raw() {
            return true;
        }
        match self.opcode() {
            op::IORING_OP_READ
            | op::IORING_OP_WRITE
            | op::IORING_OP_READ_FIXED
            | op::IORING_OP_WRITE_FIXED
            | op::IORING_OP_SPLICE
            | op::IORING_OP_TEE => res != self.op.sqe.len as i32,
            op::IORING_OP_READV | op::IORING_OP_WRITEV => res != self.whole,
            op::IORING_OP_RECV | op::IORING_OP_SEND
                if self.op.sqe.op_flags & libc::MSG_WAITALL as u32 != 0 =>
            {
                res < self.op.sqe.len as i32
            }
            op::IORING_OP_RECVMSG | op::IORING_OP_SENDMSG
                if self.op.sqe.op_flags & libc::MSG_WAITALL as u32 != 0 =>
            {
                res < self.whole
            }
            // Without a file, or on what is no socket, it would not have begun.
            op::IORING_OP_FSYNC
            | op::IORING_OP_SYNC_FILE_RANGE
            | op::IORING_OP_FTRUNCATE
            | op::IORING_OP_SHUTDOWN
            | op::IORING_OP_FSETXATTR
            | op::IORING_OP_FGETXATTR => {
                [-Errno::EBADF.raw(), -Errno::ENOTSOCK.raw()].contains(&res)
            }
            op::IORING_OP_FALLOCATE
            | op::IORING_OP_MADVISE
            | op::IORING_OP_STATX
            | op::IORING_OP_RENAMEAT
            | op::IORING_OP_UNLINKAT
            | op::IORING_OP_MKDIRAT
            | op::IORING_OP_LINKAT
            | op::IORING_OP_SYMLINKAT
            | op::IORING_OP_SETXATTR
            | op::IORING_OP_GETXATTR => false,
            _ => res < 0,
        }
    }
}

//! `Opcode`: the number of an operation, with its name and its first kernel.

use core::fmt;

use annulus_syscalls::io_uring::op;

use crate::version::Version;

/// Which operation an SQE asks for.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Opcode(pub u8);

impl Opcode {
    /// [`IORING_OP_NOP`](op::IORING_OP_NOP), since 5.1.
    pub const NOP: Opcode = Opcode(op::IORING_OP_NOP);
    /// [`IORING_OP_READV`](op::IORING_OP_READV), since 5.1.
    pub const READV: Opcode = Opcode(op::IORING_OP_READV);
    /// [`IORING_OP_WRITEV`](op::IORING_OP_WRITEV), since 5.1.
    pub const WRITEV: Opcode = Opcode(op::IORING_OP_WRITEV);
    /// [`IORING_OP_FSYNC`](op::IORING_OP_FSYNC), since 5.1.
    pub const FSYNC: Opcode = Opcode(op::IORING_OP_FSYNC);
    /// [`IORING_OP_READ_FIXED`](op::IORING_OP_READ_FIXED), since 5.1.
    pub const READ_FIXED: Opcode = Opcode(op::IORING_OP_READ_FIXED);
    /// [`IORING_OP_WRITE_FIXED`](op::IORING_OP_WRITE_FIXED), since 5.1.
    pub const WRITE_FIXED: Opcode = Opcode(op::IORING_OP_WRITE_FIXED);
    /// [`IORING_OP_POLL_ADD`](op::IORING_OP_POLL_ADD), since 5.1.
    pub const POLL_ADD: Opcode = Opcode(op::IORING_OP_POLL_ADD);
    /// [`IORING_OP_POLL_REMOVE`](op::IORING_OP_POLL_REMOVE), since 5.1.
    pub const POLL_REMOVE: Opcode = Opcode(op::IORING_OP_POLL_REMOVE);
    /// [`IORING_OP_SYNC_FILE_RANGE`](op::IORING_OP_SYNC_FILE_RANGE), since 5.2.
    pub const SYNC_FILE_RANGE: Opcode = Opcode(op::IORING_OP_SYNC_FILE_RANGE);
    /// [`IORING_OP_SENDMSG`](op::IORING_OP_SENDMSG), since 5.3.
    pub const SENDMSG: Opcode = Opcode(op::IORING_OP_SENDMSG);
    /// [`IORING_OP_RECVMSG`](op::IORING_OP_RECVMSG), since 5.3.
    pub const RECVMSG: Opcode = Opcode(op::IORING_OP_RECVMSG);
    /// [`IORING_OP_TIMEOUT`](op::IORING_OP_TIMEOUT), since 5.4.
    pub const TIMEOUT: Opcode = Opcode(op::IORING_OP_TIMEOUT);
    /// [`IORING_OP_TIMEOUT_REMOVE`](op::IORING_OP_TIMEOUT_REMOVE), since 5.5.
    pub const TIMEOUT_REMOVE: Opcode = Opcode(op::IORING_OP_TIMEOUT_REMOVE);
    /// [`IORING_OP_ACCEPT`](op::IORING_OP_ACCEPT), since 5.5.
    pub const ACCEPT: Opcode = Opcode(op::IORING_OP_ACCEPT);
    /// [`IORING_OP_ASYNC_CANCEL`](op::IORING_OP_ASYNC_CANCEL), since 5.5.
    pub const ASYNC_CANCEL: Opcode = Opcode(op::IORING_OP_ASYNC_CANCEL);
    /// [`IORING_OP_LINK_TIMEOUT`](op::IORING_OP_LINK_TIMEOUT), since 5.5.
    pub const LINK_TIMEOUT: Opcode = Opcode(op::IORING_OP_LINK_TIMEOUT);
    /// [`IORING_OP_CONNECT`](op::IORING_OP_CONNECT), since 5.5.
    pub const CONNECT: Opcode = Opcode(op::IORING_OP_CONNECT);
    /// [`IORING_OP_FALLOCATE`](op::IORING_OP_FALLOCATE), since 5.6.
    pub const FALLOCATE: Opcode = Opcode(op::IORING_OP_FALLOCATE);
    /// [`IORING_OP_OPENAT`](op::IORING_OP_OPENAT), since 5.6.
    pub const OPENAT: Opcode = Opcode(op::IORING_OP_OPENAT);
    /// [`IORING_OP_CLOSE`](op::IORING_OP_CLOSE), since 5.6.
    pub const CLOSE: Opcode = Opcode(op::IORING_OP_CLOSE);
    /// [`IORING_OP_FILES_UPDATE`](op::IORING_OP_FILES_UPDATE), since 5.6.
    pub const FILES_UPDATE: Opcode = Opcode(op::IORING_OP_FILES_UPDATE);
    /// [`IORING_OP_STATX`](op::IORING_OP_STATX), since 5.6.
    pub const STATX: Opcode = Opcode(op::IORING_OP_STATX);
    /// [`IORING_OP_READ`](op::IORING_OP_READ), since 5.6.
    pub const READ: Opcode = Opcode(op::IORING_OP_READ);
    /// [`IORING_OP_WRITE`](op::IORING_OP_WRITE), since 5.6.
    pub const WRITE: Opcode = Opcode(op::IORING_OP_WRITE);
    /// [`IORING_OP_FADVISE`](op::IORING_OP_FADVISE), since 5.6.
    pub const FADVISE: Opcode = Opcode(op::IORING_OP_FADVISE);
    /// [`IORING_OP_MADVISE`](op::IORING_OP_MADVISE), since 5.6.
    pub const MADVISE: Opcode = Opcode(op::IORING_OP_MADVISE);
    /// [`IORING_OP_SEND`](op::IORING_OP_SEND), since 5.6.
    pub const SEND: Opcode = Opcode(op::IORING_OP_SEND);
    /// [`IORING_OP_RECV`](op::IORING_OP_RECV), since 5.6.
    pub const RECV: Opcode = Opcode(op::IORING_OP_RECV);
    /// [`IORING_OP_OPENAT2`](op::IORING_OP_OPENAT2), since 5.6.
    pub const OPENAT2: Opcode = Opcode(op::IORING_OP_OPENAT2);
    /// [`IORING_OP_EPOLL_CTL`](op::IORING_OP_EPOLL_CTL), since 5.6.
    pub const EPOLL_CTL: Opcode = Opcode(op::IORING_OP_EPOLL_CTL);
    /// [`IORING_OP_SPLICE`](op::IORING_OP_SPLICE), since 5.7.
    pub const SPLICE: Opcode = Opcode(op::IORING_OP_SPLICE);
    /// [`IORING_OP_PROVIDE_BUFFERS`](op::IORING_OP_PROVIDE_BUFFERS), since 5.7.
    pub const PROVIDE_BUFFERS: Opcode = Opcode(op::IORING_OP_PROVIDE_BUFFERS);
    /// [`IORING_OP_REMOVE_BUFFERS`](op::IORING_OP_REMOVE_BUFFERS), since 5.7.
    pub const REMOVE_BUFFERS: Opcode = Opcode(op::IORING_OP_REMOVE_BUFFERS);
    /// [`IORING_OP_TEE`](op::IORING_OP_TEE), since 5.8.
    pub const TEE: Opcode = Opcode(op::IORING_OP_TEE);
    /// [`IORING_OP_SHUTDOWN`](op::IORING_OP_SHUTDOWN), since 5.11.
    pub const SHUTDOWN: Opcode = Opcode(op::IORING_OP_SHUTDOWN);
    /// [`IORING_OP_RENAMEAT`](op::IORING_OP_RENAMEAT), since 5.11.
    pub const RENAMEAT: Opcode = Opcode(op::IORING_OP_RENAMEAT);
    /// [`IORING_OP_UNLINKAT`](op::IORING_OP_UNLINKAT), since 5.11.
    pub const UNLINKAT: Opcode = Opcode(op::IORING_OP_UNLINKAT);
    /// [`IORING_OP_MKDIRAT`](op::IORING_OP_MKDIRAT), since 5.15.
    pub const MKDIRAT: Opcode = Opcode(op::IORING_OP_MKDIRAT);
    /// [`IORING_OP_SYMLINKAT`](op::IORING_OP_SYMLINKAT), since 5.15.
    pub const SYMLINKAT: Opcode = Opcode(op::IORING_OP_SYMLINKAT);
    /// [`IORING_OP_LINKAT`](op::IORING_OP_LINKAT), since 5.15.
    pub const LINKAT: Opcode = Opcode(op::IORING_OP_LINKAT);
    /// [`IORING_OP_MSG_RING`](op::IORING_OP_MSG_RING), since 5.18.
    pub const MSG_RING: Opcode = Opcode(op::IORING_OP_MSG_RING);
    /// [`IORING_OP_FSETXATTR`](op::IORING_OP_FSETXATTR), since 5.19.
    pub const FSETXATTR: Opcode = Opcode(op::IORING_OP_FSETXATTR);
    /// [`IORING_OP_SETXATTR`](op::IORING_OP_SETXATTR), since 5.19.
    pub const SETXATTR: Opcode = Opcode(op::IORING_OP_SETXATTR);
    /// [`IORING_OP_FGETXATTR`](op::IORING_OP_FGETXATTR), since 5.19.
    pub const FGETXATTR: Opcode = Opcode(op::IORING_OP_FGETXATTR);
    /// [`IORING_OP_GETXATTR`](op::IORING_OP_GETXATTR), since 5.19.
    pub const GETXATTR: Opcode = Opcode(op::IORING_OP_GETXATTR);
    /// [`IORING_OP_SOCKET`](op::IORING_OP_SOCKET), since 5.19.
    pub const SOCKET: Opcode = Opcode(op::IORING_OP_SOCKET);
    /// [`IORING_OP_URING_CMD`](op::IORING_OP_URING_CMD), since 5.19.
    pub const URING_CMD: Opcode = Opcode(op::IORING_OP_URING_CMD);
    /// [`IORING_OP_SEND_ZC`](op::IORING_OP_SEND_ZC), since 6.0.
    pub const SEND_ZC: Opcode = Opcode(op::IORING_OP_SEND_ZC);
    /// [`IORING_OP_SENDMSG_ZC`](op::IORING_OP_SENDMSG_ZC), since 6.1.
    pub const SENDMSG_ZC: Opcode = Opcode(op::IORING_OP_SENDMSG_ZC);
    /// [`IORING_OP_READ_MULTISHOT`](op::IORING_OP_READ_MULTISHOT), since 6.7.
    pub const READ_MULTISHOT: Opcode = Opcode(op::IORING_OP_READ_MULTISHOT);
    /// [`IORING_OP_WAITID`](op::IORING_OP_WAITID), since 6.7.
    pub const WAITID: Opcode = Opcode(op::IORING_OP_WAITID);
    /// [`IORING_OP_FUTEX_WAIT`](op::IORING_OP_FUTEX_WAIT), since 6.7.
    pub const FUTEX_WAIT: Opcode = Opcode(op::IORING_OP_FUTEX_WAIT);
    /// [`IORING_OP_FUTEX_WAKE`](op::IORING_OP_FUTEX_WAKE), since 6.7.
    pub const FUTEX_WAKE: Opcode = Opcode(op::IORING_OP_FUTEX_WAKE);
    /// [`IORING_OP_FUTEX_WAITV`](op::IORING_OP_FUTEX_WAITV), since 6.7.
    pub const FUTEX_WAITV: Opcode = Opcode(op::IORING_OP_FUTEX_WAITV);
    /// [`IORING_OP_FIXED_FD_INSTALL`](op::IORING_OP_FIXED_FD_INSTALL), since 6.8.
    pub const FIXED_FD_INSTALL: Opcode = Opcode(op::IORING_OP_FIXED_FD_INSTALL);
    /// [`IORING_OP_FTRUNCATE`](op::IORING_OP_FTRUNCATE), since 6.9.
    pub const FTRUNCATE: Opcode = Opcode(op::IORING_OP_FTRUNCATE);
    /// [`IORING_OP_BIND`](op::IORING_OP_BIND), since 6.11.
    pub const BIND: Opcode = Opcode(op::IORING_OP_BIND);
    /// [`IORING_OP_LISTEN`](op::IORING_OP_LISTEN), since 6.11.
    pub const LISTEN: Opcode = Opcode(op::IORING_OP_LISTEN);
    /// [`IORING_OP_RECV_ZC`](op::IORING_OP_RECV_ZC), since 6.15.
    pub const RECV_ZC: Opcode = Opcode(op::IORING_OP_RECV_ZC);
    /// [`IORING_OP_EPOLL_WAIT`](op::IORING_OP_EPOLL_WAIT), since 6.15.
    pub const EPOLL_WAIT: Opcode = Opcode(op::IORING_OP_EPOLL_WAIT);
    /// [`IORING_OP_READV_FIXED`](op::IORING_OP_READV_FIXED), since 6.15.
    pub const READV_FIXED: Opcode = Opcode(op::IORING_OP_READV_FIXED);
    /// [`IORING_OP_WRITEV_FIXED`](op::IORING_OP_WRITEV_FIXED), since 6.15.
    pub const WRITEV_FIXED: Opcode = Opcode(op::IORING_OP_WRITEV_FIXED);
    /// [`IORING_OP_PIPE`](op::IORING_OP_PIPE), since 6.16.
    pub const PIPE: Opcode = Opcode(op::IORING_OP_PIPE);
    /// [`IORING_OP_NOP128`](op::IORING_OP_NOP128), since 6.19.
    pub const NOP128: Opcode = Opcode(op::IORING_OP_NOP128);
    /// [`IORING_OP_URING_CMD128`](op::IORING_OP_URING_CMD128), since 6.19.
    pub const URING_CMD128: Opcode = Opcode(op::IORING_OP_URING_CMD128);

    /// How many slots an entry of this operation takes in a ring of mixed sizes.
    pub(crate) fn slots(self) -> u32 {
        let wide = [Opcode::NOP128, Opcode::URING_CMD128];
        1 + u32::from(wide.contains(&self))
    }

    /// The name, without `IORING_OP_`; `"UNKNOWN"` for a number that no known kernel has.
    #[must_use]
    pub fn name(self) -> &'static str {
        OPCODES
            .get(usize::from(self.0))
            .map_or("UNKNOWN", |entry| entry.0)
    }

    /// The first kernel that has it; `None` for a number that no known kernel has.
    #[must_use]
    pub fn since(self) -> Option<Version> {
        OPCODES.get(usize::from(self.0)).map(|entry| entry.1)
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match OPCODES.get(usize::from(self.0)) {
            Some(entry) => f.write_str(entry.0),
            None => write!(f, "UNKNOWN({})", self.0),
        }
    }
}

/// Name and first kernel of each opcode, by number.
const OPCODES: &[(&str, Version)] = &[
    ("NOP", Version::new(5, 1)),
    ("READV", Version::new(5, 1)),
    ("WRITEV", Version::new(5, 1)),
    ("FSYNC", Version::new(5, 1)),
    ("READ_FIXED", Version::new(5, 1)),
    ("WRITE_FIXED", Version::new(5, 1)),
    ("POLL_ADD", Version::new(5, 1)),
    ("POLL_REMOVE", Version::new(5, 1)),
    ("SYNC_FILE_RANGE", Version::new(5, 2)),
    ("SENDMSG", Version::new(5, 3)),
    ("RECVMSG", Version::new(5, 3)),
    ("TIMEOUT", Version::new(5, 4)),
    ("TIMEOUT_REMOVE", Version::new(5, 5)),
    ("ACCEPT", Version::new(5, 5)),
    ("ASYNC_CANCEL", Version::new(5, 5)),
    ("LINK_TIMEOUT", Version::new(5, 5)),
    ("CONNECT", Version::new(5, 5)),
    ("FALLOCATE", Version::new(5, 6)),
    ("OPENAT", Version::new(5, 6)),
    ("CLOSE", Version::new(5, 6)),
    ("FILES_UPDATE", Version::new(5, 6)),
    ("STATX", Version::new(5, 6)),
    ("READ", Version::new(5, 6)),
    ("WRITE", Version::new(5, 6)),
    ("FADVISE", Version::new(5, 6)),
    ("MADVISE", Version::new(5, 6)),
    ("SEND", Version::new(5, 6)),
    ("RECV", Version::new(5, 6)),
    ("OPENAT2", Version::new(5, 6)),
    ("EPOLL_CTL", Version::new(5, 6)),
    ("SPLICE", Version::new(5, 7)),
    ("PROVIDE_BUFFERS", Version::new(5, 7)),
    ("REMOVE_BUFFERS", Version::new(5, 7)),
    ("TEE", Version::new(5, 8)),
    ("SHUTDOWN", Version::new(5, 11)),
    ("RENAMEAT", Version::new(5, 11)),
    ("UNLINKAT", Version::new(5, 11)),
    ("MKDIRAT", Version::new(5, 15)),
    ("SYMLINKAT", Version::new(5, 15)),
    ("LINKAT", Version::new(5, 15)),
    ("MSG_RING", Version::new(5, 18)),
    ("FSETXATTR", Version::new(5, 19)),
    ("SETXATTR", Version::new(5, 19)),
    ("FGETXATTR", Version::new(5, 19)),
    ("GETXATTR", Version::new(5, 19)),
    ("SOCKET", Version::new(5, 19)),
    ("URING_CMD", Version::new(5, 19)),
    ("SEND_ZC", Version::new(6, 0)),
    ("SENDMSG_ZC", Version::new(6, 1)),
    ("READ_MULTISHOT", Version::new(6, 7)),
    ("WAITID", Version::new(6, 7)),
    ("FUTEX_WAIT", Version::new(6, 7)),
    ("FUTEX_WAKE", Version::new(6, 7)),
    ("FUTEX_WAITV", Version::new(6, 7)),
    ("FIXED_FD_INSTALL", Version::new(6, 8)),
    ("FTRUNCATE", Version::new(6, 9)),
    ("BIND", Version::new(6, 11)),
    ("LISTEN", Version::new(6, 11)),
    ("RECV_ZC", Version::new(6, 15)),
    ("EPOLL_WAIT", Version::new(6, 15)),
    ("READV_FIXED", Version::new(6, 15)),
    ("WRITEV_FIXED", Version::new(6, 15)),
    ("PIPE", Version::new(6, 16)),
    ("NOP128", Version::new(6, 19)),
    ("URING_CMD128", Version::new(6, 19)),
];

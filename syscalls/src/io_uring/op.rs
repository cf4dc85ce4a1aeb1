//! Opcodes of an SQE (`enum io_uring_op`).
//!
//! Which field of the SQE carries what is written at the `prep_*` methods of `annulus-ring`.

/// Do nothing, and complete. Since 5.1.
pub const IORING_OP_NOP: u8 = 0;
/// `preadv2`(2). Since 5.1.
pub const IORING_OP_READV: u8 = 1;
/// `pwritev2`(2). Since 5.1.
pub const IORING_OP_WRITEV: u8 = 2;
/// `fsync`(2), or `fdatasync`(2) by flag. Since 5.1.
pub const IORING_OP_FSYNC: u8 = 3;
/// Read into a registered buffer. Since 5.1.
pub const IORING_OP_READ_FIXED: u8 = 4;
/// Write from a registered buffer. Since 5.1.
pub const IORING_OP_WRITE_FIXED: u8 = 5;
/// Wait for readiness, once or, by flag, again and again. Since 5.1.
pub const IORING_OP_POLL_ADD: u8 = 6;
/// Remove a poll, or update it. Since 5.1.
pub const IORING_OP_POLL_REMOVE: u8 = 7;
/// `sync_file_range`(2). Since 5.2.
pub const IORING_OP_SYNC_FILE_RANGE: u8 = 8;
/// `sendmsg`(2). Since 5.3.
pub const IORING_OP_SENDMSG: u8 = 9;
/// `recvmsg`(2). Since 5.3.
pub const IORING_OP_RECVMSG: u8 = 10;
/// Complete after a time, or after a number of completions. Since 5.4.
pub const IORING_OP_TIMEOUT: u8 = 11;
/// Remove a timeout, or update it. Since 5.5.
pub const IORING_OP_TIMEOUT_REMOVE: u8 = 12;
/// `accept4`(2). Since 5.5.
pub const IORING_OP_ACCEPT: u8 = 13;
/// Ask for the end of another operation. Since 5.5.
pub const IORING_OP_ASYNC_CANCEL: u8 = 14;
/// A time limit on the SQE before it in the chain. Since 5.5.
pub const IORING_OP_LINK_TIMEOUT: u8 = 15;
/// `connect`(2). Since 5.5.
pub const IORING_OP_CONNECT: u8 = 16;
/// `fallocate`(2). Since 5.6.
pub const IORING_OP_FALLOCATE: u8 = 17;
/// `openat`(2). Since 5.6.
pub const IORING_OP_OPENAT: u8 = 18;
/// `close`(2). Since 5.6.
pub const IORING_OP_CLOSE: u8 = 19;
/// Change slots of the registered file table. Since 5.6.
pub const IORING_OP_FILES_UPDATE: u8 = 20;
/// `statx`(2). Since 5.6.
pub const IORING_OP_STATX: u8 = 21;
/// `pread`(2), or `read`(2) with the offset -1. Since 5.6.
pub const IORING_OP_READ: u8 = 22;
/// `pwrite`(2), or `write`(2) with the offset -1. Since 5.6.
pub const IORING_OP_WRITE: u8 = 23;
/// `posix_fadvise`(2). Since 5.6.
pub const IORING_OP_FADVISE: u8 = 24;
/// `madvise`(2). Since 5.6.
pub const IORING_OP_MADVISE: u8 = 25;
/// `send`(2), or `sendto`(2) with an address. Since 5.6.
pub const IORING_OP_SEND: u8 = 26;
/// `recv`(2). Since 5.6.
pub const IORING_OP_RECV: u8 = 27;
/// `openat2`(2). Since 5.6.
pub const IORING_OP_OPENAT2: u8 = 28;
/// `epoll_ctl`(2). Since 5.6.
pub const IORING_OP_EPOLL_CTL: u8 = 29;
/// `splice`(2). Since 5.7.
pub const IORING_OP_SPLICE: u8 = 30;
/// Hand buffers to a group, the way before buffer rings. Since 5.7.
pub const IORING_OP_PROVIDE_BUFFERS: u8 = 31;
/// Take buffers of a group back. Since 5.7.
pub const IORING_OP_REMOVE_BUFFERS: u8 = 32;
/// `tee`(2). Since 5.8.
pub const IORING_OP_TEE: u8 = 33;
/// `shutdown`(2). Since 5.11.
pub const IORING_OP_SHUTDOWN: u8 = 34;
/// `renameat2`(2). Since 5.11.
pub const IORING_OP_RENAMEAT: u8 = 35;
/// `unlinkat`(2). Since 5.11.
pub const IORING_OP_UNLINKAT: u8 = 36;
/// `mkdirat`(2). Since 5.15.
pub const IORING_OP_MKDIRAT: u8 = 37;
/// `symlinkat`(2). Since 5.15.
pub const IORING_OP_SYMLINKAT: u8 = 38;
/// `linkat`(2). Since 5.15.
pub const IORING_OP_LINKAT: u8 = 39;
/// Post a CQE, or install a descriptor, in another ring. Since 5.18.
pub const IORING_OP_MSG_RING: u8 = 40;
/// `fsetxattr`(2). Since 5.19.
pub const IORING_OP_FSETXATTR: u8 = 41;
/// `setxattr`(2). Since 5.19.
pub const IORING_OP_SETXATTR: u8 = 42;
/// `fgetxattr`(2). Since 5.19.
pub const IORING_OP_FGETXATTR: u8 = 43;
/// `getxattr`(2). Since 5.19.
pub const IORING_OP_GETXATTR: u8 = 44;
/// `socket`(2). Since 5.19.
pub const IORING_OP_SOCKET: u8 = 45;
/// A command of the file itself: a socket, a block device, a driver. Since 5.19.
pub const IORING_OP_URING_CMD: u8 = 46;
/// Send without copying; a second CQE says when the memory is free. Since 6.0.
pub const IORING_OP_SEND_ZC: u8 = 47;
/// `sendmsg`(2) without copying. Since 6.1.
pub const IORING_OP_SENDMSG_ZC: u8 = 48;
/// Read again and again into provided buffers. Since 6.7.
pub const IORING_OP_READ_MULTISHOT: u8 = 49;
/// `waitid`(2). Since 6.7.
pub const IORING_OP_WAITID: u8 = 50;
/// Wait on a futex. Since 6.7.
pub const IORING_OP_FUTEX_WAIT: u8 = 51;
/// Wake waiters of a futex. Since 6.7.
pub const IORING_OP_FUTEX_WAKE: u8 = 52;
/// Wait on any of several futexes. Since 6.7.
pub const IORING_OP_FUTEX_WAITV: u8 = 53;
/// Make a descriptor of a registered file. Since 6.8.
pub const IORING_OP_FIXED_FD_INSTALL: u8 = 54;
/// `ftruncate`(2). Since 6.9.
pub const IORING_OP_FTRUNCATE: u8 = 55;
/// `bind`(2). Since 6.11.
pub const IORING_OP_BIND: u8 = 56;
/// `listen`(2). Since 6.11.
pub const IORING_OP_LISTEN: u8 = 57;
/// Receive into memory that the network card wrote itself. Since 6.15.
pub const IORING_OP_RECV_ZC: u8 = 58;
/// `epoll_wait`(2) that does not wait in a thread. Since 6.15.
pub const IORING_OP_EPOLL_WAIT: u8 = 59;
/// Vectored read into a registered buffer. Since 6.15.
pub const IORING_OP_READV_FIXED: u8 = 60;
/// Vectored write from a registered buffer. Since 6.15.
pub const IORING_OP_WRITEV_FIXED: u8 = 61;
/// `pipe2`(2). Since 6.16.
pub const IORING_OP_PIPE: u8 = 62;
/// [`IORING_OP_NOP`] in an SQE of 128 bytes. Since 6.19.
pub const IORING_OP_NOP128: u8 = 63;
/// [`IORING_OP_URING_CMD`] in an SQE of 128 bytes. Since 6.19.
pub const IORING_OP_URING_CMD128: u8 = 64;

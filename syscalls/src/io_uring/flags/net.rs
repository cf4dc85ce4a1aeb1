//! Flags of sockets' operations: sends, receives and accepts in `ioprio`, commands in `cmd_op`.

/// Wait for readiness before trying. Since 5.19.
pub const IORING_RECVSEND_POLL_FIRST: u16 = 1;
/// Receive again and again, into provided buffers. Since 6.0.
pub const IORING_RECV_MULTISHOT: u16 = 2;
/// The memory lies in the registered buffer `buf_index`. Since 6.0.
pub const IORING_RECVSEND_FIXED_BUF: u16 = 4;
/// The notification says whether data was copied after all. Since 6.2.
pub const IORING_SEND_ZC_REPORT_USAGE: u16 = 8;
/// Use several provided buffers at once. Since 6.10.
pub const IORING_RECVSEND_BUNDLE: u16 = 0x10;
/// The memory of SEND_ZC is an `iovec` array. Since 6.17.
pub const IORING_SEND_VECTORIZED: u16 = 0x20;
/// Accept again and again. Since 5.19.
pub const IORING_ACCEPT_MULTISHOT: u16 = 1;
/// Fail with EAGAIN instead of waiting. Since 6.10.
pub const IORING_ACCEPT_DONTWAIT: u16 = 2;
/// Wait for readiness before trying. Since 6.10.
pub const IORING_ACCEPT_POLL_FIRST: u16 = 4;
/// In the result of a notification: the data was copied. Since 6.2.
pub const IORING_NOTIF_USAGE_ZC_COPIED: i32 = i32::MIN;
/// Command: bytes that wait to be read. Since 6.5.
pub const SOCKET_URING_OP_SIOCINQ: u32 = 0;
/// Command: bytes that wait to be sent. Since 6.5.
pub const SOCKET_URING_OP_SIOCOUTQ: u32 = 1;
/// Command: `getsockopt`(2). Since 6.7.
pub const SOCKET_URING_OP_GETSOCKOPT: u32 = 2;
/// Command: `setsockopt`(2). Since 6.7.
pub const SOCKET_URING_OP_SETSOCKOPT: u32 = 3;
/// Command: transmit time stamps. Since 6.17.
pub const SOCKET_URING_OP_TX_TIMESTAMP: u32 = 4;
/// Command: `getsockname`(2), `getpeername`(2). Since 6.19.
pub const SOCKET_URING_OP_GETSOCKNAME: u32 = 5;

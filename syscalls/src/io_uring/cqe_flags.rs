//! Flags of a CQE.

/// The upper 16 bits are the id of the buffer that was taken. Since 5.7.
pub const IORING_CQE_F_BUFFER: u32 = 1;
/// The operation goes on: this CQE is not its last. Since 5.13.
pub const IORING_CQE_F_MORE: u32 = 2;
/// More data was in the socket after the receive. Since 5.19.
pub const IORING_CQE_F_SOCK_NONEMPTY: u32 = 4;
/// The kernel has let go of the memory of a zero-copy send. Since 6.0.
pub const IORING_CQE_F_NOTIF: u32 = 8;
/// The buffer is not used up: the kernel goes on filling it. Since 6.12.
pub const IORING_CQE_F_BUF_MORE: u32 = 0x10;
/// Padding before the end of the ring: no completion. Since 6.18.
pub const IORING_CQE_F_SKIP: u32 = 0x20;
/// This CQE has 32 bytes in a ring of mixed sizes. Since 6.18.
pub const IORING_CQE_F_32: u32 = 0x8000;
/// A transmit time stamp that the hardware took. Since 6.17.
pub const IORING_CQE_F_TSTAMP_HW: u32 = 0x0001_0000;
/// Of a transmit time stamp: where the hardware bit is in the flags. Since 6.17.
pub const IORING_TIMESTAMP_HW_SHIFT: u32 = 0x10;
/// Of a transmit time stamp: where its type starts in the flags. Since 6.17.
pub const IORING_TIMESTAMP_TYPE_SHIFT: u32 = 0x11;
/// Where the buffer id starts in the flags. Since 5.7.
pub const IORING_CQE_BUFFER_SHIFT: u32 = 0x10;

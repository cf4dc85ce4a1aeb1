//! Flags of `io_uring_enter`(2).

/// Wait for `min_complete` completions, and run completion work. Since 5.1.
pub const IORING_ENTER_GETEVENTS: u32 = 1;
/// Wake the thread of SQPOLL. Since 5.1.
pub const IORING_ENTER_SQ_WAKEUP: u32 = 2;
/// Wait until the SQ has room. Since 5.10.
pub const IORING_ENTER_SQ_WAIT: u32 = 4;
/// The argument is an `io_uring_getevents_arg`. Since 5.11.
pub const IORING_ENTER_EXT_ARG: u32 = 8;
/// The descriptor is the index of a registered ring. Since 5.18.
pub const IORING_ENTER_REGISTERED_RING: u32 = 0x10;
/// The timeout is a point in time. Since 6.12.
pub const IORING_ENTER_ABS_TIMER: u32 = 0x20;
/// The argument is an offset into the registered wait region. Since 6.13.
pub const IORING_ENTER_EXT_ARG_REG: u32 = 0x40;
/// Waiting does not count as waiting for a disk. Since 6.15.
pub const IORING_ENTER_NO_IOWAIT: u32 = 0x80;

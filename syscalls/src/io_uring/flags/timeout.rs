//! Flags of TIMEOUT, TIMEOUT_REMOVE and LINK_TIMEOUT, in `timeout_flags`.

/// A point in time instead of a span. Since 5.5.
pub const IORING_TIMEOUT_ABS: u32 = 1;
/// Update instead of remove. Since 5.11.
pub const IORING_TIMEOUT_UPDATE: u32 = 2;
/// The clock that counts while the machine sleeps. Since 5.15.
pub const IORING_TIMEOUT_BOOTTIME: u32 = 4;
/// The wall clock. Since 5.15.
pub const IORING_TIMEOUT_REALTIME: u32 = 8;
/// Update a LINK_TIMEOUT. Since 5.15.
pub const IORING_LINK_TIMEOUT_UPDATE: u32 = 0x10;
/// Running out counts as success for a chain. Since 5.16.
pub const IORING_TIMEOUT_ETIME_SUCCESS: u32 = 0x20;
/// Complete again and again. Since 6.4.
pub const IORING_TIMEOUT_MULTISHOT: u32 = 0x40;
/// `addr` is the time in nanoseconds, not a pointer. Since 7.1.
pub const IORING_TIMEOUT_IMMEDIATE_ARG: u32 = 0x80;
/// The bits that choose a clock.
pub const IORING_TIMEOUT_CLOCK_MASK: u32 = 0xc;
/// The bits that ask for an update.
pub const IORING_TIMEOUT_UPDATE_MASK: u32 = 0x12;

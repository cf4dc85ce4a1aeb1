//! Flags of ASYNC_CANCEL and of the synchronous cancel, in `cancel_flags`.

/// All that match, not the first. Since 5.19.
pub const IORING_ASYNC_CANCEL_ALL: u32 = 1;
/// Match by descriptor. Since 5.19.
pub const IORING_ASYNC_CANCEL_FD: u32 = 2;
/// Match everything. Since 5.19.
pub const IORING_ASYNC_CANCEL_ANY: u32 = 4;
/// The descriptor is an index of the file table. Since 6.0.
pub const IORING_ASYNC_CANCEL_FD_FIXED: u32 = 8;
/// Match by `user_data`, in addition to others. Since 6.6.
pub const IORING_ASYNC_CANCEL_USERDATA: u32 = 0x10;
/// Match by opcode. Since 6.6.
pub const IORING_ASYNC_CANCEL_OP: u32 = 0x20;

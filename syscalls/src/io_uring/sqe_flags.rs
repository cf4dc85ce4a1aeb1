//! Flags of an SQE, the same for every opcode.

/// `fd` is an index of the registered file table. Since 5.1.
pub const IOSQE_FIXED_FILE: u8 = 1;
/// Start only when everything before has completed. Since 5.2.
pub const IOSQE_IO_DRAIN: u8 = 2;
/// The next SQE starts when this one has succeeded. Since 5.3.
pub const IOSQE_IO_LINK: u8 = 4;
/// The next SQE starts when this one has completed, well or not. Since 5.5.
pub const IOSQE_IO_HARDLINK: u8 = 8;
/// Hand it to a worker thread at once. Since 5.6.
pub const IOSQE_ASYNC: u8 = 0x10;
/// Take a buffer of the group `buf_group`. Since 5.7.
pub const IOSQE_BUFFER_SELECT: u8 = 0x20;
/// No CQE if it succeeds. Since 5.17.
pub const IOSQE_CQE_SKIP_SUCCESS: u8 = 0x40;

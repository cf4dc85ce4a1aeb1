//! Flags of POLL_ADD and POLL_REMOVE, in `len`.

/// Complete again and again. Since 5.13.
pub const IORING_POLL_ADD_MULTI: u32 = 1;
/// Change the mask of a poll. Since 5.13.
pub const IORING_POLL_UPDATE_EVENTS: u32 = 2;
/// Change the `user_data` of a poll. Since 5.13.
pub const IORING_POLL_UPDATE_USER_DATA: u32 = 4;
/// Level-triggered instead of edge-triggered. Since 6.0.
pub const IORING_POLL_ADD_LEVEL: u32 = 8;

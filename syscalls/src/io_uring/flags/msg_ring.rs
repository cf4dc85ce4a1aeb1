//! Commands (in `addr`) and flags (in `msg_ring_flags`) of MSG_RING.

/// Post a CQE in the other ring. Since 5.18.
pub const IORING_MSG_DATA: u64 = 0;
/// Put a registered file into the other ring's table. Since 6.0.
pub const IORING_MSG_SEND_FD: u64 = 1;
/// The other ring gets no CQE. Since 6.0.
pub const IORING_MSG_RING_CQE_SKIP: u32 = 1;
/// `file_index` gives the flags of the other ring's CQE. Since 6.3.
pub const IORING_MSG_RING_FLAGS_PASS: u32 = 2;

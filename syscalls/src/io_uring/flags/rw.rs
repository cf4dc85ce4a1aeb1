//! Flags of reads, writes, fsync and nop.

/// `fdatasync`(2) instead of `fsync`(2). Since 5.1.
pub const IORING_FSYNC_DATASYNC: u32 = 1;
/// Poll the device for this one. Since 4.6.
pub const RWF_HIPRI: u32 = 1;
/// As if opened with O_DSYNC. Since 4.7.
pub const RWF_DSYNC: u32 = 2;
/// As if opened with O_SYNC. Since 4.7.
pub const RWF_SYNC: u32 = 4;
/// Fail with EAGAIN instead of waiting. Since 4.13.
pub const RWF_NOWAIT: u32 = 8;
/// Write at the end. Since 4.16.
pub const RWF_APPEND: u32 = 0x10;
/// Write at the offset though the file is O_APPEND. Since 6.9.
pub const RWF_NOAPPEND: u32 = 0x20;
/// All or nothing, torn by nothing. Since 6.11.
pub const RWF_ATOMIC: u32 = 0x40;
/// Drop the pages from the cache afterwards. Since 6.14.
pub const RWF_DONTCACHE: u32 = 0x80;
/// The attribute is an [`io_uring_attr_pi`](super::super::io_uring_attr_pi). Since 6.14.
pub const IORING_RW_ATTR_FLAG_PI: u64 = 1;
/// `len` is the result of a nop. Since 6.9.
pub const IORING_NOP_INJECT_RESULT: u32 = 1;
/// A nop looks its descriptor up. Since 6.15.
pub const IORING_NOP_FILE: u32 = 2;
/// A nop's descriptor is an index of the file table. Since 6.15.
pub const IORING_NOP_FIXED_FILE: u32 = 4;
/// A nop looks a registered buffer up. Since 6.15.
pub const IORING_NOP_FIXED_BUFFER: u32 = 8;
/// A nop completes by task work. Since 6.15.
pub const IORING_NOP_TW: u32 = 0x10;
/// A nop posts a CQE of 32 bytes. Since 6.18.
pub const IORING_NOP_CQE32: u32 = 0x20;

//! What the two queues say in shared memory, and where they are mapped.

/// In the SQ's flags: the thread of SQPOLL sleeps. Since 5.1.
pub const IORING_SQ_NEED_WAKEUP: u32 = 1;
/// In the SQ's flags: completions wait in the kernel because the CQ was full. Since 5.8.
pub const IORING_SQ_CQ_OVERFLOW: u32 = 2;
/// In the SQ's flags: completion work waits for a call into the kernel. Since 5.19.
pub const IORING_SQ_TASKRUN: u32 = 4;
/// In the CQ's flags, written by us: do not signal the eventfd. Since 5.8.
pub const IORING_CQ_EVENTFD_DISABLED: u32 = 1;
/// Offset for `mmap`(2): both queues, or the SQ alone without SINGLE_MMAP. Since 5.1.
pub const IORING_OFF_SQ_RING: u64 = 0;
/// Offset for `mmap`(2): the CQ without SINGLE_MMAP. Since 5.1.
pub const IORING_OFF_CQ_RING: u64 = 0x0800_0000;
/// Offset for `mmap`(2): the SQEs. Since 5.1.
pub const IORING_OFF_SQES: u64 = 0x1000_0000;
/// Offset for `mmap`(2): a buffer ring that the kernel allocated; its group is added, shifted.
/// Since 6.4.
pub const IORING_OFF_PBUF_RING: u64 = 0x8000_0000;
/// How far the group is shifted in such an offset. Since 6.4.
pub const IORING_OFF_PBUF_SHIFT: u64 = 0x10;
/// The part of an offset that says what is mapped. Since 6.4.
pub const IORING_OFF_MMAP_MASK: u64 = 0xf800_0000;

//! Flags of `io_uring_setup`(2), in `io_uring_params::flags`.

/// Poll the device for completions instead of taking interrupts. Since 5.1.
pub const IORING_SETUP_IOPOLL: u32 = 1;
/// A kernel thread takes SQEs, so that submitting needs no call. Since 5.1.
pub const IORING_SETUP_SQPOLL: u32 = 2;
/// The thread of SQPOLL stays on `sq_thread_cpu`. Since 5.1.
pub const IORING_SETUP_SQ_AFF: u32 = 4;
/// `cq_entries` gives the size of the CQ. Since 5.5.
pub const IORING_SETUP_CQSIZE: u32 = 8;
/// Sizes above the limit are cut to it instead of refused. Since 5.6.
pub const IORING_SETUP_CLAMP: u32 = 0x10;
/// Share the worker threads of the ring `wq_fd`. Since 5.6.
pub const IORING_SETUP_ATTACH_WQ: u32 = 0x20;
/// Start disabled, for restrictions to be registered first. Since 5.10.
pub const IORING_SETUP_R_DISABLED: u32 = 0x40;
/// Go on submitting after an SQE that fails at once. Since 5.18.
pub const IORING_SETUP_SUBMIT_ALL: u32 = 0x80;
/// Completion work waits for the next call into the kernel; no interrupt is sent. Since 5.19.
pub const IORING_SETUP_COOP_TASKRUN: u32 = 0x100;
/// `IORING_SQ_TASKRUN` says that such work waits. Since 5.19.
pub const IORING_SETUP_TASKRUN_FLAG: u32 = 0x200;
/// SQEs have 128 bytes. Since 5.19.
pub const IORING_SETUP_SQE128: u32 = 0x400;
/// CQEs have 32 bytes. Since 5.19.
pub const IORING_SETUP_CQE32: u32 = 0x800;
/// Only one thread submits; any other is told EEXIST. Since 6.0.
pub const IORING_SETUP_SINGLE_ISSUER: u32 = 0x1000;
/// Completion work runs only when that thread asks for events. Since 6.1.
pub const IORING_SETUP_DEFER_TASKRUN: u32 = 0x2000;
/// The caller brings the memory of the queues. Since 6.5.
pub const IORING_SETUP_NO_MMAP: u32 = 0x4000;
/// The result is an index of a registered ring, not a descriptor. Since 6.5.
pub const IORING_SETUP_REGISTERED_FD_ONLY: u32 = 0x8000;
/// No array between the SQ and the SQEs: an SQE's place is its order. Since 6.6.
pub const IORING_SETUP_NO_SQARRAY: u32 = 0x0001_0000;
/// Sleep a while before polling the device. Since 6.13.
pub const IORING_SETUP_HYBRID_IOPOLL: u32 = 0x0002_0000;
/// CQEs of 16 and of 32 bytes in one ring. Since 6.18.
pub const IORING_SETUP_CQE_MIXED: u32 = 0x0004_0000;
/// SQEs of 64 and of 128 bytes in one ring. Since 6.19.
pub const IORING_SETUP_SQE_MIXED: u32 = 0x0008_0000;
/// Every submission starts at the first SQE again. Since 7.0.
pub const IORING_SETUP_SQ_REWIND: u32 = 0x0010_0000;

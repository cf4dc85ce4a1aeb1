//! What a kernel can do, in `io_uring_params::features` (Linux writes it at setup).

/// One mapping holds both queues. Since 5.4.
pub const IORING_FEAT_SINGLE_MMAP: u32 = 1;
/// A full CQ loses nothing: the rest waits in the kernel. Since 5.5.
pub const IORING_FEAT_NODROP: u32 = 2;
/// What an SQE points to for its arguments may go once the SQE was consumed. Since 5.5.
pub const IORING_FEAT_SUBMIT_STABLE: u32 = 4;
/// The offset -1 means the file's own position. Since 5.6.
pub const IORING_FEAT_RW_CUR_POS: u32 = 8;
/// An operation runs with the credentials of whoever submitted it. Since 5.6.
pub const IORING_FEAT_CUR_PERSONALITY: u32 = 0x10;
/// Files that can be polled do not occupy a thread. Since 5.7.
pub const IORING_FEAT_FAST_POLL: u32 = 0x20;
/// Poll masks have 32 bits. Since 5.9.
pub const IORING_FEAT_POLL_32BITS: u32 = 0x40;
/// SQPOLL takes plain descriptors. Since 5.11.
pub const IORING_FEAT_SQPOLL_NONFIXED: u32 = 0x80;
/// `io_uring_enter` takes a timeout. Since 5.11.
pub const IORING_FEAT_EXT_ARG: u32 = 0x100;
/// Worker threads are threads of the process. Since 5.12.
pub const IORING_FEAT_NATIVE_WORKERS: u32 = 0x200;
/// Registered resources carry tags. Since 5.13.
pub const IORING_FEAT_RSRC_TAGS: u32 = 0x400;
/// `IOSQE_CQE_SKIP_SUCCESS` is known. Since 5.17.
pub const IORING_FEAT_CQE_SKIP: u32 = 0x800;
/// In a chain a file is looked up when its SQE's turn comes. Since 5.17.
pub const IORING_FEAT_LINKED_FILE: u32 = 0x1000;
/// `io_uring_register` takes the index of a registered ring. Since 6.3.
pub const IORING_FEAT_REG_REG_RING: u32 = 0x2000;
/// One send or receive may use several provided buffers. Since 6.10.
pub const IORING_FEAT_RECVSEND_BUNDLE: u32 = 0x4000;
/// A wait may have a shorter limit for its first completion. Since 6.12.
pub const IORING_FEAT_MIN_TIMEOUT: u32 = 0x8000;
/// Reads and writes may carry attributes. Since 6.14.
pub const IORING_FEAT_RW_ATTR: u32 = 0x0001_0000;
/// `IORING_ENTER_NO_IOWAIT` is known. Since 6.15.
pub const IORING_FEAT_NO_IOWAIT: u32 = 0x0002_0000;

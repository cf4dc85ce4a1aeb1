//! What `io_uring_setup`(2) is told, and tells.

use core::mem::offset_of;

/// Where the fields of the SQ lie in its mapping, in bytes. Since 5.1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_sqring_offsets {
    /// Index of the first SQE that the kernel has not consumed.
    pub head: u32,
    /// Index after the last SQE that was submitted.
    pub tail: u32,
    /// Number of entries less one.
    pub ring_mask: u32,
    /// Number of entries.
    pub ring_entries: u32,
    /// `IORING_SQ_*`.
    pub flags: u32,
    /// SQEs whose index in the array was not valid.
    pub dropped: u32,
    /// The array of SQE indices; absent with NO_SQARRAY.
    pub array: u32,
    /// Zero.
    pub resv1: u32,
    /// The caller's memory with NO_MMAP.
    pub user_addr: u64,
}

/// Where the fields of the CQ lie in its mapping, in bytes. Since 5.1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_cqring_offsets {
    /// Index of the first CQE that we have not consumed.
    pub head: u32,
    /// Index after the last CQE that was posted.
    pub tail: u32,
    /// Number of entries less one.
    pub ring_mask: u32,
    /// Number of entries.
    pub ring_entries: u32,
    /// CQEs that did not fit.
    pub overflow: u32,
    /// The CQEs.
    pub cqes: u32,
    /// `IORING_CQ_*`.
    pub flags: u32,
    /// Zero.
    pub resv1: u32,
    /// The caller's memory with NO_MMAP.
    pub user_addr: u64,
}

/// Argument and result of `io_uring_setup`(2). Since 5.1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_params {
    /// Entries of the SQ, a power of two; out.
    pub sq_entries: u32,
    /// Entries of the CQ; in with CQSIZE, and out.
    pub cq_entries: u32,
    /// `IORING_SETUP_*`.
    pub flags: u32,
    /// Processor of the SQPOLL thread, with SQ_AFF.
    pub sq_thread_cpu: u32,
    /// Milliseconds before an idle SQPOLL thread sleeps.
    pub sq_thread_idle: u32,
    /// `IORING_FEAT_*`; out.
    pub features: u32,
    /// The ring whose workers are shared, with ATTACH_WQ.
    pub wq_fd: u32,
    /// Zero.
    pub resv: [u32; 3],
    /// Layout of the SQ; out.
    pub sq_off: io_sqring_offsets,
    /// Layout of the CQ; out.
    pub cq_off: io_cqring_offsets,
}

const _: () = {
    assert!(size_of::<io_sqring_offsets>() == 40);
    assert!(offset_of!(io_sqring_offsets, head) == 0);
    assert!(offset_of!(io_sqring_offsets, tail) == 4);
    assert!(offset_of!(io_sqring_offsets, ring_mask) == 8);
    assert!(offset_of!(io_sqring_offsets, ring_entries) == 12);
    assert!(offset_of!(io_sqring_offsets, flags) == 16);
    assert!(offset_of!(io_sqring_offsets, dropped) == 20);
    assert!(offset_of!(io_sqring_offsets, array) == 24);
    assert!(offset_of!(io_sqring_offsets, resv1) == 28);
    assert!(offset_of!(io_sqring_offsets, user_addr) == 32);
    assert!(size_of::<io_cqring_offsets>() == 40);
    assert!(offset_of!(io_cqring_offsets, head) == 0);
    assert!(offset_of!(io_cqring_offsets, tail) == 4);
    assert!(offset_of!(io_cqring_offsets, ring_mask) == 8);
    assert!(offset_of!(io_cqring_offsets, ring_entries) == 12);
    assert!(offset_of!(io_cqring_offsets, overflow) == 16);
    assert!(offset_of!(io_cqring_offsets, cqes) == 20);
    assert!(offset_of!(io_cqring_offsets, flags) == 24);
    assert!(offset_of!(io_cqring_offsets, resv1) == 28);
    assert!(offset_of!(io_cqring_offsets, user_addr) == 32);
    assert!(size_of::<io_uring_params>() == 120);
    assert!(offset_of!(io_uring_params, sq_entries) == 0);
    assert!(offset_of!(io_uring_params, cq_entries) == 4);
    assert!(offset_of!(io_uring_params, flags) == 8);
    assert!(offset_of!(io_uring_params, sq_thread_cpu) == 12);
    assert!(offset_of!(io_uring_params, sq_thread_idle) == 16);
    assert!(offset_of!(io_uring_params, features) == 20);
    assert!(offset_of!(io_uring_params, wq_fd) == 24);
    assert!(offset_of!(io_uring_params, resv) == 28);
    assert!(offset_of!(io_uring_params, sq_off) == 40);
    assert!(offset_of!(io_uring_params, cq_off) == 80);
};

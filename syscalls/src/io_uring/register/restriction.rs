//! What a ring may do from now on.

use core::mem::offset_of;

/// One entry of what RESTRICTIONS allows or demands. Since 5.10.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_restriction {
    /// `IORING_RESTRICTION_*`: what the entry is about.
    pub opcode: u16,
    /// The registration, as `IORING_REGISTER_*`. Also `sqe_op`, an `IORING_OP_*`, and `sqe_flags`,
    /// a set of `IOSQE_*`.
    pub register_op: u8,
    /// Zero.
    pub resv: u8,
    /// Zero.
    pub resv2: [u32; 3],
}

/// The head of restrictions for all rings of a thread; as many [`io_uring_restriction`] follow as
/// it says. Since 7.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_task_restriction {
    /// Zero.
    pub flags: u16,
    /// How many follow.
    pub nr_res: u16,
    /// Zero.
    pub resv: [u32; 3],
}

const _: () = {
    assert!(size_of::<io_uring_restriction>() == 16);
    assert!(offset_of!(io_uring_restriction, opcode) == 0);
    assert!(offset_of!(io_uring_restriction, register_op) == 2);
    assert!(offset_of!(io_uring_restriction, resv) == 3);
    assert!(offset_of!(io_uring_restriction, resv2) == 4);
    assert!(size_of::<io_uring_task_restriction>() == 16);
    assert!(offset_of!(io_uring_task_restriction, flags) == 0);
    assert!(offset_of!(io_uring_task_restriction, nr_res) == 2);
    assert!(offset_of!(io_uring_task_restriction, resv) == 4);
};

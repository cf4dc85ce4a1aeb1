//! The completion queue entry.

use core::mem::offset_of;

/// What became of an operation: 16 bytes. In a ring with CQE32 each is followed by 16 more
/// (`big_cqe`), in one with CQE_MIXED those with [`IORING_CQE_F_32`] are. Since 5.1.
///
/// [`IORING_CQE_F_32`]: super::cqe_flags::IORING_CQE_F_32
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_cqe {
    /// The word that its SQE carried.
    pub user_data: u64,
    /// The result: not negative, or an errno with its sign turned.
    pub res: i32,
    /// `IORING_CQE_F_*`, and the buffer id in the upper 16 bits.
    pub flags: u32,
}

const _: () = {
    assert!(size_of::<io_uring_cqe>() == 16);
    assert!(offset_of!(io_uring_cqe, user_data) == 0);
    assert!(offset_of!(io_uring_cqe, res) == 8);
    assert!(offset_of!(io_uring_cqe, flags) == 12);
};

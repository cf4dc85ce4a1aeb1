//! The synchronous cancel.

use core::mem::offset_of;

use super::super::__kernel_timespec;

/// Cancels, and waits until it has happened, with REGISTER_SYNC_CANCEL. Since 6.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_sync_cancel_reg {
    /// The `user_data` to match.
    pub addr: u64,
    /// The descriptor to match, or -1.
    pub fd: i32,
    /// `IORING_ASYNC_CANCEL_*`.
    pub flags: u32,
    /// How long to wait; -1 in both fields for ever.
    pub timeout: __kernel_timespec,
    /// The opcode to match, with `IORING_ASYNC_CANCEL_OP`.
    pub opcode: u8,
    /// Zero.
    pub pad: [u8; 7],
    /// Zero.
    pub pad2: [u64; 3],
}

const _: () = {
    assert!(size_of::<io_uring_sync_cancel_reg>() == 64);
    assert!(offset_of!(io_uring_sync_cancel_reg, addr) == 0);
    assert!(offset_of!(io_uring_sync_cancel_reg, fd) == 8);
    assert!(offset_of!(io_uring_sync_cancel_reg, flags) == 12);
    assert!(offset_of!(io_uring_sync_cancel_reg, timeout) == 16);
    assert!(offset_of!(io_uring_sync_cancel_reg, opcode) == 32);
    assert!(offset_of!(io_uring_sync_cancel_reg, pad) == 33);
    assert!(offset_of!(io_uring_sync_cancel_reg, pad2) == 40);
};

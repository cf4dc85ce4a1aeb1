//! Polling of network cards.

use core::mem::offset_of;

/// What NAPI is told, and what was set before; out. With REGISTER_NAPI and UNREGISTER_NAPI. Since
/// 6.9; `opcode` and `op_param` since 6.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_napi {
    /// How long to poll, in microseconds.
    pub busy_poll_to: u32,
    /// 1 to prefer polling to interrupts.
    pub prefer_busy_poll: u8,
    /// `IO_URING_NAPI_REGISTER_OP`, or what to do with an id. Since 6.13; zero before.
    pub opcode: u8,
    /// Zero.
    pub pad: [u8; 2],
    /// `IO_URING_NAPI_TRACKING_*`, or the id. Since 6.13; zero before.
    pub op_param: u32,
    /// Zero.
    pub resv: u32,
}

const _: () = {
    assert!(size_of::<io_uring_napi>() == 16);
    assert!(offset_of!(io_uring_napi, busy_poll_to) == 0);
    assert!(offset_of!(io_uring_napi, prefer_busy_poll) == 4);
    assert!(offset_of!(io_uring_napi, opcode) == 5);
    assert!(offset_of!(io_uring_napi, pad) == 6);
    assert!(offset_of!(io_uring_napi, op_param) == 8);
    assert!(offset_of!(io_uring_napi, resv) == 12);
};

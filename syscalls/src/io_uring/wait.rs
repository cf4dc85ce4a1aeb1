//! Arguments of a wait in `io_uring_enter`(2).

use core::mem::offset_of;

use super::__kernel_timespec;

/// The argument with `IORING_ENTER_EXT_ARG`. Since 5.11.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_getevents_arg {
    /// Address of the signal mask during the wait, or 0.
    pub sigmask: u64,
    /// Its size in bytes.
    pub sigmask_sz: u32,
    /// Microseconds after which one completion is enough.
    pub min_wait_usec: u32,
    /// Address of a `__kernel_timespec`, or 0.
    pub ts: u64,
}

/// An entry of the registered wait region. Since 6.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_reg_wait {
    /// The timeout, with `IORING_REG_WAIT_TS`.
    pub ts: __kernel_timespec,
    /// Microseconds after which one completion is enough.
    pub min_wait_usec: u32,
    /// `IORING_REG_WAIT_*`.
    pub flags: u32,
    /// Address of the signal mask during the wait, or 0.
    pub sigmask: u64,
    /// Its size in bytes.
    pub sigmask_sz: u32,
    /// Zero.
    pub pad: [u32; 3],
    /// Zero.
    pub pad2: [u64; 2],
}

const _: () = {
    assert!(size_of::<io_uring_getevents_arg>() == 24);
    assert!(offset_of!(io_uring_getevents_arg, sigmask) == 0);
    assert!(offset_of!(io_uring_getevents_arg, sigmask_sz) == 8);
    assert!(offset_of!(io_uring_getevents_arg, min_wait_usec) == 12);
    assert!(offset_of!(io_uring_getevents_arg, ts) == 16);
    assert!(size_of::<io_uring_reg_wait>() == 64);
    assert!(offset_of!(io_uring_reg_wait, ts) == 0);
    assert!(offset_of!(io_uring_reg_wait, min_wait_usec) == 16);
    assert!(offset_of!(io_uring_reg_wait, flags) == 20);
    assert!(offset_of!(io_uring_reg_wait, sigmask) == 24);
    assert!(offset_of!(io_uring_reg_wait, sigmask_sz) == 32);
    assert!(offset_of!(io_uring_reg_wait, pad) == 36);
    assert!(offset_of!(io_uring_reg_wait, pad2) == 48);
};

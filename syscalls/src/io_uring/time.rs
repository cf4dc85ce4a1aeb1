//! Time as io_uring takes it: 64 bits on every architecture.

use core::mem::offset_of;

/// A span or point in time, with 64 bits of seconds on every machine. Since 5.1.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct __kernel_timespec {
    /// Seconds.
    pub tv_sec: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub tv_nsec: i64,
}

const _: () = {
    assert!(size_of::<__kernel_timespec>() == 16);
    assert!(offset_of!(__kernel_timespec, tv_sec) == 0);
    assert!(offset_of!(__kernel_timespec, tv_nsec) == 8);
};

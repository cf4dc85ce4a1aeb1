//! Structs that SQEs point to.

use core::mem::offset_of;

/// Protection information of a read or write: what `addr3` points to with
/// `IORING_RW_ATTR_FLAG_PI`. Since 6.14.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_attr_pi {
    /// `IO_INTEGRITY_CHK_*`.
    pub flags: u16,
    /// The application's tag.
    pub app_tag: u16,
    /// Bytes of protection information.
    pub len: u32,
    /// Its address.
    pub addr: u64,
    /// The reference tag's start.
    pub seed: u64,
    /// Zero.
    pub rsvd: u64,
}

/// One futex of several, for FUTEX_WAITV. Since 5.16, in a ring since 6.7.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct futex_waitv {
    /// The expected value.
    pub val: u64,
    /// Its address.
    pub uaddr: u64,
    /// `FUTEX2_*`.
    pub flags: u32,
    /// Zero.
    pub __reserved: u32,
}

/// How `openat2`(2) opens. Since 5.6.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct open_how {
    /// `O_*`.
    pub flags: u64,
    /// The mode of a new file.
    pub mode: u64,
    /// `RESOLVE_*`.
    pub resolve: u64,
}

const _: () = {
    assert!(size_of::<io_uring_attr_pi>() == 32);
    assert!(offset_of!(io_uring_attr_pi, flags) == 0);
    assert!(offset_of!(io_uring_attr_pi, app_tag) == 2);
    assert!(offset_of!(io_uring_attr_pi, len) == 4);
    assert!(offset_of!(io_uring_attr_pi, addr) == 8);
    assert!(offset_of!(io_uring_attr_pi, seed) == 16);
    assert!(offset_of!(io_uring_attr_pi, rsvd) == 24);
    assert!(size_of::<futex_waitv>() == 24);
    assert!(offset_of!(futex_waitv, val) == 0);
    assert!(offset_of!(futex_waitv, uaddr) == 8);
    assert!(offset_of!(futex_waitv, flags) == 16);
    assert!(offset_of!(futex_waitv, __reserved) == 20);
    assert!(size_of::<open_how>() == 24);
    assert!(offset_of!(open_how, flags) == 0);
    assert!(offset_of!(open_how, mode) == 8);
    assert!(offset_of!(open_how, resolve) == 16);
};

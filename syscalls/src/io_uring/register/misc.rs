//! Clock and regions.

use core::mem::offset_of;

/// The clock of waits, with REGISTER_CLOCK. Since 6.12.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_clock_register {
    /// `CLOCK_MONOTONIC` or `CLOCK_BOOTTIME`.
    pub clockid: u32,
    /// Zero.
    pub __resv: [u32; 3],
}

/// A region of memory shared with the kernel. Since 6.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_region_desc {
    /// Its address, if the caller brings it.
    pub user_addr: u64,
    /// Its size in bytes.
    pub size: u64,
    /// `IORING_MEM_REGION_TYPE_USER`.
    pub flags: u32,
    /// Its number.
    pub id: u32,
    /// Where to map it, if the kernel allocated it.
    pub mmap_offset: u64,
    /// Zero.
    pub __resv: [u64; 4],
}

/// Registers a region, with REGISTER_MEM_REGION. Since 6.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_mem_region_reg {
    /// Address of an [`io_uring_region_desc`].
    pub region_uptr: u64,
    /// `IORING_MEM_REGION_REG_WAIT_ARG`.
    pub flags: u64,
    /// Zero.
    pub __resv: [u64; 2],
}

const _: () = {
    assert!(size_of::<io_uring_clock_register>() == 16);
    assert!(offset_of!(io_uring_clock_register, clockid) == 0);
    assert!(offset_of!(io_uring_clock_register, __resv) == 4);
    assert!(size_of::<io_uring_region_desc>() == 64);
    assert!(offset_of!(io_uring_region_desc, user_addr) == 0);
    assert!(offset_of!(io_uring_region_desc, size) == 8);
    assert!(offset_of!(io_uring_region_desc, flags) == 16);
    assert!(offset_of!(io_uring_region_desc, id) == 20);
    assert!(offset_of!(io_uring_region_desc, mmap_offset) == 24);
    assert!(offset_of!(io_uring_region_desc, __resv) == 32);
    assert!(size_of::<io_uring_mem_region_reg>() == 32);
    assert!(offset_of!(io_uring_mem_region_reg, region_uptr) == 0);
    assert!(offset_of!(io_uring_mem_region_reg, flags) == 8);
    assert!(offset_of!(io_uring_mem_region_reg, __resv) == 16);
};

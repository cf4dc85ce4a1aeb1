//! Rings of provided buffers.

use core::mem::offset_of;

/// One buffer, as an entry of the ring. Since 5.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_buf {
    /// Its address.
    pub addr: u64,
    /// Its size in bytes.
    pub len: u32,
    /// Its id.
    pub bid: u16,
    /// In the first entry: the ring's tail; elsewhere zero.
    pub resv: u16,
}

/// The start of the ring, which lies over its first [`io_uring_buf`]: `bufs` starts where it does.
/// Since 5.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_buf_ring {
    /// The first entry's address.
    pub resv1: u64,
    /// The first entry's size.
    pub resv2: u32,
    /// The first entry's id.
    pub resv3: u16,
    /// Index after the last buffer that was provided.
    pub tail: u16,
}

/// Registers a buffer ring, with REGISTER_PBUF_RING. Since 5.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_buf_reg {
    /// Address of the ring, page-aligned; 0 with `IOU_PBUF_RING_MMAP`.
    pub ring_addr: u64,
    /// Number of entries, a power of two up to 32,768.
    pub ring_entries: u32,
    /// The group.
    pub bgid: u16,
    /// `IOU_PBUF_RING_*`.
    pub flags: u16,
    /// With INC: a buffer with fewer bytes left counts as used up.
    pub min_left: u32,
    /// Zero.
    pub resv: [u32; 5],
}

/// Asks how far the kernel has read, with REGISTER_PBUF_STATUS. Since 6.8.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_buf_status {
    /// The group.
    pub buf_group: u32,
    /// The kernel's head; out.
    pub head: u32,
    /// Zero.
    pub resv: [u32; 8],
}

const _: () = {
    assert!(size_of::<io_uring_buf>() == 16);
    assert!(offset_of!(io_uring_buf, addr) == 0);
    assert!(offset_of!(io_uring_buf, len) == 8);
    assert!(offset_of!(io_uring_buf, bid) == 12);
    assert!(offset_of!(io_uring_buf, resv) == 14);
    assert!(size_of::<io_uring_buf_ring>() == 16);
    assert!(offset_of!(io_uring_buf_ring, resv1) == 0);
    assert!(offset_of!(io_uring_buf_ring, resv2) == 8);
    assert!(offset_of!(io_uring_buf_ring, resv3) == 12);
    assert!(offset_of!(io_uring_buf_ring, tail) == 14);
    assert!(size_of::<io_uring_buf_reg>() == 40);
    assert!(offset_of!(io_uring_buf_reg, ring_addr) == 0);
    assert!(offset_of!(io_uring_buf_reg, ring_entries) == 8);
    assert!(offset_of!(io_uring_buf_reg, bgid) == 12);
    assert!(offset_of!(io_uring_buf_reg, flags) == 14);
    assert!(offset_of!(io_uring_buf_reg, min_left) == 16);
    assert!(offset_of!(io_uring_buf_reg, resv) == 20);
    assert!(size_of::<io_uring_buf_status>() == 40);
    assert!(offset_of!(io_uring_buf_status, buf_group) == 0);
    assert!(offset_of!(io_uring_buf_status, head) == 4);
    assert!(offset_of!(io_uring_buf_status, resv) == 8);
};

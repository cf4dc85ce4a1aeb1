//! Zero-copy receive.

use core::mem::offset_of;

/// The time stamp in the second half of a CQE of `SOCKET_URING_OP_TX_TIMESTAMP`: seconds and
/// nanoseconds. Since 6.17.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_timespec {
    /// Seconds.
    pub tv_sec: u64,
    /// Nanoseconds.
    pub tv_nsec: u64,
}

/// An entry of the refill queue: memory goes back to the card. Since 6.15.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_zcrx_rqe {
    /// Its offset, with the area's token.
    pub off: u64,
    /// Its size in bytes.
    pub len: u32,
    /// Zero.
    pub __pad: u32,
}

/// The second half of a CQE of zero-copy receive. Since 6.15.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_zcrx_cqe {
    /// Where the data lies, with the area's token.
    pub off: u64,
    /// Zero.
    pub __pad: u64,
}

/// Where the refill queue's fields lie in its region, in bytes. Since 6.15.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_zcrx_offsets {
    /// The kernel's index.
    pub head: u32,
    /// Our index.
    pub tail: u32,
    /// The entries.
    pub rqes: u32,
    /// Zero.
    pub __resv2: u32,
    /// Zero.
    pub __resv: [u64; 2],
}

/// The area that the card writes to. Since 6.15.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_zcrx_area_reg {
    /// Its address.
    pub addr: u64,
    /// Its size in bytes.
    pub len: u64,
    /// Its token; out.
    pub rq_area_token: u64,
    /// `IORING_ZCRX_AREA_*`.
    pub flags: u32,
    /// The dma-buf, with `IORING_ZCRX_AREA_DMABUF`.
    pub dmabuf_fd: u32,
    /// Zero.
    pub __resv2: [u64; 2],
}

/// Registers a receive queue, with REGISTER_ZCRX_IFQ. Since 6.15.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_zcrx_ifq_reg {
    /// The interface.
    pub if_idx: u32,
    /// Its queue.
    pub if_rxq: u32,
    /// Entries of the refill queue.
    pub rq_entries: u32,
    /// `ZCRX_REG_*`.
    pub flags: u32,
    /// Address of an [`io_uring_zcrx_area_reg`].
    pub area_ptr: u64,
    /// Address of an `io_uring_region_desc`.
    pub region_ptr: u64,
    /// Layout of the refill queue; out.
    pub offsets: io_uring_zcrx_offsets,
    /// Its number; out.
    pub zcrx_id: u32,
    /// Bytes of a receive buffer.
    pub rx_buf_len: u32,
    /// Zero.
    pub __resv: [u64; 3],
}

const _: () = {
    assert!(size_of::<io_timespec>() == 16);
    assert!(offset_of!(io_timespec, tv_sec) == 0);
    assert!(offset_of!(io_timespec, tv_nsec) == 8);
    assert!(size_of::<io_uring_zcrx_rqe>() == 16);
    assert!(offset_of!(io_uring_zcrx_rqe, off) == 0);
    assert!(offset_of!(io_uring_zcrx_rqe, len) == 8);
    assert!(offset_of!(io_uring_zcrx_rqe, __pad) == 12);
    assert!(size_of::<io_uring_zcrx_cqe>() == 16);
    assert!(offset_of!(io_uring_zcrx_cqe, off) == 0);
    assert!(offset_of!(io_uring_zcrx_cqe, __pad) == 8);
    assert!(size_of::<io_uring_zcrx_offsets>() == 32);
    assert!(offset_of!(io_uring_zcrx_offsets, head) == 0);
    assert!(offset_of!(io_uring_zcrx_offsets, tail) == 4);
    assert!(offset_of!(io_uring_zcrx_offsets, rqes) == 8);
    assert!(offset_of!(io_uring_zcrx_offsets, __resv2) == 12);
    assert!(offset_of!(io_uring_zcrx_offsets, __resv) == 16);
    assert!(size_of::<io_uring_zcrx_area_reg>() == 48);
    assert!(offset_of!(io_uring_zcrx_area_reg, addr) == 0);
    assert!(offset_of!(io_uring_zcrx_area_reg, len) == 8);
    assert!(offset_of!(io_uring_zcrx_area_reg, rq_area_token) == 16);
    assert!(offset_of!(io_uring_zcrx_area_reg, flags) == 24);
    assert!(offset_of!(io_uring_zcrx_area_reg, dmabuf_fd) == 28);
    assert!(offset_of!(io_uring_zcrx_area_reg, __resv2) == 32);
    assert!(size_of::<io_uring_zcrx_ifq_reg>() == 96);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, if_idx) == 0);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, if_rxq) == 4);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, rq_entries) == 8);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, flags) == 12);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, area_ptr) == 16);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, region_ptr) == 24);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, offsets) == 32);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, zcrx_id) == 64);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, rx_buf_len) == 68);
    assert!(offset_of!(io_uring_zcrx_ifq_reg, __resv) == 72);
};

//! Control of zero-copy receive. Since 6.19.

use core::mem::offset_of;

/// Takes back what lies in the refill queue. Since 6.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct zcrx_ctrl_flush_rq {
    /// Zero.
    pub __resv: [u64; 6],
}

/// Makes a descriptor of the queue. Since 6.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct zcrx_ctrl_export {
    /// The descriptor; out.
    pub zcrx_fd: u32,
    /// Zero.
    pub __resv1: [u32; 11],
}

/// What to do with a receive queue, with REGISTER_ZCRX_CTRL. Since 6.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct zcrx_ctrl {
    /// Number of the queue.
    pub zcrx_id: u32,
    /// `ZCRX_CTRL_*`.
    pub op: u32,
    /// Zero.
    pub __resv: [u64; 2],
    /// For EXPORT. Also `zc_flush`, a [`zcrx_ctrl_flush_rq`], which is all zero.
    pub zc_export: zcrx_ctrl_export,
}

const _: () = {
    assert!(size_of::<zcrx_ctrl_flush_rq>() == 48);
    assert!(offset_of!(zcrx_ctrl_flush_rq, __resv) == 0);
    assert!(size_of::<zcrx_ctrl_export>() == 48);
    assert!(offset_of!(zcrx_ctrl_export, zcrx_fd) == 0);
    assert!(offset_of!(zcrx_ctrl_export, __resv1) == 4);
    assert!(size_of::<zcrx_ctrl>() == 72);
    assert!(offset_of!(zcrx_ctrl, zcrx_id) == 0);
    assert!(offset_of!(zcrx_ctrl, op) == 4);
    assert!(offset_of!(zcrx_ctrl, __resv) == 8);
    assert!(offset_of!(zcrx_ctrl, zc_export) == 24);
};

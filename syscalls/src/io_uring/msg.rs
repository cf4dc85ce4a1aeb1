//! What a multishot RECVMSG writes at the start of its buffer.

use core::mem::offset_of;

/// What a multishot RECVMSG writes at the start of its buffer; followed by name, control data and
/// payload. Since 6.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_recvmsg_out {
    /// Bytes of the name.
    pub namelen: u32,
    /// Bytes of control data.
    pub controllen: u32,
    /// Bytes of the payload.
    pub payloadlen: u32,
    /// `MSG_*`.
    pub flags: u32,
}

const _: () = {
    assert!(size_of::<io_uring_recvmsg_out>() == 16);
    assert!(offset_of!(io_uring_recvmsg_out, namelen) == 0);
    assert!(offset_of!(io_uring_recvmsg_out, controllen) == 4);
    assert!(offset_of!(io_uring_recvmsg_out, payloadlen) == 8);
    assert!(offset_of!(io_uring_recvmsg_out, flags) == 12);
};

//! BPF filters on submissions. Since 7.0.

use core::mem::offset_of;

/// What a filter sees of an SQE. Since 7.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_bpf_ctx {
    /// The SQE's `user_data`.
    pub user_data: u64,
    /// `IORING_OP_*`.
    pub opcode: u8,
    /// `IOSQE_*`.
    pub sqe_flags: u8,
    /// How many bytes of the arguments there are.
    pub pdu_size: u8,
    /// Zero.
    pub pad: [u8; 5],
    /// Arguments of the opcode. Of SOCKET three `u32`: `socket.family`, `socket.type` and
    /// `socket.protocol`; of OPENAT and OPENAT2 three `u64`: `open.flags`, `open.mode` and
    /// `open.resolve`.
    pub args: [u64; 3],
}

/// A filter for one opcode. Since 7.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_bpf_filter {
    /// `IORING_OP_*`.
    pub opcode: u32,
    /// `IO_URING_BPF_FILTER_*`.
    pub flags: u32,
    /// Number of instructions.
    pub filter_len: u32,
    /// How many bytes of arguments the filter expects.
    pub pdu_size: u8,
    /// Zero.
    pub resv: [u8; 3],
    /// Address of the instructions.
    pub filter_ptr: u64,
    /// Zero.
    pub resv2: [u64; 5],
}

/// Registers a filter, with REGISTER_BPF_FILTER. Since 7.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_bpf {
    /// `IO_URING_BPF_CMD_FILTER`.
    pub cmd_type: u16,
    /// Zero.
    pub cmd_flags: u16,
    /// Zero.
    pub resv: u32,
    /// The filter.
    pub filter: io_uring_bpf_filter,
}

const _: () = {
    assert!(size_of::<io_uring_bpf_ctx>() == 40);
    assert!(offset_of!(io_uring_bpf_ctx, user_data) == 0);
    assert!(offset_of!(io_uring_bpf_ctx, opcode) == 8);
    assert!(offset_of!(io_uring_bpf_ctx, sqe_flags) == 9);
    assert!(offset_of!(io_uring_bpf_ctx, pdu_size) == 10);
    assert!(offset_of!(io_uring_bpf_ctx, pad) == 11);
    assert!(offset_of!(io_uring_bpf_ctx, args) == 16);
    assert!(size_of::<io_uring_bpf_filter>() == 64);
    assert!(offset_of!(io_uring_bpf_filter, opcode) == 0);
    assert!(offset_of!(io_uring_bpf_filter, flags) == 4);
    assert!(offset_of!(io_uring_bpf_filter, filter_len) == 8);
    assert!(offset_of!(io_uring_bpf_filter, pdu_size) == 12);
    assert!(offset_of!(io_uring_bpf_filter, resv) == 13);
    assert!(offset_of!(io_uring_bpf_filter, filter_ptr) == 16);
    assert!(offset_of!(io_uring_bpf_filter, resv2) == 24);
    assert!(size_of::<io_uring_bpf>() == 72);
    assert!(offset_of!(io_uring_bpf, cmd_type) == 0);
    assert!(offset_of!(io_uring_bpf, cmd_flags) == 2);
    assert!(offset_of!(io_uring_bpf, resv) == 4);
    assert!(offset_of!(io_uring_bpf, filter) == 8);
};

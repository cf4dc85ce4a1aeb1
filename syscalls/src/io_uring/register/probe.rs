//! What the kernel can do: probe and query.

use core::mem::offset_of;

/// One opcode of the probe. Since 5.6.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_probe_op {
    /// The opcode.
    pub op: u8,
    /// Zero.
    pub resv: u8,
    /// `IO_URING_OP_SUPPORTED`.
    pub flags: u16,
    /// Zero.
    pub resv2: u32,
}

/// The head of the probe; as many [`io_uring_probe_op`] follow (`ops`) as were asked for, 256 at
/// most. Since 5.6.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_probe {
    /// The last opcode that the kernel knows.
    pub last_op: u8,
    /// How many entries it filled.
    pub ops_len: u8,
    /// Zero.
    pub resv: u16,
    /// Zero.
    pub resv2: [u32; 3],
}

/// One question of QUERY. Since 6.18.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_query_hdr {
    /// Address of the next question, or 0.
    pub next_entry: u64,
    /// Address of the answer.
    pub query_data: u64,
    /// `IO_URING_QUERY_*`.
    pub query_op: u32,
    /// Bytes of the answer: room in, written out.
    pub size: u32,
    /// 0, or an errno with its sign turned.
    pub result: i32,
    /// Zero.
    pub __resv: [u32; 3],
}

/// The answer to `IO_URING_QUERY_OPCODES`. Since 6.18.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_query_opcode {
    /// Number of opcodes.
    pub nr_request_opcodes: u32,
    /// Number of registrations.
    pub nr_register_opcodes: u32,
    /// All `IORING_FEAT_*` known.
    pub feature_flags: u64,
    /// All `IORING_SETUP_*` known.
    pub ring_setup_flags: u64,
    /// All `IORING_ENTER_*` known.
    pub enter_flags: u64,
    /// All `IOSQE_*` known.
    pub sqe_flags: u64,
    /// Number of questions.
    pub nr_query_opcodes: u32,
    /// Zero.
    pub __pad: u32,
}

/// The answer to `IO_URING_QUERY_ZCRX`. Since 6.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_query_zcrx {
    /// All `ZCRX_REG_*` known.
    pub register_flags: u64,
    /// All `IORING_ZCRX_AREA_*` flags known.
    pub area_flags: u64,
    /// Number of commands.
    pub nr_ctrl_opcodes: u32,
    /// `ZCRX_FEATURE_*`.
    pub features: u32,
    /// Bytes of the refill queue's header.
    pub rq_hdr_size: u32,
    /// Its alignment in bytes.
    pub rq_hdr_alignment: u32,
    /// Zero.
    pub __resv2: u64,
}

/// The answer to `IO_URING_QUERY_SCQ`. Since 6.19.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_query_scq {
    /// Bytes of the queues' header.
    pub hdr_size: u64,
    /// Its alignment in bytes.
    pub hdr_alignment: u64,
}

const _: () = {
    assert!(size_of::<io_uring_probe_op>() == 8);
    assert!(offset_of!(io_uring_probe_op, op) == 0);
    assert!(offset_of!(io_uring_probe_op, resv) == 1);
    assert!(offset_of!(io_uring_probe_op, flags) == 2);
    assert!(offset_of!(io_uring_probe_op, resv2) == 4);
    assert!(size_of::<io_uring_probe>() == 16);
    assert!(offset_of!(io_uring_probe, last_op) == 0);
    assert!(offset_of!(io_uring_probe, ops_len) == 1);
    assert!(offset_of!(io_uring_probe, resv) == 2);
    assert!(offset_of!(io_uring_probe, resv2) == 4);
    assert!(size_of::<io_uring_query_hdr>() == 40);
    assert!(offset_of!(io_uring_query_hdr, next_entry) == 0);
    assert!(offset_of!(io_uring_query_hdr, query_data) == 8);
    assert!(offset_of!(io_uring_query_hdr, query_op) == 16);
    assert!(offset_of!(io_uring_query_hdr, size) == 20);
    assert!(offset_of!(io_uring_query_hdr, result) == 24);
    assert!(offset_of!(io_uring_query_hdr, __resv) == 28);
    assert!(size_of::<io_uring_query_opcode>() == 48);
    assert!(offset_of!(io_uring_query_opcode, nr_request_opcodes) == 0);
    assert!(offset_of!(io_uring_query_opcode, nr_register_opcodes) == 4);
    assert!(offset_of!(io_uring_query_opcode, feature_flags) == 8);
    assert!(offset_of!(io_uring_query_opcode, ring_setup_flags) == 16);
    assert!(offset_of!(io_uring_query_opcode, enter_flags) == 24);
    assert!(offset_of!(io_uring_query_opcode, sqe_flags) == 32);
    assert!(offset_of!(io_uring_query_opcode, nr_query_opcodes) == 40);
    assert!(offset_of!(io_uring_query_opcode, __pad) == 44);
    assert!(size_of::<io_uring_query_zcrx>() == 40);
    assert!(offset_of!(io_uring_query_zcrx, register_flags) == 0);
    assert!(offset_of!(io_uring_query_zcrx, area_flags) == 8);
    assert!(offset_of!(io_uring_query_zcrx, nr_ctrl_opcodes) == 16);
    assert!(offset_of!(io_uring_query_zcrx, features) == 20);
    assert!(offset_of!(io_uring_query_zcrx, rq_hdr_size) == 24);
    assert!(offset_of!(io_uring_query_zcrx, rq_hdr_alignment) == 28);
    assert!(offset_of!(io_uring_query_zcrx, __resv2) == 32);
    assert!(size_of::<io_uring_query_scq>() == 16);
    assert!(offset_of!(io_uring_query_scq, hdr_size) == 0);
    assert!(offset_of!(io_uring_query_scq, hdr_alignment) == 8);
};

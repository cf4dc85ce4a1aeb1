//! The submission queue entry.
//!
//! In C it is a struct of unions; here each place has one name, the one of its most common use,
//! and its doc line lists what else lies there. Every place is a plain integer, so any bytes are
//! a valid entry and a zeroed one is a `NOP` on descriptor 0.

use core::mem::offset_of;

/// What the kernel is asked to do: 64 bytes. Since 5.1.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_sqe {
    /// `IORING_OP_*`.
    pub opcode: u8,
    /// `IOSQE_*`.
    pub flags: u8,
    /// I/O priority; flags of sends, receives and accepts.
    pub ioprio: u16,
    /// The descriptor, or an index of the file table with `IOSQE_FIXED_FILE`.
    pub fd: i32,
    /// Offset in the file. Also `addr2`, and `cmd_op` in its lower half.
    pub off: u64,
    /// Address of the memory. Also `splice_off_in`, and `level` with `optname`.
    pub addr: u64,
    /// Size in bytes, or a count.
    pub len: u32,
    /// The opcode's own flags: `rw_flags`, `fsync_flags`, `poll_events` (16 bits), `poll32_events`
    /// (its two halves swapped on big endian), `sync_range_flags`, `msg_flags`, `timeout_flags`,
    /// `accept_flags`, `cancel_flags`, `open_flags`, `statx_flags`, `fadvise_advice`,
    /// `splice_flags`, `rename_flags`, `unlink_flags`, `hardlink_flags`, `xattr_flags`,
    /// `msg_ring_flags`, `uring_cmd_flags`, `waitid_flags`, `futex_flags`, `install_fd_flags`,
    /// `nop_flags`, `pipe_flags`.
    pub op_flags: u32,
    /// Comes back in the CQE.
    pub user_data: u64,
    /// Index of a registered buffer. Also `buf_group`.
    pub buf_index: u16,
    /// Credentials to run with, as registered; 0 for our own.
    pub personality: u16,
    /// Slot of the file table, plus one. Also `splice_fd_in`, `zcrx_ifq_idx`, `optlen`, and
    /// `addr_len` or `write_stream` in its lower part.
    pub file_index: u32,
    /// A third address. Also `optval`, `attr_ptr`, and the start of `cmd`.
    pub addr3: u64,
    /// Zero, or `attr_type_mask`, or the rest of `cmd`.
    pub attr_type_mask: u64,
}

const _: () = {
    assert!(size_of::<io_uring_sqe>() == 64);
    assert!(align_of::<io_uring_sqe>() == 8);
    assert!(offset_of!(io_uring_sqe, opcode) == 0);
    assert!(offset_of!(io_uring_sqe, flags) == 1);
    assert!(offset_of!(io_uring_sqe, ioprio) == 2);
    assert!(offset_of!(io_uring_sqe, fd) == 4);
    assert!(offset_of!(io_uring_sqe, off) == 8);
    assert!(offset_of!(io_uring_sqe, addr) == 16);
    assert!(offset_of!(io_uring_sqe, len) == 24);
    assert!(offset_of!(io_uring_sqe, op_flags) == 28);
    assert!(offset_of!(io_uring_sqe, user_data) == 32);
    assert!(offset_of!(io_uring_sqe, buf_index) == 40);
    assert!(offset_of!(io_uring_sqe, personality) == 42);
    assert!(offset_of!(io_uring_sqe, file_index) == 44);
    assert!(offset_of!(io_uring_sqe, addr3) == 48);
    assert!(offset_of!(io_uring_sqe, attr_type_mask) == 56);
};

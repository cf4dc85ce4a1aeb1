//! Our structs, as the compiler lays them out.
//!
//! Without allocation, because `tests/cross` compiles this file for machines that have none.

use core::mem::offset_of;

use annulus_syscalls::io_uring::register::{
    io_uring_bpf, io_uring_bpf_ctx, io_uring_bpf_filter, io_uring_buf, io_uring_buf_reg,
    io_uring_buf_ring, io_uring_buf_status, io_uring_clock_register, io_uring_clone_buffers,
    io_uring_file_index_range, io_uring_files_update, io_uring_mem_region_reg, io_uring_napi,
    io_uring_probe, io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode,
    io_uring_query_scq, io_uring_query_zcrx, io_uring_region_desc, io_uring_restriction,
    io_uring_rsrc_register, io_uring_rsrc_update, io_uring_rsrc_update2, io_uring_sync_cancel_reg,
    io_uring_task_restriction, zcrx_ctrl, zcrx_ctrl_export, zcrx_ctrl_flush_rq,
};
use annulus_syscalls::io_uring::{
    __kernel_timespec, futex_waitv, io_cqring_offsets, io_sqring_offsets, io_timespec,
    io_uring_attr_pi, io_uring_cqe, io_uring_getevents_arg, io_uring_params, io_uring_recvmsg_out,
    io_uring_reg_wait, io_uring_sqe, io_uring_zcrx_area_reg, io_uring_zcrx_cqe,
    io_uring_zcrx_ifq_reg, io_uring_zcrx_offsets, io_uring_zcrx_rqe, open_how,
};

/// A struct: its name, size in bytes, and fields.
pub(crate) struct Layout {
    pub(crate) name: &'static str,
    pub(crate) size: u64,
    pub(crate) fields: &'static [Field<'static>],
}

/// A field: its name, and where it lies in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// The size of what a projection leads to.
const fn size_of_field<S, F>(_: fn(&S) -> &F) -> u64 {
    size_of::<F>() as u64
}

macro_rules! layouts {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        &[$(Layout {
            name: stringify!($name),
            size: size_of::<$name>() as u64,
            fields: &[$(Field {
                name: stringify!($field),
                offset: offset_of!($name, $field) as u64,
                size: size_of_field(|of: &$name| &of.$field),
            }),*],
        }),*]
    };
}

/// All of them; `source.rs` checks that none is missing.
pub(crate) const LAYOUTS: &[Layout] = layouts! {
    __kernel_timespec { tv_sec, tv_nsec }
    futex_waitv { val, uaddr, flags, __reserved }
    io_cqring_offsets { head, tail, ring_mask, ring_entries, overflow, cqes, flags, resv1, user_addr }
    io_sqring_offsets { head, tail, ring_mask, ring_entries, flags, dropped, array, resv1, user_addr }
    io_timespec { tv_sec, tv_nsec }
    io_uring_attr_pi { flags, app_tag, len, addr, seed, rsvd }
    io_uring_bpf { cmd_type, cmd_flags, resv, filter }
    io_uring_bpf_ctx { user_data, opcode, sqe_flags, pdu_size, pad, args }
    io_uring_bpf_filter { opcode, flags, filter_len, pdu_size, resv, filter_ptr, resv2 }
    io_uring_buf { addr, len, bid, resv }
    io_uring_buf_reg { ring_addr, ring_entries, bgid, flags, min_left, resv }
    io_uring_buf_ring { resv1, resv2, resv3, tail }
    io_uring_buf_status { buf_group, head, resv }
    io_uring_clock_register { clockid, __resv }
    io_uring_clone_buffers { src_fd, flags, src_off, dst_off, nr, pad }
    io_uring_cqe { user_data, res, flags }
    io_uring_file_index_range { off, len, resv }
    io_uring_files_update { offset, resv, fds }
    io_uring_getevents_arg { sigmask, sigmask_sz, min_wait_usec, ts }
    io_uring_mem_region_reg { region_uptr, flags, __resv }
    io_uring_napi { busy_poll_to, prefer_busy_poll, opcode, pad, op_param, resv }
    io_uring_params { sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd, resv, sq_off, cq_off }
    io_uring_probe { last_op, ops_len, resv, resv2 }
    io_uring_probe_op { op, resv, flags, resv2 }
    io_uring_query_hdr { next_entry, query_data, query_op, size, result, __resv }
    io_uring_query_opcode { nr_request_opcodes, nr_register_opcodes, feature_flags, ring_setup_flags, enter_flags, sqe_flags, nr_query_opcodes, __pad }
    io_uring_query_scq { hdr_size, hdr_alignment }
    io_uring_query_zcrx { register_flags, area_flags, nr_ctrl_opcodes, features, rq_hdr_size, rq_hdr_alignment, __resv2 }
    io_uring_recvmsg_out { namelen, controllen, payloadlen, flags }
    io_uring_reg_wait { ts, min_wait_usec, flags, sigmask, sigmask_sz, pad, pad2 }
    io_uring_region_desc { user_addr, size, flags, id, mmap_offset, __resv }
    io_uring_restriction { opcode, register_op, resv, resv2 }
    io_uring_rsrc_register { nr, flags, resv2, data, tags }
    io_uring_rsrc_update { offset, resv, data }
    io_uring_rsrc_update2 { offset, resv, data, tags, nr, resv2 }
    io_uring_sqe { opcode, flags, ioprio, fd, off, addr, len, op_flags, user_data, buf_index, personality, file_index, addr3, attr_type_mask }
    io_uring_sync_cancel_reg { addr, fd, flags, timeout, opcode, pad, pad2 }
    io_uring_task_restriction { flags, nr_res, resv }
    io_uring_zcrx_area_reg { addr, len, rq_area_token, flags, dmabuf_fd, __resv2 }
    io_uring_zcrx_cqe { off, __pad }
    io_uring_zcrx_ifq_reg { if_idx, if_rxq, rq_entries, flags, area_ptr, region_ptr, offsets, zcrx_id, rx_buf_len, __resv }
    io_uring_zcrx_offsets { head, tail, rqes, __resv2, __resv }
    io_uring_zcrx_rqe { off, len, __pad }
    open_how { flags, mode, resolve }
    zcrx_ctrl { zcrx_id, op, __resv, zc_export }
    zcrx_ctrl_export { zcrx_fd, __resv1 }
    zcrx_ctrl_flush_rq { __resv }
};

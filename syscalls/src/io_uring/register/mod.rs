//! `io_uring_register`(2): its opcodes, flags and structs.

mod bpf;
mod buf_ring;
mod cancel;
mod control;
pub mod flags;
mod misc;
mod napi;
pub mod op;
mod probe;
mod resource;
mod restriction;

pub use bpf::{io_uring_bpf, io_uring_bpf_ctx, io_uring_bpf_filter};
pub use buf_ring::{io_uring_buf, io_uring_buf_reg, io_uring_buf_ring, io_uring_buf_status};
pub use cancel::io_uring_sync_cancel_reg;
pub use control::{zcrx_ctrl, zcrx_ctrl_export, zcrx_ctrl_flush_rq};
pub use misc::{io_uring_clock_register, io_uring_mem_region_reg, io_uring_region_desc};
pub use napi::io_uring_napi;
pub use probe::{
    io_uring_probe, io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode,
    io_uring_query_scq, io_uring_query_zcrx,
};
pub use resource::{
    io_uring_clone_buffers, io_uring_file_index_range, io_uring_files_update,
    io_uring_rsrc_register, io_uring_rsrc_update, io_uring_rsrc_update2,
};
pub use restriction::{io_uring_restriction, io_uring_task_restriction};

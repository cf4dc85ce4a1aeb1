//! `io_uring_register`(2): its opcodes, flags and structs.

mod buf_ring;
mod cancel;
pub mod flags;
mod misc;
pub mod op;
mod probe;
mod resource;

pub use buf_ring::{io_uring_buf, io_uring_buf_reg, io_uring_buf_status};
pub use cancel::io_uring_sync_cancel_reg;
pub use misc::{io_uring_clock_register, io_uring_mem_region_reg, io_uring_region_desc};
pub use probe::{
    io_uring_probe, io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode,
    io_uring_query_scq, io_uring_query_zcrx,
};
pub use resource::{
    io_uring_clone_buffers, io_uring_file_index_range, io_uring_files_update,
    io_uring_rsrc_register, io_uring_rsrc_update, io_uring_rsrc_update2,
};

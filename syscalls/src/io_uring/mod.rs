//! The ABI of io_uring: numbers, flags and structs of `linux/io_uring.h`, under their C names.
//!
//! One module per group. "Since" is the first kernel release that knows a constant; what is newer
//! than the running kernel is refused with EINVAL, or for an opcode with EINVAL in its CQE.
//! Structs come with the checks of their size and of each offset. Sizes and offsets are in bytes
//! unless a name or its line says otherwise.
//!
//! Source: the header as liburing 2.15 has it, the BTF of Linux 6.18, and what that answers to
//! `IORING_REGISTER_QUERY`; the test `abi` compares all three with what is here.

mod args;
mod cqe;
mod msg;
mod params;
mod sqe;
mod time;
mod wait;
mod zcrx;

pub mod cqe_flags;
pub mod enter;
pub mod feat;
pub mod flags;
pub mod op;
pub mod queue;
pub mod register;
pub mod setup;
pub mod sqe_flags;

pub use args::{futex_waitv, io_uring_attr_pi, open_how};
pub use cqe::io_uring_cqe;
pub use msg::io_uring_recvmsg_out;
pub use params::{io_cqring_offsets, io_sqring_offsets, io_uring_params};
pub use sqe::io_uring_sqe;
pub use time::__kernel_timespec;
pub use wait::{io_uring_getevents_arg, io_uring_reg_wait};
pub use zcrx::{
    io_timespec, io_uring_zcrx_area_reg, io_uring_zcrx_cqe, io_uring_zcrx_ifq_reg,
    io_uring_zcrx_offsets, io_uring_zcrx_rqe,
};

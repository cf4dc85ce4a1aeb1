//! Flags that belong to single opcodes.

pub mod bpf_filter;
pub mod cancel;
pub mod file;
pub mod futex;
pub mod msg_ring;
pub mod net;
pub mod poll;
pub mod rw;
pub mod timeout;
pub mod zcrx;

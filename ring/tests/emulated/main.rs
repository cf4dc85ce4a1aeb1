//! The emulated kernel does what io_uring does: each scenario runs on both, and what a program
//! can see of it is equal.

#[path = "../support/mod.rs"]
mod support;

mod both;
mod buffers;
mod cancels;
mod chains;
mod files;
mod guards;
mod kernels;
mod messages;
mod polls;
mod registered;
mod sockets;

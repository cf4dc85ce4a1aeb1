//! What the tests of this crate share: rings, operations that are waited for, sockets, files.
//!
//! Everything safe here waits for the last completion before it returns, so that nothing stays
//! lent. A test that leaves an operation under way prepares it itself.
#![allow(dead_code, unused_imports, reason = "no test binary needs all of it")]

mod calls;
mod files;
mod process;
mod run;
mod skip;
mod sockets;

pub(crate) use calls::{
    accept, close, connect, openat, owned, read, readv, recv, register_buffers,
    register_empty_files, register_files, send, socket, unregister_files, update_files, write,
    writev,
};
pub(crate) use files::{TempDir, TempFile, c_path, pattern};
pub(crate) use process::{in_a_child, no_more_than};
pub(crate) use run::{collect, complete, in_order, of, outcome, push, result, ring, ring_with};
pub(crate) use skip::{has, skip, skip_feature};
pub(crate) use sockets::{
    Address, listener, loopback, pipe, socket_pair, tcp_pair, udp_pair, unix_pair,
};

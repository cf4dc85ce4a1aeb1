//! What the tests of annulus share: how much to do, on which runtimes, and instruments that see
//! what a test by itself cannot: allocations, writes into freed memory, descriptors, refused calls.
//!
//! A test here goes through annulus' public API only. It says in numbered comments what happens
//! when, counts how often its hazard really occurred, and fails when that was too seldom to mean
//! anything.

mod aside;
mod child;
mod counting;
mod drops;
mod flag;
mod folder;
mod kernel;
mod peer;
mod process;
mod quarantine;
mod random;
mod runtimes;
mod seccomp;
mod settled;
mod shared;
mod sockets;
mod stress;
mod throttle;

pub use aside::{Aside, aside, rest, wait};
pub use child::in_child;
pub use counting::{Counting, Heap};
pub use drops::{Moment, Outcome, drop_at};
pub use flag::Flag;
pub use folder::Folder;
pub use kernel::{is_emulated, is_simulated, on_a_machine, on_uring, since};
pub use peer::Peer;
pub use process::{FdKind, descriptors, fd_limit, fd_limit_at_least, on_thread, rss_bytes};
pub use quarantine::Quarantine;
pub use random::Random;
pub use runtimes::{
    current_thread, for_each_local, for_each_runtime, multi_thread, nothing_in_flight, serial,
};
pub use seccomp::{EPOLL, IO_URING, fail_rings, kill_rings, refuse};
pub use settled::{settled, settled_blocking, turns};
pub use shared::Shared;
pub use sockets::{connected, connected_narrow, fill, has_closed};
pub use stress::{percent, skip, stress};
pub use throttle::Throttle;

//! The reactor: a core turns, its home is where everybody else finds it.
//!
//! ```text
//!   any thread                       the thread that drives the core
//!   ----------                       -------------------------------
//!   Submit ---- inbox of the Home ---> drain -> flush -> enter -> reap -> fire timers
//!      ^                                                            |
//!      +------------------- state and waker of the cell <-----------+
//! ```
//!
//! A [`Core`] is a value: ring, table of operations, timer wheel, run queue. At most one thread has
//! it at a time, and it can pass to another between two turns. Its [`Home`] is the part that
//! stays, shared by all objects whose operations go through this core.
#![forbid(unsafe_code)]

mod core;
mod home;
mod park;
pub(crate) mod stats;

pub(crate) use self::core::Core;
pub use home::RecvMode;
pub(crate) use home::{Home, HomeConfig, SEND_MSG_RING_SINCE, SHUTDOWN, SYNC_CANCEL_SINCE};
pub use stats::{Leak, Stats, stats};

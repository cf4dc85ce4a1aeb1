//! Timers: sleeping, timeouts, intervals, and a clock that tests can stop.
//!
//! Timers have a resolution of 1 ms and never fire early. They live in the
//! timing wheel of a worker, so that a sleep costs no system call and no
//! allocation in the steady state.
#![forbid(unsafe_code)]

pub(crate) mod clock;
pub mod error;
mod instant;
pub(crate) mod wheel;

pub use instant::Instant;
#[doc(no_inline)]
pub use std::time::Duration;

/// The time of the runtime in context, else the system's.
fn context_now() -> Instant {
    Instant::from_std(std::time::Instant::now())
}

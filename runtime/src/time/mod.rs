//! Sleeping, timeouts, intervals, and a clock that tests can stop.
//!
//! Timers have a resolution of 1 ms and never fire early. They live in the
//! timing wheel of a worker, which is expressed as the timeout of its wait: a
//! sleep costs no system call, and no allocation in the steady state.
#![forbid(unsafe_code)]

pub(crate) mod clock;
pub mod error;
mod instant;
mod interval;
#[cfg(feature = "test-util")]
mod pause;
mod sleep;
mod timeout;
pub(crate) mod wheel;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
#[cfg(feature = "test-util")]
pub use pause::{advance, pause, resume};
pub use sleep::{Sleep, sleep, sleep_until};
#[doc(no_inline)]
pub use std::time::Duration;
pub use timeout::{Timeout, timeout, timeout_at};

/// A duration that any clock can add to its time: at most 30 years.
fn bounded(duration: Duration) -> Duration {
    const YEARS_30: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    duration.min(YEARS_30)
}

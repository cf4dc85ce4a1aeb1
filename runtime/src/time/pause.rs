//! Time for tests: [`pause`], [`resume`] and [`advance`].
#![forbid(unsafe_code)]

use super::Duration;
use super::clock::Clock;
use crate::context;
use crate::task;

/// Stops the clock of the runtime in context.
///
/// From then on [`Instant::now`](super::Instant::now) stands still, and timers
/// follow it. When the runtime has nothing to run, no completion to reap and no
/// blocking closure at work, the clock moves to the next timer by itself: a
/// test of hours passes at once, and gives the same times at every run. I/O
/// goes on in real time, and takes none by the clock.
///
/// [`Builder::start_paused`](crate::runtime::Builder::start_paused) stops it
/// from the start. The standard library's clock is not affected.
///
/// # Panics
///
/// If the clock stands already, outside of a runtime, and in a runtime of
/// several threads.
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration, Instant};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// time::pause();
/// let start = Instant::now();
/// time::sleep(Duration::from_secs(3600)).await;
/// assert!(start.elapsed() >= Duration::from_secs(3600));
/// # });
/// ```
#[track_caller]
pub fn pause() {
    of_context(Clock::pause);
}

/// Lets the clock run on from where it stands.
///
/// # Panics
///
/// If the clock is not paused, and outside of a runtime.
#[track_caller]
pub fn resume() {
    of_context(Clock::resume);
}

/// Moves a paused clock by `duration`, and gives way to the other tasks once.
///
/// Timers that are due by the new time fire, but the tasks that wait for them
/// may run after this returns: await one of their results rather than a number
/// of turns. Time within a millisecond is kept. To let the time of a timer
/// come, just wait for it: the clock moves by itself, see [`pause`].
///
/// # Cancel safety
///
/// The clock moves at the first poll; dropped later, it has moved.
///
/// # Panics
///
/// If the clock is not paused, outside of a runtime, and past the end of time.
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration, Instant};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let start = Instant::now();
/// time::advance(Duration::from_micros(1500)).await;
/// assert_eq!(start.elapsed(), Duration::from_micros(1500));
/// # });
/// ```
pub async fn advance(duration: Duration) {
    of_context(|clock| clock.advance(duration));
    task::yield_now().await;
}

/// Applies `change` to the clock of the runtime in context.
#[track_caller]
fn of_context(change: impl FnOnce(&Clock) -> Result<(), &'static str>) {
    let done = match context::home() {
        Some(home) => {
            let done = change(home.clock());
            if !home.is_here() {
                // Its loop waits for what was the time before.
                home.unpark();
            }
            done
        }
        None => Err("time cannot be frozen from outside of a runtime"),
    };
    if let Err(why) = done {
        panic!("{why}");
    }
}

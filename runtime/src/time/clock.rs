//! The clock of a runtime: ticks for the timing wheels, and time that can be
//! paused for tests.
//!
//! ```text
//!                    pause()                      advance(d), auto_advance_to(tick)
//!   Real ----------------------------> Paused ----------------------+
//!    reads the system's clock            ^ | stands at one instant  |
//!                               pause()  | | resume()   ^-----------+
//!                                        | v
//!                                      Resumed
//!                                       runs on from where it stood
//! ```
//!
//! A clock that was never paused is a relaxed load and a read of the system's
//! monotonic clock; from the first pause on, a mutex.
//!
//! # What a run loop does
//!
//! A paused clock moves by itself when its runtime has nothing else to do:
//!
//! ```text
//! nothing is runnable, the clock is paused:
//!     busy = a blocking closure is queued or runs
//!     submit and reap without waiting, take the inbox
//!     if nothing is runnable now, not busy, and the wheel's next expiration is `tick`:
//!         clock.auto_advance_to(tick)
//!     else: wait for clock.time_until(tick)      // None: until something wakes the loop
//! wheel.advance(clock.tick_now())
//! ```
//!
//! `busy` is asked first: a closure that ends meanwhile has woken its task
//! before it stops being busy, and the loop sees the wake.
//!
//! `time::advance` moves the clock and gives way once: a loop advances its wheel
//! before it polls a task that gave way. Whoever ends the last closure, or moves
//! or resumes the clock from a thread that does not drive the loop, wakes it.
#![forbid(unsafe_code)]

use super::Instant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The tick of a deadline that the clock cannot reach: more than 584 million
/// years ahead.
pub(crate) const NEVER: u64 = u64::MAX;

/// The longest wait handed to the kernel, whose own sums overflow near the end
/// of its 64-bit nanoseconds; a loop that wakes for it waits again.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

const NANOS_PER_TICK: u32 = 1_000_000;

/// Whether any clock of this process was ever paused: while not, the time is
/// the same in every runtime and outside.
static ANY_PAUSED: AtomicBool = AtomicBool::new(false);

/// The time of one runtime, in ticks of 1 ms since it was built.
///
/// It reads the clock that [`std::time::Instant`] is defined by (CLOCK_MONOTONIC),
/// so that instants from inside and outside a runtime compare exactly.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Tick 0.
    start: std::time::Instant,
    /// One thread runs the tasks, so that time may be paused.
    #[cfg_attr(
        not(feature = "test-util"),
        expect(dead_code, reason = "asked by pause only")
    )]
    pausable: bool,
    /// Was paused at some time: `state` tells the time.
    was_paused: AtomicBool,
    state: Mutex<State>,
}

/// Time since the first pause.
#[derive(Debug)]
struct State {
    /// The time at `running_since`, or at which the clock stands.
    at: std::time::Instant,
    /// When the clock was resumed, by the system's clock; `None` while paused.
    running_since: Option<std::time::Instant>,
}

impl Clock {
    /// A running clock at tick 0, which may be paused if `pausable`.
    pub(crate) fn new(pausable: bool) -> Self {
        let start = std::time::Instant::now();
        Self {
            start,
            pausable,
            was_paused: AtomicBool::new(false),
            state: Mutex::new(State {
                at: start,
                running_since: Some(start),
            }),
        }
    }

    /// A clock that stands at tick 0.
    pub(crate) fn new_paused() -> Self {
        let clock = Self::new(true);
        clock.state().running_since = None;
        clock.mark_paused();
        clock
    }

    /// The time now.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        Instant::from_std(self.now_std())
    }

    /// Whole ticks since the clock's start, rounded down.
    #[inline]
    pub(crate) fn tick_now(&self) -> u64 {
        self.tick_at(self.now_std())
    }

    /// The first tick that is not before `deadline`; 0 if that is before the
    /// clock's start, [`NEVER`] if no tick is that far.
    pub(crate) fn deadline_tick(&self, deadline: Instant) -> u64 {
        let ahead = deadline.into_std().saturating_duration_since(self.start);
        let partial = u64::from(ahead.subsec_nanos().div_ceil(NANOS_PER_TICK));
        ahead
            .as_secs()
            .saturating_mul(1_000)
            .saturating_add(partial)
    }

    /// How long a run loop may wait for `tick`: zero if it has been reached, at
    /// most [`WAIT_MAX`], and `None` if waiting does not help as the clock stands.
    pub(crate) fn time_until(&self, tick: u64) -> Option<Duration> {
        let now = self.now_std();
        if tick <= self.tick_at(now) {
            return Some(Duration::ZERO);
        }
        if self.is_paused() {
            return None;
        }
        let elapsed = now.saturating_duration_since(self.start);
        Some(
            Duration::from_millis(tick)
                .saturating_sub(elapsed)
                .min(WAIT_MAX),
        )
    }

    /// Whether the clock stands.
    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.was_paused.load(Ordering::Relaxed) && self.state().running_since.is_none()
    }

    /// Moves a clock that stands to `tick`, by whole ticks. Answers whether the
    /// tick is reached.
    ///
    /// For a run loop with nothing else to do; the module says when. A fraction
    /// of a tick that [`Clock::advance`] added stays, as it does in tokio.
    pub(crate) fn auto_advance_to(&self, tick: u64) -> bool {
        let mut state = self.state();
        if tick == NEVER || state.running_since.is_some() {
            return false;
        }
        let ahead = Duration::from_millis(tick.saturating_sub(self.tick_at(state.at)));
        let Some(at) = state.at.checked_add(ahead) else {
            return false;
        };
        state.at = at;
        true
    }

    #[inline]
    fn now_std(&self) -> std::time::Instant {
        // Relaxed: a thread that learnt of the pause sees it, others may lag.
        if self.was_paused.load(Ordering::Relaxed) {
            self.state().now()
        } else {
            std::time::Instant::now()
        }
    }

    fn tick_at(&self, time: std::time::Instant) -> u64 {
        let elapsed = time.saturating_duration_since(self.start);
        let partial = u64::from(elapsed.subsec_millis());
        elapsed
            .as_secs()
            .saturating_mul(1_000)
            .saturating_add(partial)
    }

    fn mark_paused(&self) {
        self.was_paused.store(true, Ordering::Relaxed);
        ANY_PAUSED.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tests do to the clock.
#[cfg(feature = "test-util")]
impl Clock {
    /// Stops the clock; the error is the text of a panic.
    pub(crate) fn pause(&self) -> Result<(), &'static str> {
        if !self.pausable {
            return Err("`time::pause()` requires the `current_thread` runtime, \
                        which is what `#[tokio::test]` builds by default");
        }
        let mut state = self.state();
        if state.running_since.is_none() {
            return Err("time is already frozen");
        }
        state.at = state.now();
        state.running_since = None;
        self.mark_paused();
        Ok(())
    }

    /// Lets the clock run on from where it stands; the error is the text of a panic.
    pub(crate) fn resume(&self) -> Result<(), &'static str> {
        let mut state = self.state();
        if state.running_since.is_some() {
            return Err("time is not frozen");
        }
        state.running_since = Some(std::time::Instant::now());
        Ok(())
    }

    /// Moves a clock that stands; the error is the text of a panic.
    pub(crate) fn advance(&self, duration: Duration) -> Result<(), &'static str> {
        let mut state = self.state();
        if state.running_since.is_some() {
            return Err("time is not frozen");
        }
        let at = state.at.checked_add(duration);
        state.at = at.ok_or("overflow when adding duration to instant")?;
        Ok(())
    }
}

impl State {
    fn now(&self) -> std::time::Instant {
        match self.running_since {
            Some(since) => self.at + since.elapsed(),
            None => self.at,
        }
    }
}

/// Whether [`Instant::now`] has to ask the clock of the runtime in context.
#[inline]
pub(super) fn any_paused() -> bool {
    ANY_PAUSED.load(Ordering::Relaxed)
}

#[cfg(all(test, feature = "test-util"))]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_running_clock_rounds_now_down_and_deadlines_up() {
        let clock = Clock::new(false);
        let start = Instant::from_std(clock.start);
        assert_eq!(clock.deadline_tick(start), 0);
        assert_eq!(clock.deadline_tick(start + Duration::from_nanos(1)), 1);
        assert_eq!(clock.deadline_tick(start + MS), 1);
        assert_eq!(clock.deadline_tick(start + MS + Duration::from_nanos(1)), 2);
        assert_eq!(
            clock.deadline_tick(start + Duration::from_nanos(1_999_999_999)),
            2_000
        );
        let earlier = start
            .checked_sub(MS)
            .expect("a machine that has been up for 1 ms");
        assert_eq!(clock.deadline_tick(earlier), 0);
        assert!(clock.tick_now() <= clock.deadline_tick(clock.now()));
    }

    #[test]
    fn deadlines_beyond_all_ticks_are_never() {
        let clock = Clock::new_paused();
        let far = clock.now() + Duration::from_secs(u64::MAX / 1_000 + 1);
        assert_eq!(clock.deadline_tick(far), NEVER);
        assert!(!clock.auto_advance_to(NEVER));
        assert!(clock.auto_advance_to(NEVER - 1));
        assert_eq!(clock.tick_now(), NEVER - 1);
    }

    #[test]
    fn a_running_clock_waits_at_most_wait_max() {
        let clock = Clock::new(false);
        assert_eq!(clock.time_until(0), Some(Duration::ZERO));
        assert_eq!(clock.time_until(NEVER), Some(WAIT_MAX));
        assert!(clock.time_until(60_000) <= Some(60_000 * MS));
        assert!(clock.time_until(60_000) > Some(Duration::ZERO));
    }

    #[test]
    fn a_paused_clock_stands_until_it_is_moved() {
        let clock = Clock::new_paused();
        let start = clock.now();
        assert!(clock.is_paused());
        assert_eq!(clock.tick_now(), 0);
        assert_eq!(clock.time_until(1), None);
        clock.advance(1500 * Duration::from_micros(1)).unwrap();
        assert_eq!(clock.now() - start, Duration::from_micros(1_500));
        assert_eq!(clock.tick_now(), 1);
        assert_eq!(clock.time_until(1), Some(Duration::ZERO));
    }

    #[test]
    fn auto_advance_moves_whole_ticks_and_never_back() {
        let clock = Clock::new_paused();
        let start = clock.now();
        clock.advance(Duration::from_micros(250)).unwrap();
        assert!(clock.auto_advance_to(7));
        assert_eq!(clock.now() - start, Duration::from_micros(7_250));
        assert!(clock.auto_advance_to(3));
        assert_eq!(clock.now() - start, Duration::from_micros(7_250));
        assert_eq!(clock.tick_now(), 7);
    }

    #[test]
    fn pause_and_resume_refuse_what_is_so_already() {
        let clock = Clock::new(true);
        assert!(clock.resume().is_err());
        assert!(clock.advance(MS).is_err());
        assert!(!clock.auto_advance_to(u64::MAX >> 1));
        let before = clock.now();
        clock.pause().unwrap();
        assert!(clock.pause().is_err());
        assert!(clock.now() >= before);
        clock.advance(60_000 * MS).unwrap();
        clock.resume().unwrap();
        assert!(!clock.is_paused() && !clock.auto_advance_to(1 << 40));
        assert!(clock.now() >= before + 60_000 * MS);
        clock.pause().unwrap();
        assert!(clock.is_paused());
    }

    #[test]
    fn a_clock_of_many_threads_cannot_be_paused() {
        assert!(Clock::new(false).pause().is_err());
    }

    #[test]
    fn advancing_past_the_end_of_time_is_an_error_and_moves_nothing() {
        let clock = Clock::new_paused();
        assert!(clock.advance(Duration::MAX).is_err());
        assert_eq!(clock.tick_now(), 0);
    }
}

//! [`Interval`], a clock that ticks.
#![forbid(unsafe_code)]

use super::{Duration, Instant, Sleep, bounded, sleep_until};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// A tick later than this was missed, and [`MissedTickBehavior`] decides.
const LATE: Duration = Duration::from_millis(5);

/// Ticks at once, and then every `period`.
///
/// A period of more than 30 years counts as 30 years.
///
/// # Panics
///
/// If `period` is zero; else as [`sleep_until`].
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let mut interval = time::interval(Duration::from_millis(10));
/// let first = interval.tick().await;
/// let second = interval.tick().await;
/// assert_eq!(second - first, Duration::from_millis(10));
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// Ticks at `start`, and then every `period`; otherwise as [`interval`].
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration, Instant};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let start = Instant::now() + Duration::from_millis(50);
/// let mut interval = time::interval_at(start, Duration::from_millis(10));
/// assert_eq!(interval.tick().await, start);
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "`period` must be non-zero.");
    Interval {
        delay: Box::pin(sleep_until(start)),
        period: bounded(period),
        missed_tick_behavior: MissedTickBehavior::default(),
    }
}

/// When an [`Interval`] ticks next after a tick that was taken late.
///
/// With a period `p`, a tick that was due at `t` and taken at `t + d`:
///
/// | behavior | the next ticks are due at | what is kept |
/// |---|---|---|
/// | `Burst` | `t + p`, `t + 2p`, .. | the count of ticks |
/// | `Delay` | `t + d + p`, `t + d + 2p`, .. | the time between ticks |
/// | `Skip` | the next `t + np` after `t + d`, and on | the phase |
///
/// A tick taken up to 5 ms late was not missed, and is followed by `t + p`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Ticks that were missed follow at once, until the interval has caught up.
    #[default]
    Burst,

    /// The interval starts anew at the late tick.
    Delay,

    /// Ticks that were missed are left out.
    Skip,
}

impl MissedTickBehavior {
    /// The tick after one that was due at `due` and is taken at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due + period,
            Self::Delay => now + period,
            Self::Skip => {
                let past_ns = (now - due).as_nanos() % period.as_nanos();
                let secs = u64::try_from(past_ns / 1_000_000_000);
                // The remainder of a division by 30 years at most.
                let secs = secs.expect("fewer seconds than a period has");
                let past = Duration::new(secs, (past_ns % 1_000_000_000) as u32);
                now + (period - past)
            }
        }
    }
}

/// Ticks with a period; made by [`interval`] and [`interval_at`].
///
/// Unlike a sleep in a loop it counts the time between the calls as well.
#[derive(Debug)]
pub struct Interval {
    /// Until the next tick.
    delay: Pin<Box<Sleep>>,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

impl Interval {
    /// Waits for the next tick, and yields the instant at which it was due.
    ///
    /// # Cancel safety
    ///
    /// Safe: a call that is dropped has consumed no tick.
    ///
    /// # Examples
    ///
    /// ```
    /// use annulus::time::{self, Duration, Instant};
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
    /// let start = Instant::now();
    /// let mut interval = time::interval(Duration::from_millis(10));
    /// for _ in 0..3 {
    ///     interval.tick().await;
    /// }
    /// assert_eq!(start.elapsed(), Duration::from_millis(20));
    /// # });
    /// ```
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Ready with the instant at which a tick was due, once per tick.
    ///
    /// Pending keeps the waker of the last call only; Ready keeps none.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.delay.as_mut().poll(cx));
        let due = self.delay.deadline();
        let now = Instant::now();
        let next = if now > due + LATE {
            self.missed_tick_behavior.next(due, now, self.period)
        } else {
            due + self.period
        };
        self.delay.as_mut().rearm(next);
        Poll::Ready(due)
    }

    /// Makes the next tick due one period from now.
    ///
    /// # Examples
    ///
    /// ```
    /// use annulus::time::{self, Duration, Instant};
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
    /// let start = Instant::now();
    /// let mut interval = time::interval(Duration::from_millis(100));
    /// interval.tick().await;
    /// time::sleep(Duration::from_millis(50)).await;
    /// interval.reset();
    /// interval.tick().await;
    /// assert_eq!(start.elapsed(), Duration::from_millis(150));
    /// # });
    /// ```
    pub fn reset(&mut self) {
        self.reset_at(Instant::now() + self.period);
    }

    /// Makes the next tick due now.
    pub fn reset_immediately(&mut self) {
        self.reset_at(Instant::now());
    }

    /// Makes the next tick due after `after`, of which more than 30 years count
    /// as 30 years.
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(Instant::now() + bounded(after));
    }

    /// Makes the next tick due at `deadline`; ticks that were missed until now
    /// are forgotten.
    ///
    /// If `deadline` has passed, the tick is late, and [`MissedTickBehavior`]
    /// decides about those after it.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.delay.as_mut().reset(deadline);
    }

    /// What happens after a late tick.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Sets what happens after a late tick.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }

    /// The time between ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_next_tick_after_a_late_one_follows_the_behavior() {
        let due = Instant::now();
        let next =
            |behavior: MissedTickBehavior, late| behavior.next(due, due + late, 50 * MS) - due;
        assert_eq!(next(MissedTickBehavior::Burst, 75 * MS), 50 * MS);
        assert_eq!(next(MissedTickBehavior::Delay, 75 * MS), 125 * MS);
        assert_eq!(next(MissedTickBehavior::Skip, 75 * MS), 100 * MS);
        assert_eq!(next(MissedTickBehavior::Skip, 100 * MS), 150 * MS);
    }

    #[test]
    fn skip_counts_seconds_and_nanoseconds() {
        let (due, period) = (Instant::now(), Duration::new(10, 3));
        let next = MissedTickBehavior::Skip.next(due, due + Duration::new(33, 5), period);
        assert_eq!(next - due, 4 * period);
    }
}

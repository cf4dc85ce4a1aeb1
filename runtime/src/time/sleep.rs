//! [`Sleep`], a future that is ready at a point in time.
#![forbid(unsafe_code)]

use super::{Duration, Instant, bounded};
use crate::op::Timer;
use crate::reactor::Home;
use crate::runtime::Driver;
use crate::task::coop;
use pin_project_lite::pin_project;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Waits until `deadline`; at once if it has passed.
///
/// Never early, and late by the rest of a millisecond at least: deadlines are
/// rounded up to the runtime's ticks of 1 ms.
///
/// # Cancel safety
///
/// Safe: a dropped sleep is forgotten, and nothing is lost with it.
///
/// # Panics
///
/// Outside of a runtime. It is the call that needs it, before the first poll:
/// `rt.block_on(sleep(d))` panics, and `rt.block_on(async { sleep(d).await })`
/// does not.
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration, Instant};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(100);
/// time::sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(deadline)
}

/// Waits for `duration`, which is counted from this call.
///
/// Any duration is accepted; one of more than 30 years counts as 30 years. As
/// for rounding, cancel safety and panics see [`sleep_until`].
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration, Instant};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let start = Instant::now();
/// time::sleep(Duration::from_millis(100)).await;
/// assert!(start.elapsed() >= Duration::from_millis(100));
/// # });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(Instant::now() + bounded(duration))
}

pin_project! {
    /// The future of [`sleep`] and [`sleep_until`].
    ///
    /// Its timer is one entry in the timing wheel of a worker, made at the first
    /// poll. The type is `!Unpin`, as tokio's: pin it to poll it by reference, in
    /// a `select!` of a loop for instance.
    ///
    /// # Panics
    ///
    /// If it is polled after its runtime has shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use annulus::time::{self, Duration, Instant};
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
    /// let mut sleep = std::pin::pin!(time::sleep(Duration::from_millis(10)));
    /// sleep.as_mut().await;
    /// assert!(sleep.is_elapsed());
    ///
    /// sleep.as_mut().reset(Instant::now() + Duration::from_millis(10));
    /// assert!(!sleep.is_elapsed());
    /// sleep.await;
    /// # });
    /// ```
    #[project(!Unpin)]
    #[must_use = "a sleep does nothing unless it is awaited or polled"]
    pub struct Sleep {
        deadline: Instant,
        timer: Timer,
    }
}

impl Sleep {
    #[track_caller]
    pub(super) fn new(deadline: Instant) -> Sleep {
        let home = Home::current_with(Driver::Time);
        let timer = Timer::new(&home, home.clock().deadline_tick(deadline));
        Sleep { deadline, timer }
    }

    /// When the sleep ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the sleep has ended. False until it has been polled, even if the
    /// deadline has passed.
    pub fn is_elapsed(&self) -> bool {
        self.timer.is_elapsed()
    }

    /// Moves the end of the sleep, whether it has ended or not.
    ///
    /// A task that waits for it is woken at the new deadline, without another
    /// poll. The sleep stays with the runtime that it was made in.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let me = self.project();
        *me.deadline = deadline;
        let tick = me.timer.home().clock().deadline_tick(deadline);
        me.timer.reset(tick);
    }

    /// As `reset`, but with no entry in the wheel until the next poll.
    pub(super) fn rearm(self: Pin<&mut Self>, deadline: Instant) {
        let me = self.project();
        *me.deadline = deadline;
        let home = Arc::clone(me.timer.home());
        *me.timer = Timer::new(&home, home.clock().deadline_tick(deadline));
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let me = self.project();
        let coop = ready!(coop::poll_proceed(cx));
        ready!(me.timer.poll_elapsed(cx));
        coop.made_progress();
        Poll::Ready(())
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("is_elapsed", &self.is_elapsed())
            .finish_non_exhaustive()
    }
}

//! [`Timeout`], a future with a limited time.
#![forbid(unsafe_code)]

use super::error::Elapsed;
use super::{Duration, Instant, Sleep};
use crate::task::coop;
use pin_project_lite::pin_project;
use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

/// Lets `future` run for `duration` at most, counted from this call.
///
/// The future is polled before the clock is asked: one that is ready at once
/// yields its output even if the duration is zero. A duration that leads past
/// the end of time never elapses. When the time is up the future is dropped
/// with the `Timeout`; its own cancel safety says what that loses.
///
/// # Errors
///
/// [`Elapsed`] when the time is up first.
///
/// # Cancel safety
///
/// That of `future`.
///
/// # Panics
///
/// As [`sleep_until`](super::sleep_until).
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Duration};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let hour = time::sleep(Duration::from_secs(3600));
/// assert!(time::timeout(Duration::from_millis(10), hour).await.is_err());
/// assert_eq!(time::timeout(Duration::ZERO, async { 7 }).await, Ok(7));
/// # });
/// ```
#[track_caller]
pub fn timeout<F>(duration: Duration, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture,
{
    #[expect(
        clippy::manual_map,
        reason = "a closure does not pass on its caller's location"
    )]
    let delay = match Instant::now().checked_add(duration) {
        Some(deadline) => Some(Sleep::new(deadline)),
        None => None,
    };
    Timeout {
        value: future.into_future(),
        delay,
    }
}

/// Lets `future` run until `deadline` at most; otherwise as [`timeout`].
///
/// # Examples
///
/// ```
/// use annulus::time::{self, Instant};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(async {
/// let never = std::future::pending::<()>();
/// assert!(time::timeout_at(Instant::now(), never).await.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout_at<F>(deadline: Instant, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture,
{
    let delay = Some(Sleep::new(deadline));
    Timeout {
        value: future.into_future(),
        delay,
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "a timeout does nothing unless it is awaited or polled"]
    #[derive(Debug)]
    pub struct Timeout<T> {
        #[pin]
        value: T,
        #[pin]
        delay: Option<Sleep>,
    }
}

impl<T> Timeout<T> {
    /// The future within.
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// The future within.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// The future within, without its limit.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Future> Future for Timeout<T> {
    type Output = Result<T::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        let had_budget = coop::has_budget_remaining();
        if let Poll::Ready(output) = me.value.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match me.delay.as_pin_mut() {
            Some(delay) => poll_delay(delay, had_budget, cx).map(Err),
            None => Poll::Pending,
        }
    }
}

/// Asks the clock, also if the future has just spent the last of the budget:
/// one that does so at every poll would otherwise never meet its deadline.
fn poll_delay(delay: Pin<&mut Sleep>, had_budget: bool, cx: &mut Context<'_>) -> Poll<Elapsed> {
    let spent_here = had_budget && !coop::has_budget_remaining();
    if spent_here {
        ready!(pin!(coop::unconstrained(delay)).poll(cx));
    } else {
        ready!(delay.poll(cx));
    }
    Poll::Ready(Elapsed::new())
}

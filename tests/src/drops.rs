//! Dropping a future at a chosen moment of its operation's life.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{Flag, settled, turns};

/// When the future goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After its first poll, before the loop has entered the ring.
    Unpublished,
    /// After the loop has entered the ring.
    InFlight,
    /// After its result has come, which nobody took.
    Completed,
}

/// What became of a future.
#[derive(Debug)]
pub enum Outcome<T> {
    /// Its first poll gave the result.
    Ready(T),
    /// Dropped while it waited.
    Waiting,
    /// Dropped after it had been woken: the result was there.
    Woken,
}

/// Polls `future` once, and if it waits drops it at `moment`. `complete` is called between the
/// two, and causes the event that the future waits for (or not, if it waits for nothing else).
///
/// Under [`Moment::Completed`] the wake is waited for, so `complete` has to cause it.
pub async fn drop_at<F: Future>(
    moment: Moment,
    future: F,
    complete: impl FnOnce(),
) -> Outcome<F::Output> {
    let (flag, waker) = Flag::new();
    {
        let mut future = Box::pin(future);
        let first: Pin<&mut F> = future.as_mut();
        if let Poll::Ready(output) = first.poll(&mut Context::from_waker(&waker)) {
            return Outcome::Ready(output);
        }
        match moment {
            Moment::Unpublished => complete(),
            Moment::InFlight => {
                turns().await;
                complete();
            }
            Moment::Completed => {
                complete();
                settled("the operation's wake", || flag.is_raised()).await;
            }
        }
    }
    if flag.is_raised() {
        Outcome::Woken
    } else {
        Outcome::Waiting
    }
}

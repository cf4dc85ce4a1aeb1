//! The handle that awaits a task.
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::cell::Join;
use super::{AbortHandle, Id, JoinError, coop};

/// Awaits a task's output. Dropping it detaches the task, which runs on.
///
/// # Errors
///
/// Awaiting yields a [`JoinError`] if the task was aborted, if its runtime
/// ended before it did, or if it panicked.
///
/// # Cancel safety
///
/// Dropping a handle that was polled and not ready loses nothing but the
/// output: await `&mut handle` to keep it.
///
/// # Panics
///
/// If it is polled again after it was ready.
pub struct JoinHandle<T> {
    join: Join<T>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(join: Join<T>) -> JoinHandle<T> {
        JoinHandle { join }
    }

    /// Asks the task to end: its future is dropped where it waits now, or at
    /// its next await point. A task that has completed is not changed; a
    /// blocking closure that has begun runs to its end.
    pub fn abort(&self) {
        self.join.task().abort();
    }

    /// True if the task has ended, so that awaiting it does not wait. It may
    /// still be false right after [`abort`](Self::abort).
    pub fn is_finished(&self) -> bool {
        self.join.is_complete()
    }

    /// A handle that aborts the task and does not await it.
    #[must_use = "an abort handle does nothing unless `abort` is called"]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(self.join.task())
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        self.join.id()
    }

    /// Wakes `waker` when the task has ended, which may be now.
    pub(super) fn wake_when_finished(&mut self, waker: &Waker) {
        if !self.join.register(waker) {
            waker.wake_by_ref();
        }
    }

    /// The output of a task that has ended.
    pub(super) fn into_output(mut self) -> Result<T, JoinError> {
        let mut cx = Context::from_waker(Waker::noop());
        match self.join.poll_output(&mut cx) {
            Poll::Ready(output) => output,
            Poll::Pending => unreachable!("the task has ended"),
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let coop = ready!(coop::poll_proceed(cx));
        let output = ready!(self.join.poll_output(cx));
        coop.made_progress();
        Poll::Ready(output)
    }
}

impl<T> Unpin for JoinHandle<T> {}
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T: fmt::Debug> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .finish()
    }
}

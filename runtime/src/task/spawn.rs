//! Starting tasks and blocking closures on the runtime in context.
#![forbid(unsafe_code)]

use std::future::Future;

use super::{Id, JoinHandle};
use crate::context;
use crate::runtime::Handle;
use crate::runtime::worker;

/// Starts a task on the runtime in context, at once: it runs whether or not the handle is awaited.
///
/// # Panics
///
/// Outside of any runtime.
///
/// ```
/// # annulus::runtime::Runtime::new()?.block_on(async {
/// let task = annulus::spawn(async { 6 * 7 });
/// assert_eq!(task.await.unwrap(), 42);
/// # });
/// # std::io::Result::Ok(())
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Handle::current().spawn_task(future, Id::next())
}

/// Runs a closure that blocks on a thread for such, of the runtime in context.
///
/// There are at most [`max_blocking_threads`](crate::runtime::Builder::max_blocking_threads) of
/// these threads; further closures wait for one. A closure that has begun cannot be aborted, and
/// the end of the runtime waits for it.
///
/// # Panics
///
/// Outside of any runtime; and if the system has no thread to give and there is none yet.
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Handle::current().spawn_blocking(f)
}

/// Runs a closure that blocks on this very thread; its other tasks, and its operations, pass to
/// another thread first.
///
/// Outside of any runtime it just calls the closure.
///
/// # Panics
///
/// In a task of a current-thread runtime, which has no other thread; and in a
/// [`LocalSet`](super::LocalSet), whose tasks stay on this one.
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    assert!(
        context::may_block() || !super::is_polled_here(),
        "can call blocking only when running on the multi-threaded runtime"
    );
    worker::block_in_place(f)
}

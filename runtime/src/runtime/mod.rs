//! Runtimes: what drives tasks, operations and timers.
//!
//! [`Runtime`] comes in tokio's two flavors, made by [`Builder`]: one that runs its tasks on the
//! thread that blocks on it, and one with workers that steal tasks from one another.
//! [`LocalRuntime`] stays on one thread and in return has the cheapest ring.
#![forbid(unsafe_code)]

pub(crate) mod blocking;
mod builder;
mod handle;
pub(crate) mod kernel;
mod local;
mod metrics;
pub(crate) mod scheduler;
pub(crate) mod worker;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::context;
use crate::reactor::SHUTDOWN;
use crate::task::JoinHandle;

pub use crate::reactor::RecvMode;
pub use annulus_ring::Mask;
pub use builder::Builder;
pub(crate) use builder::Driver;
pub use handle::{EnterGuard, Handle, TryCurrentError};
pub use kernel::KernelKind;
pub use local::{LocalOptions, LocalRuntime};
pub use metrics::RuntimeMetrics;

/// A runtime. Dropping it ends it: see [`Runtime::shutdown_timeout`].
///
/// It is not tied to a thread: it may be built on one, blocked on from others, and dropped on yet
/// another.
///
/// ```
/// let runtime = annulus::runtime::Runtime::new()?;
/// let answer = runtime.block_on(async { annulus::spawn(async { 42 }).await });
/// assert_eq!(answer.unwrap(), 42);
/// # std::io::Result::Ok(())
/// ```
pub struct Runtime {
    handle: Handle,
    ended: bool,
}

/// The kinds of runtimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeFlavor {
    /// Tasks run on the thread that blocks on the runtime.
    CurrentThread,
    /// Tasks run on worker threads.
    MultiThread,
}

/// Names a runtime, or a [`LocalSet`](crate::task::LocalSet), among all that the process has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(u64);

impl Id {
    pub(crate) fn next() -> Id {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Id(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Runtime {
    fn new_with(handle: Handle) -> Runtime {
        Runtime {
            handle,
            ended: false,
        }
    }

    /// A multi-thread runtime with the default settings.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Builder::new_multi_thread().enable_all().build()
    }

    /// A reference to this runtime.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Puts this runtime into context until the guard goes.
    #[must_use = "the runtime is in context only while the guard lives"]
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Starts a task on this runtime. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs a closure that blocks on a thread for such.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// Runs a future to its end. On a current-thread runtime this thread drives it meanwhile,
    /// unless another does already: then it waits for its future, and takes over when the other
    /// has gone.
    ///
    /// # Panics
    ///
    /// On a thread that polls tasks; and when the future does.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on_as(Some(0), future)
    }

    /// Ends the runtime, waiting for at most `duration`.
    ///
    /// Its tasks are dropped at their next await point, its operations are cancelled, and their
    /// memory is freed once the kernel has let go; what it has not let go of by then is leaked,
    /// counted and named, never freed. Blocking closures that run are waited for, but not ended.
    ///
    /// Dropping a runtime does the same, with [`Builder::shutdown_deadline`] for operations and
    /// without a limit for blocking closures.
    pub fn shutdown_timeout(mut self, duration: Duration) {
        self.shutdown(Some(duration), Some(duration));
        self.ended = true;
    }

    /// Ends the runtime without waiting for anything.
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }

    /// What the runtime tells of itself, while it lives and after.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }

    fn shutdown(&self, deadline: Option<Duration>, wait: Option<Duration>) {
        let scheduler = self.handle.scheduler();
        // In a forked child there is nothing to end: the threads and the rings are the parent's.
        if scheduler.homes[0].is_forked() {
            return;
        }
        scheduler.shutdown(&self.handle, deadline, wait);
        scheduler.blocking.shutdown(wait);
    }
}

impl Drop for Runtime {
    #[track_caller]
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if !context::may_block() {
            // Ended all the same, for a runtime must not outlive its owner.
            self.shutdown(Some(Duration::ZERO), Some(Duration::ZERO));
            if !std::thread::panicking() {
                panic!(
                    "Cannot drop a runtime in a context where blocking is not allowed. This \
                     happens when a runtime is dropped from within an asynchronous context."
                );
            }
            return;
        }
        self.shutdown(None, None);
    }
}

/// The number of the worker that this thread is: from 0 to
/// [`num_workers`](RuntimeMetrics::num_workers), as the methods of [`RuntimeMetrics`] count them.
///
/// None on a thread that is no worker: one for blocking closures, one that blocks on a multi-thread
/// runtime, one by [`Handle::block_on`], or one outside of any runtime. On a thread that drives a
/// current-thread runtime by [`Runtime::block_on`], or a [`LocalRuntime`], it is 0; if several
/// block on the same runtime, for the one that drives it.
///
/// A task may be on another worker after each await.
///
/// ```
/// use annulus::runtime::{Runtime, worker_index};
///
/// let runtime = Runtime::new()?;
/// assert_eq!(runtime.block_on(async { worker_index() }), None);
/// let task = runtime.spawn(async { worker_index() });
/// assert!(runtime.block_on(task)?.is_some());
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn worker_index() -> Option<usize> {
    context::worker_index()
}

/// Whether an error says that the runtime of a socket, or of a timer, has ended.
///
/// ```
/// use annulus::net::UdpSocket;
/// use annulus::runtime::{Runtime, is_rt_shutdown_err};
///
/// let (first, second) = (Runtime::new()?, Runtime::new()?);
/// let socket = first.block_on(UdpSocket::bind("127.0.0.1:0"))?;
/// drop(first);
/// let error = second.block_on(socket.readable()).unwrap_err();
/// assert!(is_rt_shutdown_err(&error));
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn is_rt_shutdown_err(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other
        && error
            .get_ref()
            .is_some_and(|inner| inner.source().is_none() && inner.to_string() == SHUTDOWN)
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("flavor", &self.handle.runtime_flavor())
            .finish_non_exhaustive()
    }
}

//! A runtime that stays on its thread.
#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Builder, EnterGuard, Handle, Runtime, RuntimeMetrics};
use crate::task::{Id, JoinHandle};

/// A runtime of one thread, on which tasks need not be `Send`.
///
/// In return for staying where it was built it has the cheapest ring the kernel offers
/// (SINGLE_ISSUER and DEFER_TASKRUN, since Linux 6.1). [`spawn_local`](crate::task::spawn_local)
/// works in it without a [`LocalSet`](crate::task::LocalSet).
///
/// ```
/// use std::rc::Rc;
///
/// let runtime = annulus::runtime::LocalRuntime::new()?;
/// let shared = Rc::new(1);
/// let task = runtime.spawn_local({
///     let shared = shared.clone();
///     async move { *shared + 1 }
/// });
/// assert_eq!(runtime.block_on(task).unwrap(), 2);
/// # std::io::Result::Ok(())
/// ```
pub struct LocalRuntime {
    runtime: Runtime,
    not_send: PhantomData<*mut ()>,
}

/// Settings of a [`LocalRuntime`]; there are none yet.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    not_send: PhantomData<*mut u8>,
}

impl LocalRuntime {
    pub(super) fn new_with(runtime: Runtime) -> LocalRuntime {
        LocalRuntime {
            runtime,
            not_send: PhantomData,
        }
    }

    /// A local runtime with the default settings.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new() -> io::Result<LocalRuntime> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    /// A reference to this runtime.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Puts this runtime into context until the guard goes.
    #[must_use = "the runtime is in context only while the guard lives"]
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Starts a task on this runtime. It runs while [`LocalRuntime::block_on`] does.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.runtime.handle().spawn_local_task(future, Id::next())
    }

    /// Runs a closure that blocks on a thread for such.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.runtime.spawn_blocking(f)
    }

    /// Runs a future to its end on this thread, and the runtime's tasks meanwhile.
    ///
    /// # Panics
    ///
    /// On a thread that polls tasks; and when the future does.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.handle().block_on_local(future)
    }

    /// What the runtime tells of itself, while it lives and after.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.runtime.metrics()
    }

    /// Ends the runtime, waiting for at most `duration`: see [`Runtime::shutdown_timeout`].
    pub fn shutdown_timeout(self, duration: Duration) {
        self.runtime.shutdown_timeout(duration);
    }

    /// Ends the runtime without waiting for anything.
    pub fn shutdown_background(self) {
        self.runtime.shutdown_background();
    }
}

impl fmt::Debug for LocalRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRuntime").finish_non_exhaustive()
    }
}

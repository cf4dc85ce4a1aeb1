//! A reference to a runtime.
#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Context;

use super::blocking::ThreadScope;
use super::scheduler::{Flavor, Scheduler};
use super::{RuntimeFlavor, RuntimeMetrics, worker};
use crate::context;
use crate::sim;
use crate::task::{Id, JoinHandle};

/// A reference to a runtime: spawns onto it, and puts it into context, from any thread.
#[derive(Clone)]
pub struct Handle {
    scheduler: Arc<Scheduler>,
}

impl Handle {
    pub(crate) fn new(scheduler: Arc<Scheduler>) -> Handle {
        Handle { scheduler }
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// The runtime in context.
    ///
    /// # Panics
    ///
    /// Outside of any runtime.
    #[track_caller]
    #[must_use]
    pub fn current() -> Handle {
        match context::handle() {
            Some(handle) => handle,
            None => panic!("{}", context::NO_REACTOR),
        }
    }

    /// The runtime in context, if any.
    ///
    /// # Errors
    ///
    /// [`TryCurrentError`] outside of any runtime.
    pub fn try_current() -> Result<Handle, TryCurrentError> {
        context::handle().ok_or(TryCurrentError { _private: () })
    }

    /// Puts this runtime into context until the guard goes. Guards go in the opposite order of
    /// their making.
    #[must_use = "the runtime is in context only while the guard lives"]
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard {
            _entered: context::enter(self.clone()),
            runtime: PhantomData,
        }
    }

    /// Starts a task on this runtime, at once. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_task(future, Id::next())
    }

    /// Runs a closure that blocks on a thread for such. See
    /// [`spawn_blocking`](crate::task::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.scheduler
            .blocking
            .spawn_blocking(f, || self.thread_scope())
    }

    /// As [`spawn_blocking`](Handle::spawn_blocking), for what the end of the runtime must not
    /// drop. `None` if that has come already.
    #[track_caller]
    pub(crate) fn spawn_mandatory_blocking<F, R>(&self, f: F) -> Option<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.scheduler
            .blocking
            .spawn_mandatory(f, || self.thread_scope())
    }

    /// Puts this runtime into the context of a thread of the blocking pool.
    pub(super) fn thread_scope(&self) -> ThreadScope {
        let handle = self.clone();
        Box::new(move |body| {
            let _entered = context::enter(handle);
            body();
        })
    }

    /// Runs a future to its end on this thread, with this runtime in context. If the runtime is a
    /// current-thread one that nobody drives, this thread drives it meanwhile.
    ///
    /// # Panics
    ///
    /// On a thread that polls tasks; and when the future does. On a thread that simulates: see
    /// [`sim`](crate::sim#limits).
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.block_on_as(None, future)
    }

    /// Runs a future to its end on this thread, as worker `index` if it drives the runtime.
    #[track_caller]
    pub(super) fn block_on_as<F: Future>(&self, index: Option<usize>, future: F) -> F::Output {
        if let Some(alone) = self.scheduler.alone() {
            let with_core = self.scheduler.flavor == Flavor::CurrentThread;
            return alone.block_on(self, with_core, index, future);
        }
        let _mark = context::forbid_blocking();
        assert!(sim::seed().is_none(), "{}", sim::BLOCKED);
        let _entered = context::enter(self.clone());
        let future = self.telling(future);
        match self.scheduler.flavor {
            Flavor::CurrentThread => worker::block_on_current(self, index, future),
            // The ring of a local runtime is its own thread's alone.
            Flavor::MultiThread | Flavor::Local => worker::block_on_outside(self, future),
        }
    }

    /// Runs a future on the thread that a local runtime belongs to.
    #[track_caller]
    pub(super) fn block_on_local<F: Future>(&self, future: F) -> F::Output {
        if let Some(alone) = self.scheduler.alone() {
            return alone.block_on(self, true, Some(0), future);
        }
        let _mark = context::forbid_blocking();
        assert!(sim::seed().is_none(), "{}", sim::BLOCKED);
        let _entered = context::enter(self.clone());
        worker::block_on_current(self, Some(0), self.telling(future))
    }

    /// The future, after whose polls the log hears what it has not heard before.
    async fn telling<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let poll = |cx: &mut Context<'_>| {
            let polled = future.as_mut().poll(cx);
            self.scheduler.news.tell();
            polled
        };
        poll_fn(poll).await
    }

    /// What kind of runtime this is.
    #[must_use]
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        match self.scheduler.flavor {
            Flavor::CurrentThread | Flavor::Local => RuntimeFlavor::CurrentThread,
            Flavor::MultiThread => RuntimeFlavor::MultiThread,
        }
    }

    /// What [`Builder::name`](super::Builder::name) said; None if nothing.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.scheduler.name.as_deref()
    }

    /// What the runtime tells of itself, while it lives and after.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        RuntimeMetrics::new(self.clone())
    }

    /// A number that no other runtime of this process has had.
    #[must_use]
    pub fn id(&self) -> super::Id {
        super::Id(self.scheduler.id)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("flavor", &self.runtime_flavor())
            .finish_non_exhaustive()
    }
}

/// While it lives its runtime is in context: see [`Handle::enter`].
///
/// # Panics
///
/// Dropping it does, if a guard that was made later on this thread still lives.
#[must_use = "the runtime is in context only while the guard lives"]
pub struct EnterGuard<'a> {
    _entered: context::Entered,
    runtime: PhantomData<&'a Handle>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

/// There is no runtime in context.
#[derive(Debug)]
pub struct TryCurrentError {
    _private: (),
}

impl TryCurrentError {
    /// Whether the thread is outside of any runtime.
    #[must_use]
    pub fn is_missing_context(&self) -> bool {
        true
    }

    /// Whether the thread's context is gone, because the thread is ending.
    #[must_use]
    pub fn is_thread_local_destroyed(&self) -> bool {
        false
    }
}

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(context::NO_REACTOR)
    }
}

impl std::error::Error for TryCurrentError {}

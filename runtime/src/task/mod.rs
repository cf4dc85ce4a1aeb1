//! Tasks: spawning, awaiting and ending them.
//!
//! A task is a future that the runtime polls by itself. Spawning one allocates
//! once; from then on it is a reference in a run queue, in wakers, in its
//! [`JoinHandle`]. A panic ends the task that raised it and nothing else: in
//! its poll, in the destructor of its future or output, or in a waker that
//! awaits it.
#![deny(unsafe_code)]

mod state;

mod cell;
mod waker;

mod owned;

mod id;
pub use id::{Id, id, try_id};

mod error;
pub use error::JoinError;

mod join;
pub use join::JoinHandle;

mod abort;
pub use abort::AbortHandle;

pub(crate) mod budget;

pub mod coop;
#[doc(hidden)]
pub use coop::{Unconstrained, consume_budget, unconstrained};

mod local;
pub(crate) use local::is_polled_here;
pub use local::{LocalEnterGuard, LocalSet, spawn_local};

mod join_set;
pub use join_set::JoinSet;
mod spawn;
pub use spawn::{block_in_place, spawn, spawn_blocking};

mod yield_now;
pub use yield_now::yield_now;

pub use real::task::LocalKey;

/// Futures of this module's functions.
pub mod futures {
    pub use real::task::futures::TaskLocalFuture;
}

pub(crate) use cell::quietly;
pub(crate) use owned::{OwnedTasks, unowned};

/// Where a task goes when it can run.
pub(crate) trait Schedule: Send + Sync + 'static {
    /// Puts `task` into a run queue. Called by wakers, on any thread, also
    /// while this thread runs a task, and while `task` itself is running no
    /// more than until its poll returns. Must not run the task itself, nor panic.
    fn schedule(&self, task: Task);
}

/// A task that is to be run: there is at most one for each at any time.
///
/// Dropping it without running it is right for a task of an [`OwnedTasks`]
/// that shuts down: the list has the future dropped.
pub(crate) struct Task(cell::TaskRef);

impl Task {
    /// Polls the future once, under its budget and id. A panic becomes the
    /// join handle's error. An aborted task has its future dropped instead.
    ///
    /// # Panics
    ///
    /// If the task is local and this is not its thread.
    pub(crate) fn run(self) {
        self.0.run();
    }

    /// Drops the future; the join handle yields "cancelled".
    pub(crate) fn shutdown(self) {
        self.0.shutdown();
    }
}

#[cfg(test)]
mod tests;

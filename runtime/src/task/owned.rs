//! All live tasks of a runtime, so that it can drop them when it ends.
//!
//! The list is cut into shards, each behind its own mutex; a task finds its
//! shard by the reference in its cell. A slab reuses its slots, so that
//! spawning allocates the task's cell and nothing else.
#![forbid(unsafe_code)]

use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;
use slab::Slab;

use super::cell::{self, Join, TaskRef};
use super::{Id, JoinHandle, Schedule, Task};

/// A future larger than this many bytes is boxed before it is moved into its
/// cell: each move on the way would copy it over the caller's stack.
const FUTURE_SIZE_MAX: usize = if cfg!(debug_assertions) {
    2 * 1024
} else {
    16 * 1024
};

/// The list of live tasks.
pub(crate) struct OwnedTasks {
    /// A power of two of them.
    shards: Box<[Arc<Shard>]>,
}

/// A part of the list.
pub(crate) struct Shard(CachePadded<Mutex<List>>);

struct List {
    /// Set at shutdown; then nothing is added.
    closed: bool,
    tasks: Slab<TaskRef>,
}

impl OwnedTasks {
    /// An empty list of `shards` parts, rounded up to a power of two: one for
    /// each thread that spawns is enough.
    pub(crate) fn new(shards: usize) -> OwnedTasks {
        let shard = || {
            Arc::new(Shard(CachePadded::new(Mutex::new(List {
                closed: false,
                tasks: Slab::new(),
            }))))
        };
        OwnedTasks {
            shards: (0..shards.max(1).next_power_of_two())
                .map(|_| shard())
                .collect(),
        }
    }

    /// Makes a task of `future`. The caller schedules it; None if the list is
    /// closed: the future has been dropped then, and the task is cancelled.
    pub(crate) fn bind<F, S>(
        &self,
        future: F,
        scheduler: S,
        id: Id,
    ) -> (JoinHandle<F::Output>, Option<Task>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
        S: Schedule,
    {
        let shard = self.shard(id);
        if mem::size_of::<F>() > FUTURE_SIZE_MAX {
            let future = Box::pin(future);
            shard.insert(cell::allocate(future, scheduler, id, Some(shard.clone())))
        } else {
            shard.insert(cell::allocate(future, scheduler, id, Some(shard.clone())))
        }
    }

    /// As [`bind`](Self::bind), for a future that stays on this thread: a
    /// `Task` of it panics when run elsewhere, and a future that meets its end
    /// elsewhere is leaked.
    pub(crate) fn bind_local<F, S>(
        &self,
        future: F,
        scheduler: S,
        id: Id,
    ) -> (JoinHandle<F::Output>, Option<Task>)
    where
        F: Future + 'static,
        F::Output: 'static,
        S: Schedule,
    {
        let shard = self.shard(id);
        let list = Some(shard.clone());
        if mem::size_of::<F>() > FUTURE_SIZE_MAX {
            let future = Box::pin(future);
            shard.insert(cell::allocate_local(future, scheduler, id, list))
        } else {
            shard.insert(cell::allocate_local(future, scheduler, id, list))
        }
    }

    /// Drops the future of every task, now, or as soon as its running poll
    /// returns, and lets no other in. Their join handles yield "cancelled". A
    /// panic of a future's destructor stays in its task.
    pub(crate) fn close_and_shutdown_all(&self) {
        // All are closed before the first destructor runs, which may spawn.
        let lists: Vec<_> = self.shards.iter().map(|shard| shard.close()).collect();
        for (_, task) in lists.into_iter().flatten() {
            task.shutdown();
        }
    }

    /// The number of live tasks.
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().tasks.len())
            .sum()
    }

    fn shard(&self, id: Id) -> &Arc<Shard> {
        let index = id.as_u64() as usize & (self.shards.len() - 1);
        &self.shards[index]
    }
}

/// Makes a task that no list holds: whoever has the [`Task`] runs it or shuts it
/// down.
pub(crate) fn unowned<F, S>(future: F, scheduler: S, id: Id) -> (JoinHandle<F::Output>, Task)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    S: Schedule,
{
    let (task, _, join) = if mem::size_of::<F>() > FUTURE_SIZE_MAX {
        cell::allocate(Box::pin(future), scheduler, id, None)
    } else {
        cell::allocate(future, scheduler, id, None)
    };
    (JoinHandle::new(join), Task(task))
}

impl Drop for OwnedTasks {
    fn drop(&mut self) {
        self.close_and_shutdown_all();
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, List> {
        // No code of the user runs under the lock; a panic there would be a
        // failed allocation, and leaves the list whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) -> Slab<TaskRef> {
        let mut list = self.lock();
        list.closed = true;
        mem::take(&mut list.tasks)
    }

    fn insert<T>(
        &self,
        (task, listed, join): (TaskRef, TaskRef, Join<T>),
    ) -> (JoinHandle<T>, Option<Task>) {
        let join = JoinHandle::new(join);
        let mut list = self.lock();
        if list.closed {
            drop(list);
            task.shutdown();
            return (join, None);
        }
        let entry = list.tasks.vacant_entry();
        task.set_key(entry.key());
        entry.insert(listed);
        (join, Some(Task(task)))
    }

    /// Takes a task that ends off the list; None if shutdown has done so.
    pub(super) fn remove(&self, task: &TaskRef) -> Option<TaskRef> {
        self.lock().tasks.try_remove(task.key())
    }
}

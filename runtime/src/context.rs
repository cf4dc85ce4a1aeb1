//! What a thread knows about itself: the budget and the name of the task it
//! polls, and its own number.
//!
//! The struct has no destructor, so it can be reached until the thread's very
//! end, also from destructors of other thread-locals.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Waker;

use crate::task::Id;

struct Context {
    /// Units that the running task may still spend; None outside of tasks.
    budget: Cell<Option<u8>>,
    /// The task that is polled, or whose future or output is dropped.
    task_id: Cell<Option<Id>>,
    /// This thread's number, given at its first use.
    thread: Cell<Option<ThreadId>>,
}

thread_local! {
    static CONTEXT: Context = const {
        Context {
            budget: Cell::new(None),
            task_id: Cell::new(None),
            thread: Cell::new(None),
        }
    };
}

/// The number of a thread; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId(NonZeroU64);

/// This thread's number; None in a thread that is past its end.
pub(crate) fn thread_id() -> Option<ThreadId> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    CONTEXT
        .try_with(|context| {
            context.thread.get().or_else(|| {
                let number = LAST.fetch_add(1, Relaxed) + 1;
                context.thread.set(NonZeroU64::new(number).map(ThreadId));
                context.thread.get()
            })
        })
        .ok()
        .flatten()
}

/// The id of the task that this thread runs.
pub(crate) fn task_id() -> Option<Id> {
    CONTEXT
        .try_with(|context| context.task_id.get())
        .ok()
        .flatten()
}

/// The running task's remaining budget; None is without limit.
pub(crate) fn budget() -> Option<u8> {
    CONTEXT
        .try_with(|context| context.budget.get())
        .ok()
        .flatten()
}

/// Replaces the budget and answers the one before.
pub(crate) fn replace_budget(budget: Option<u8>) -> Option<u8> {
    CONTEXT
        .try_with(|context| context.budget.replace(budget))
        .ok()
        .flatten()
}

/// Makes task `id` the one that this thread runs, with `budget`, until the
/// guard goes away.
pub(crate) fn enter_task(id: Id, budget: Option<u8>) -> TaskGuard {
    let before = CONTEXT.try_with(|context| {
        (
            context.task_id.replace(Some(id)),
            context.budget.replace(budget),
        )
    });
    TaskGuard {
        before: before.unwrap_or((None, None)),
    }
}

/// Puts back what was there before [`enter_task`].
pub(crate) struct TaskGuard {
    before: (Option<Id>, Option<u8>),
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        let (id, budget) = self.before;
        let _ = CONTEXT.try_with(|context| {
            context.task_id.set(id);
            context.budget.set(budget);
        });
    }
}

/// Wakes `waker` once the worker has looked for completions: what gives way
/// should not run again before I/O had its turn. On a thread without a worker,
/// wakes at once.
pub(crate) fn defer(waker: &Waker) {
    waker.wake_by_ref();
}

//! What the current thread is in: a runtime, a core that it drives, a task that it polls.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard};
use std::task::Waker;

use crate::reactor::{Core, Home};
use crate::runtime::Handle;
use crate::task::Id;

/// tokio's words, which programs and tests match on.
pub(crate) const NO_REACTOR: &str =
    "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
pub(crate) const NESTED: &str = "Cannot start a runtime from within a runtime. This happens because a \
    function (like `block_on`) attempted to block the current thread while the thread is being \
    used to drive asynchronous tasks. If you are in an async function, use `.await` on the future \
    instead of blocking on it.";
const OUT_OF_ORDER: &str = "`EnterGuard` values dropped out of order. Guards returned by \
    `tokio::runtime::Handle::enter()` must be dropped in the reverse order as they were acquired.";

// Neither has a destructor, so both can be reached until the thread's very end, also from the
// destructor of a thread-local that owns a runtime.
thread_local! {
    static CONTEXT: ThreadContext = const { ThreadContext {
        handle: RefCell::new(ManuallyDrop::new(None)),
        core: RefCell::new(ManuallyDrop::new(None)),
        depth: Cell::new(0),
        guards: Cell::new(0),
        blocking: Cell::new(Blocking::Allowed),
        worker: Cell::new(None),
    } };

    static TASK: TaskContext = const { TaskContext {
        budget: Cell::new(None),
        task_id: Cell::new(None),
        thread: Cell::new(None),
    } };
}

/// Guards take out what they put in, so nothing is left when the thread ends.
struct ThreadContext {
    /// The runtime that `spawn`, `sleep` and sockets made here belong to.
    handle: RefCell<ManuallyDrop<Option<Handle>>>,
    /// The core that this thread drives.
    core: RefCell<ManuallyDrop<Option<Box<Core>>>>,
    /// The depth of the guard of `enter` whose runtime is in context.
    depth: Cell<usize>,
    /// Guards of `enter` that live; as many as the depth, unless some went out of order.
    guards: Cell<usize>,
    blocking: Cell<Blocking>,
    /// The number of the worker that this thread is.
    worker: Cell<Option<usize>>,
}

const _: () = assert!(!std::mem::needs_drop::<ThreadContext>());

struct TaskContext {
    /// What is left of the polled task's cooperative budget; `None` is without limit.
    budget: Cell<Option<u8>>,
    /// The task that is polled, or whose future or output is dropped.
    task_id: Cell<Option<Id>>,
    /// This thread's number, given at its first use.
    thread: Cell<Option<ThreadId>>,
}

/// The number of a thread; never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId(NonZeroU64);

/// Whether this thread may block on a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocking {
    Allowed,
    /// It polls tasks.
    Forbidden,
}

/// Calls `f` with the core that this thread drives, if any. `f` runs no user code that could give
/// the core away.
pub(crate) fn with_core<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    CONTEXT
        .try_with(|context| {
            let core = context.core.try_borrow().ok()?;
            core.as_deref().map(f)
        })
        .ok()
        .flatten()
}

/// Whether this thread is in [`with_core`]: what a turn calls, a waker or a drop, runs here, and
/// no other core can be driven meanwhile.
pub(crate) fn is_turning() -> bool {
    CONTEXT
        .try_with(|context| context.core.try_borrow_mut().is_err())
        .unwrap_or(false)
}

/// Makes this thread the one that drives the core.
pub(crate) fn put_core(core: Box<Core>) {
    CONTEXT.with(|context| {
        let before = context.core.borrow_mut().replace(core);
        debug_assert!(before.is_none(), "a thread drives one core");
    });
}

/// Takes the core from this thread: it drives none after.
pub(crate) fn take_core() -> Option<Box<Core>> {
    CONTEXT
        .try_with(|context| {
            context
                .core
                .try_borrow_mut()
                .ok()
                .and_then(|mut core| core.take())
        })
        .ok()
        .flatten()
}

/// Counts data that an inline call moved: enough of it makes the loop look at the ring, and the
/// task give way.
pub(crate) fn spent_bytes(n: usize) {
    with_core(|core| core.spent_bytes(n));
    crate::task::coop::spend_bytes(n);
}

/// The home for what is made here and now.
pub(crate) fn home() -> Option<Arc<Home>> {
    let handle = handle()?;
    let here = with_core(|core| {
        handle
            .scheduler()
            .has_home(core.home())
            .then(|| core.home().clone())
    });
    Some(
        here.flatten()
            .unwrap_or_else(|| handle.scheduler().next_home()),
    )
}

/// The runtime in context.
pub(crate) fn handle() -> Option<Handle> {
    with_handle(Clone::clone)
}

/// Calls `f` with the runtime in context.
pub(crate) fn with_handle<R>(f: impl FnOnce(&Handle) -> R) -> Option<R> {
    CONTEXT
        .try_with(|context| context.handle.borrow().as_ref().map(f))
        .ok()
        .flatten()
}

/// Whether this thread polls tasks and must not block.
pub(crate) fn may_block() -> bool {
    CONTEXT
        .try_with(|context| context.blocking.get() == Blocking::Allowed)
        .unwrap_or(true)
}

/// Puts a runtime into context until the guard goes.
pub(crate) fn enter(handle: Handle) -> Entered {
    CONTEXT.with(|context| {
        let depth = context.depth.get() + 1;
        context.depth.set(depth);
        context.guards.set(context.guards.get() + 1);
        let before = context.handle.borrow_mut().replace(handle);
        Entered {
            before,
            depth,
            marks: PhantomData,
        }
    })
}

/// While it lives its runtime is in context.
pub(crate) struct Entered {
    before: Option<Handle>,
    /// How many guards there were with this one.
    depth: usize,
    /// Of its thread, though others may look at it, and not safe to unwind past: as tokio's.
    marks: PhantomData<(MutexGuard<'static, ()>, Box<dyn Send + Sync>)>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let ended = CONTEXT.try_with(|context| {
            let guards = context.guards.get() - 1;
            context.guards.set(guards);
            let in_order = context.depth.get() == self.depth;
            let before = match guards {
                // Also if some went out of order, and left their runtime in context.
                0 => None,
                _ if in_order => self.before.take(),
                _ => return (None, false),
            };
            context
                .depth
                .set(if guards == 0 { 0 } else { self.depth - 1 });
            let ended = context.handle.replace(ManuallyDrop::new(before));
            (ManuallyDrop::into_inner(ended), in_order)
        });
        // Outside of the borrow: the last handle ends a scheduler.
        if let Ok((ended, in_order)) = ended {
            drop(ended);
            assert!(in_order || std::thread::panicking(), "{OUT_OF_ORDER}");
        }
    }
}

/// Marks this thread as one that polls tasks.
///
/// # Panics
///
/// When it is one already.
#[track_caller]
pub(crate) fn forbid_blocking() -> BlockingMark {
    assert!(may_block(), "{NESTED}");
    BlockingMark::set(Blocking::Forbidden)
}

/// Lets this thread block although it polls tasks.
pub(crate) fn allow_blocking() -> BlockingMark {
    BlockingMark::set(Blocking::Allowed)
}

/// The number of the worker that this thread is, if it is one.
pub(crate) fn worker_index() -> Option<usize> {
    CONTEXT
        .try_with(|context| context.worker.get())
        .ok()
        .flatten()
}

/// Makes this thread worker `index` of its runtime, or none, until the guard goes.
pub(crate) fn be_worker(index: Option<usize>) -> WorkerMark {
    WorkerMark {
        before: CONTEXT.with(|context| context.worker.replace(index)),
        not_send: PhantomData,
    }
}

/// Restores what the thread was before.
pub(crate) struct WorkerMark {
    before: Option<usize>,
    not_send: PhantomData<*mut ()>,
}

impl Drop for WorkerMark {
    fn drop(&mut self) {
        let _ = CONTEXT.try_with(|context| context.worker.set(self.before));
    }
}

/// Restores what the thread might do before.
pub(crate) struct BlockingMark {
    before: Blocking,
    not_send: PhantomData<*mut ()>,
}

impl BlockingMark {
    fn set(blocking: Blocking) -> BlockingMark {
        let before = CONTEXT.with(|context| context.blocking.replace(blocking));
        BlockingMark {
            before,
            not_send: PhantomData,
        }
    }
}

impl Drop for BlockingMark {
    fn drop(&mut self) {
        let _ = CONTEXT.try_with(|context| context.blocking.set(self.before));
    }
}

/// This thread's number; None in a thread that is past its end.
pub(crate) fn thread_id() -> Option<ThreadId> {
    static LAST: AtomicU64 = AtomicU64::new(0);
    TASK.try_with(|context| {
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
    TASK.try_with(|context| context.task_id.get())
        .ok()
        .flatten()
}

/// The running task's remaining budget; None is without limit.
pub(crate) fn budget() -> Option<u8> {
    TASK.try_with(|context| context.budget.get()).ok().flatten()
}

/// Replaces the budget and answers the one before.
pub(crate) fn replace_budget(budget: Option<u8>) -> Option<u8> {
    TASK.try_with(|context| context.budget.replace(budget))
        .ok()
        .flatten()
}

/// Makes task `id` the one that this thread runs, with `budget`, until the
/// guard goes away.
pub(crate) fn enter_task(id: Id, budget: Option<u8>) -> TaskGuard {
    let before = TASK.try_with(|context| {
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
        let _ = TASK.try_with(|context| {
            context.task_id.set(id);
            context.budget.set(budget);
        });
    }
}

/// Wakes `waker` once the core of this thread has looked for completions: what gives way should
/// not run again before I/O had its turn. On a thread without a core, wakes at once.
pub(crate) fn defer(waker: &Waker) {
    if with_core(|core| core.defer(waker.clone())).is_none() {
        waker.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use crate::runtime::{Builder, Handle, Runtime};

    #[test]
    fn guards_that_go_out_of_order_panic_and_leave_the_thread_usable() {
        let (first, second) = (local(), local());
        let inner = catch_unwind(AssertUnwindSafe(|| {
            let early = first.enter();
            let late = second.enter();
            drop(early);
            drop(late);
        }));
        assert!(inner.is_err());
        assert!(Handle::try_current().is_err());
        let _entered = second.enter();
        assert_eq!(Handle::current().id(), second.handle().id());
    }

    fn local() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn a_runtime_in_a_thread_local_ends_with_its_thread() {
        thread_local! {
            static RUNTIME: Runtime = local();
        }
        let ended = thread::spawn(|| {
            RUNTIME.with(|runtime| {
                let task = runtime.spawn(std::future::pending::<()>());
                runtime.block_on(crate::task::yield_now());
                task
            })
        });
        let task = ended.join().unwrap();
        assert!(task.is_finished());
    }
}

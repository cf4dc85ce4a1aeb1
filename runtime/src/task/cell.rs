//! The memory of a task: one allocation, from spawn until nobody holds it.
//!
//! ```text
//!      Cell<F, S>
//!     +--------------------------------------------------+
//!     | Header   state, vtable, id, thread, list, waker  | <- TaskRef, Join, Waker
//!     | S        where to schedule                       |
//!     | Stage    Future(F) -> Output(Result) -> Empty    |
//!     +--------------------------------------------------+
//! ```
//!
//! Whose the stage is follows from the state alone:
//! * RUNNING: of the thread that set it, by `State::start` or `State::shutdown`.
//! * COMPLETE with JOIN_INTEREST: of the join handle, which takes or drops the output.
//! * COMPLETE without: of the thread that completed the task, and then Empty.
//! * else nobody's, until the cell is freed.
//!
//! A future that is not Send carries its thread's number. It is polled and
//! dropped there only; where that cannot be, it is leaked with its cell. Its
//! output is dropped there too, or by a join handle, which is Send only if the
//! output is.
#![allow(unsafe_code)]

mod body;

use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;

use self::body::{Cell, Vtable};
use super::coop::BUDGET;
use super::owned::Shard;
use super::state::{Leave, Pause, Start, State};
use super::{Id, JoinError, Schedule, Task, waker};
use crate::context::{self, ThreadId};

/// The part of a cell that does not depend on the future's type.
pub(super) struct Header {
    state: State,
    vtable: &'static Vtable,
    id: Id,
    /// Where the future must stay; None if it is Send.
    thread: Option<ThreadId>,
    /// The list of live tasks that holds this one, and where in it.
    shard: Option<Arc<Shard>>,
    key: AtomicUsize,
    /// Who awaits the join handle.
    join_waker: AtomicWaker,
}

/// A counted reference to a cell.
pub(super) struct TaskRef(NonNull<Header>);

// SAFETY: everything reachable through a TaskRef is the header, which is Sync,
// the scheduler, which is Send + Sync, and the stage. The state gives the stage
// to one thread at a time, and a future that is not Send is only touched on
// its thread (`is_here`).
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

/// Allocates a task: the reference to run it, a second one for the list of live
/// tasks, and the join handle's hold.
pub(super) fn allocate<F, S>(
    future: F,
    scheduler: S,
    id: Id,
    shard: Option<Arc<Shard>>,
) -> (TaskRef, TaskRef, Join<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send,
    S: Schedule,
{
    allocate_at(future, scheduler, id, shard, None)
}

/// As [`allocate`], for a future that stays on this thread.
pub(super) fn allocate_local<F, S>(
    future: F,
    scheduler: S,
    id: Id,
    shard: Option<Arc<Shard>>,
) -> (TaskRef, TaskRef, Join<F::Output>)
where
    F: Future + 'static,
    S: Schedule,
{
    let here = context::thread_id().expect("a local task is spawned by a thread that ends");
    allocate_at(future, scheduler, id, shard, Some(here))
}

fn allocate_at<F, S>(
    future: F,
    scheduler: S,
    id: Id,
    shard: Option<Arc<Shard>>,
    thread: Option<ThreadId>,
) -> (TaskRef, TaskRef, Join<F::Output>)
where
    F: Future + 'static,
    S: Schedule,
{
    let header = Header {
        state: State::new(2),
        vtable: body::vtable::<F, S>(),
        id,
        thread,
        shard,
        key: AtomicUsize::new(usize::MAX),
        join_waker: AtomicWaker::new(),
    };
    let cell = Box::new(Cell::new(header, scheduler, future));
    let header = NonNull::from(Box::leak(cell)).cast::<Header>();
    let join = Join {
        header,
        awaited: false,
        output: PhantomData,
    };
    (TaskRef(header), TaskRef(header), join)
}

impl TaskRef {
    fn header(&self) -> &Header {
        // SAFETY: a counted reference keeps the cell, whose first field this is.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn id(&self) -> Id {
        self.header().id
    }

    pub(super) fn is_complete(&self) -> bool {
        self.header().state.is_complete()
    }

    /// Where the list of live tasks has put this one.
    pub(super) fn set_key(&self, key: usize) {
        self.header().key.store(key, Relaxed);
    }

    pub(super) fn key(&self) -> usize {
        self.header().key.load(Relaxed)
    }

    /// False for a future that is not Send, away from its thread.
    fn is_here(&self) -> bool {
        match self.header().thread {
            None => true,
            owner => context::thread_id() == owner,
        }
    }

    /// Polls the future once, or drops it if the task was aborted.
    ///
    /// # Panics
    ///
    /// If the future is not Send and this is not its thread.
    pub(super) fn run(self) {
        assert!(self.is_here(), "a local task was run away from its thread");
        let header = self.header();
        match header.state.start() {
            Start::Nothing => return,
            Start::Cancel => self.cancel(),
            Start::Poll => {
                let guard = context::enter_task(header.id, Some(BUDGET));
                let waker = waker::borrowed(&self);
                let mut cx = Context::from_waker(&waker);
                // SAFETY: `start` gave the stage, with the future in it, to
                // this thread, which is the future's own.
                let finished = unsafe { (header.vtable.poll)(self.0, &mut cx) };
                drop(guard);
                if !finished {
                    match header.state.pause() {
                        Pause::Idle => return,
                        Pause::Again => return self.schedule(),
                        Pause::Cancel => self.cancel(),
                    }
                }
            }
        }
        self.complete();
    }

    /// Drops the future at once if nobody runs the task, else when its poll
    /// returns. A local task that is met on another thread is aborted instead:
    /// its own thread will drop it, or it leaks.
    pub(super) fn shutdown(self) {
        if !self.is_here() {
            return self.abort();
        }
        if self.header().state.shutdown() {
            self.cancel();
            self.complete();
        }
    }

    /// Has the future dropped by the next run, which is scheduled here.
    pub(super) fn abort(&self) {
        if self.header().state.abort() {
            self.schedule();
        }
    }

    pub(super) fn wake(&self) {
        if self.header().state.wake() {
            self.schedule();
        }
    }

    /// Hands to the scheduler the reference that the state has just counted.
    /// The caller's own keeps the scheduler alive for the length of the call:
    /// another thread may run and finish the task before it returns.
    fn schedule(&self) {
        let task = Task(TaskRef(self.0));
        // SAFETY: the vtable is this cell's.
        unsafe { (self.header().vtable.schedule)(self.0, task) }
    }

    /// Only with RUNNING set by the caller, on the future's thread.
    fn cancel(&self) {
        let header = self.header();
        let _guard = context::enter_task(header.id, context::budget());
        // SAFETY: the caller has set RUNNING, so the stage is this thread's,
        // and nothing has ended the future since.
        unsafe { (header.vtable.cancel)(self.0) }
    }

    /// Only with RUNNING set by the caller, and the output stored.
    fn complete(self) {
        let header = self.header();
        let listed = header.shard.as_ref().and_then(|list| list.remove(&self));
        if header.state.complete() {
            quietly(|| header.join_waker.wake());
        } else {
            let _guard = context::enter_task(header.id, context::budget());
            // SAFETY: the state was COMPLETE without JOIN_INTEREST when this
            // thread completed the task, so the output is this thread's.
            unsafe { (header.vtable.drop_output)(self.0) }
        }
        let count = 1 + usize::from(listed.is_some());
        mem::forget(listed);
        ManuallyDrop::new(self).release(count);
    }

    /// Gives up `count` references, of which the caller forgets the values.
    fn release(&self, count: usize) {
        let header = self.header();
        if header.state.release(count) {
            // SAFETY: that was the last hold on the cell.
            unsafe { (header.vtable.free)(self.0) }
        }
    }

    /// The reference as a waker's data.
    pub(super) fn into_raw(self) -> *const () {
        ManuallyDrop::new(self).0.as_ptr().cast_const().cast()
    }

    /// # Safety
    ///
    /// `data` comes from [`into_raw`](Self::into_raw), or from
    /// [`as_raw`](Self::as_raw) of a reference that outlives this one, which
    /// must then not be dropped.
    pub(super) unsafe fn from_raw(data: *const ()) -> TaskRef {
        let header = data.cast_mut().cast::<Header>();
        // SAFETY: the pointer was a NonNull before.
        TaskRef(unsafe { NonNull::new_unchecked(header) })
    }

    pub(super) fn as_raw(&self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> TaskRef {
        self.header().state.acquire();
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        self.release(1);
    }
}

/// A join handle's hold on the cell: the output is its, once there is one.
pub(super) struct Join<T> {
    header: NonNull<Header>,
    /// A waker may be registered.
    awaited: bool,
    output: PhantomData<T>,
}

// SAFETY: what a Join reaches beyond the Sync header is the output, a T.
unsafe impl<T: Send> Send for Join<T> {}
// SAFETY: through a shared reference only the header is reached.
unsafe impl<T: Send> Sync for Join<T> {}

impl<T> Join<T> {
    fn header(&self) -> &Header {
        // SAFETY: JOIN_INTEREST keeps the cell.
        unsafe { self.header.as_ref() }
    }

    pub(super) fn id(&self) -> Id {
        self.header().id
    }

    pub(super) fn is_complete(&self) -> bool {
        self.header().state.is_complete()
    }

    /// A counted reference to the task.
    pub(super) fn task(&self) -> TaskRef {
        self.header().state.acquire();
        TaskRef(self.header)
    }

    /// Has `waker` woken at completion. False if that has been; it may have
    /// been woken then.
    pub(super) fn register(&mut self, waker: &Waker) -> bool {
        self.awaited = true;
        self.header().join_waker.register(waker);
        !self.is_complete()
    }

    /// The output, once; until then `cx` is woken when it is there.
    ///
    /// # Panics
    ///
    /// If the output has been taken.
    pub(super) fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        if !self.is_complete() && self.register(cx.waker()) {
            return Poll::Pending;
        }
        let mut output = Poll::<Result<T, JoinError>>::Pending;
        let vtable = self.header().vtable;
        // SAFETY: the task is COMPLETE, and this handle is the join interest,
        // so the output is its; T is the output type of the cell's future.
        unsafe { (vtable.take_output)(self.header, (&raw mut output).cast()) };
        output
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        let header = self.header();
        if self.awaited {
            quietly(|| drop(header.join_waker.take()));
        }
        let free = match header.state.leave() {
            Leave::Held => false,
            Leave::Free => true,
            Leave::Complete => {
                let _guard = context::enter_task(header.id, context::budget());
                // SAFETY: the task is COMPLETE and the interest still set, so
                // the output is this handle's.
                unsafe { (header.vtable.drop_output)(self.header) };
                header.state.leave_complete()
            }
        };
        if free {
            // SAFETY: that was the last hold on the cell.
            unsafe { (header.vtable.free)(self.header) }
        }
    }
}

/// Runs code of the user whose panic concerns nobody: there is no task left
/// that could tell of it.
pub(crate) fn quietly(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        // The payload's own destructor may panic; what that carries is leaked.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}

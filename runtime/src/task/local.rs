//! Tasks that stay on one thread inside one future: [`LocalSet`].
//!
//! ```text
//!   wakers, any thread --> queue --(taken whole)--> batch --> run, at most
//!                            |                                TICK_TASKS_MAX a tick
//!                            +--> wake who polls the set, unless that is now
//! ```
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use pin_project_lite::pin_project;

use super::{Id, JoinHandle, OwnedTasks, Schedule, Task, budget};
use crate::context;
use crate::runtime::{self, Runtime};

/// Tasks that a poll of the set runs before others on its thread have a turn.
const TICK_TASKS_MAX: usize = 61;

/// Tasks that need not be Send, run on the thread that made the set.
///
/// They run while the set itself, or the future of [`run_until`](Self::run_until),
/// is polled. Awaiting the set waits for all its tasks. Dropping it drops
/// their futures; their join handles then yield "cancelled".
///
/// # Cancel safety
///
/// Dropping a future that polls the set leaves the tasks as they are; they go
/// on when the set is polled again.
pub struct LocalSet {
    inner: Rc<Inner>,
}

struct Inner {
    id: runtime::Id,
    tasks: OwnedTasks,
    /// Taken from the queue, and to be run next.
    batch: RefCell<VecDeque<Task>>,
    shared: Arc<Shared>,
}

/// What wakers reach, on any thread.
struct Shared {
    /// None once the set is gone.
    queue: Mutex<Option<VecDeque<Task>>>,
    /// Who polls the set.
    waker: AtomicWaker,
}

/// The set that `spawn_local` finds.
struct Entered {
    inner: Rc<Inner>,
    /// The set is being polled by this thread right now, and will see what is
    /// scheduled without being woken.
    polled: bool,
}

thread_local! {
    // Apart from `context`, whose struct must have no destructor.
    static ENTERED: RefCell<Option<Entered>> = const { RefCell::new(None) };
}

impl LocalSet {
    /// An empty set.
    pub fn new() -> LocalSet {
        LocalSet {
            inner: Rc::new(Inner {
                id: runtime::Id::next(),
                tasks: OwnedTasks::new(1),
                batch: RefCell::default(),
                shared: Arc::new(Shared {
                    queue: Mutex::new(Some(VecDeque::new())),
                    waker: AtomicWaker::new(),
                }),
            }),
        }
    }

    /// Makes [`spawn_local`] spawn on this set until the guard is dropped.
    /// Guards are dropped in the reverse order of their making.
    pub fn enter(&self) -> LocalEnterGuard {
        LocalEnterGuard {
            _restore: Restore::new(&self.inner, false),
        }
    }

    /// Spawns a task on the set. It begins to run when the set is polled next.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let join = self.inner.spawn(future);
        self.inner.shared.waker.wake();
        join
    }

    /// Runs the set's tasks until `future` is ready. In `future`,
    /// [`spawn_local`] spawns on the set. Tasks that have not ended stay.
    ///
    /// # Cancel safety
    ///
    /// That of `future`; the set's tasks stay.
    pub async fn run_until<F>(&self, future: F) -> F::Output
    where
        F: Future,
    {
        RunUntil { set: self, future }.await
    }

    /// Runs `future` to its end on `runtime`, and the set's tasks meanwhile, as
    /// [`run_until`](Self::run_until).
    ///
    /// # Panics
    ///
    /// As [`Runtime::block_on`].
    ///
    /// ```
    /// use annulus::task::{LocalSet, spawn_local};
    /// use std::rc::Rc;
    ///
    /// let runtime = annulus::runtime::Runtime::new()?;
    /// let value = Rc::new(1);
    /// let output = LocalSet::new().block_on(&runtime, async move {
    ///     spawn_local(async move { *value + 1 }).await
    /// });
    /// assert_eq!(output.unwrap(), 2);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn block_on<F>(&self, runtime: &Runtime, future: F) -> F::Output
    where
        F: Future,
    {
        runtime.block_on(self.run_until(future))
    }

    /// A number that no runtime and no other set of this process has had.
    pub fn id(&self) -> runtime::Id {
        self.inner.id
    }

    /// Runs up to [`TICK_TASKS_MAX`] tasks. True if there may be more.
    fn tick(&self) -> bool {
        for _ in 0..TICK_TASKS_MAX {
            match self.inner.next() {
                Some(task) => budget::grant_nested(|| task.run()),
                None => return false,
            }
        }
        true
    }
}

impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.shared.waker.register(cx.waker());
        let _entered = Restore::new(&self.inner, true);
        if self.tick() {
            cx.waker().wake_by_ref();
            Poll::Pending
        } else if self.inner.tasks.len() == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Default for LocalSet {
    fn default() -> LocalSet {
        LocalSet::new()
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet").finish()
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        let _entered = Restore::new(&self.inner, true);
        self.inner.tasks.close_and_shutdown_all();
        self.inner.batch.take();
        let queue = self.inner.shared.lock().take();
        drop(queue);
    }
}

pin_project! {
    /// The future of [`LocalSet::run_until`].
    struct RunUntil<'a, F> {
        set: &'a LocalSet,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let inner = &this.set.inner;
        inner.shared.waker.register(cx.waker());
        let _entered = Restore::new(inner, true);
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(output);
        }
        if this.set.tick() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Inner {
    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let shared = self.shared.clone();
        let (join, task) = self.tasks.bind_local(future, shared, Id::next());
        if let Some(task) = task {
            self.shared.schedule(task);
        }
        join
    }

    fn next(&self) -> Option<Task> {
        let mut batch = self.batch.borrow_mut();
        if batch.is_empty() {
            mem::swap(&mut *batch, self.shared.lock().as_mut()?);
        }
        batch.pop_front()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<Task>>> {
        // Nothing but a failed allocation panics under the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, task: Task) {
        match self.lock().as_mut() {
            Some(queue) => queue.push_back(task),
            // The set is gone and its futures with it.
            None => return,
        }
        let polled = ENTERED.try_with(|entered| match &*entered.borrow() {
            Some(entered) => entered.polled && std::ptr::eq(&*entered.inner.shared, self),
            None => false,
        });
        if !polled.unwrap_or(false) {
            self.waker.wake();
        }
    }
}

impl Schedule for Arc<Shared> {
    fn schedule(&self, task: Task) {
        Shared::schedule(self, task);
    }
}

/// Makes the set the entered one, and puts back the one before when dropped.
struct Restore(Option<Entered>);

impl Restore {
    fn new(inner: &Rc<Inner>, polled: bool) -> Restore {
        let entered = Entered {
            inner: inner.clone(),
            polled,
        };
        Restore(
            ENTERED
                .try_with(|slot| slot.replace(Some(entered)))
                .unwrap_or(None),
        )
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        let before = self.0.take();
        let _ = ENTERED.try_with(|slot| slot.replace(before));
    }
}

/// Keeps a set entered; made by [`LocalSet::enter`].
pub struct LocalEnterGuard {
    _restore: Restore,
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEnterGuard").finish()
    }
}

/// True while this thread polls or drops a [`LocalSet`]: what it runs cannot
/// be left to another thread, so nothing may block in place.
pub(crate) fn is_polled_here() -> bool {
    ENTERED
        .try_with(|entered| entered.borrow().as_ref().is_some_and(|it| it.polled))
        .unwrap_or(false)
}

/// Spawns a task that need not be Send on this thread: on the
/// [`LocalRuntime`](crate::runtime::LocalRuntime) in context, else on the
/// [`LocalSet`] that this thread is in.
///
/// # Panics
///
/// Outside of both; and if the `LocalRuntime` in context was made by another
/// thread.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if let Some(handle) = context::handle()
        && let Some(thread) = handle.local_thread()
    {
        assert!(
            context::thread_id() == Some(thread),
            "Local tasks can only be spawned on a LocalRuntime from the thread the runtime was \
             created on"
        );
        return handle.spawn_local_task(future, Id::next());
    }
    let inner = ENTERED.try_with(|entered| Some(entered.borrow().as_ref()?.inner.clone()));
    match inner.ok().flatten() {
        Some(inner) => inner.spawn(future),
        None => panic!(
            "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::pending;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::thread;

    use futures::FutureExt;
    use futures::executor::block_on;
    use real::sync::{Notify, oneshot};
    use tokio_test::{assert_pending, assert_ready};

    use super::{LocalSet, TICK_TASKS_MAX, is_polled_here, spawn_local};
    use crate::runtime::{LocalRuntime, Runtime};
    use crate::task::yield_now;

    #[test]
    fn local_tasks_run_and_spawn_more() {
        let set = LocalSet::new();
        let seen = Rc::new(Cell::new(0));
        let count = seen.clone();
        let output = block_on(set.run_until(async move {
            spawn_local(async move {
                let inner = count.clone();
                let join = spawn_local(async move { inner.set(inner.get() + 1) });
                yield_now().await;
                join.await.unwrap();
                count.set(count.get() + 1);
                Rc::new(5)
            })
            .await
            .unwrap()
        }));
        assert_eq!((*output, seen.get()), (5, 2));
    }

    #[test]
    fn awaiting_the_set_waits_for_all_its_tasks() {
        let set = LocalSet::new();
        let done = Rc::new(Cell::new(0));
        for _ in 0..1000 {
            let done = done.clone();
            set.spawn_local(async move {
                yield_now().await;
                done.set(done.get() + 1);
            });
        }
        block_on(set);
        assert_eq!(done.get(), 1000);
    }

    #[test]
    fn a_tick_is_bounded_and_asks_to_be_polled_again() {
        let set = LocalSet::new();
        let done = Rc::new(Cell::new(0));
        for _ in 0..TICK_TASKS_MAX + 1 {
            let done = done.clone();
            set.spawn_local(async move { done.set(done.get() + 1) });
        }
        let mut set = tokio_test::task::spawn(set);
        assert_pending!(set.poll());
        assert!(set.is_woken());
        assert_eq!(done.get(), TICK_TASKS_MAX);
        assert_ready!(set.poll());
    }

    #[test]
    fn spawning_from_outside_wakes_who_polls_the_set() {
        let set = LocalSet::new();
        let mut run = tokio_test::task::spawn(set.run_until(pending::<()>()));
        assert_pending!(run.poll());
        assert!(!run.is_woken());
        let mut join = set.spawn_local(async { 3 });
        assert!(run.is_woken());
        assert_pending!(run.poll());
        assert_eq!((&mut join).now_or_never().unwrap().unwrap(), 3);

        let _guard = set.enter();
        let _join = spawn_local(async {});
        assert!(run.is_woken());
    }

    #[test]
    fn a_wake_from_another_thread_polls_the_set() {
        let set = LocalSet::new();
        let (tx, rx) = oneshot::channel();
        let join = set.spawn_local(async move { rx.await.unwrap() });
        let sender = thread::spawn(move || tx.send(8).unwrap());
        assert_eq!(block_on(set.run_until(join)).unwrap(), 8);
        sender.join().unwrap();
    }

    #[test]
    fn dropping_the_set_drops_the_futures_and_cancels() {
        let set = LocalSet::new();
        let value = Rc::new(());
        let notify = Arc::new(Notify::new());
        let (held, wait) = (value.clone(), notify.clone());
        let mut waiting = set.spawn_local(async move {
            let _held = held;
            wait.notified().await;
        });
        let mut queued = set.spawn_local(async {});
        block_on(set.run_until(yield_now()));
        set.spawn_local(async {});
        notify.notify_one();
        drop(set);
        assert_eq!(Rc::strong_count(&value), 1);
        let cancelled = (&mut waiting).now_or_never().unwrap().unwrap_err();
        assert!(cancelled.is_cancelled());
        (&mut queued).now_or_never().unwrap().unwrap();
    }

    #[test]
    fn a_task_dropped_with_the_set_may_wake_and_spawn() {
        struct OnDrop<F: FnOnce()>(Option<F>);
        impl<F: FnOnce()> Drop for OnDrop<F> {
            fn drop(&mut self) {
                self.0.take().unwrap()();
            }
        }
        let set = LocalSet::new();
        let notify = Arc::new(Notify::new());
        let waiter = notify.clone();
        set.spawn_local(async move { waiter.notified().await });
        let late = Rc::new(RefCell::new(None));
        let slot = late.clone();
        let on_drop = OnDrop(Some(move || {
            assert!(is_polled_here());
            notify.notify_waiters();
            *slot.borrow_mut() = Some(spawn_local(async {}));
        }));
        set.spawn_local(async move {
            let _on_drop = on_drop;
            pending::<()>().await;
        });
        block_on(set.run_until(yield_now()));
        drop(set);
        let join = late.borrow_mut().take().unwrap();
        let error = join.now_or_never().unwrap().unwrap_err();
        assert!(error.is_cancelled());
    }

    #[test]
    fn a_set_in_a_thread_local_ends_with_its_thread() {
        thread_local! {
            static SET: LocalSet = LocalSet::new();
        }
        let dropped = Arc::new(());
        let held = dropped.clone();
        thread::spawn(move || {
            SET.with(|set| {
                set.spawn_local(async move {
                    let _held = held;
                    pending::<()>().await;
                });
                block_on(set.run_until(yield_now()));
            });
        })
        .join()
        .unwrap();
        assert_eq!(Arc::strong_count(&dropped), 1);
    }

    #[test]
    fn guards_nest() {
        let (outer, inner) = (LocalSet::new(), LocalSet::new());
        let _outer = outer.enter();
        {
            let _inner = inner.enter();
            drop(spawn_local(async {}));
        }
        drop(spawn_local(async {}));
        assert_eq!(outer.inner.tasks.len(), 1);
        assert_eq!(inner.inner.tasks.len(), 1);
        assert!(!is_polled_here());
    }

    #[test]
    #[should_panic = "`spawn_local` called from outside of a `task::LocalSet`"]
    fn spawn_local_outside_of_a_set_panics() {
        drop(spawn_local(async {}));
    }
    #[test]
    fn a_local_runtime_spawns_before_a_set_and_only_from_its_thread() {
        let runtime = LocalRuntime::new().unwrap();
        let set = LocalSet::new();
        let value = Rc::new(6);
        let output = runtime.block_on(async {
            let _guard = set.enter();
            spawn_local(async move { *value }).await
        });
        assert_eq!(output.unwrap(), 6);
        assert_eq!(set.inner.tasks.len(), 0);

        let handle = runtime.handle().clone();
        let elsewhere = thread::spawn(move || {
            let _entered = handle.enter();
            drop(spawn_local(async {}));
        });
        let payload = elsewhere.join().unwrap_err();
        let text = payload.downcast_ref::<&str>().unwrap();
        assert!(text.starts_with("Local tasks can only be spawned on a LocalRuntime"));
    }

    #[test]
    fn nothing_blocks_in_place_in_a_set() {
        let runtime = Runtime::new().unwrap();
        let set = LocalSet::new();
        let join = set.spawn_local(async { crate::task::block_in_place(|| {}) });
        let error = set.block_on(&runtime, join).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("only when running on the multi-threaded runtime")
        );
        runtime.block_on(async { crate::task::block_in_place(|| {}) });
    }
}

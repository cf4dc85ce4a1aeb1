//! Tasks awaited together, as they end: [`JoinSet`].
//!
//! Each task's join handle is given a waker that names its slot. When the task
//! ends, the slot's number goes into the list of finished ones, so that taking
//! the next output looks at no task that still runs.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::mem;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use slab::Slab;

use super::{AbortHandle, Id, JoinError, JoinHandle, LocalSet, coop};
use crate::runtime::Handle;

/// A set of tasks with outputs of one type, yielded in the order in which the
/// tasks end. Dropping the set aborts the tasks.
///
/// ```
/// # annulus::runtime::Runtime::new()?.block_on(async {
/// let mut set: annulus::task::JoinSet<_> = (0..3).map(|n| async move { n * n }).collect();
/// let mut sum = 0;
/// while let Some(output) = set.join_next().await {
///     sum += output.unwrap();
/// }
/// assert_eq!(sum, 5);
/// # });
/// # std::io::Result::Ok(())
/// ```
pub struct JoinSet<T> {
    joins: Slab<JoinHandle<T>>,
    finished: Arc<Finished>,
    /// As tokio's.
    not_unwind_safe: PhantomData<Box<dyn Send + Sync>>,
}

#[derive(Default)]
struct Finished(Mutex<List>);

#[derive(Default)]
struct List {
    /// Slots whose task has ended. A slot may stand here twice, or stand here
    /// and have a new task: it is looked at before it is taken.
    slots: VecDeque<usize>,
    /// Who awaits the next output.
    waker: Option<Waker>,
}

/// The waker of one slot.
struct Member {
    finished: Arc<Finished>,
    slot: usize,
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> JoinSet<T> {
        JoinSet {
            joins: Slab::new(),
            finished: Arc::default(),
            not_unwind_safe: PhantomData,
        }
    }

    /// The number of tasks whose output has not been taken.
    pub fn len(&self) -> usize {
        self.joins.len()
    }

    /// True if there is no task whose output has not been taken.
    pub fn is_empty(&self) -> bool {
        self.joins.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the runtime in context and adds it to the set.
    ///
    /// # Panics
    ///
    /// Outside of any runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(super::spawn(task))
    }

    /// Spawns a task on the runtime of `handle` and adds it to the set.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn(task))
    }

    /// Runs a closure that blocks, on the runtime in context, and adds it to
    /// the set. One that has begun cannot be aborted.
    ///
    /// # Panics
    ///
    /// As [`spawn_blocking`](super::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(super::spawn_blocking(f))
    }

    /// Runs a closure that blocks, on the runtime of `handle`, and adds it to
    /// the set. One that has begun cannot be aborted.
    ///
    /// # Panics
    ///
    /// If the system has no thread to give and there is none yet.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_blocking(f))
    }

    /// Spawns a task by [`spawn_local`](super::spawn_local) and adds it to the set.
    ///
    /// # Panics
    ///
    /// As `spawn_local`.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(super::spawn_local(task))
    }

    /// Spawns a task on `local_set` and adds it to the set.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(local_set.spawn_local(task))
    }

    fn insert(&mut self, join: JoinHandle<T>) -> AbortHandle {
        let abort = join.abort_handle();
        let entry = self.joins.vacant_entry();
        let waker = Waker::from(Arc::new(Member {
            finished: self.finished.clone(),
            slot: entry.key(),
        }));
        entry.insert(join).wake_when_finished(&waker);
        abort
    }

    /// Waits for the next task to end, and yields its output; None if the set
    /// is empty.
    ///
    /// # Errors
    ///
    /// The task's [`JoinError`], if it was aborted or panicked.
    ///
    /// # Cancel safety
    ///
    /// Safe: an output is taken only by a call that returns it.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the task's id. An error knows
    /// its id by itself.
    ///
    /// # Errors
    ///
    /// As `join_next`.
    ///
    /// # Cancel safety
    ///
    /// As `join_next`.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// The output of a task that has ended; None if there is none.
    ///
    /// # Errors
    ///
    /// As [`join_next`](Self::join_next).
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let slot = self.next_finished()?;
        Some(self.take(slot).1)
    }

    /// As [`try_join_next`](Self::try_join_next), with the task's id.
    ///
    /// # Errors
    ///
    /// As [`join_next`](Self::join_next).
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let slot = self.next_finished()?;
        let (id, output) = self.take(slot);
        Some(output.map(|output| (id, output)))
    }

    /// Aborts all tasks and waits for their ends.
    ///
    /// # Cancel safety
    ///
    /// All tasks have been asked to end at the first poll; those that have not
    /// been waited for stay in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks, and yields their outputs in the order in which
    /// they end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the tasks that still run and loses the
    /// outputs of the others.
    ///
    /// # Panics
    ///
    /// If a task panicked, with its panic, or if one was aborted.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(output) = self.join_next().await {
            match output {
                Ok(output) => outputs.push(output),
                Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
                Err(error) => panic!("{error}"),
            }
        }
        outputs
    }

    /// Aborts all tasks. They stay in the set, and yield "cancelled".
    pub fn abort_all(&mut self) {
        for (_, join) in &self.joins {
            join.abort();
        }
    }

    /// Takes all tasks out of the set; they run on.
    pub fn detach_all(&mut self) {
        drop(mem::take(&mut self.joins));
    }

    /// Polls for the next task to end, as [`join_next`](Self::join_next).
    /// Ready(None) if the set is empty.
    ///
    /// # Errors
    ///
    /// As `join_next`.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let taken = ready!(self.poll_take(cx));
        Poll::Ready(taken.map(|(_, output)| output))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the task's id.
    ///
    /// # Errors
    ///
    /// As [`join_next`](Self::join_next).
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let taken = ready!(self.poll_take(cx));
        Poll::Ready(taken.map(|(id, output)| output.map(|output| (id, output))))
    }

    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Id, Result<T, JoinError>)>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let coop = ready!(coop::poll_proceed(cx));
        let slot = match self.next_finished() {
            Some(slot) => slot,
            None => {
                // Dropped last: the destructor of a waker may do anything.
                let _before = self.finished.register(cx.waker());
                // One may have ended before the waker was there.
                match self.next_finished() {
                    Some(slot) => slot,
                    None => return Poll::Pending,
                }
            }
        };
        coop.made_progress();
        Poll::Ready(Some(self.take(slot)))
    }

    fn next_finished(&mut self) -> Option<usize> {
        let mut list = self.finished.lock();
        while let Some(slot) = list.slots.pop_front() {
            if self.joins.get(slot).is_some_and(JoinHandle::is_finished) {
                return Some(slot);
            }
        }
        None
    }

    /// Takes the output of a task that has ended.
    fn take(&mut self, slot: usize) -> (Id, Result<T, JoinError>) {
        let join = self.joins.remove(slot);
        (join.id(), join.into_output())
    }
}

impl Finished {
    fn lock(&self) -> MutexGuard<'_, List> {
        // Nothing but a failed allocation panics under the lock: wakers are
        // cloned, woken and dropped outside of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `waker` woken by the next task that ends. Answers the waker that
    /// this takes the place of.
    fn register(&self, waker: &Waker) -> Option<Waker> {
        let known = self
            .lock()
            .waker
            .as_ref()
            .is_some_and(|it| it.will_wake(waker));
        if known {
            return None;
        }
        let waker = waker.clone();
        self.lock().waker.replace(waker)
    }
}

impl Wake for Member {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = {
            let mut list = self.finished.lock();
            list.slots.push_back(self.slot);
            list.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for (_, join) in &self.joins {
            join.abort();
        }
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// Spawns each future on the runtime in context.
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(tasks: I) -> JoinSet<T> {
        let mut set = JoinSet::new();
        set.extend(tasks);
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    /// Spawns each future on the runtime in context.
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, tasks: I) {
        for task in tasks {
            self.spawn(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::panic;
    use std::rc::Rc;

    use futures::FutureExt;
    use futures::executor::block_on;
    use real::sync::oneshot;
    use tokio_test::{assert_pending, assert_ready};

    use super::JoinSet;
    use crate::task::{LocalSet, yield_now};

    #[test]
    fn outputs_come_in_the_order_in_which_tasks_end() {
        let local = LocalSet::new();
        let mut set = JoinSet::new();
        let mut gates: Vec<_> = (0..4)
            .map(|index| {
                let (tx, rx) = oneshot::channel::<()>();
                set.spawn_local_on(
                    async move {
                        rx.await.unwrap();
                        Rc::new(index)
                    },
                    &local,
                );
                Some(tx)
            })
            .collect();
        let seen = block_on(local.run_until(async move {
            let mut seen = Vec::new();
            assert!(set.try_join_next().is_none());
            for index in [2, 0, 3, 1] {
                gates[index].take().unwrap().send(()).unwrap();
                let (id, output) = set.join_next_with_id().await.unwrap().unwrap();
                assert!(set.joins.iter().all(|(_, join)| join.id() != id));
                seen.push(*output);
            }
            assert!(set.join_next().await.is_none());
            seen
        }));
        assert_eq!(seen, [2, 0, 3, 1]);
    }

    #[test]
    fn a_task_that_had_ended_before_it_was_awaited_is_found() {
        let local = LocalSet::new();
        let mut set = JoinSet::new();
        for index in 0..10 {
            set.spawn_local_on(async move { index }, &local);
        }
        block_on(local.run_until(yield_now()));
        let mut outputs = Vec::new();
        while let Some(output) = set.try_join_next() {
            outputs.push(output.unwrap());
        }
        assert_eq!(outputs, (0..10).collect::<Vec<_>>());
        // A slot is used again by a task that has not ended.
        set.spawn_local_on(pending(), &local);
        assert!(set.try_join_next().is_none());
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn the_end_of_a_task_wakes_who_awaits_the_set_last() {
        let local = LocalSet::new();
        let mut set = JoinSet::new();
        set.spawn_local_on(async {}, &local);
        let mut first = tokio_test::task::spawn(());
        let mut last = tokio_test::task::spawn(());
        first.enter(|cx, _| assert_pending!(set.poll_join_next(cx)));
        last.enter(|cx, _| assert_pending!(set.poll_join_next(cx)));
        block_on(local.run_until(yield_now()));
        assert!(!first.is_woken());
        assert!(last.is_woken());
        last.enter(|cx, _| assert_ready!(set.poll_join_next(cx)))
            .unwrap()
            .unwrap();
    }

    #[test]
    fn dropping_or_shutting_down_a_set_aborts_and_detaching_does_not() {
        let local = LocalSet::new();
        let held = Rc::new(());
        let fill = |set: &mut JoinSet<()>| {
            for _ in 0..5 {
                let held = held.clone();
                let task = async move {
                    let _held = held;
                    pending::<()>().await;
                };
                set.spawn_local_on(task, &local);
            }
        };
        let mut set = JoinSet::new();
        fill(&mut set);
        block_on(local.run_until(yield_now()));
        drop(set);
        block_on(local.run_until(yield_now()));
        assert_eq!(Rc::strong_count(&held), 1);

        let mut set = JoinSet::new();
        fill(&mut set);
        block_on(local.run_until(set.shutdown()));
        assert_eq!((set.len(), Rc::strong_count(&held)), (0, 1));

        fill(&mut set);
        set.detach_all();
        assert!(set.join_next().now_or_never().unwrap().is_none());
        drop(set);
        block_on(local.run_until(yield_now()));
        assert_eq!(Rc::strong_count(&held), 6);
    }

    #[test]
    fn join_all_raises_a_tasks_panic() {
        let local = LocalSet::new();
        let mut set = JoinSet::new();
        set.spawn_local_on(async { 1 }, &local);
        set.spawn_local_on(async { panic!("one") }, &local);
        let all = local.run_until(panic::AssertUnwindSafe(set.join_all()).catch_unwind());
        let payload = block_on(all).unwrap_err();
        assert_eq!(*payload.downcast_ref::<&str>().unwrap(), "one");
    }
}

//! Tasks over a scheduler that is a queue behind a mutex.
#![forbid(unsafe_code)]

mod ends;
mod races;

use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio_test::{assert_pending, assert_ready};

use super::{Id, JoinError, JoinHandle, OwnedTasks, Schedule, Task, coop, try_id, yield_now};

/// A scheduler: its queue is run by whoever calls `run`.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<VecDeque<Task>>>);

impl Schedule for Queue {
    fn schedule(&self, task: Task) {
        self.0.lock().unwrap().push_back(task);
    }
}

impl Queue {
    fn pop(&self) -> Option<Task> {
        self.0.lock().unwrap().pop_front()
    }

    /// Runs until nothing is ready, and answers the number of polls.
    fn run(&self) -> usize {
        let mut polls = 0;
        while let Some(task) = self.pop() {
            task.run();
            polls += 1;
        }
        polls
    }
}

struct Fixture {
    queue: Queue,
    tasks: OwnedTasks,
}

impl Fixture {
    fn new() -> Fixture {
        Fixture {
            queue: Queue::default(),
            tasks: OwnedTasks::new(4),
        }
    }

    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (join, task) = self.tasks.bind(future, self.queue.clone(), Id::next());
        if let Some(task) = task {
            self.queue.schedule(task);
        }
        join
    }

    fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (join, task) = self
            .tasks
            .bind_local(future, self.queue.clone(), Id::next());
        if let Some(task) = task {
            self.queue.schedule(task);
        }
        join
    }
}

impl Drop for Fixture {
    /// As a runtime ends: a queued task holds the queue that holds it.
    fn drop(&mut self) {
        self.tasks.close_and_shutdown_all();
        while let Some(task) = self.queue.pop() {
            drop(task);
        }
    }
}

/// Counts its drops, and panics in them if told to.
struct Bomb {
    drops: Arc<AtomicUsize>,
    armed: bool,
}

impl Bomb {
    fn new(drops: &Arc<AtomicUsize>, armed: bool) -> Bomb {
        Bomb {
            drops: drops.clone(),
            armed,
        }
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.drops.fetch_add(1, SeqCst);
        if self.armed {
            panic!("dropped");
        }
    }
}

fn counter() -> Arc<AtomicUsize> {
    Arc::default()
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn message(error: JoinError) -> String {
    let payload = error.into_panic();
    payload.downcast_ref::<&str>().unwrap().to_string()
}

/// A future that hands out its waker, and ends when told to.
#[derive(Clone, Default)]
struct Gate {
    waker: Arc<Mutex<Option<Waker>>>,
    open: Arc<AtomicBool>,
}

impl Gate {
    async fn passed(self) {
        poll_fn(|cx| {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            match self.open.load(SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn open(&self) {
        self.open.store(true, SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
}

#[test]
fn a_task_runs_and_its_handle_yields_the_output() {
    let f = Fixture::new();
    let mut join = f.spawn(async { 7 });
    assert_eq!(f.tasks.len(), 1);
    assert_pending!(poll(&mut join));
    assert!(!join.is_finished());
    assert_eq!(f.queue.run(), 1);
    assert!(join.is_finished());
    assert_eq!(f.tasks.len(), 0);
    assert_eq!(assert_ready!(poll(&mut join)).unwrap(), 7);
    let again = catch_unwind(AssertUnwindSafe(|| poll(&mut join)));
    assert!(again.is_err());
}

#[test]
fn the_awaiting_task_is_woken_by_the_end() {
    let f = Fixture::new();
    let gate = Gate::default();
    let first = f.spawn(gate.clone().passed());
    let mut second = f.spawn(async move { first.await.is_ok() });
    assert_eq!(f.queue.run(), 2);
    gate.open();
    assert_eq!(f.queue.run(), 2);
    assert!(assert_ready!(poll(&mut second)).unwrap());
}

#[test]
fn many_wakes_make_one_run() {
    let f = Fixture::new();
    let gate = Gate::default();
    let _join = f.spawn(gate.clone().passed());
    f.queue.run();
    let waker = gate.waker.lock().unwrap().clone().unwrap();
    let other = waker.clone();
    waker.wake_by_ref();
    other.wake();
    waker.wake_by_ref();
    assert_eq!(f.queue.run(), 1);
    assert!(waker.will_wake(&gate.waker.lock().unwrap().clone().unwrap()));
}

#[test]
fn a_wake_during_the_poll_runs_the_task_again() {
    let f = Fixture::new();
    let mut left = 3;
    let mut join = f.spawn(poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    assert_eq!(f.queue.run(), 4);
    assert_ready!(poll(&mut join)).unwrap();
}

#[test]
fn a_waker_outlives_its_task_and_the_list() {
    let f = Fixture::new();
    let gate = Gate::default();
    let join = f.spawn(gate.clone().passed());
    f.queue.run();
    drop(join);
    drop(f);
    let waker = gate.waker.lock().unwrap().take().unwrap();
    waker.wake_by_ref();
    waker.wake();
}

#[test]
fn a_detached_task_runs_on_and_its_output_is_dropped_once() {
    let f = Fixture::new();
    let drops = counter();
    let output = Bomb::new(&drops, false);
    drop(f.spawn(async move { output }));
    assert_eq!(drops.load(SeqCst), 0);
    f.queue.run();
    assert_eq!(drops.load(SeqCst), 1);
}

#[test]
fn an_output_nobody_takes_is_dropped_with_the_handle_once() {
    let f = Fixture::new();
    let drops = counter();
    let output = Bomb::new(&drops, false);
    let join = f.spawn(async move { output });
    f.queue.run();
    assert_eq!(drops.load(SeqCst), 0);
    drop(join);
    assert_eq!(drops.load(SeqCst), 1);
}

/// Counts its drop if that is part of an unwind.
struct Unwinding(Arc<AtomicUsize>);

impl Drop for Unwinding {
    fn drop(&mut self) {
        self.0.fetch_add(usize::from(thread::panicking()), SeqCst);
    }
}

#[test]
fn a_panic_in_a_poll_ends_that_task_only() {
    let f = Fixture::new();
    let drops = counter();
    let held = Bomb::new(&drops, true);
    let unwinding = Unwinding(drops.clone());
    let mut bad = f.spawn(poll_fn(move |_| -> Poll<()> {
        let _held = (&held, &unwinding);
        panic!("poll");
    }));
    let mut good = f.spawn(async { 1 });
    f.queue.run();
    // The panic of the poll is told, not that of the destructor after it.
    assert_eq!(message(assert_ready!(poll(&mut bad)).unwrap_err()), "poll");
    assert_eq!(drops.load(SeqCst), 2);
    assert_eq!(assert_ready!(poll(&mut good)).unwrap(), 1);
    assert_eq!(f.tasks.len(), 0);
}

#[test]
fn a_panic_in_the_futures_destructor_is_the_tasks_error() {
    let f = Fixture::new();
    let drops = counter();
    let (held, output) = (Bomb::new(&drops, true), Bomb::new(&drops, true));
    let mut output = Some(output);
    let mut join = f.spawn(poll_fn(move |_| {
        let _held = &held;
        Poll::Ready(output.take())
    }));
    f.queue.run();
    assert_eq!(drops.load(SeqCst), 2);
    let error = assert_ready!(poll(&mut join)).err().unwrap();
    assert_eq!(message(error), "dropped");
}

#[test]
fn a_panic_in_the_outputs_destructor_is_kept_in() {
    let f = Fixture::new();
    let drops = counter();
    let output = Bomb::new(&drops, true);
    // Dropped by the task's runner.
    drop(f.spawn(async move { output }));
    f.queue.run();
    // Dropped by the handle.
    let output = Bomb::new(&drops, true);
    let join = f.spawn(async move { output });
    f.queue.run();
    drop(join);
    assert_eq!(drops.load(SeqCst), 2);
}

#[test]
fn a_payload_whose_destructor_panics_is_kept_in() {
    let f = Fixture::new();
    let drops = counter();
    let payload = Bomb::new(&drops, true);
    drop(f.spawn(async move { panic_any(payload) }));
    f.queue.run();
    assert_eq!(drops.load(SeqCst), 1);
    assert_eq!(f.tasks.len(), 0);
}

#[test]
fn a_panic_in_the_waker_of_the_awaiting_side_is_kept_in() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("waker");
        }
    }
    let f = Fixture::new();
    let mut join = f.spawn(async { 3 });
    let waker = Waker::from(Arc::new(Panics));
    assert_pending!(Pin::new(&mut join).poll(&mut Context::from_waker(&waker)));
    f.queue.run();
    assert_eq!(assert_ready!(poll(&mut join)).unwrap(), 3);
}

#[test]
fn each_poll_and_each_drop_knows_its_task() {
    struct Names(Arc<Mutex<Vec<Option<Id>>>>);
    impl Drop for Names {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(try_id());
        }
    }
    let f = Fixture::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (held, output) = (Names(seen.clone()), Names(seen.clone()));
    let log = seen.clone();
    let join = f.spawn(async move {
        let _held = held;
        log.lock().unwrap().push(try_id());
        output
    });
    let id = join.id();
    f.queue.run();
    drop(join);
    let held = Names(seen.clone());
    let cancelled = f.spawn(async move {
        let _held = held;
    });
    cancelled.abort();
    f.queue.run();
    assert_eq!(
        *seen.lock().unwrap(),
        [Some(id), Some(id), Some(id), Some(cancelled.id())]
    );
    assert_eq!(try_id(), None);
}

#[test]
fn a_poll_has_a_budget_of_its_own() {
    let f = Fixture::new();
    let spent = counter();
    let count = spent.clone();
    let _join = f.spawn(async move {
        loop {
            coop::consume_budget().await;
            count.fetch_add(1, SeqCst);
        }
    });
    f.queue.pop().unwrap().run();
    assert_eq!(spent.load(SeqCst), 128);
    f.queue.pop().unwrap().run();
    assert_eq!(spent.load(SeqCst), 256);
}

#[test]
fn budget_comes_back_unless_progress_was_made() {
    let f = Fixture::new();
    let mut join = f.spawn(poll_fn(|cx| {
        for _ in 0..1000 {
            drop(assert_ready!(coop::poll_proceed(cx)));
        }
        for _ in 0..128 {
            assert!(coop::has_budget_remaining());
            assert_ready!(coop::poll_proceed(cx)).made_progress();
        }
        assert!(!coop::has_budget_remaining());
        assert_pending!(coop::poll_proceed(cx));
        let free = std::pin::pin!(coop::unconstrained(async {
            for _ in 0..1000 {
                coop::consume_budget().await;
            }
        }));
        assert_ready!(free.poll(cx));
        assert!(!coop::has_budget_remaining());
        Poll::Ready(())
    }));
    f.queue.run();
    assert_ready!(poll(&mut join)).unwrap();
    assert!(coop::has_budget_remaining());
}

#[test]
fn a_handle_that_is_always_ready_spends_budget() {
    let f = Fixture::new();
    let joins: Vec<_> = (0..200).map(|_| f.spawn(async {})).collect();
    f.queue.run();
    let done = counter();
    let count = done.clone();
    let _all = f.spawn(async move {
        for join in joins {
            join.await.unwrap();
            count.fetch_add(1, SeqCst);
        }
    });
    f.queue.pop().unwrap().run();
    assert_eq!(done.load(SeqCst), 128);
    f.queue.run();
    assert_eq!(done.load(SeqCst), 200);
}

#[test]
fn a_large_future_is_spawned_and_keeps_its_content() {
    let f = Fixture::new();
    let large = [3u8; 64 * 1024];
    let mut join = f.spawn(async move {
        yield_now().await;
        large.iter().map(|&byte| u64::from(byte)).sum::<u64>()
    });
    f.queue.run();
    assert_eq!(assert_ready!(poll(&mut join)).unwrap(), 3 * 64 * 1024);
}

#[test]
fn a_local_task_may_hold_and_yield_what_is_not_send() {
    let f = Fixture::new();
    let value = Rc::new(4);
    let mut join = f.spawn_local({
        let value = value.clone();
        async move {
            yield_now().await;
            value
        }
    });
    f.queue.run();
    assert_eq!(*assert_ready!(poll(&mut join)).unwrap(), 4);
    assert_eq!(Rc::strong_count(&value), 1);
}

#[test]
fn a_local_future_is_neither_polled_nor_dropped_by_another_thread() {
    let f = Arc::new(Fixture::new());
    let drops = counter();
    let held = Rc::new(Bomb::new(&drops, false));
    let mut join = f.spawn_local(async move {
        let _held = held;
        pending::<()>().await;
    });
    let there = f.clone();
    thread::spawn(move || {
        let task = there.queue.pop().unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| task.run())).is_err());
        // Shutdown there only asks its own thread.
        there.tasks.close_and_shutdown_all();
    })
    .join()
    .unwrap();
    assert_eq!(drops.load(SeqCst), 0);
    // The reference that could have run it was lost there, so it leaks.
    assert_pending!(poll(&mut join));
    drop(f);
    let held = Arc::new(Mutex::new(Some(join)));
    thread::spawn(move || drop(held.lock().unwrap().take()))
        .join()
        .unwrap();
    assert_eq!(drops.load(SeqCst), 0);
}

#[test]
fn a_local_task_aborted_elsewhere_is_dropped_at_home() {
    let f = Fixture::new();
    let home = thread::current().id();
    struct Home(thread::ThreadId, Arc<AtomicUsize>);
    impl Drop for Home {
        fn drop(&mut self) {
            assert_eq!(thread::current().id(), self.0);
            self.1.fetch_add(1, SeqCst);
        }
    }
    let drops = counter();
    let held = (Home(home, drops.clone()), Rc::new(()));
    let join = f.spawn_local(async move {
        let _held = held;
        pending::<()>().await;
    });
    f.queue.run();
    let abort = join.abort_handle();
    thread::spawn(move || abort.abort()).join().unwrap();
    assert_eq!(drops.load(SeqCst), 0);
    assert_eq!(f.queue.run(), 1);
    assert_eq!(drops.load(SeqCst), 1);
}

#[test]
fn handles_cross_threads_as_their_output_does() {
    fn send_sync<T: Send + Sync>() {}
    fn unwind_safe<T: UnwindSafe>() {}
    send_sync::<JoinHandle<u8>>();
    send_sync::<JoinHandle<std::cell::Cell<u8>>>();
    send_sync::<super::AbortHandle>();
    send_sync::<JoinError>();
    unwind_safe::<JoinHandle<Rc<u8>>>();
    unwind_safe::<super::AbortHandle>();
}

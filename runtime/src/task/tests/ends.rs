//! Tasks that are aborted, or met by shutdown.
#![forbid(unsafe_code)]

use std::future::pending;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use tokio_test::assert_ready;

use super::{Bomb, Fixture, Gate, counter, poll};
use crate::task::AbortHandle;

#[test]
fn abort_before_the_first_poll_drops_the_future_unpolled() {
    let f = Fixture::new();
    let drops = counter();
    let held = Bomb::new(&drops, false);
    let mut join = f.spawn(async move {
        drop(held);
        unreachable!("polled");
    });
    join.abort();
    assert_eq!(drops.load(SeqCst), 0);
    assert_eq!(f.queue.run(), 1);
    assert_eq!(drops.load(SeqCst), 1);
    assert!(assert_ready!(poll(&mut join)).unwrap_err().is_cancelled());
}

#[test]
fn abort_of_an_idle_task_schedules_it_to_drop_its_future() {
    let f = Fixture::new();
    let drops = counter();
    let held = Bomb::new(&drops, false);
    let mut join = f.spawn(async move {
        let _held = held;
        pending::<()>().await;
    });
    f.queue.run();
    let abort = join.abort_handle();
    abort.abort();
    abort.clone().abort();
    assert!(!abort.is_finished());
    assert_eq!(f.queue.run(), 1);
    assert_eq!(drops.load(SeqCst), 1);
    assert!(abort.is_finished());
    assert_eq!(abort.id(), join.id());
    let error = assert_ready!(poll(&mut join)).unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(error.id(), join.id());
}

#[test]
fn abort_by_the_task_itself_takes_effect_when_it_waits() {
    let f = Fixture::new();
    let slot: Arc<Mutex<Option<AbortHandle>>> = Arc::default();
    let own = slot.clone();
    let mut waits = f.spawn(async move {
        own.lock().unwrap().take().unwrap().abort();
        pending::<()>().await;
    });
    *slot.lock().unwrap() = Some(waits.abort_handle());
    assert_eq!(f.queue.run(), 1);
    assert!(assert_ready!(poll(&mut waits)).unwrap_err().is_cancelled());

    let own = slot.clone();
    let mut ends = f.spawn(async move {
        own.lock().unwrap().take().unwrap().abort();
        5
    });
    *slot.lock().unwrap() = Some(ends.abort_handle());
    f.queue.run();
    assert_eq!(assert_ready!(poll(&mut ends)).unwrap(), 5);
}

#[test]
fn abort_after_the_end_changes_nothing() {
    let f = Fixture::new();
    let mut join = f.spawn(async { 5 });
    f.queue.run();
    join.abort();
    assert_eq!(f.queue.run(), 0);
    assert_eq!(assert_ready!(poll(&mut join)).unwrap(), 5);
}

#[test]
fn abort_of_a_future_that_panics_when_dropped_yields_the_panic() {
    let f = Fixture::new();
    let held = Bomb::new(&counter(), true);
    let mut join = f.spawn(async move {
        let _held = held;
        pending::<()>().await;
    });
    f.queue.run();
    join.abort();
    f.queue.run();
    assert!(assert_ready!(poll(&mut join)).unwrap_err().is_panic());
}

#[test]
fn shutdown_drops_idle_and_queued_tasks_and_lets_no_other_in() {
    let f = Fixture::new();
    let drops = counter();
    let mut joins: Vec<_> = (0..10)
        .map(|index| {
            let held = Bomb::new(&drops, index % 3 == 0);
            f.spawn(async move {
                let _held = held;
                pending::<()>().await;
            })
        })
        .collect();
    for _ in 0..5 {
        f.queue.pop().unwrap().run();
    }
    f.tasks.close_and_shutdown_all();
    assert_eq!(drops.load(SeqCst), 10);
    assert_eq!(f.tasks.len(), 0);
    for (index, join) in joins.iter_mut().enumerate() {
        let error = assert_ready!(poll(join)).unwrap_err();
        assert_eq!(error.is_panic(), index % 3 == 0);
    }
    // What is still queued finds nothing to do.
    f.queue.run();
    let mut late = f.spawn(async {});
    assert!(assert_ready!(poll(&mut late)).unwrap_err().is_cancelled());
}

#[test]
fn shutdown_from_within_a_task_spares_its_running_poll() {
    let f = Arc::new(Fixture::new());
    let inner = f.clone();
    let mut ends = f.spawn(async move {
        inner.tasks.close_and_shutdown_all();
        9
    });
    f.queue.run();
    assert_eq!(assert_ready!(poll(&mut ends)).unwrap(), 9);

    let f = Arc::new(Fixture::new());
    let inner = f.clone();
    let mut waits = f.spawn(async move {
        inner.tasks.close_and_shutdown_all();
        pending::<()>().await;
    });
    f.queue.run();
    assert!(assert_ready!(poll(&mut waits)).unwrap_err().is_cancelled());
}

#[test]
fn a_future_dropped_by_shutdown_may_spawn_wake_and_abort() {
    struct Busy(Option<Box<dyn FnOnce() + Send>>);
    impl Drop for Busy {
        fn drop(&mut self) {
            self.0.take().unwrap()();
        }
    }
    let f = Arc::new(Fixture::new());
    let gate = Gate::default();
    let other = f.spawn(gate.clone().passed());
    let inner = f.clone();
    let busy = Busy(Some(Box::new(move || {
        other.abort();
        gate.open();
        let mut late = inner.spawn(async {});
        assert!(assert_ready!(poll(&mut late)).unwrap_err().is_cancelled());
    })));
    let mut join = f.spawn(async move {
        let _busy = busy;
        pending::<()>().await;
    });
    f.queue.run();
    f.tasks.close_and_shutdown_all();
    assert!(assert_ready!(poll(&mut join)).unwrap_err().is_cancelled());
    f.queue.run();
}

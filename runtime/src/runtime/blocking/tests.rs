//! The pool without a runtime.
#![forbid(unsafe_code)]

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{BlockingConfig, BlockingPool, KEEP_ALIVE, ThreadScope};
use crate::task::{AbortHandle, JoinHandle};

fn block_on<F: Future>(future: F) -> F::Output {
    futures::executor::block_on(future)
}

fn config(threads_max: usize) -> BlockingConfig {
    BlockingConfig {
        threads_max,
        keep_alive: KEEP_ALIVE,
        thread_name: Arc::new(|| "annulus-test".into()),
        stack_size: None,
        on_thread_start: None,
        on_thread_stop: None,
        on_idle: None,
    }
}

fn pool(threads_max: usize) -> BlockingPool {
    BlockingPool::new(config(threads_max))
}

fn scope() -> ThreadScope {
    Box::new(|body| body())
}

/// A closure that says when it runs, and runs until told to end.
fn held(pool: &BlockingPool) -> (JoinHandle<()>, Sender<()>) {
    let (begun_tx, begun) = channel();
    let (end, ended) = channel::<()>();
    let join = pool.spawn_blocking(
        move || {
            begun_tx.send(()).unwrap();
            let _ = ended.recv();
        },
        scope,
    );
    begun.recv().unwrap();
    (join, end)
}

#[test]
fn a_closure_runs_on_a_named_thread_of_the_pool() {
    let pool = pool(4);
    let join = pool.spawn_blocking(
        || {
            assert_eq!(crate::task::try_id(), Some(crate::task::id()));
            thread::current().name().map(str::to_owned)
        },
        scope,
    );
    assert_eq!(block_on(join).unwrap().unwrap(), "annulus-test");
    assert!(pool.shutdown(None));
    assert_eq!(pool.busy(), 0);
}

#[test]
fn a_panic_is_the_handles_error_and_the_thread_goes_on() {
    let pool = pool(1);
    let bad = pool.spawn_blocking(|| panic!("closure"), scope);
    assert!(block_on(bad).unwrap_err().is_panic());
    let good = pool.spawn_blocking(|| 2, scope);
    assert_eq!(block_on(good).unwrap(), 2);
    assert_eq!(pool.threads(), 1);
    pool.shutdown(None);
}

#[test]
fn threads_are_reused_up_to_the_limit_and_jobs_run_in_order() {
    let pool = pool(2);
    let (first, end_first) = held(&pool);
    let (second, end_second) = held(&pool);
    let order = Arc::new(Mutex::new(Vec::new()));
    let queued: Vec<_> = (0..10)
        .map(|index| {
            let order = order.clone();
            pool.spawn_blocking(move || order.lock().unwrap().push(index), scope)
        })
        .collect();
    assert_eq!((pool.threads(), pool.queued(), pool.busy()), (2, 10, 12));
    end_first.send(()).unwrap();
    for join in queued {
        block_on(join).unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
    end_second.send(()).unwrap();
    block_on(first).unwrap();
    block_on(second).unwrap();
    assert_eq!(pool.threads(), 2);
    pool.shutdown(None);
}

#[test]
fn an_idle_thread_ends_after_its_time_and_calls_the_hooks() {
    let (started_tx, started) = channel();
    let (stopped_tx, stopped) = channel();
    let (started_tx, stopped_tx) = (Mutex::new(started_tx), Mutex::new(stopped_tx));
    let pool = BlockingPool::new(BlockingConfig {
        keep_alive: Duration::from_millis(1),
        on_thread_start: Some(Arc::new(move || {
            started_tx.lock().unwrap().send(()).unwrap();
            panic!("a hook's panic is its own");
        })),
        on_thread_stop: Some(Arc::new(move || {
            stopped_tx.lock().unwrap().send(()).unwrap();
        })),
        ..config(4)
    });
    block_on(pool.spawn_blocking(|| {}, scope)).unwrap();
    started.recv().unwrap();
    stopped.recv().unwrap();
    block_on(pool.spawn_blocking(|| {}, scope)).unwrap();
    started.recv().unwrap();
    stopped.recv().unwrap();
    assert!(pool.shutdown(None));
    assert_eq!(pool.threads(), 0);
}

#[test]
fn shutdown_waits_for_what_runs_and_cancels_what_is_queued() {
    let pool = pool(1);
    let (running, end) = held(&pool);
    let queued = pool.spawn_blocking(|| unreachable!("begun"), scope);
    let stopper = {
        let pool = pool.clone();
        thread::spawn(move || pool.shutdown(None))
    };
    // Resolves while the other closure still runs.
    assert!(block_on(queued).unwrap_err().is_cancelled());
    assert!(!running.is_finished());
    end.send(()).unwrap();
    assert!(stopper.join().unwrap());
    assert!(running.is_finished());
    let late = pool.spawn_blocking(|| (), scope);
    assert!(block_on(late).unwrap_err().is_cancelled());
    assert_eq!(pool.busy(), 0);
}

#[test]
fn shutdown_with_a_timeout_leaves_what_still_runs() {
    let pool = pool(1);
    let (running, end) = held(&pool);
    assert!(!pool.shutdown(Some(Duration::from_millis(1))));
    assert!(!running.is_finished());
    end.send(()).unwrap();
    block_on(running).unwrap();

    let pool = self::pool(1);
    let (running, end) = held(&pool);
    assert!(!pool.shutdown(Some(Duration::ZERO)));
    end.send(()).unwrap();
    block_on(running).unwrap();
}

#[test]
fn shutdown_from_a_thread_of_the_pool_does_not_wait_for_itself() {
    let pool = pool(2);
    let inner = pool.clone();
    let join = pool.spawn_blocking(move || inner.shutdown(None), scope);
    assert!(block_on(join).unwrap());
}

#[test]
fn abort_drops_a_closure_that_has_not_begun() {
    let pool = pool(1);
    let (running, end) = held(&pool);
    let queued = pool.spawn_blocking(|| unreachable!("begun"), scope);
    queued.abort();
    running.abort();
    end.send(()).unwrap();
    assert!(block_on(queued).unwrap_err().is_cancelled());
    block_on(running).unwrap();
    pool.shutdown(None);
}

#[test]
fn a_loop_gets_a_thread_though_closures_hold_them_all() {
    let pool = pool(1);
    let (running, end) = held(&pool);
    let (tx, looped) = channel();
    pool.run_loop(Box::new(move || tx.send(()).unwrap()), scope)
        .map_err(|(error, _)| error)
        .unwrap();
    looped.recv().unwrap();
    assert_eq!(pool.busy(), 1);
    end.send(()).unwrap();
    block_on(running).unwrap();
    assert!(pool.shutdown(None));
    assert!(pool.run_loop(Box::new(|| ()), scope).is_err());
}

#[test]
fn the_pool_tells_when_nothing_is_busy_and_the_awaiter_has_been_woken() {
    let (tx, idle): (Sender<bool>, Receiver<bool>) = channel();
    let watched: Arc<Mutex<Option<AbortHandle>>> = Arc::default();
    let (watch, tx) = (watched.clone(), Mutex::new(tx));
    let pool = BlockingPool::new(BlockingConfig {
        on_idle: Some(Arc::new(move || {
            let finished = watch.lock().unwrap().as_ref().unwrap().is_finished();
            tx.lock().unwrap().send(finished).unwrap();
        })),
        ..config(4)
    });
    let (join, end) = held(&pool);
    *watched.lock().unwrap() = Some(join.abort_handle());
    assert_eq!(pool.busy(), 1);
    end.send(()).unwrap();
    assert!(idle.recv().unwrap());
    assert_eq!(pool.busy(), 0);
    pool.shutdown(None);
}

#[test]
fn many_spawners_lose_no_closure() {
    const SPAWNERS: usize = 4;
    const CLOSURES: usize = 2_000;
    let pool = BlockingPool::new(BlockingConfig {
        // Threads end and start all the time.
        keep_alive: Duration::from_micros(1),
        ..config(3)
    });
    let done = Arc::new(AtomicUsize::new(0));
    let spawners: Vec<_> = (0..SPAWNERS)
        .map(|_| {
            let (pool, done) = (pool.clone(), done.clone());
            thread::spawn(move || {
                for index in 0..CLOSURES {
                    let done = done.clone();
                    let closure = move || done.fetch_add(1, SeqCst);
                    let join = pool.spawn_blocking(closure, scope);
                    if index % 8 == 0 {
                        block_on(join).unwrap();
                    }
                }
            })
        })
        .collect();
    for spawner in spawners {
        spawner.join().unwrap();
    }
    while pool.busy() > 0 {
        thread::yield_now();
    }
    assert_eq!(done.load(SeqCst), SPAWNERS * CLOSURES);
    assert!(pool.shutdown(None));
}

#[test]
fn shutdown_runs_what_is_mandatory_and_drops_the_rest() {
    let pool = pool(1);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = |weight: usize| {
        let ran = Arc::clone(&ran);
        move || ran.fetch_add(weight, SeqCst)
    };
    // 1. The only thread is busy, and behind it wait one of each.
    let (busy, end) = held(&pool);
    let dropped = pool.spawn_blocking(count(1), scope);
    let kept = pool.spawn_mandatory(count(10), scope).expect("in time");
    // 2. Shutdown begins, and drops what it may.
    let shutdown = thread::spawn({
        let pool = pool.clone();
        move || pool.shutdown(None)
    });
    assert!(block_on(dropped).unwrap_err().is_cancelled());
    // 3. The thread comes to what is left.
    drop(end);
    block_on(busy).unwrap();
    block_on(kept).unwrap();
    assert!(shutdown.join().unwrap());
    assert_eq!(ran.load(SeqCst), 10);
    assert_eq!(pool.busy(), 0);
    // 4. What comes later is refused.
    assert!(pool.spawn_mandatory(count(100), scope).is_none());
    assert_eq!(ran.load(SeqCst), 10);
}

#[test]
fn without_threads_shutdown_runs_what_is_mandatory_itself() {
    let pool = pool(0);
    let mandatory = pool.spawn_mandatory(|| 7, scope).expect("in time");
    let dropped = pool.spawn_blocking(|| 8, scope);
    assert!(pool.shutdown(None));
    assert_eq!(block_on(mandatory).unwrap(), 7);
    assert!(block_on(dropped).unwrap_err().is_cancelled());
}

#[test]
fn a_loop_that_has_not_begun_takes_no_thread_from_the_closures() {
    for _ in 0..100 {
        let pool = pool(1);
        let (end, ended) = channel::<()>();
        let work = Box::new(move || {
            let _ = ended.recv();
        });
        assert!(pool.run_loop(work, scope).is_ok());
        // The loop's thread has hardly started.
        let join = pool.spawn_blocking(|| 3, scope);
        assert_eq!(block_on(join).unwrap(), 3);
        drop(end);
        assert!(pool.shutdown(None));
    }
}

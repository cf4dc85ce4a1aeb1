//! Tasks, wakes, aborts and handles over several threads.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use tokio_test::assert_ready;

use super::{Bomb, Fixture, Queue, counter, poll};
use crate::task::{JoinHandle, yield_now};

/// Runs tasks on `count` threads until `stop` is set and nothing is queued.
fn workers(queue: &Queue, stop: &Arc<AtomicBool>, count: usize) -> Vec<thread::JoinHandle<()>> {
    (0..count)
        .map(|_| {
            let (queue, stop) = (queue.clone(), stop.clone());
            thread::spawn(move || {
                loop {
                    match queue.pop() {
                        Some(task) => task.run(),
                        None if stop.load(SeqCst) => return,
                        None => thread::yield_now(),
                    }
                }
            })
        })
        .collect()
}

#[test]
fn handles_dropped_while_tasks_end_drop_each_output_once() {
    const TASKS: usize = 20_000;
    let f = Fixture::new();
    let stop = Arc::new(AtomicBool::new(false));
    let workers = workers(&f.queue, &stop, 2);
    let drops = counter();
    for index in 0..TASKS {
        let output = Bomb::new(&drops, false);
        let mut join = f.spawn(async move {
            if index % 2 == 0 {
                yield_now().await;
            }
            output
        });
        // 1. polled or not, 2. aborted or not, 3. dropped while it runs.
        if index % 3 == 0 {
            let _ = poll(&mut join);
        }
        if index % 5 == 0 {
            join.abort();
        }
        if index % 7 == 0 {
            thread::yield_now();
        }
        drop(join);
    }
    stop.store(true, SeqCst);
    for worker in workers {
        worker.join().unwrap();
    }
    assert_eq!(drops.load(SeqCst), TASKS);
    assert_eq!(f.tasks.len(), 0);
}

#[test]
fn wakes_from_many_threads_lose_none() {
    const ROUNDS: usize = 20_000;
    let f = Fixture::new();
    let stop = Arc::new(AtomicBool::new(false));
    let workers = workers(&f.queue, &stop, 2);
    // Two tasks pass a ball; a lost wake hangs.
    let balls = [counter(), counter()];
    let wakers: [Arc<Mutex<Option<Waker>>>; 2] = Default::default();
    let joins: Vec<_> = (0..2)
        .map(|me| {
            let (balls, wakers) = (balls.clone(), wakers.clone());
            f.spawn(poll_fn(move |cx| {
                *wakers[me].lock().unwrap() = Some(cx.waker().clone());
                let mine = balls[me].load(SeqCst);
                let other = balls[1 - me].load(SeqCst);
                let turn = if me == 0 { mine == other } else { mine < other };
                if turn && mine < ROUNDS {
                    balls[me].fetch_add(1, SeqCst);
                    if let Some(waker) = wakers[1 - me].lock().unwrap().as_ref() {
                        waker.wake_by_ref();
                    }
                }
                match balls[me].load(SeqCst) {
                    ROUNDS => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }))
        })
        .collect();
    for join in joins {
        futures::executor::block_on(join).unwrap();
    }
    stop.store(true, SeqCst);
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn shutdown_races_with_running_tasks_and_drops_each_future_once() {
    for _ in 0..200 {
        let f = Arc::new(Fixture::new());
        let stop = Arc::new(AtomicBool::new(false));
        let drops = counter();
        let mut joins: Vec<_> = (0..50)
            .map(|_| {
                let held = Bomb::new(&drops, false);
                f.spawn(async move {
                    let _held = held;
                    loop {
                        yield_now().await;
                    }
                })
            })
            .collect();
        let workers = workers(&f.queue, &stop, 2);
        let start = Arc::new(Barrier::new(2));
        let aborts: Vec<_> = joins.iter().map(JoinHandle::abort_handle).collect();
        let aborter = {
            let start = start.clone();
            thread::spawn(move || {
                start.wait();
                for abort in aborts.iter().step_by(2) {
                    abort.abort();
                }
            })
        };
        start.wait();
        f.tasks.close_and_shutdown_all();
        aborter.join().unwrap();
        stop.store(true, SeqCst);
        for worker in workers {
            worker.join().unwrap();
        }
        assert_eq!(drops.load(SeqCst), 50);
        for join in &mut joins {
            assert!(assert_ready!(poll(join)).unwrap_err().is_cancelled());
        }
    }
}

//! The clock that tests can stop.

use std::sync::{Arc, Mutex};

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::runtime::{Builder, RecvMode};
use annulus::task;
use annulus::time::{self, Duration, Instant};
use annulus_tests::{connected, nothing_in_flight, on_a_machine, serial, stress};
use tokio_test::{assert_pending, assert_ready, task::spawn};

use crate::{HOUR, MS, YEARS_30, ms, panic_text, paused};

#[test]
fn a_paused_clock_moves_to_the_next_timer_when_nothing_else_is_to_do() {
    paused(async {
        let start = Instant::now();
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = [5_u32, 1, 4, 2, 3]
            .into_iter()
            .map(|hours| {
                let order = order.clone();
                annulus::spawn(async move {
                    time::sleep(hours * HOUR).await;
                    assert_eq!(start.elapsed(), hours * HOUR);
                    order.lock().expect("not held").push(hours);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("it woke in time");
        }
        assert_eq!(*order.lock().expect("not held"), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn a_paused_clock_stands_while_tasks_run() {
    paused(async {
        let start = Instant::now();
        let sleeper = annulus::spawn(time::sleep(MS));
        for _ in 0..1_000 {
            task::yield_now().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleeper.await.expect("it woke");
        assert_eq!(start.elapsed(), MS);
    });
}

#[test]
fn a_paused_clock_stands_while_a_blocking_closure_runs() {
    if !on_a_machine("a thread of its own ends the closure") {
        return;
    }
    paused(async {
        let start = Instant::now();
        let sleeper = annulus::spawn(time::sleep(HOUR));
        for _ in 0..20 {
            let (wait, done) = std::sync::mpsc::channel();
            let closure = task::spawn_blocking(move || done.recv());
            // Real time passes, and the runtime is idle but for the closure.
            let thread = std::thread::spawn(move || {
                std::thread::sleep(MS);
                wait.send(())
            });
            closure
                .await
                .expect("it does not panic")
                .expect("it was told to end");
            thread
                .join()
                .expect("it does not panic")
                .expect("the closure listens");
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
        sleeper.await.expect("it woke");
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn a_closure_that_ends_as_the_loop_goes_idle_is_seen_before_the_clock_moves() {
    paused(async {
        let start = Instant::now();
        let sleeper = annulus::spawn(time::sleep(HOUR));
        for _ in 0..stress(500_000) {
            task::spawn_blocking(|| ()).await.expect("it does nothing");
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
        sleeper.await.expect("it woke");
    });
}

#[test]
fn a_woken_task_runs_before_the_clock_moves() {
    paused(async {
        let start = Instant::now();
        let (send, receive) = futures::channel::oneshot::channel();
        let task = annulus::spawn(async move {
            receive.await.expect("it is sent");
            start.elapsed()
        });
        send.send(()).expect("the task listens");
        time::sleep(HOUR).await;
        assert_eq!(task.await.expect("it runs"), Duration::ZERO);
    });
}

#[test]
fn bytes_that_have_arrived_come_before_the_clock_moves() {
    let _serial = serial();
    for mode in [RecvMode::Base, RecvMode::Hot] {
        let mut builder = Builder::new_current_thread();
        let runtime = builder
            .enable_all()
            .start_paused(true)
            .recv_mode(mode)
            .build();
        runtime.expect("it builds").block_on(async {
            let (mut here, there) = connected().await;
            let mut there = there.into_annulus();
            let start = Instant::now();
            let sleeper = annulus::spawn(time::sleep(HOUR));
            let echo = annulus::spawn(async move {
                while let Ok(byte) = there.read_u8().await {
                    there.write_u8(byte).await.expect("the other side reads");
                }
            });
            for byte in (0..=u8::MAX).cycle().take(1_000) {
                here.write_u8(byte).await.expect("the other side reads");
                assert_eq!(here.read_u8().await.expect("the other side answers"), byte);
            }
            drop(here);
            echo.await.expect("it ends with the stream");
            assert_eq!(start.elapsed(), Duration::ZERO);
            sleeper.await.expect("it woke");
        });
        nothing_in_flight("bytes and a paused clock");
    }
}

#[test]
fn advance_moves_the_clock_exactly_and_fires_what_is_due() {
    paused(async {
        let mut sleep = spawn(time::sleep(ms(300)));
        assert_pending!(sleep.poll());
        for step in [
            Duration::from_micros(51_592),
            Duration::from_micros(1),
            ms(248),
        ] {
            let start = Instant::now();
            time::advance(step).await;
            assert_eq!(start.elapsed(), step);
            assert!(!sleep.is_woken());
        }
        time::advance(ms(1)).await;
        assert!(sleep.is_woken());
        assert_ready!(sleep.poll());
    });
}

#[test]
fn a_far_timer_does_not_disturb_near_ones() {
    paused(async {
        let far = annulus::spawn(time::sleep(YEARS_30));
        for step in [1_u64 << 30, (1 << 36) - 1, 1, 64, 1 << 36] {
            time::advance(Duration::from_millis(step)).await;
            let start = Instant::now();
            time::sleep(ms(10)).await;
            assert_eq!(start.elapsed(), ms(10));
        }
        assert!(!far.is_finished());
        far.await.expect("it wakes");
    });
}

#[test]
fn a_clock_can_be_paused_and_resumed_in_turn() {
    let _serial = serial();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it builds");
    runtime.block_on(async {
        assert!(panic_text(time::resume).contains("not frozen"));
        time::pause();
        assert!(panic_text(time::pause).contains("already frozen"));
        let start = Instant::now();
        time::sleep(HOUR).await;
        assert!(start.elapsed() >= HOUR && start.elapsed() <= HOUR + MS);
        time::resume();
        assert!(panic_text(time::resume).contains("not frozen"));
        time::sleep(ms(2)).await;
        assert!(start.elapsed() >= HOUR + ms(2));
        time::pause();
        time::sleep(HOUR).await;
        assert!(start.elapsed() >= 2 * HOUR + ms(2));
    });
}

#[test]
fn the_clock_of_a_runtime_of_threads_cannot_be_paused() {
    let _serial = serial();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("the runtime builds");
    let text = panic_text(|| runtime.block_on(async { time::pause() }));
    assert!(text.contains("current_thread"), "{text}");
    assert!(panic_text(time::pause).contains("outside"));
    assert!(panic_text(|| futures::executor::block_on(time::advance(MS))).contains("outside"));
}

#[test]
fn advance_without_pause_panics() {
    let _serial = serial();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("it builds");
    assert!(panic_text(|| runtime.block_on(time::advance(MS))).contains("not frozen"));
}

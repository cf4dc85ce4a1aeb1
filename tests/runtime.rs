#![forbid(unsafe_code)]
//! What a builder sets, and what a runtime tells of itself.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::time::Duration;

use annulus::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use annulus::runtime::{
    Builder, Handle, LocalOptions, LocalRuntime, Runtime, is_rt_shutdown_err, worker_index,
};
use annulus::task::{block_in_place, yield_now};
use annulus::time::{interval, sleep, timeout};

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("the runtime builds")
}

fn multi_thread(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build();
    runtime.expect("the runtime builds")
}

/// The text of the panic in `f`.
fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it did not panic");
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .expect("a panic is a text")
            .to_string(),
    }
}

// ---- The builder --------------------------------------------------------------------------

#[test]
fn a_runtime_has_the_name_that_it_was_given() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .name("ingest")
        .build()
        .expect("the runtime builds");
    assert_eq!(runtime.handle().name(), Some("ingest"));
    let task = runtime.spawn(async { Handle::current().name().map(str::to_owned) });
    let name = runtime.block_on(task).expect("it ends");
    assert_eq!(name.as_deref(), Some("ingest"));
    assert_eq!(current_thread().handle().name(), None);
}

#[annulus::test(name = "named")]
async fn the_attribute_names_its_runtime() {
    assert_eq!(Handle::current().name(), Some("named"));
}

#[test]
fn what_a_builder_cannot_take_panics() {
    let mut builder = Builder::new_multi_thread();
    let empty = panic_of(|| _ = builder.name(" \t"));
    assert_eq!(empty, "runtime name shouldn't be empty");
    for (name, text) in [
        (
            "global_queue_interval",
            panic_of(|| _ = builder.global_queue_interval(0)),
        ),
        ("event_interval", panic_of(|| _ = builder.event_interval(0))),
        (
            "max_io_events_per_tick",
            panic_of(|| _ = builder.max_io_events_per_tick(0)),
        ),
        (
            "max_io_events_per_busy_tick",
            panic_of(|| _ = builder.max_io_events_per_busy_tick(0)),
        ),
    ] {
        assert!(text.starts_with(name), "{text}");
    }
    let local = panic_of(|| builder.build_local(LocalOptions::default()));
    assert_eq!(local, "multi_thread is not supported for LocalRuntime");
}

#[test]
fn without_enable_io_sockets_panic_and_name_the_remedy() {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("the runtime builds");
    let peer = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = peer.local_addr().expect("it is bound");
    for text in [
        panic_of(|| runtime.block_on(TcpListener::bind("127.0.0.1:0"))),
        panic_of(|| runtime.block_on(TcpStream::connect(addr))),
        panic_of(|| runtime.block_on(UdpSocket::bind("127.0.0.1:0"))),
        panic_of(|| runtime.block_on(async { UnixStream::pair() })),
        panic_of(|| runtime.block_on(annulus::signal::ctrl_c())),
    ] {
        assert!(text.contains("Call `enable_io`"), "{text}");
    }
    // Files, and what was enabled, work.
    let text = runtime.block_on(async {
        sleep(Duration::from_nanos(1)).await;
        annulus::fs::read("/proc/self/comm").await
    });
    assert!(!text.expect("it can be read").is_empty());
}

#[test]
fn without_enable_time_timers_panic_and_name_the_remedy() {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("the runtime builds");
    let second = Duration::from_secs(1);
    for text in [
        panic_of(|| runtime.block_on(async { sleep(second).await })),
        panic_of(|| runtime.block_on(async { timeout(second, yield_now()).await })),
        panic_of(|| runtime.block_on(async { interval(second).tick().await })),
    ] {
        assert!(text.contains("Call `enable_time`"), "{text}");
    }
    let bound = runtime.block_on(UdpSocket::bind("127.0.0.1:0"));
    assert!(bound.is_ok());
}

/// Is always ready to run again, without giving way.
async fn spin(polls: Arc<AtomicU32>, stop: Arc<AtomicBool>) {
    poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn event_interval_is_how_long_busy_tasks_keep_the_ring_waiting() {
    for polls_max in [7, 61] {
        let runtime = Builder::new_current_thread()
            .event_interval(polls_max)
            .build()
            .expect("the runtime builds");
        let polls = Arc::new(AtomicU32::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        drop(runtime.spawn(spin(polls.clone(), stop)));
        // What yields runs again after the next look at the ring.
        let between = runtime.spawn(async move {
            let mut most = 0;
            for _ in 0..100 {
                let before = polls.load(Ordering::Relaxed);
                yield_now().await;
                most = most.max(polls.load(Ordering::Relaxed) - before);
            }
            most
        });
        let most = runtime.block_on(between).expect("it ends");
        // The yielding task is one of the polls.
        assert!((polls_max - 1..=polls_max).contains(&most), "{most}");
    }
}

#[test]
fn global_queue_interval_is_how_long_a_workers_own_tasks_come_first() {
    for polls_max in [3, 61] {
        let runtime = Builder::new_current_thread()
            .global_queue_interval(polls_max)
            .build()
            .expect("the runtime builds");
        let polls = Arc::new(AtomicU32::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        drop(runtime.spawn(spin(polls.clone(), stop)));
        let handle = runtime.handle().clone();
        let waited = runtime.spawn(async move {
            let mut most = 0;
            for _ in 0..20 {
                let before = polls.load(Ordering::Relaxed);
                // Another thread's task goes into the queue of all workers.
                let (handle, polls) = (handle.clone(), polls.clone());
                let spawn =
                    move || handle.spawn(async move { polls.load(Ordering::Relaxed) - before });
                let task = std::thread::spawn(spawn).join().expect("it spawns");
                most = most.max(task.await.expect("it ends"));
            }
            most
        });
        let most = runtime.block_on(waited).expect("it ends");
        assert!(most <= polls_max, "{most}");
        assert!(
            polls_max < 10 || most > 3,
            "the setting does nothing: {most}"
        );
    }
}

// ---- What it tells ------------------------------------------------------------------------

#[test]
fn metrics_count_workers_and_tasks() {
    let runtime = multi_thread(3);
    let metrics = runtime.metrics();
    assert_eq!((metrics.num_workers(), metrics.num_alive_tasks()), (3, 0));
    let tasks: Vec<_> = (0..10).map(|_| runtime.spawn(pending::<()>())).collect();
    assert_eq!(metrics.num_alive_tasks(), 10);
    for task in tasks {
        task.abort();
        runtime.block_on(task).expect_err("it was aborted");
    }
    assert_eq!(metrics.num_alive_tasks(), 0);
    let text = panic_of(|| metrics.worker_park_count(3));
    assert!(text.contains("no worker 3"), "{text}");
}

#[test]
fn the_global_queue_holds_what_other_threads_spawn() {
    let runtime = current_thread();
    let metrics = runtime.metrics();
    for depth in 0..5 {
        assert_eq!(metrics.global_queue_depth(), depth);
        drop(runtime.spawn(async {}));
    }
    runtime.block_on(yield_now());
    assert_eq!(metrics.global_queue_depth(), 0);
}

#[test]
fn a_worker_counts_each_sleep_and_the_time_between() {
    for runtime in [current_thread(), multi_thread(1)] {
        let metrics = runtime.metrics();
        let mut before = 0;
        for _ in 0..3 {
            let task = runtime.spawn(async { sleep(Duration::from_millis(1)).await });
            runtime.block_on(task).expect("it ends");
            let parks = metrics.worker_park_count(0);
            assert!(parks > before, "it slept for the timer");
            before = parks;
        }
        drop(runtime);
        // It woke from every sleep.
        assert_eq!(metrics.worker_park_unpark_count(0) % 2, 0);
        assert!(metrics.worker_total_busy_duration(0) > Duration::ZERO);
    }
}

#[test]
fn each_worker_parks_however_short_the_runtime_lives() {
    for _ in 0..50 {
        let runtime = multi_thread(4);
        let metrics = runtime.metrics();
        drop(runtime);
        for worker in 0..4 {
            assert!(metrics.worker_park_count(worker) > 0, "worker {worker}");
        }
    }
}

#[test]
fn a_paused_clock_counts_sleeps_and_calls_the_hooks_as_any_other() {
    let parked = Arc::new(AtomicU32::new(0));
    let seen = parked.clone();
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .on_thread_park(move || _ = seen.fetch_add(1, Ordering::Relaxed))
        .build()
        .expect("the runtime builds");
    runtime.block_on(async { sleep(Duration::from_secs(3600)).await });
    assert!(runtime.metrics().worker_park_count(0) > 0);
    let calls = u64::from(parked.load(Ordering::Relaxed));
    assert_eq!(calls, runtime.metrics().worker_park_count(0));
}

#[test]
fn a_worker_knows_its_number_and_no_other_thread_has_one() {
    assert_eq!(worker_index(), None);
    let runtime = multi_thread(3);
    // 1. All workers at once, none of which can take another's task.
    let (tx, rx) = mpsc::channel();
    let barrier = Arc::new(std::sync::Barrier::new(3));
    for _ in 0..3 {
        let (tx, barrier) = (tx.clone(), barrier.clone());
        drop(runtime.spawn(async move {
            barrier.wait();
            tx.send((worker_index(), block_in_place(worker_index)))
        }));
    }
    let mut seen: Vec<_> = (0..3).map(|_| rx.recv().expect("it sends")).collect();
    seen.sort();
    // 2. In a closure that blocks in place, too.
    assert_eq!(seen, [0, 1, 2].map(|index| (Some(index), Some(index))));
    // 3. The threads that block have none.
    assert_eq!(runtime.block_on(async { worker_index() }), None);
    let blocking = runtime.spawn_blocking(worker_index);
    assert_eq!(runtime.block_on(blocking).expect("it ends"), None);
    // 4. Who drives a runtime of one thread is its worker 0.
    let single = current_thread();
    assert_eq!(single.block_on(async { worker_index() }), Some(0));
    assert_eq!(single.handle().block_on(async { worker_index() }), None);
    let local = LocalRuntime::new().expect("the runtime builds");
    assert_eq!(local.block_on(async { worker_index() }), Some(0));
    assert_eq!(local.metrics().num_workers(), 1);
}

// ---- The end ------------------------------------------------------------------------------

#[test]
fn the_error_after_the_end_can_be_told_from_others() {
    let (ends, stays) = (current_thread(), current_thread());
    let socket = ends.block_on(UdpSocket::bind("127.0.0.1:0"));
    let socket = socket.expect("a free port");
    drop(ends);
    let error = stays.block_on(socket.recv(&mut [0])).expect_err("it ended");
    assert!(is_rt_shutdown_err(&error), "{error}");
    let text = error.to_string();
    for other in [
        io::Error::other(format!("{text} ")),
        io::Error::other(&text[1..]),
        io::Error::new(io::ErrorKind::NotConnected, text),
        io::Error::from(io::ErrorKind::Other),
        io::Error::from_raw_os_error(libc::ECANCELED),
    ] {
        assert!(!is_rt_shutdown_err(&other), "{other:?}");
    }
}

#[test]
fn what_is_spawned_after_the_end_is_cancelled() {
    for runtime in [current_thread(), multi_thread(2)] {
        let handle = runtime.handle().clone();
        let waiting = runtime.spawn(pending::<()>());
        runtime.shutdown_background();
        let late = handle.spawn(async {});
        let blocking = handle.spawn_blocking(|| {});
        for task in [waiting, late, blocking] {
            let error = futures::executor::block_on(task).expect_err("it cannot run");
            assert!(error.is_cancelled(), "{error}");
        }
    }
}

#[test]
fn what_is_made_after_the_end_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for runtime in [current_thread(), multi_thread(2)] {
        let handle = runtime.handle().clone();
        let _entered = handle.enter();
        let early = TcpListener::bind("127.0.0.1:0");
        let outside = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        outside.set_nonblocking(true).expect("it can be set");
        runtime.shutdown_timeout(Duration::from_secs(1000));
        let path = folder.path().join("socket");
        for error in [
            handle.block_on(early).map(drop),
            handle.block_on(TcpListener::bind("127.0.0.1:0")).map(drop),
            handle.block_on(UdpSocket::bind("127.0.0.1:0")).map(drop),
            handle.block_on(TcpStream::connect("127.0.0.1:1")).map(drop),
            UnixListener::bind(&path).map(drop),
            UnixStream::pair().map(drop),
            UdpSocket::from_std(outside).map(drop),
        ] {
            let error = error.expect_err("the runtime has ended");
            assert!(is_rt_shutdown_err(&error), "{error:?}");
        }
        assert!(!path.exists());
        let read = handle.block_on(annulus::fs::read("/proc/self/comm"));
        let error = read.expect_err("the runtime has ended").to_string();
        assert_eq!(error, "background task failed");
    }
}

#[test]
fn a_closure_that_found_a_thread_runs_although_the_runtime_ends() {
    for _ in 0..50 {
        for runtime in [current_thread(), multi_thread(1)] {
            // 1. The first starts a thread; whether that one has looked for it yet is a race.
            let first = runtime.spawn_blocking(|| 1);
            runtime.shutdown_timeout(Duration::from_secs(1000));
            let output = futures::executor::block_on(first);
            assert_eq!(output.expect("it began"), 1);
        }
        // 2. One that waits for the only thread has not begun.
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .expect("the runtime builds");
        let (tx, rx) = mpsc::channel::<()>();
        let (began, begins) = mpsc::channel();
        let first = runtime.spawn_blocking(move || {
            began.send(()).expect("the test waits");
            rx.recv().expect_err("the test lets go")
        });
        begins.recv().expect("it begins");
        let second = runtime.spawn_blocking(|| 2);
        runtime.shutdown_background();
        drop(tx);
        assert!(futures::executor::block_on(first).is_ok());
        let error = futures::executor::block_on(second).expect_err("it did not begin");
        assert!(error.is_cancelled());
    }
}

#[test]
fn a_future_that_parks_its_thread_loses_no_wake() {
    for runtime in [current_thread(), multi_thread(1)] {
        let mut polls = 0;
        runtime.handle().block_on(poll_fn(|cx| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(());
            }
            // It wakes itself, and takes the token that says so.
            cx.waker().wake_by_ref();
            std::thread::current().unpark();
            std::thread::park();
            Poll::Pending
        }));
    }
}

#[test]
fn the_future_of_a_handle_may_block_in_place_and_its_tasks_may_not() {
    let runtime = current_thread();
    let handle = runtime.handle().clone();
    // 1. What it blocks on drives the runtime meanwhile, and on its own thread.
    let task = runtime.spawn(async { 1 });
    let inner = handle.clone();
    let output = handle.block_on(async {
        let output = block_in_place(|| inner.block_on(task));
        // 2. It goes on after that: timers, and what was spawned meanwhile.
        sleep(Duration::from_millis(1)).await;
        output.expect("it ends") + annulus::spawn(async { 2 }).await.expect("it ends")
    });
    assert_eq!(output, 3);
    // 3. Another thread takes the runtime over while the closure blocks, and keeps it for a while.
    let (tx, rx) = annulus::sync::oneshot::channel();
    std::thread::scope(|scope| {
        handle.block_on(async {
            let other = block_in_place(|| {
                let (driving, drives) = mpsc::channel();
                let runtime = &runtime;
                let other = scope.spawn(move || {
                    runtime.block_on(async {
                        driving.send(worker_index()).expect("the test waits");
                        rx.await
                    })
                });
                assert_eq!(drives.recv().expect("it drives"), Some(0));
                other
            });
            // This thread waits meanwhile, and is woken all the same.
            annulus::spawn(async { sleep(Duration::from_millis(1)).await })
                .await
                .expect("it ends");
            tx.send(()).expect("the other waits");
            yield_now().await;
            drop(other);
        });
    });
    // 4. A task, or the future of `Runtime::block_on`, may not.
    let task = handle.spawn(async { block_in_place(|| {}) });
    let error = handle.block_on(task).expect_err("it panicked");
    assert!(
        error.to_string().contains("can call blocking only"),
        "{error}"
    );
    let text = panic_of(|| runtime.block_on(async { block_in_place(|| {}) }));
    assert!(text.contains("can call blocking only"), "{text}");
}

#[test]
fn blocking_in_a_task_panics_as_under_tokio() {
    for runtime in [current_thread(), multi_thread(1)] {
        let handle = runtime.handle().clone();
        let inner = handle.clone();
        let nested = panic_of(|| runtime.block_on(async { inner.block_on(async {}) }));
        assert!(nested.starts_with("Cannot start a runtime"), "{nested}");
        let dropped = panic_of(|| runtime.block_on(async { drop(current_thread()) }));
        assert!(dropped.starts_with("Cannot drop a runtime"), "{dropped}");
        // Without waiting it is allowed.
        runtime.block_on(async { current_thread().shutdown_background() });
        let task = runtime.spawn(async move { handle.block_on(async {}) });
        let error = runtime.block_on(task).expect_err("it panicked");
        assert!(
            error.to_string().contains("Cannot start a runtime"),
            "{error}"
        );
    }
}

#[test]
fn public_types_have_the_auto_traits_of_tokios() {
    fn send_sync<T: Send + Sync + Unpin>() {}
    fn sync_only<T: Sync>() {}
    fn unwind_safe<T: std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    fn future<F: Future + Send + Sync>(_: impl FnOnce() -> F) {}
    send_sync::<Builder>();
    send_sync::<Runtime>();
    send_sync::<Handle>();
    send_sync::<annulus::runtime::RuntimeMetrics>();
    unwind_safe::<Runtime>();
    unwind_safe::<Handle>();
    unwind_safe::<annulus::runtime::RuntimeMetrics>();
    // It may be looked at by others, though it is dropped where it was made.
    sync_only::<annulus::runtime::EnterGuard<'static>>();
    future(|| annulus::fs::read("/"));
}

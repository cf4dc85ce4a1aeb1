//! P9: a panic ends its task, and nothing else.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::TcpListener;
use annulus::runtime::RecvMode;
use annulus_tests::{connected, for_each_runtime, in_child};

annulus::sim_install!();

const GOOD: usize = 90;
const BAD: usize = 10;

/// Keeps the panics of this file off the terminal: they are meant.
fn quiet() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload().downcast_ref::<&str>().copied().unwrap_or("");
        if !text.starts_with("meant") {
            eprintln!("{info}");
        }
    }));
}

/// A connection's round trip, so that good tasks have operations in the ring.
async fn round_trip() -> u8 {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback binds");
    let address = listener.local_addr().expect("it is bound");
    let echo = annulus::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let byte = stream.read_u8().await.expect("a byte comes");
        stream.write_u8(byte).await.expect("a byte goes");
    });
    let mut stream = annulus::net::TcpStream::connect(address)
        .await
        .expect("connects");
    stream.write_u8(7).await.expect("a byte goes");
    annulus::time::sleep(Duration::from_millis(2)).await;
    let byte = stream.read_u8().await.expect("a byte comes");
    echo.await.expect("the echo does not panic");
    byte
}

#[test]
fn good_tasks_beside_panicking_ones_all_finish() {
    quiet();
    for_each_runtime(|name, runtime| {
        // 1. 90 good tasks and 10 bad ones, among each other.
        let tasks = (0..GOOD + BAD).map(|index| {
            let bad = index % ((GOOD + BAD) / BAD) == 3;
            let task = runtime.spawn(async move {
                if bad {
                    // Half of them with an operation in flight.
                    if index % 2 == 0 {
                        annulus::task::yield_now().await;
                    }
                    let (_stream, _peer) = connected().await;
                    panic!("meant: task");
                }
                round_trip().await
            });
            (bad, task)
        });
        let tasks: Vec<_> = tasks.collect();
        // 2. All good ones finish; the bad ones are JoinErrors that give the panic back.
        let (mut finished, mut panicked) = (0, 0);
        for (bad, task) in tasks {
            match runtime.block_on(task) {
                Ok(byte) => {
                    assert!(!bad);
                    assert_eq!(byte, 7);
                    finished += 1;
                }
                Err(error) => {
                    assert!(
                        bad && error.is_panic() && !error.is_cancelled(),
                        "{error:?}"
                    );
                    let payload = error.into_panic();
                    assert_eq!(payload.downcast_ref::<&str>(), Some(&"meant: task"));
                    panicked += 1;
                }
            }
        }
        println!("{name}: {finished} finished, {panicked} panicked");
        assert_eq!((finished, panicked), (GOOD, BAD));
    });
}

struct PanicInDrop;

impl Drop for PanicInDrop {
    fn drop(&mut self) {
        panic!("meant: drop");
    }
}

#[test]
fn a_panic_in_the_drop_of_a_tasks_future_stays_in_the_task() {
    quiet();
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            // 1. Dropped because the task was aborted while it waited.
            let task = annulus::spawn(async {
                let _guard = PanicInDrop;
                std::future::pending::<()>().await;
            });
            annulus_tests::turns().await;
            task.abort();
            let error = task.await.expect_err("it was aborted");
            assert!(error.is_panic() || error.is_cancelled());
            // 2. Dropped because nobody wants the output.
            let detached = annulus::spawn(async { PanicInDrop });
            drop(detached);
            annulus_tests::turns().await;
            // 3. Dropped by the task's own end.
            let error = annulus::spawn(async {
                let _guard = PanicInDrop;
                annulus::task::yield_now().await;
            });
            assert!(error.await.expect_err("it panicked").is_panic());
            // 4. The runtime is in good health.
            assert_eq!(annulus::spawn(round_trip()).await.expect("it finishes"), 7);
        });
        // 5. Dropped by the runtime's shutdown, which for_each_runtime does next.
        drop(runtime.spawn(async {
            let _guard = PanicInDrop;
            std::future::pending::<()>().await;
        }));
    });
}

struct PanicInWake(AtomicU64);

impl Wake for PanicInWake {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
        panic!("meant: wake");
    }
}

#[test]
fn a_panic_in_a_waker_leaves_the_others_awake() {
    quiet();
    for_each_runtime(|name, runtime| {
        let panicking = Arc::new(PanicInWake(AtomicU64::new(0)));
        runtime.block_on(async {
            let waker = Waker::from(panicking.clone());
            // 1. A timer and a read wait with a waker that panics.
            let (mut stream, mut peer) = connected().await;
            let mut bytes = [0; 8];
            let mut read = Box::pin(stream.read(&mut bytes));
            let mut sleep = Box::pin(annulus::time::sleep(Duration::from_millis(50)));
            let mut cx = Context::from_waker(&waker);
            assert!(matches!(read.as_mut().poll(&mut cx), Poll::Pending));
            assert!(matches!(sleep.as_mut().poll(&mut cx), Poll::Pending));
            // 2. So do good ones, of the same core.
            let good: Vec<_> = (0..GOOD).map(|_| annulus::spawn(round_trip())).collect();
            std::io::Write::write_all(&mut peer, b"wake").expect("the buffer takes four bytes");
            for task in good {
                assert_eq!(task.await.expect("it finishes"), 7);
            }
            // 3. Their results are there all the same.
            assert_eq!(read.await.expect("four bytes"), 4);
            sleep.await;
        });
        let wakes = panicking.0.load(Ordering::Acquire);
        println!("{name}: {wakes} wakers panicked");
        assert!(wakes >= 1, "{name}: no waker ever panicked");
    });
}

#[test]
fn a_panic_in_spawn_blocking_is_a_join_error() {
    quiet();
    for_each_runtime(|_, runtime| {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..GOOD + BAD)
                .map(|index| {
                    let bad = index % ((GOOD + BAD) / BAD) == 3;
                    annulus::task::spawn_blocking(move || {
                        assert!(!bad, "meant: closure");
                        index
                    })
                })
                .collect();
            let mut panicked = 0;
            for (index, task) in tasks.into_iter().enumerate() {
                match task.await {
                    Ok(value) => assert_eq!(value, index),
                    Err(error) => {
                        assert!(error.is_panic());
                        panicked += 1;
                    }
                }
            }
            assert_eq!(panicked, BAD);
        });
    });
}

#[test]
fn a_panic_in_block_on_reaches_its_caller_and_leaves_the_runtime_usable() {
    quiet();
    for_each_runtime(|_, runtime| {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let (_stream, _peer) = connected().await;
                panic!("meant: block_on");
            })
        }));
        assert!(result.is_err());
        assert_eq!(runtime.block_on(round_trip()), 7);
    });
}

#[test]
fn a_waker_that_panics_when_a_task_gave_way_costs_no_worker() {
    in_child(
        "a_waker_that_panics_when_a_task_gave_way_costs_no_worker",
        || {
            quiet();
            for_each_runtime(|_, runtime| {
                let ended = runtime.block_on(async {
                    // 1. As many tasks as workers give way under a waker that panics.
                    for _ in 0..4 {
                        let bad = annulus::spawn(async {
                            let waker = Waker::from(Arc::new(PanicInWake(AtomicU64::new(0))));
                            let mut cx = Context::from_waker(&waker);
                            let mut yielding = Box::pin(annulus::task::yield_now());
                            assert!(yielding.as_mut().poll(&mut cx).is_pending());
                        });
                        bad.await.expect("it ends well");
                    }
                    // 2. Others gave way beside them, and come back.
                    annulus::spawn(async {
                        annulus_tests::turns().await;
                        round_trip().await
                    })
                    .await
                });
                assert_eq!(ended.expect("it ends well"), 7);
            });
        },
    );
}

#[test]
fn hooks_that_panic_cost_no_worker() {
    in_child("hooks_that_panic_cost_no_worker", || {
        quiet();
        for mut builder in [
            annulus_tests::current_thread(RecvMode::Auto),
            annulus_tests::multi_thread(RecvMode::Auto),
        ] {
            builder.on_thread_park(|| panic!("meant: park"));
            builder.on_thread_unpark(|| panic!("meant: unpark"));
            let runtime = builder.build().expect("the runtime builds");
            for _ in 0..10 {
                annulus_tests::on_thread(|| {
                    assert_eq!(runtime.block_on(round_trip()), 7);
                });
            }
            drop(runtime);
        }
    });
}

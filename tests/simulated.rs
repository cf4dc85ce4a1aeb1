//! A runtime whose kernel is simulated, in a program that knows of no simulation: what works in
//! it, and what is told of what cannot.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::{Builder, KernelKind, LocalOptions, Runtime};
use annulus::signal::unix::{SignalKind, signal};
use annulus::time::sleep;
use annulus_tests::on_thread;

annulus::sim_install!();

const HOUR: Duration = Duration::from_secs(3600);

fn builders() -> [Builder; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()].map(|mut builder| {
        builder.enable_all().kernel(KernelKind::Simulated);
        builder
    })
}

fn multi_thread() -> Builder {
    let [_, multi_thread] = builders();
    multi_thread
}

fn build(mut builder: Builder) -> Runtime {
    builder.build().expect("the program has the hooks")
}

/// The text that `body` panics with.
fn panic_text<R>(body: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else {
        panic!("it did not panic");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or_else(String::new, |text| text.to_string()),
    }
}

async fn echo_once(listener: TcpListener) -> std::io::Result<()> {
    let (mut stream, _) = listener.accept().await?;
    let number = stream.read_u32().await?;
    stream.write_u32(number + 1).await
}

async fn ask(port: u16) -> std::io::Result<u32> {
    let mut stream = TcpStream::connect(("localhost", port)).await?;
    stream.write_u32(6).await?;
    stream.read_u32().await
}

#[test]
fn tasks_sockets_files_and_closures_work_in_simulated_time() {
    for builder in builders() {
        let runtime = build(builder);
        let start = Instant::now();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
            let port = listener.local_addr().expect("bound").port();
            let server = annulus::spawn(echo_once(listener));
            assert_eq!(ask(port).await.expect("it echoes"), 7);
            server.await.expect("no panic").expect("no error");
            annulus::fs::write("/tmp/file", "text")
                .await
                .expect("a host has room");
            let text = annulus::fs::read_to_string("/tmp/file").await;
            assert_eq!(text.expect("it is there"), "text");
            let closure = annulus::task::spawn_blocking(|| 6 * 7);
            assert_eq!(closure.await.expect("no panic"), 42);
            sleep(100 * HOUR).await;
        });
        assert!(start.elapsed() >= 100 * HOUR);
        assert!(!std::path::Path::new("/tmp/file").exists());
    }
}

#[test]
fn a_local_runtime_is_simulated_too() {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().kernel(KernelKind::Simulated);
    let runtime = builder.build_local(LocalOptions::default());
    let runtime = runtime.expect("the program has the hooks");
    let shared = std::rc::Rc::new(7);
    let task = runtime.spawn_local({
        let shared = shared.clone();
        async move {
            sleep(HOUR).await;
            *shared
        }
    });
    assert_eq!(runtime.block_on(task).expect("no panic"), 7);
}

#[test]
fn a_paused_clock_moves_when_the_world_has_nothing_to_do() {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .kernel(KernelKind::Simulated)
        .start_paused(true)
        .build()
        .expect("the program has the hooks");
    runtime.block_on(async {
        let start = annulus::time::Instant::now();
        let closure = annulus::task::spawn_blocking(|| ());
        closure.await.expect("no panic");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        drop(annulus::spawn(echo_once(listener)));
        assert_eq!(ask(port).await.expect("it echoes"), 7);
        assert_eq!(start.elapsed(), Duration::ZERO);
        sleep(HOUR).await;
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn closures_may_block_on_futures_and_in_place() {
    let runtime = build(multi_thread());
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        let (send, receive) = annulus::sync::oneshot::channel();
        let waits = annulus::task::spawn_blocking(move || handle.block_on(receive));
        let sends = annulus::spawn(async move {
            sleep(HOUR).await;
            let inner = annulus::spawn(sleep(HOUR));
            annulus::task::block_in_place(|| annulus::runtime::Handle::current().block_on(inner))
                .expect("no panic");
            send.send(7)
        });
        let (waited, sent) = futures::join!(waits, sends);
        assert_eq!(waited.expect("no panic"), Ok(7));
        assert_eq!(sent.expect("no panic"), Ok(()));
    });
}

#[test]
fn runtimes_of_one_thread_share_a_world() {
    let [one, other] = builders().map(build);
    // The multi_thread one serves while the other is blocked on.
    let listener = other.block_on(TcpListener::bind("127.0.0.1:0"));
    let listener = listener.expect("binds");
    let port = listener.local_addr().expect("bound").port();
    let server = other.spawn(echo_once(listener));
    assert_eq!(one.block_on(ask(port)).expect("it echoes"), 7);
    one.block_on(server).expect("no panic").expect("no error");
}

#[test]
fn the_same_seed_runs_tasks_in_the_same_order() {
    let order = || {
        let runtime = build(multi_thread());
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..100)
            .map(|task| {
                let order = order.clone();
                runtime.spawn(async move {
                    sleep(Duration::from_micros(task % 7 * 300)).await;
                    order.lock().expect("not held").push(task);
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        let order = order.lock().expect("not held");
        (order.clone(), Instant::now())
    };
    let first = std::thread::spawn(order).join().expect("no panic");
    let second = std::thread::spawn(order).join().expect("no panic");
    assert_eq!(first, second);
}

#[test]
fn a_thread_is_as_ever_when_its_runtimes_have_gone() {
    let before = SystemTime::now();
    let runtime = build(multi_thread());
    runtime.block_on(async { sleep(1000 * HOUR).await });
    assert!(SystemTime::now() > before + 1000 * HOUR);
    // Also if the last of them goes elsewhere.
    std::thread::spawn(move || drop(runtime))
        .join()
        .expect("no panic");
    assert!(SystemTime::now() < before + HOUR);
}

#[test]
fn what_nothing_can_wake_is_told() {
    for builder in builders() {
        let runtime = build(builder);
        let text = panic_text(|| runtime.block_on(std::future::pending::<()>()));
        assert!(text.contains("nothing is left that could happen"), "{text}");
        assert!(text.contains("tests/simulated.rs"), "{text}");
        // The runtime goes on.
        assert_eq!(runtime.block_on(async { 7 }), 7);
    }
}

#[test]
fn a_second_thread_that_blocks_is_told() {
    for builder in builders() {
        let runtime = build(builder);
        runtime.block_on(async {
            let text = std::thread::scope(|scope| {
                let second = scope.spawn(|| panic_text(|| runtime.block_on(async {})));
                second.join().expect("the panic was caught")
            });
            assert!(text.contains("a second thread blocks"), "{text}");
        });
        // Not while nobody else does.
        on_thread(|| runtime.block_on(async { sleep(HOUR).await }));
    }
}

#[test]
fn sockets_of_std_and_signals_are_refused() {
    let runtime = build(multi_thread());
    runtime.block_on(async {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback binds");
        listener
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        let error = TcpListener::from_std(listener).expect_err("it is the system's");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("from_std"), "{error}");
        let error = signal(SignalKind::user_defined1()).expect_err("it is the process'");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("signal"), "{error}");
    });
}

//! P8: a ring that can no longer be entered ends what goes through it with the errno.

use std::future::Future;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use annulus::fs::File;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::runtime::{RecvMode, Runtime};
use annulus_tests::{
    IO_URING, connected, current_thread, fail_rings, in_child, kill_rings, multi_thread, on_thread,
    refuse, turns,
};

fn runtime(mode: RecvMode) -> Runtime {
    current_thread(mode).build().expect("the runtime builds")
}

async fn refused<T>(what: &str, attempt: impl Future<Output = std::io::Result<T>>) {
    match attempt.await {
        Ok(_) => panic!("{what}: it worked"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}"),
    }
}

#[test]
fn whoever_waits_for_a_socket_in_base_mode_is_told() {
    in_child("whoever_waits_for_a_socket_in_base_mode_is_told", || {
        waiting_for_sockets(RecvMode::Base);
    });
}

#[test]
fn whoever_waits_for_a_socket_in_hot_mode_is_told() {
    in_child("whoever_waits_for_a_socket_in_hot_mode_is_told", || {
        waiting_for_sockets(RecvMode::Hot);
    });
}

fn waiting_for_sockets(mode: RecvMode) {
    let runtime = runtime(mode);
    runtime.block_on(async {
        let (mut reader, peer) = connected().await;
        let (writer, _full) = connected().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("it binds");
        // 1. Tasks wait for each kind of readiness.
        let reading = annulus::spawn(async move {
            refused("read", reader.read_u8()).await;
        });
        let writing = annulus::spawn(async move {
            let mut writer = writer;
            refused("write", writer.write_all(&vec![0; 64 << 20])).await;
        });
        let accepting = annulus::spawn(async move {
            refused("accept", listener.accept()).await;
        });
        let receiving = annulus::spawn(async move {
            refused("recv", udp.recv(&mut [0])).await;
        });
        turns().await;
        // 2. The ring dies; all are told.
        kill_rings();
        for task in [reading, writing, accepting, receiving] {
            task.await.expect("the error is the ring's");
        }
        // 3. So is whoever comes later, and timers still run.
        refused("open", File::open("/dev/null")).await;
        let address = peer.peer_addr().expect("it has one");
        refused("connect", TcpStream::connect(address)).await;
        annulus::time::sleep(Duration::from_millis(5)).await;
    });
    drop(runtime);
}

/// What an enter may answer for ever: what passes as a rule, and what does not.
const ERRNOS: [i32; 6] = [
    libc::EINTR,
    libc::EAGAIN,
    libc::EBUSY,
    libc::ENOMEM,
    libc::EPERM,
    libc::ENOSYS,
];

#[test]
fn an_error_that_lasts_ends_all_that_waits_whichever_it_is() {
    let name = "an_error_that_lasts_ends_all_that_waits_whichever_it_is";
    in_child(name, || {
        // A filter belongs to its thread.
        let threads = ERRNOS.map(|errno| std::thread::spawn(move || a_lasting_error(errno)));
        for thread in threads {
            thread.join().expect("the runtime ends");
        }
        let stats = annulus::stats();
        println!("{} enters until all rings were given up", stats.enters);
        assert!(stats.enters < 100_000, "{stats:?}");
        // What the kernel had is leaked, and named; nothing is in flight unnoticed.
        assert_eq!((stats.ops_in_flight, stats.bytes_lent), (0, 0), "{stats:?}");
        let named: u64 = stats.leaks.iter().map(|leak| leak.count).sum();
        assert_eq!(named, stats.cells_leaked, "{stats:?}");
    });
}

fn a_lasting_error(errno: i32) {
    let runtime = runtime(RecvMode::Auto);
    let start = Instant::now();
    runtime.block_on(async {
        let (mut reader, peer) = connected().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("it binds");
        let reading = annulus::spawn(async move { reader.read_u8().await });
        let accepting = annulus::spawn(async move { listener.accept().await.map(drop) });
        turns().await;
        fail_rings(errno);
        // Whoever is told EINTR tries again.
        let expected = if errno == libc::EINTR {
            libc::EIO
        } else {
            errno
        };
        let told = |what: &str, error: std::io::Error| {
            assert_eq!(error.raw_os_error(), Some(expected), "{what}: {error}");
        };
        // 1. Who waits, and who comes later, is told.
        let error = reading.await.expect("it ends").expect_err("no ring");
        told("read", error);
        let error = accepting.await.expect("it ends").expect_err("no ring");
        told("accept", error);
        let open = File::open("/dev/null").await;
        told("open", open.map(drop).expect_err("there is no ring"));
        // 2. Timers run.
        annulus::time::sleep(Duration::from_millis(5)).await;
        drop(peer);
    });
    drop(runtime);
    println!("errno {errno}: {:?}", start.elapsed());
}

#[test]
fn a_future_that_nothing_can_wake_panics_with_the_errno() {
    in_child(
        "a_future_that_nothing_can_wake_panics_with_the_errno",
        || {
            let runtime = runtime(RecvMode::Auto);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.block_on(async {
                    kill_rings();
                    std::future::pending::<()>().await;
                });
            }));
            let panic = outcome.expect_err("it cannot return");
            let text = panic.downcast_ref::<String>().expect("a text");
            assert!(text.contains("EPERM"), "{text}");
            assert!(text.contains("seccomp"), "{text}");
            drop(runtime);
        },
    );
}

#[test]
fn a_dead_ring_waits_without_spinning() {
    in_child("a_dead_ring_waits_without_spinning", || {
        let runtime = runtime(RecvMode::Auto);
        let (send, receive) = futures::channel::oneshot::channel();
        let sender = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            send.send(()).expect("somebody waits");
        });
        runtime.block_on(async {
            kill_rings();
            // The ring dies when it is entered to wait.
            annulus::time::sleep(Duration::from_millis(1)).await;
            refused("open", File::open("/dev/null")).await;
            let before = cpu_time();
            receive.await.expect("it is sent");
            annulus::time::sleep(Duration::from_millis(300)).await;
            let used = cpu_time() - before;
            assert!(
                used < Duration::from_millis(100),
                "{used:?} of processor time"
            );
        });
        sender.join().expect("it does not panic");
        drop(runtime);
    });
}

#[test]
fn one_dead_worker_leaves_the_others_alone_and_the_runtime_ends() {
    in_child(
        "one_dead_worker_leaves_the_others_alone_and_the_runtime_ends",
        || {
            let runtime = multi_thread(RecvMode::Auto)
                .build()
                .expect("the runtime builds");
            let start = Instant::now();
            runtime.block_on(async {
                annulus::spawn(async {
                    let (mut stream, _peer) = connected().await;
                    let reading = annulus::spawn(async move {
                        let _ = stream.read_u8().await.expect_err("a dead ring, or the end");
                    });
                    turns().await;
                    kill_rings();
                    turns().await;
                    drop(reading);
                })
                .await
                .expect("it ends well");
                for _ in 0..100 {
                    annulus::spawn(annulus::time::sleep(Duration::from_millis(1)))
                        .await
                        .expect("it ends well");
                }
            });
            drop(runtime);
            println!("ended after {:?}", start.elapsed());
        },
    );
}

/// What this process has used of the processors.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the struct lives across the call.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn a_thread_that_may_not_use_rings_wakes_a_worker_all_the_same() {
    in_child(
        "a_thread_that_may_not_use_rings_wakes_a_worker_all_the_same",
        || {
            let runtime = multi_thread(RecvMode::Auto)
                .build()
                .expect("the runtime builds");
            for _ in 0..20 {
                let (send, receive) = futures::channel::oneshot::channel();
                let task = runtime.spawn(receive);
                // The workers sleep by now, as a rule.
                std::thread::sleep(Duration::from_millis(5));
                on_thread(|| {
                    refuse(IO_URING, libc::EPERM).expect("a filter needs no privilege");
                    send.send(7).expect("somebody waits");
                });
                assert_eq!(runtime.block_on(task).expect("it ends well"), Ok(7));
            }
            drop(runtime);
        },
    );
}

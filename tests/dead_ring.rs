//! P8: a ring that can no longer be entered ends what goes through it with the errno.

use std::future::Future;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use annulus::fs::File;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::runtime::{RecvMode, Runtime};
use annulus_tests::{
    IO_URING, connected, current_thread, in_child, kill_rings, multi_thread, on_thread, refuse,
    turns,
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

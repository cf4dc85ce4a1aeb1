//! No heap allocation per operation in the steady state of one thread.

use std::io::{Read, Write};
use std::time::Duration;

use annulus::fs::OpenOptions;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream, UdpSocket};
use annulus::runtime::{RecvMode, Runtime};
use annulus::uring::{read_at, recv, send, write_at};
use annulus_tests::{Counting, Heap, Peer, connected, current_thread, nothing_in_flight, serial};

#[global_allocator]
static HEAP: Counting = Counting::new();

/// Operations before the count, which fill pages and pools, and those that are counted.
const WARM_UP: u64 = 2000;
const COUNTED: u64 = 10_000;

/// Runs `rounds` of a scenario twice on this thread, and asserts that the second time allocates
/// nothing.
fn assert_steady<S>(
    name: &str,
    mode: RecvMode,
    begin: impl AsyncFnOnce() -> S,
    mut rounds: impl AsyncFnMut(&mut S, u64),
) {
    let _serial = serial();
    let runtime: Runtime = current_thread(mode).build().expect("the runtime builds");
    let used = runtime.block_on(async {
        let mut state = begin().await;
        rounds(&mut state, WARM_UP).await;
        // The list of tasks that have given way has its memory from here on.
        annulus::task::yield_now().await;
        let before = Counting::of_this_thread();
        rounds(&mut state, COUNTED).await;
        Counting::of_this_thread() - before
    });
    drop(runtime);
    nothing_in_flight(name);
    println!("{name}, {mode:?}: {COUNTED} rounds, {used:?}");
    assert_eq!(used, Heap::default(), "{name}, {mode:?}");
}

/// Answers a byte with a byte, on a thread of its own, whose allocations are its own too.
fn answer(mut peer: Peer) {
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        // It ends with the connection.
        while let Ok(read @ 1..) = peer.read(&mut bytes) {
            if peer.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
    });
}

#[test]
fn an_allocation_would_be_seen() {
    let before = Counting::of_this_thread();
    drop(std::hint::black_box(vec![1_u8; 100]));
    let used = Counting::of_this_thread() - before;
    assert_eq!((used.allocs, used.deallocs, used.bytes), (1, 1, 100));
    assert!(HEAP.of_all_threads().allocs >= used.allocs);
}

#[test]
fn an_echo_client_allocates_nothing() {
    for mode in [RecvMode::Base, RecvMode::Hot] {
        assert_steady(
            "TCP client",
            mode,
            async || {
                let (stream, peer) = connected().await;
                answer(peer);
                stream
            },
            async |stream, rounds| {
                for _ in 0..rounds {
                    stream.write_all(&[7; 32]).await.expect("the peer reads");
                    stream
                        .read_exact(&mut [0; 32])
                        .await
                        .expect("the peer answers");
                }
            },
        );
    }
}

#[test]
fn two_tasks_that_echo_allocate_nothing() {
    for mode in [RecvMode::Base, RecvMode::Hot] {
        assert_steady(
            "TCP between tasks",
            mode,
            async || {
                let listener = TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("loopback binds");
                let address = listener.local_addr().expect("it is bound");
                annulus::spawn(async move {
                    let (mut stream, _) = listener.accept().await.expect("accepts");
                    let mut bytes = [0; 64];
                    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                        stream
                            .write_all(&bytes[..read])
                            .await
                            .expect("the client reads");
                    }
                });
                TcpStream::connect(address).await.expect("it listens")
            },
            async |stream, rounds| {
                for _ in 0..rounds {
                    stream.write_all(&[7; 32]).await.expect("the task reads");
                    stream
                        .read_exact(&mut [0; 32])
                        .await
                        .expect("the task answers");
                }
            },
        );
    }
}

#[test]
fn owned_receives_and_sends_allocate_nothing() {
    for mode in [RecvMode::Base, RecvMode::Hot] {
        assert_steady(
            "recv and send",
            mode,
            async || {
                let (stream, peer) = connected().await;
                answer(peer);
                (stream, Some(Vec::with_capacity(64)))
            },
            async |(stream, slot), rounds| {
                let mut buf = slot.take().expect("it came back");
                for _ in 0..rounds {
                    buf.clear();
                    buf.resize(32, 7);
                    let (sent, back) = send(stream, buf).await;
                    assert_eq!(sent.expect("the peer reads"), 32);
                    buf = back;
                    let mut received = 0;
                    while received < 32 {
                        buf.clear();
                        let (result, back) = recv(stream, buf).await;
                        received += result.expect("the peer answers");
                        buf = back;
                    }
                }
                *slot = Some(buf);
            },
        );
    }
}

#[test]
fn positional_file_reads_and_writes_allocate_nothing() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    assert_steady(
        "read_at and write_at",
        RecvMode::Auto,
        async || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true);
            let file = options.open(folder.path().join("file")).await;
            (
                file.expect("the folder takes a file"),
                Some(Vec::with_capacity(4096)),
            )
        },
        async |(file, slot), rounds| {
            let mut buf = slot.take().expect("it came back");
            for round in 0..rounds {
                buf.clear();
                buf.resize(512, round as u8);
                let (written, back) = write_at(file, buf, round % 64 * 512).await;
                assert_eq!(written.expect("the disk has room"), 512);
                buf = back;
                buf.clear();
                let (read, back) = read_at(file, buf, round % 64 * 512).await;
                read.expect("it was written");
                buf = back;
                assert_eq!(buf[0], round as u8);
            }
            *slot = Some(buf);
        },
    );
}

#[test]
fn timers_allocate_nothing() {
    let _serial = serial();
    let mut builder = current_thread(RecvMode::Auto);
    // Paused: the clock moves on as soon as there is nothing else to do.
    let runtime = builder
        .start_paused(true)
        .build()
        .expect("the runtime builds");
    let used = runtime.block_on(async {
        let mut before = Heap::default();
        for round in 0..WARM_UP + COUNTED {
            if round == WARM_UP {
                before = Counting::of_this_thread();
            }
            annulus::time::sleep(Duration::from_millis(1 + round % 5000)).await;
            // A timeout that does not fire.
            let soon = annulus::time::sleep(Duration::from_millis(1));
            let timed = annulus::time::timeout(Duration::from_secs(3600), soon).await;
            timed.expect("a millisecond is sooner");
        }
        Counting::of_this_thread() - before
    });
    drop(runtime);
    nothing_in_flight("timers");
    println!("timers: {COUNTED} rounds, {used:?}");
    assert_eq!(used, Heap::default());
}

#[test]
fn datagrams_allocate_nothing() {
    assert_steady(
        "UDP",
        RecvMode::Auto,
        async || {
            let left = UdpSocket::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let right = UdpSocket::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let address = right.local_addr().expect("it is bound");
            left.connect(address).await.expect("loopback connects");
            (left, right)
        },
        async |(left, right), rounds| {
            let mut bytes = [0; 64];
            for _ in 0..rounds {
                assert_eq!(left.send(&[7; 32]).await.expect("loopback sends"), 32);
                let (read, _) = right.recv_from(&mut bytes).await.expect("it was sent");
                assert_eq!(read, 32);
            }
        },
    );
}

//! P7: a full submission queue and an overflowing completion queue lose no completion, no cancel
//! and no wake.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annulus::fs::{File, OpenOptions};
use annulus::io::AsyncReadExt;
use annulus::net::{UdpSocket, UnixStream};
use annulus::runtime::{RecvMode, Runtime};
use annulus::time::timeout_at;
use annulus::uring::read_at;
use annulus_tests::{
    current_thread, fd_limit_at_least, multi_thread, nothing_in_flight, serial, settled_blocking,
    skip, stress,
};

annulus::sim_install!();

/// Ops of a full run, and timeouts that fire at once, on each flavour.
const OPS: u64 = 100_000;
const TIMEOUTS: u64 = 10_000;
/// The rings are this small.
const SQ: u32 = 8;
const CQ: u32 = 16;
/// Tasks that submit at once: many times what the queues hold.
const TASKS: u64 = 256;

/// Both flavours with small rings, in both receive modes; nothing is in flight afterwards.
fn for_each_small_runtime(scenario: impl Fn(&str, &Runtime)) {
    let _serial = serial();
    for (mode, mode_name) in [(RecvMode::Base, "base"), (RecvMode::Hot, "hot")] {
        for (mut builder, flavor) in [
            (current_thread(mode), "current_thread"),
            (multi_thread(mode), "multi_thread"),
        ] {
            let name = format!("{flavor}, {mode_name}");
            let runtime = builder
                .ring_entries(SQ, CQ)
                .build()
                .expect("the runtime builds");
            scenario(&name, &runtime);
            drop(runtime);
            nothing_in_flight(&name);
        }
    }
}

#[test]
fn many_more_ops_than_entries_all_finish() {
    let each = stress(OPS).div_ceil(TASKS * 4);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let path = folder.path().join("file");
    let content: Vec<u8> = (0..64 << 10).map(|at: u32| (at % 251) as u8).collect();
    std::fs::write(&path, &content).expect("a temporary file");
    let content = Arc::new(content);
    for_each_small_runtime(|name, runtime| {
        let before = annulus::stats();
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let (path, content) = (path.clone(), content.clone());
                runtime.spawn(async move {
                    let file = open(&path).await;
                    let mut buf = Vec::with_capacity(64);
                    for round in 0..each {
                        let offset = (task * 97 + round * 13) % (content.len() as u64 - 64);
                        let result;
                        (result, buf) = read_at(&file, buf, offset).await;
                        assert_eq!(result.expect("it reads"), 64);
                        assert_eq!(buf[..64], content[offset as usize..][..64]);
                        buf.clear();
                    }
                    each
                })
            })
            .collect();
        let mut finished = 0;
        for task in tasks {
            finished += runtime.block_on(task).expect("every byte is right");
        }
        let sqes = annulus::stats().sqes - before.sqes;
        println!("{name}: {finished} reads by {TASKS} tasks, {sqes} SQEs through {SQ} entries");
        assert_eq!(finished, each * TASKS);
    });
}

async fn open(path: &std::path::Path) -> File {
    OpenOptions::new()
        .read(true)
        .open(path)
        .await
        .expect("it is there")
}

#[test]
fn more_completions_at_once_than_the_queue_holds_all_arrive() {
    const STREAMS: usize = 400;
    let rounds = stress(OPS).div_ceil(STREAMS as u64 * 4);
    for_each_small_runtime(|name, runtime| {
        let before = annulus::stats().cq_overflows;
        let received = Arc::new(AtomicU64::new(0));
        let total = runtime.block_on(runtime.spawn({
            let received = received.clone();
            async move {
                // 1. Readers wait, each with an operation in the ring.
                let (mut peers, mut tasks) = (Vec::new(), Vec::new());
                for _ in 0..STREAMS {
                    let (mut stream, peer) = pair();
                    let received = received.clone();
                    peers.push(peer);
                    tasks.push(annulus::spawn(async move {
                        let mut byte = [0];
                        while stream.read(&mut byte).await.expect("the pair stands") > 0 {
                            received.fetch_add(1, Ordering::AcqRel);
                        }
                    }));
                }
                for round in 1..=rounds {
                    // 2. All of them complete while no worker of ours looks.
                    for peer in &mut peers {
                        peer.write_all(&[1]).expect("the buffer takes a byte");
                    }
                    // 3. Each reader gets its byte, and waits again.
                    annulus_tests::settled("every reader has its byte", || {
                        received.load(Ordering::Acquire) == round * STREAMS as u64
                    })
                    .await;
                }
                drop(peers);
                for task in tasks {
                    task.await.expect("it does not panic");
                }
                rounds * STREAMS as u64
            }
        }));
        let total = total.expect("it does not panic");
        let overflows = annulus::stats().cq_overflows - before;
        println!("{name}: {total} bytes to {STREAMS} readers, {overflows} overflows");
        assert!(
            overflows > 0 || rounds == 0,
            "{name}: the queue of {CQ} never overflowed"
        );
    });
}

#[test]
fn an_op_behind_many_others_reaches_the_kernel() {
    const STREAMS: usize = 100;
    for_each_small_runtime(|name, runtime| {
        // 1. Many reads wait, and no other task keeps the workers busy.
        let (mut tasks, mut peers) = (Vec::new(), Vec::new());
        let _context = runtime.enter();
        for _ in 0..STREAMS {
            let (mut stream, peer) = pair();
            peers.push(peer);
            tasks.push(runtime.spawn(async move { stream.read_u8().await }));
        }
        // 2. Only one of them is answered at a time, the last that came first.
        while let (Some(task), Some(mut peer)) = (tasks.pop(), peers.pop()) {
            let writer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1));
                peer.write_all(&[3]).expect("the buffer takes a byte");
                peer
            });
            let read = async { annulus::time::timeout(Duration::from_secs(20), task).await };
            let read = runtime
                .block_on(read)
                .expect("its operation never reached the kernel");
            assert_eq!(
                read.expect("it does not panic").expect("the pair stands"),
                3
            );
            writer.join().expect("it does not panic");
        }
        println!("{name}: {STREAMS} reads through {SQ} entries, answered backwards");
    });
}

#[test]
fn what_one_poll_submits_beyond_the_queue_reaches_the_kernel() {
    const STREAMS: usize = 100;
    for_each_small_runtime(|name, runtime| {
        let (mut streams, mut peers) = (Vec::new(), Vec::new());
        {
            let _context = runtime.enter();
            for _ in 0..STREAMS {
                let (stream, peer) = pair();
                streams.push(stream);
                peers.push(peer);
            }
        }
        // 1. A single poll starts more reads than the queue has entries, and no other task or
        //    completion makes the core look again.
        let task = runtime.spawn(async move {
            let reads = streams.iter_mut().map(|stream| Box::pin(stream.read_u8()));
            let (read, index, _rest) = futures::future::select_all(reads).await;
            (read.expect("the pair stands"), index)
        });
        // 2. Only the last of them is answered.
        let writer = std::thread::spawn(move || {
            settled_blocking("every read waits", || {
                annulus::stats().ops_in_flight >= STREAMS as u64
            });
            let last = peers.last_mut().expect("there are peers");
            last.write_all(&[3]).expect("the buffer takes a byte");
            peers
        });
        let read = async { annulus::time::timeout(Duration::from_secs(20), task).await };
        let read = runtime
            .block_on(read)
            .expect("its operation never reached the kernel");
        assert_eq!(read.expect("it does not panic"), (3, STREAMS - 1));
        drop(writer.join().expect("it does not panic"));
        println!("{name}: {STREAMS} reads of one poll through {SQ} entries");
    });
}

/// One end in annulus, one in the test's hand.
fn pair() -> (UnixStream, std::os::unix::net::UnixStream) {
    let (ours, peer) = std::os::unix::net::UnixStream::pair().expect("descriptors are left");
    ours.set_nonblocking(true)
        .expect("a socket can be non-blocking");
    (
        UnixStream::from_std(ours).expect("a runtime is in context"),
        peer,
    )
}

#[test]
fn timeouts_that_all_fire_at_once_cancel_every_op() {
    let count = stress(TIMEOUTS);
    // One for each read, and what the runtime and the test program have.
    let wanted = count + 200;
    if let Err(error) = fd_limit_at_least(wanted) {
        return skip(&format!(
            "raising the limit of descriptors to {wanted}: {error}"
        ));
    }
    for_each_small_runtime(|name, runtime| {
        let fired = runtime.block_on(runtime.spawn(async move {
            // 1. Every read waits until the same moment, which comes when all have begun.
            let begin = Duration::from_millis(50) + Duration::from_micros(50 * count);
            let deadline = annulus::time::Instant::now() + begin;
            let peer = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback has a port");
            let mut tasks = Vec::new();
            for _ in 0..count {
                let socket = UdpSocket::bind("127.0.0.1:0").await;
                let socket = socket.expect("loopback has a port");
                tasks.push(annulus::spawn(async move {
                    let timed = timeout_at(deadline, socket.recv(&mut [0; 8])).await;
                    timed.expect_err("nobody writes yet");
                    socket
                }));
            }
            // 2. All their cancels go through a queue of eight.
            let mut sockets = Vec::new();
            for task in tasks {
                sockets.push(task.await.expect("its timeout fired"));
            }
            // 3. No cancelled read swallows what comes then.
            let fired = sockets.len() as u64;
            for socket in sockets {
                let address = socket.local_addr().expect("it is bound");
                peer.send_to(&[7], address).expect("the buffer takes it");
                let mut bytes = [0; 8];
                assert_eq!(socket.recv(&mut bytes).await.expect("it came"), 1);
                assert_eq!(bytes[0], 7);
            }
            fired
        }));
        assert_eq!(fired.expect("no byte is lost"), count, "{name}");
        println!("{name}: {count} timeouts at once");
    });
}

#[test]
fn sleeps_that_all_end_at_once_all_wake() {
    let count = stress(TIMEOUTS);
    for_each_small_runtime(|name, runtime| {
        runtime.block_on(async {
            let deadline = annulus::time::Instant::now() + Duration::from_millis(50);
            let sleeps: Vec<_> = (0..count)
                .map(|_| annulus::spawn(annulus::time::sleep_until(deadline)))
                .collect();
            let start = Instant::now();
            for sleep in sleeps {
                sleep.await.expect("it does not panic");
            }
            println!(
                "{name}: {count} sleeps, done {:?} after the last was set",
                start.elapsed()
            );
        });
    });
}

//! An object belongs to the runtime that made it, and is used from another: its operations stay
//! with its home, and when that is gone they say so.

use std::io::{Read, Write};
use std::time::Duration;

use annulus::fs::OpenOptions;
use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::{Builder, RecvMode, Runtime};
use annulus::time::timeout;
use annulus::uring::{read_at, recv, write_at};
use annulus_tests::{
    Moment, Outcome, Peer, Random, connected, current_thread, drop_at, multi_thread,
    nothing_in_flight, on_a_machine, serial, stress, turns,
};

annulus::sim_install!();

/// Round trips of each pair of runtimes in a full run, and reads dropped.
const ROUNDS: u64 = 5000;

/// What tokio says of an object whose runtime has gone.
const SHUTDOWN: &str = "is being shutdown";

/// Runs `scenario` with two runtimes of each pair of flavours. The first is driven by a thread of
/// its own meanwhile, the second is for the scenario to drive.
fn for_each_pair(mode: RecvMode, mut scenario: impl FnMut(&str, &Runtime, &Runtime)) {
    if !on_a_machine("two threads drive two runtimes") {
        return;
    }
    let _serial = serial();
    type Flavor = (fn(RecvMode) -> Builder, &'static str);
    let flavors: [Flavor; 2] = [
        (current_thread, "current_thread"),
        (multi_thread, "multi_thread"),
    ];
    for (build_home, home_name) in flavors {
        for (build_other, other_name) in flavors {
            let name = format!("made on {home_name}, used on {other_name}, {mode:?}");
            let home = build_home(mode).build().expect("the runtime builds");
            let other = build_other(mode).build().expect("the runtime builds");
            let (stop, stopped) = annulus::sync::oneshot::channel::<()>();
            std::thread::scope(|scope| {
                scope.spawn(|| drop(home.block_on(stopped)));
                scenario(&name, &home, &other);
                stop.send(()).expect("the home runs until now");
            });
            drop(home);
            drop(other);
            nothing_in_flight(&name);
        }
    }
}

/// A connection whose stream has its home on `runtime`.
fn connected_on(runtime: &Runtime) -> (TcpStream, Peer) {
    let made = runtime.spawn(connected());
    futures::executor::block_on(made).expect("loopback connects")
}

/// Answers bytes with the same bytes, on a thread of its own, until the end.
fn echo(mut peer: Peer) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(read @ 1..) = peer.read(&mut bytes) {
            peer.write_all(&bytes[..read]).expect("the stream reads");
        }
    })
}

#[test]
fn a_stream_is_read_and_written_from_another_runtime() {
    let rounds = stress(ROUNDS);
    for mode in [RecvMode::Base, RecvMode::Hot] {
        for_each_pair(mode, |name, home, other| {
            let (mut stream, peer) = connected_on(home);
            let echo = echo(peer);
            let task = other.spawn(async move {
                for round in 0..rounds {
                    stream.write_u64(round).await.expect("the peer reads");
                    assert_eq!(stream.read_u64().await.expect("the peer answers"), round);
                }
                stream
            });
            let stream = other.block_on(task).expect("every answer is right");
            drop(stream);
            echo.join().expect("the peer sees the end");
            println!("{name}: {rounds} round trips");
        });
    }
}

#[test]
fn a_read_that_is_dropped_on_another_runtime_loses_no_byte() {
    let count = stress(ROUNDS);
    for mode in [RecvMode::Base, RecvMode::Hot] {
        for_each_pair(mode, |name, home, other| {
            let (mut stream, mut peer) = connected_on(home);
            let task = other.spawn(async move {
                let mut random = Random::new("moments of drops on another runtime");
                let moments = [Moment::Unpublished, Moment::InFlight, Moment::Completed];
                let (mut late, mut next) = (0, 0_u8);
                for _ in 0..count {
                    let moment = random.pick(&moments);
                    let write = || peer.write_all(&[next]).expect("the buffer takes a byte");
                    // 1. The home gets the read, the drop and the byte in any order.
                    let dropped = if random.below(2) == 0 {
                        let mut gone = [0; 8];
                        matches!(
                            drop_at(moment, stream.read(&mut gone), write).await,
                            Outcome::Woken
                        )
                    } else {
                        let read = recv(&stream, vec![0; 8]);
                        matches!(drop_at(moment, read, write).await, Outcome::Woken)
                    };
                    late += u64::from(dropped);
                    // 2. The next read has the byte.
                    let read = timeout(Duration::from_secs(20), stream.read_u8()).await;
                    let byte = read
                        .expect("a byte was lost")
                        .expect("the connection stands");
                    assert_eq!(byte, next);
                    next = next.wrapping_add(1);
                }
                late
            });
            let late = other.block_on(task).expect("no byte is lost");
            println!("{name}: {count} reads dropped, {late} after their byte had arrived");
            assert!(late >= count / 4, "{name}: {late} of {count} were late");
        });
    }
}

#[test]
fn timers_listeners_and_files_are_used_from_another_runtime() {
    for_each_pair(RecvMode::Auto, |_, home, other| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        let made = home.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("loopback binds");
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).open(path).await;
            let mut sleep = Box::pin(annulus::time::sleep(Duration::from_millis(20)));
            assert!(futures::poll!(sleep.as_mut()).is_pending());
            (listener, file.expect("the folder takes a file"), sleep)
        });
        let made = futures::executor::block_on(made);
        let (listener, file, sleep) = made.expect("making them does not panic");
        let address = listener.local_addr().expect("it is bound");
        let used = other.spawn(async move {
            sleep.await;
            let client = std::net::TcpStream::connect(address).expect("it listens");
            let (stream, peer) = listener.accept().await.expect("accepts");
            assert_eq!(peer, client.local_addr().expect("it is connected"));
            drop((stream, listener));
            let (written, buf) = write_at(&file, b"elsewhere".to_vec(), 0).await;
            assert_eq!(written.expect("the disk has room"), buf.len());
            let (read, buf) = read_at(&file, Vec::with_capacity(32), 0).await;
            assert_eq!(read.expect("it was written"), 9);
            assert_eq!(buf, b"elsewhere");
        });
        other.block_on(used).expect("it does not panic");
    });
}

#[test]
fn whoever_waits_elsewhere_is_told_that_the_home_has_gone() {
    let _serial = serial();
    for mode in [RecvMode::Base, RecvMode::Hot] {
        for round in 0..stress(400) {
            let mut builder = if round % 2 == 0 {
                current_thread(mode)
            } else {
                multi_thread(mode)
            };
            let home = builder.build().expect("the runtime builds");
            let other = multi_thread(mode).build().expect("the runtime builds");
            let (stream, _peer, listener) = home.block_on(async {
                let (stream, peer) = connected().await;
                let listener = TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("loopback binds");
                (stream, peer, listener)
            });
            // 1. A task of another runtime waits for a socket, in each of three ways.
            let stream = std::sync::Arc::new(stream);
            let readable = {
                let stream = stream.clone();
                other.spawn(async move { stream.readable().await.map(|()| 0) })
            };
            let receive = other.spawn(async move { recv(&*stream, vec![0; 8]).await.0 });
            let accept = other.spawn(async move { listener.accept().await.map(|_| 0) });
            if round % 4 < 2 {
                other
                    .block_on(other.spawn(turns()))
                    .expect("it does not panic");
            }
            // 2. The home goes.
            drop(home);
            // 3. Each is told so.
            for (what, task) in [
                ("readable", readable),
                ("recv", receive),
                ("accept", accept),
            ] {
                let ended = other.block_on(async { timeout(Duration::from_secs(20), task).await });
                let ended = ended.unwrap_or_else(|_| panic!("{what} was not told"));
                let error = ended
                    .expect("it does not panic")
                    .expect_err("there is no home");
                assert!(error.to_string().contains(SHUTDOWN), "{what}: {error}");
            }
            drop(other);
            nothing_in_flight("a home that has gone");
        }
    }
}

//! P18: dropping a socket closes it at once, whoever drops it and wherever the workers are: the
//! peer sees the end, and the port can be bound again.
//!
//! The hazard: a standing poll keeps its file alive after close(2). So every socket here has had
//! a poll that waits.

use std::future::Future;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use annulus::io::AsyncReadExt;
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::Runtime;
use annulus_tests::{
    connected, for_each_local, for_each_runtime, has_closed, on_thread, settled_blocking, stress,
    turns,
};

/// Sockets of each kind dropped in each place, in a full run.
const DROPS: u64 = 2000;

/// A listener whose accept waits, and a stream whose read waits, with its peer.
struct Armed {
    listener: TcpListener,
    address: SocketAddr,
    stream: TcpStream,
    peer: std::net::TcpStream,
}

/// Polls once what then waits; its operation stands in the ring afterwards.
async fn stand<F: Future>(future: F) {
    let mut future = Box::pin(future);
    let polled = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(
        matches!(polled, Poll::Pending),
        "there was nothing to wait for"
    );
    turns().await;
}

async fn armed() -> Armed {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback binds");
    let address = listener.local_addr().expect("it is bound");
    let (mut stream, peer) = connected().await;
    stand(listener.accept()).await;
    stand(stream.read(&mut [0; 16])).await;
    Armed {
        listener,
        address,
        stream,
        peer,
    }
}

/// In a task, so that the sockets' home is a worker.
fn armed_on(runtime: &Runtime) -> Armed {
    runtime
        .block_on(runtime.spawn(armed()))
        .expect("arming does not panic")
}

/// Asserts that the port is free and the peer has seen the end.
fn assert_closed(address: SocketAddr, mut peer: std::net::TcpStream) {
    // std sets SO_REUSEADDR, so only a socket that still listens is in the way.
    settled_blocking("the port is free", || {
        std::net::TcpListener::bind(address).is_ok()
    });
    assert!(has_closed(&mut peer), "the peer never saw the end");
}

/// How many sockets of each kind a place drops.
fn rounds() -> u64 {
    stress(DROPS).div_ceil(4)
}

#[test]
fn a_socket_dropped_by_a_task_is_closed() {
    for_each_runtime(|name, runtime| {
        for _ in 0..rounds() {
            let Armed {
                listener,
                address,
                stream,
                peer,
            } = armed_on(runtime);
            let dropper = runtime.spawn(async move {
                drop(listener);
                drop(stream);
            });
            runtime.block_on(dropper).expect("dropping does not panic");
            assert_closed(address, peer);
        }
        println!("{name}: {} listeners and streams", rounds());
    });
}

#[test]
fn a_socket_dropped_by_a_foreign_thread_while_all_workers_park_is_closed() {
    for_each_runtime(|name, runtime| {
        for _ in 0..rounds() {
            // 1. A worker arms them, and has nothing more to do.
            let Armed {
                listener,
                address,
                stream,
                peer,
            } = armed_on(runtime);
            // 2. This thread waits in block_on for the one that drops them.
            let (done, waiting) = annulus::sync::oneshot::channel();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    drop(listener);
                    drop(stream);
                    assert_closed(address, peer);
                    done.send(()).expect("block_on waits");
                });
                runtime
                    .block_on(waiting)
                    .expect("the thread does not panic");
            });
        }
        println!("{name}: {} listeners and streams", rounds());
    });
}

#[test]
fn a_socket_dropped_after_block_on_has_returned_is_closed() {
    for_each_runtime(|name, runtime| {
        for round in 0..rounds() {
            // 1. Nobody drives a current_thread runtime from here on.
            let Armed {
                listener,
                address,
                stream,
                peer,
            } = armed_on(runtime);
            // 2. The thread that drove it drops them, or another one.
            let close = || {
                drop(listener);
                drop(stream);
                assert_closed(address, peer);
            };
            if round % 2 == 0 {
                close()
            } else {
                on_thread(close)
            }
        }
        println!("{name}: {} listeners and streams", rounds());
    });
}

#[test]
fn a_socket_dropped_while_its_home_joins_the_dropper_is_closed() {
    for_each_runtime(|name, runtime| {
        for _ in 0..rounds() {
            let home = runtime.spawn(async {
                let Armed {
                    listener,
                    address,
                    stream,
                    peer,
                } = armed().await;
                // The home's thread sleeps in join(2), not in its ring, until the port is free.
                on_thread(|| {
                    drop(listener);
                    drop(stream);
                    assert_closed(address, peer);
                });
            });
            runtime
                .block_on(home)
                .expect("the port was free while the home slept");
        }
        println!("{name}: {} listeners and streams", rounds());
    });
}

#[test]
fn a_socket_dropped_on_a_local_runtime_is_closed_at_its_next_turn() {
    for_each_local(|name, runtime| {
        for round in 0..rounds() {
            let armed = runtime.block_on(armed());
            // 1. At home it is closed at once; from elsewhere at the home's next turn.
            let (address, peer) = (armed.address, armed.peer);
            let close = || drop((armed.listener, armed.stream));
            match round % 3 {
                0 => runtime.block_on(async { close() }),
                1 => close(),
                _ => on_thread(close),
            }
            // 2. Which comes, although nobody wakes it but the drop.
            let closed = runtime.spawn_blocking(move || assert_closed(address, peer));
            runtime
                .block_on(closed)
                .expect("the port is free, and the peer has seen the end");
        }
        println!("{name}: {} listeners and streams", rounds());
    });
}

#[test]
fn a_socket_that_its_runtime_survives_in_another_task_is_closed_by_the_last_half() {
    for_each_runtime(|_, runtime| {
        let mut peer = runtime.block_on(async {
            let (stream, peer) = connected().await;
            let (mut read, write) = stream.into_split();
            // 1. One half waits in a task, the other goes: a write half shuts its side down.
            let reader = annulus::spawn(async move { read.read(&mut [0; 16]).await });
            turns().await;
            drop(write);
            // 2. Aborting the reader drops the last half, and that closes.
            reader.abort();
            let error = reader.await.expect_err("it was aborted");
            assert!(error.is_cancelled());
            peer
        });
        assert!(has_closed(&mut peer), "the peer never saw the end");
    });
}

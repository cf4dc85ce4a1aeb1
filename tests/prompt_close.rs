//! P18: dropping a socket closes it at once, whoever drops it and wherever the workers are: the
//! peer sees the end, and the port can be bound again.
//!
//! The hazard: a standing poll keeps its file alive after close(2). So every socket here has had
//! a poll that waits.

use std::future::Future;
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use annulus::io::AsyncReadExt;
use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::{Handle, Mask, RecvMode, Runtime};
use annulus_tests::{
    Peer, connected, current_thread, for_each_local, for_each_runtime, has_closed, is_simulated,
    nothing_in_flight, on_a_machine, on_thread, serial, settled_blocking, since, stress, turns,
};

annulus::sim_install!();

/// Sockets of each kind dropped in each place, in a full run.
const DROPS: u64 = 2000;

/// A listener whose accept waits, and a stream whose read waits, with its peer.
struct Armed {
    listener: TcpListener,
    address: SocketAddr,
    stream: TcpStream,
    peer: Peer,
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
fn assert_closed(handle: &Handle, address: SocketAddr, mut peer: Peer) {
    // std sets SO_REUSEADDR, so only a socket that still listens is in the way.
    if is_simulated() {
        handle.block_on(async {
            while TcpListener::bind(address).await.is_err() {
                annulus::time::sleep(Duration::from_millis(1)).await;
            }
        });
    } else {
        settled_blocking("the port is free", || {
            std::net::TcpListener::bind(address).is_ok()
        });
    }
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
            assert_closed(runtime.handle(), address, peer);
        }
        println!("{name}: {} listeners and streams", rounds());
    });
}

#[test]
fn a_socket_dropped_by_a_foreign_thread_while_all_workers_park_is_closed() {
    if !on_a_machine("a thread of its own drops the socket") {
        return;
    }
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
                    assert_closed(runtime.handle(), address, peer);
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
                assert_closed(runtime.handle(), address, peer);
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
fn a_socket_dropped_as_block_on_returns_is_closed_though_the_kernel_is_old() {
    if !on_a_machine("a thread of its own drops the socket") {
        return;
    }
    let _serial = serial();
    let count = stress(DROPS) * 2;
    for mode in [RecvMode::Base, RecvMode::Hot] {
        // Before 6.0 only a turn of the core closes what has a standing poll.
        let mut builder = current_thread(mode);
        let runtime = builder.kernel_mask(Mask::V5_19).build();
        let runtime = runtime.expect("the runtime builds");
        for _ in 0..count {
            let Armed {
                listener,
                address,
                stream,
                peer,
            } = armed_on(&runtime);
            // 1. The thread that drives the core returns, in the same moment as another drops.
            let (done, waiting) = annulus::sync::oneshot::channel();
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    done.send(()).expect("block_on waits");
                    drop((listener, stream));
                });
                runtime
                    .block_on(waiting)
                    .expect("the thread does not panic");
            });
            // 2. Nobody drives it from here on.
            assert_closed(runtime.handle(), address, peer);
        }
        drop(runtime);
        nothing_in_flight("as block_on returns");
        println!("{mode:?}: {count} listeners and streams");
    }
}

#[test]
fn a_socket_dropped_while_its_home_joins_the_dropper_is_closed() {
    if !on_a_machine("a thread of its own drops the socket")
        || !since(6, 0, "no other thread can cancel what stands in a ring")
    {
        return;
    }
    for_each_runtime(|name, runtime| {
        for _ in 0..rounds() {
            let handle = runtime.handle().clone();
            let home = runtime.spawn(async move {
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
                    assert_closed(&handle, address, peer);
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
            let handle = runtime.handle().clone();
            let closed = runtime.spawn_blocking(move || assert_closed(&handle, address, peer));
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

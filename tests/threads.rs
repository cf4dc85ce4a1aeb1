//! P19: a runtime is not tied to a thread.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::runtime::RecvMode;
use annulus_tests::{
    connected, current_thread, multi_thread, nothing_in_flight, on_thread, serial, stress, turns,
};

annulus::sim_install!();

/// Rounds of a full run.
const ROUNDS: u64 = 500;

#[test]
fn built_on_one_thread_driven_on_two_more_and_dropped_on_a_fourth() {
    let _serial = serial();
    let rounds = stress(ROUNDS).div_ceil(4);
    for (mode, mode_name) in [(RecvMode::Base, "base"), (RecvMode::Hot, "hot")] {
        for (mut builder, flavor) in [
            (current_thread(mode), "current_thread"),
            (multi_thread(mode), "multi_thread"),
        ] {
            for _ in 0..rounds {
                // 1. Thread A builds it.
                let runtime = on_thread(|| builder.build().expect("the runtime builds"));
                // 2. Thread B makes a connection and leaves a read and a timer behind, in a task.
                let (task, mut peer) = on_thread(|| {
                    runtime.block_on(async {
                        let (mut stream, peer) = connected().await;
                        let task = annulus::spawn(async move {
                            annulus::time::sleep(Duration::from_millis(1)).await;
                            let byte = stream.read_u8().await.expect("a byte comes");
                            stream.write_u8(byte + 1).await.expect("a byte goes");
                            byte
                        });
                        turns().await;
                        (task, peer)
                    })
                });
                // 3. Thread C drives it on: the read that B submitted is answered here.
                on_thread(|| {
                    peer.write_all(&[41]).expect("the buffer takes a byte");
                    assert_eq!(runtime.block_on(task).expect("it finishes"), 41);
                    let mut answer = [0];
                    peer.read_exact(&mut answer).expect("a byte comes");
                    assert_eq!(answer, [42]);
                });
                // 4. Something is in flight when thread D drops it.
                let stream = on_thread(|| {
                    runtime.block_on(async {
                        let (mut stream, peer) = connected().await;
                        drop(annulus::spawn(async move {
                            let _peer = peer;
                            stream.read_u8().await
                        }));
                        let (stream, _peer) = connected().await;
                        turns().await;
                        stream
                    })
                });
                on_thread(move || drop(runtime));
                nothing_in_flight(flavor);
                // 5. A socket that outlives its runtime can still be dropped.
                drop(stream);
            }
            println!("{flavor}, {mode_name}: {rounds} runtimes over four threads each");
        }
    }
}

#[test]
fn two_threads_take_turns_in_block_on() {
    let _serial = serial();
    let runtime = current_thread(RecvMode::Auto)
        .build()
        .expect("the runtime builds");
    let rounds = stress(ROUNDS * 4);
    // Each thread's block_on finishes only through the other's, so the core has to pass to
    // whoever is left when the one that holds it returns.
    let (to_left, mut left) = annulus::sync::mpsc::channel::<u64>(1);
    let (to_right, mut right) = annulus::sync::mpsc::channel::<u64>(1);
    std::thread::scope(|scope| {
        let runtime = &runtime;
        scope.spawn(move || {
            for round in 0..rounds {
                runtime.block_on(async {
                    to_right.send(round).await.expect("the other thread runs");
                    assert_eq!(left.recv().await, Some(round));
                    annulus::time::sleep(Duration::from_micros(10)).await;
                });
            }
        });
        scope.spawn(move || {
            for round in 0..rounds {
                runtime.block_on(async {
                    annulus::time::sleep(Duration::from_micros(10)).await;
                    assert_eq!(right.recv().await, Some(round));
                    to_left.send(round).await.expect("the other thread runs");
                });
            }
        });
    });
    println!("{rounds} rounds by two threads");
    drop(runtime);
    nothing_in_flight("two threads");
}

#[test]
fn block_in_place_keeps_the_objects_of_its_core_served() {
    let _serial = serial();
    for mode in [RecvMode::Base, RecvMode::Hot] {
        // One worker: whoever reads the socket has the core that block_in_place gives up.
        let mut builder = multi_thread(mode);
        let runtime = builder
            .worker_threads(1)
            .build()
            .expect("the runtime builds");
        for _ in 0..stress(ROUNDS) {
            let received = runtime.block_on(runtime.spawn(async {
                // 1. A task of this core waits for a socket of this core, with a read in flight.
                let (mut stream, mut peer) = connected().await;
                let (sender, receiver) = mpsc::channel();
                annulus::spawn(async move {
                    let byte = stream.read_u8().await.expect("a byte comes");
                    sender.send(byte).expect("the receiver waits");
                });
                turns().await;
                // 2. This task blocks its thread until that one has sent.
                annulus::task::block_in_place(|| {
                    peer.write_all(&[9]).expect("the buffer takes a byte");
                    receiver.recv_timeout(Duration::from_secs(20))
                })
            }));
            assert_eq!(received.expect("it does not panic"), Ok(9));
        }
        drop(runtime);
        nothing_in_flight("block_in_place");
    }
}

#[test]
fn block_in_place_in_block_on_of_a_multi_thread_runtime() {
    let _serial = serial();
    let runtime = multi_thread(RecvMode::Auto)
        .build()
        .expect("the runtime builds");
    let received = runtime.block_on(async {
        let (mut stream, mut peer) = connected().await;
        let (sender, receiver) = mpsc::channel();
        annulus::spawn(async move {
            let byte = stream.read_u8().await.expect("a byte comes");
            sender.send(byte).expect("the receiver waits");
        });
        annulus::task::block_in_place(|| {
            peer.write_all(&[9]).expect("the buffer takes a byte");
            receiver.recv_timeout(Duration::from_secs(20))
        })
    });
    assert_eq!(received, Ok(9));
    drop(runtime);
    nothing_in_flight("block_in_place");
}

#[test]
fn a_runtime_in_a_thread_local_is_dropped_by_the_ending_thread() {
    use std::cell::RefCell;
    let _serial = serial();
    thread_local! {
        static RUNTIME: RefCell<Option<annulus::runtime::Runtime>> = const { RefCell::new(None) };
    }
    let ended = std::thread::spawn(|| {
        RUNTIME.with_borrow_mut(|slot| {
            let runtime = slot.insert(current_thread(RecvMode::Auto).build().expect("it builds"));
            runtime.block_on(async {
                let (mut stream, peer) = connected().await;
                drop(annulus::spawn(async move {
                    let _peer = peer;
                    stream.read_u8().await
                }));
                turns().await;
            });
        });
    });
    ended.join().expect("the destructor does not panic");
    nothing_in_flight("thread_local");
}

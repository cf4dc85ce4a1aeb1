//! Threads that meet at the same moment: whoever comes second finds things in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use annulus::runtime::{Mask, RecvMode};
use annulus::task::{block_in_place, yield_now};
use annulus_tests::{
    FdKind, Random, connected, current_thread, descriptors, multi_thread, nothing_in_flight,
    serial, stress,
};
use futures::channel::oneshot;
use futures::poll;

annulus::sim_install!();

fn rings() -> usize {
    descriptors().get(&FdKind::Ring).copied().unwrap_or(0)
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn two_threads_take_turns_at_one_runtime_while_others_spawn_and_drop() {
    let _serial = serial();
    let rounds = stress(200);
    for round in 0..rounds {
        let runtime = current_thread(RecvMode::Auto)
            .build()
            .expect("the runtime builds");
        let done = Arc::new(AtomicU64::new(0));
        let goal = 200;
        std::thread::scope(|scope| {
            // 1. Two threads block on it again and again, each for a moment.
            for _ in 0..2 {
                let (runtime, done) = (&runtime, &done);
                scope.spawn(move || {
                    while done.load(Ordering::Acquire) < goal {
                        runtime.block_on(async {
                            annulus::time::sleep(Duration::from_micros(10)).await;
                            annulus::spawn(yield_now()).await.expect("it ends well");
                        });
                    }
                });
            }
            // 2. A third spawns, and 4. a fourth drops what it got half of the time.
            let (sender, receiver) = std::sync::mpsc::channel();
            scope.spawn(|| {
                let sender = sender;
                for n in 0..goal {
                    let done = done.clone();
                    let task = runtime.spawn(async move {
                        if n % 3 == 0 {
                            annulus::time::sleep(Duration::from_millis(1)).await;
                        }
                        yield_now().await;
                        done.fetch_add(1, Ordering::AcqRel);
                    });
                    sender.send(task).expect("the other end takes all");
                }
            });
            scope.spawn(|| {
                for (n, task) in receiver.into_iter().enumerate() {
                    if n % 2 == 0 {
                        drop(task);
                    } else {
                        runtime.block_on(task).expect("it ends well");
                    }
                }
            });
        });
        assert_eq!(done.load(Ordering::Acquire), goal, "round {round}");
    }
    nothing_in_flight("after the last round");
    assert_eq!(rings(), 0);
}

#[test]
fn tasks_are_spawned_stolen_woken_from_afar_and_aborted_and_none_is_forgotten() {
    let _serial = serial();
    let mut random = Random::new("storm");
    for round in 0..stress(80) {
        let mut builder = multi_thread(RecvMode::Auto);
        builder.worker_threads(2 + round as usize % 3);
        if round % 4 == 3 {
            builder.kernel_mask(Mask::V5_19);
        }
        let runtime = builder.build().expect("the runtime builds");
        let ended = Arc::new(AtomicU64::new(0));
        struct Ended(Arc<AtomicU64>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::AcqRel);
            }
        }
        const TASKS: u64 = 400;
        let mut wakers = Vec::new();
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            let (wake, woken) = oneshot::channel::<()>();
            let guard = Ended(ended.clone());
            // 1. Each task spawns another, waits to be woken from this thread, and joins it.
            let task = runtime.spawn(async move {
                let _guard = guard;
                let inner = annulus::spawn(async {
                    for _ in 0..3 {
                        yield_now().await;
                    }
                });
                let _ = woken.await;
                inner.await.expect("it ends well");
            });
            wakers.push(wake);
            tasks.push(task);
        }
        // 2. Some are aborted, all others are woken, by two threads.
        let aborted: Vec<bool> = (0..TASKS).map(|_| random.below(4) == 0).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for (task, _) in tasks.iter().zip(&aborted).filter(|(_, aborted)| **aborted) {
                    task.abort();
                }
            });
            scope.spawn(|| {
                for wake in wakers {
                    // Refused by a task that was aborted before.
                    let _ = wake.send(());
                }
            });
        });
        // 3. All end.
        for (task, aborted) in tasks.into_iter().zip(aborted) {
            let result = runtime.block_on(task);
            assert!(result.is_ok() || aborted, "round {round}");
        }
        drop(runtime);
        assert_eq!(ended.load(Ordering::Acquire), TASKS);
    }
    nothing_in_flight("after the last round");
    assert_eq!(rings(), 0);
}

#[test]
fn a_runtime_that_ends_as_a_blocking_closure_does_ends_all_its_cores() {
    let _serial = serial();
    let mut random = Random::new("block_in_place at the end");
    for round in 0..stress(4000) {
        let runtime = multi_thread(RecvMode::Auto)
            .build()
            .expect("the runtime builds");
        let begun = Arc::new(AtomicBool::new(false));
        for n in 0..2 {
            let begun = begun.clone();
            let time = Duration::from_micros(random.below(120));
            drop(runtime.spawn(async move {
                for _ in 0..=n {
                    block_in_place(|| {
                        begun.store(true, Ordering::Release);
                        spin(time);
                    });
                }
                yield_now().await;
            }));
        }
        while !begun.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        spin(Duration::from_micros(random.below(120)));
        drop(runtime);
        assert_eq!(rings(), 0, "round {round}");
    }
    nothing_in_flight("after the last round");
}

#[test]
fn sockets_dropped_elsewhere_on_an_old_kernel_give_the_core_back_to_the_end() {
    let _serial = serial();
    for round in 0..stress(1000) {
        let mut builder = current_thread(RecvMode::Base);
        let runtime = builder
            .kernel_mask(Mask::V5_19)
            .build()
            .expect("the runtime builds");
        // 1. Sockets with a poll that stands, which nobody drives now.
        let mut peers = Vec::new();
        let streams: Vec<_> = runtime.block_on(async {
            let mut streams = Vec::new();
            for _ in 0..6 {
                let (stream, peer) = connected().await;
                assert!(poll!(Box::pin(stream.readable())).is_pending());
                streams.push(stream);
                peers.push(peer);
            }
            streams
        });
        // 2. Another thread drops them, for which it borrows the core, as the runtime ends.
        let going = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for stream in streams {
                    drop(stream);
                    going.store(true, Ordering::Release);
                }
            });
            while !going.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
            spin(Duration::from_micros(round % 40));
            drop(runtime);
        });
        assert_eq!(rings(), 0, "round {round}");
    }
    nothing_in_flight("after the last round");
}

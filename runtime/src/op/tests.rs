//! The life of an operation, told by operations that only these tests have.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use annulus_ring::{Cqe, Errno, Mask, Opcode, Sqe};

use super::{Op, Submit, Timer};
use crate::reactor::Home;
use crate::runtime::{Builder, Runtime};
use crate::task::yield_now;

/// Counts how many of what it is in are alive.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, Ordering::SeqCst);
        Alive(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A NOP that goes round `rounds` more times.
struct Nop {
    rounds: u32,
    alive: Alive,
}

// SAFETY: a NOP lends the kernel nothing.
unsafe impl Op for Nop {
    type Output = (io::Result<u32>, Alive);
    const CODE: Opcode = Opcode::NOP;

    fn fill(&mut self, sqe: &mut Sqe) {
        sqe.prep_nop();
    }

    fn again(&mut self, _cqe: Cqe) -> bool {
        let again = self.rounds > 0;
        self.rounds = self.rounds.saturating_sub(1);
        again
    }

    fn finish(self, cqe: Cqe) -> Self::Output {
        (cqe.result().map_err(Into::into), self.alive)
    }
}

/// A read of a pipe into memory of its own.
struct ReadPipe {
    pipe: Arc<OwnedFd>,
    buf: Box<[u8; 8]>,
    alive: Alive,
}

// SAFETY: the buffer is on the heap and belongs to the operation.
unsafe impl Op for ReadPipe {
    type Output = (io::Result<u32>, Box<[u8; 8]>, Alive);
    const CODE: Opcode = Opcode::READ;

    fn fill(&mut self, sqe: &mut Sqe) {
        let (start, len) = (self.buf.as_mut_ptr(), self.buf.len() as u32);
        // SAFETY: the buffer outlives the operation, as above.
        unsafe { sqe.prep_read(self.pipe.as_raw_fd(), start, len, u64::MAX) };
    }

    fn finish(self, cqe: Cqe) -> Self::Output {
        (cqe.result().map_err(Into::into), self.buf, self.alive)
    }
}

fn runtimes(mask: Mask) -> [Runtime; 2] {
    let mut single = Builder::new_current_thread();
    let mut multi = Builder::new_multi_thread();
    multi.worker_threads(2);
    [single, multi].map(|mut builder| {
        let builder = builder.ring_entries(8, 16).kernel_mask(mask);
        builder.build().expect("a ring of 8 entries")
    })
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn more_operations_than_the_queues_hold_all_finish() {
    for runtime in runtimes(Mask::NONE) {
        let alive = Arc::new(AtomicUsize::new(0));
        let count = alive.clone();
        runtime.block_on(async move {
            let task = crate::spawn(async move {
                let home = Home::current();
                let nops: Vec<_> = (0..1000)
                    .map(|n| {
                        Submit::start(
                            &home,
                            Nop {
                                rounds: n % 3,
                                alive: Alive::new(&count),
                            },
                        )
                    })
                    .collect();
                for nop in nops {
                    assert_eq!(nop.await.0.expect("a NOP succeeds"), 0);
                }
            });
            task.await.expect("the task ends well");
        });
        drop(runtime);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn operations_from_a_thread_that_is_not_the_home_finish() {
    for mask in [Mask::NONE, Mask::V5_19] {
        for runtime in runtimes(mask) {
            let alive = Arc::new(AtomicUsize::new(0));
            let home = runtime.handle().scheduler().next_home();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for round in 0..200 {
                            let op = Nop {
                                rounds: round % 2,
                                alive: Alive::new(&alive),
                            };
                            let mut nop = Submit::new(&home, op);
                            if round % 5 == 0 {
                                let _ = poll_once(&mut nop);
                            } else {
                                runtime.block_on(nop).0.expect("a NOP succeeds");
                            }
                        }
                    });
                }
            });
            drop(runtime);
            assert_eq!(alive.load(Ordering::SeqCst), 0);
        }
    }
}

#[test]
fn a_dropped_read_keeps_its_memory_until_the_kernel_lets_go() {
    for runtime in runtimes(Mask::NONE) {
        let alive = Arc::new(AtomicUsize::new(0));
        let home = runtime.handle().scheduler().next_home();
        let (pipe, _writer) = home.kernel().pipe().expect("a pipe");
        let pipe = Arc::new(pipe);
        // 1. On a thread that drives nothing, and 2. in a task, dropped in flight.
        let submit = || {
            let op = ReadPipe {
                pipe: pipe.clone(),
                buf: Box::default(),
                alive: Alive::new(&alive),
            };
            Submit::start(&home, op)
        };
        drop(submit());
        let in_task = submit();
        runtime.block_on(async {
            crate::spawn(async move {
                yield_now().await;
                drop(in_task);
            })
            .await
            .expect("the task ends well");
        });
        // 3. Still in flight when the runtime goes.
        let third = submit();
        drop(runtime);
        drop(third);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_cancelled_read_comes_back_with_ecanceled_and_its_buffer() {
    for runtime in runtimes(Mask::NONE) {
        let alive = Arc::new(AtomicUsize::new(0));
        let home = runtime.handle().scheduler().next_home();
        let (pipe, _writer) = home.kernel().pipe().expect("a pipe");
        let op = ReadPipe {
            pipe: Arc::new(pipe),
            buf: Box::default(),
            alive: Alive::new(&alive),
        };
        let (result, buf, _) = runtime.block_on(async {
            let mut read = Submit::start(&home, op);
            assert!(poll_once(&mut read).is_pending());
            yield_now().await;
            read.cancel();
            read.await
        });
        let error = result.expect_err("nobody wrote");
        assert_eq!(error.raw_os_error(), Some(os::ECANCELED));
        assert_eq!(*buf, [0; 8]);
    }
}

#[test]
fn a_result_that_nobody_polled_is_discarded() {
    for runtime in runtimes(Mask::NONE) {
        let alive = Arc::new(AtomicUsize::new(0));
        let home = runtime.handle().scheduler().next_home();
        runtime.block_on(async {
            let nop = Submit::start(
                &home,
                Nop {
                    rounds: 0,
                    alive: Alive::new(&alive),
                },
            );
            while !nop.is_finished() {
                yield_now().await;
                std::thread::yield_now();
            }
        });
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn an_operation_after_the_end_fails_with_its_memory_intact() {
    let [single, multi] = runtimes(Mask::NONE);
    for runtime in [single, multi] {
        let alive = Arc::new(AtomicUsize::new(0));
        let home = runtime.handle().scheduler().next_home();
        drop(runtime);
        let mut nop = Submit::new(
            &home,
            Nop {
                rounds: 0,
                alive: Alive::new(&alive),
            },
        );
        let Poll::Ready((Err(error), _)) = poll_once(&mut nop) else {
            panic!("it cannot run")
        };
        assert_eq!(error.raw_os_error(), Some(os::ECANCELED));
    }
}

/// Cancels an operation when it is woken.
struct CancelOnWake(Mutex<Option<Submit<Nop>>>);

impl Wake for CancelOnWake {
    fn wake(self: Arc<Self>) {
        let mut slot = self.0.lock().expect("nobody panicked");
        slot.as_mut().expect("not taken yet").cancel();
    }
}

#[test]
fn an_operation_that_went_round_as_it_was_cancelled_ends_once_at_shutdown() {
    let [runtime, _] = runtimes(Mask::NONE);
    let alive = Arc::new(AtomicUsize::new(0));
    let other = runtime.block_on(async {
        let home = Home::current();
        let op = |rounds| Nop {
            rounds,
            alive: Alive::new(&alive),
        };
        let mut first = Submit::new(&home, op(0));
        let cancel = Arc::new(CancelOnWake(Mutex::new(None)));
        let waker = Waker::from(cancel.clone());
        assert!(
            Pin::new(&mut first)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        *cancel.0.lock().expect("nobody panicked") = Some(Submit::start(&home, op(1)));
        // The first one's completion puts the other into the inbox; the next one in the same turn
        // puts it in line, and there is no turn after.
        home.with_core(|core| core.turn());
        cancel
    });
    drop(runtime);
    let other = other.0.lock().expect("nobody panicked").take();
    drop(other.expect("it stayed"));
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn operations_from_three_threads_and_an_end_at_any_moment_leave_nothing() {
    let alive = Arc::new(AtomicUsize::new(0));
    for round in 0..150_u64 {
        let mask = [Mask::NONE, Mask::V5_19][round as usize / 2 % 2];
        let [single, multi] = runtimes(mask);
        let runtime = if round % 2 == 0 { single } else { multi };
        let homes = [(); 2].map(|()| runtime.handle().scheduler().next_home());
        let (pipe, _writer) = homes[0].kernel().pipe().expect("a pipe");
        let pipe = Arc::new(pipe);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (homes, pipe, alive, stop) = (&homes, &pipe, &alive, &stop);
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for n in 0.. {
                        if stop.load(Ordering::Acquire) {
                            break;
                        }
                        let home = &homes[n % homes.len()];
                        let alive = Alive::new(alive);
                        if n % 3 == thread % 3 {
                            let op = ReadPipe {
                                pipe: pipe.clone(),
                                buf: Box::default(),
                                alive,
                            };
                            let mut read = Submit::start(home, op);
                            if n % 4 == 0 {
                                read.cancel();
                            }
                            if n % 8 == 1 {
                                held.push(read);
                            }
                        } else {
                            let mut nop = Submit::new(home, Nop { rounds: 1, alive });
                            let _ = poll_once(&mut nop);
                            if n % 5 == 0 {
                                std::thread::yield_now();
                            }
                        }
                        let mut timer = Timer::new(home, home.clock().tick_now() + 1);
                        if n % 7 == 0 && home.refusal().is_none() {
                            // It panics where the end comes in between, as tokio's does.
                            let polled = catch_unwind(AssertUnwindSafe(|| {
                                timer.poll_elapsed(&mut Context::from_waker(Waker::noop()))
                            }));
                            drop(polled);
                        }
                    }
                    drop(held);
                });
            }
            let micros = 37 * round % 500;
            runtime.block_on(async {
                let start = std::time::Instant::now();
                while start.elapsed().as_micros() < u128::from(micros) {
                    yield_now().await;
                }
            });
            drop(runtime);
            stop.store(true, Ordering::Release);
        });
        assert_eq!(alive.load(Ordering::SeqCst), 0, "round {round}");
        // One runtime has two homes, the other one home that is named twice.
        let left = 2 - round as usize % 2;
        assert!(homes.iter().all(|home| Arc::strong_count(home) == left));
    }
}

#[test]
#[should_panic = "nothing is left that could wake this future"]
fn a_root_that_waits_for_what_a_dead_ring_keeps_does_not_wait_for_ever() {
    let [runtime, _] = runtimes(Mask::NONE);
    let alive = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let home = Home::current();
        let (pipe, _writer) = home.kernel().pipe().expect("a pipe");
        let op = ReadPipe {
            pipe: Arc::new(pipe),
            buf: Box::default(),
            alive: Alive::new(&alive),
        };
        let mut read = Submit::start(&home, op);
        assert!(poll_once(&mut read).is_pending());
        home.with_core(|core| core.turn());
        // It is in the kernel's hands, and has no output without its buffer.
        home.set_dead(Errno::EPERM);
        drop(read.await);
    });
}

#[test]
fn who_waits_on_a_thread_of_no_runtime_is_woken_by_the_end() {
    for runtime in runtimes(Mask::NONE) {
        let alive = Arc::new(AtomicUsize::new(0));
        let home = runtime.handle().scheduler().next_home();
        let (pipe, _writer) = home.kernel().pipe().expect("a pipe");
        let op = ReadPipe {
            pipe: Arc::new(pipe),
            buf: Box::default(),
            alive: Alive::new(&alive),
        };
        let mut read = Submit::new(&home, op);
        let mut timer = Timer::new(&home, home.clock().tick_now() + 3_600_000);
        assert!(poll_once(&mut read).is_pending());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(timer.poll_elapsed(&mut cx).is_pending());
        runtime.block_on(yield_now());
        let read = std::thread::spawn(|| futures::executor::block_on(read));
        let sleep = std::thread::spawn(move || {
            futures::executor::block_on(poll_fn(|cx| timer.poll_elapsed(cx)));
        });
        // Both wait, as a rule, when the runtime goes.
        std::thread::sleep(std::time::Duration::from_millis(20));
        drop(runtime);
        let (result, ..) = read.join().expect("it has an output");
        let error = result.expect_err("nobody wrote");
        assert_eq!(error.raw_os_error(), Some(os::ECANCELED));
        let panic = sleep.join().expect_err("as tokio's does");
        let text = panic.downcast_ref::<String>().expect("a text");
        assert!(text.contains("being shutdown"), "{text}");
    }
}

#[test]
fn a_timer_that_outlives_its_runtime_keeps_no_waker() {
    struct Holds {
        _home: Arc<Home>,
    }
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    for runtime in runtimes(Mask::NONE) {
        let home = runtime.handle().scheduler().next_home();
        let waker = Waker::from(Arc::new(Holds {
            _home: home.clone(),
        }));
        let mut timer = Timer::new(&home, home.clock().tick_now() + 3_600_000);
        let poll = |timer: &mut Timer| timer.poll_elapsed(&mut Context::from_waker(&waker));
        assert!(poll(&mut timer).is_pending());
        drop(runtime);
        // It is refused, after it has registered its waker again.
        let refused = catch_unwind(AssertUnwindSafe(|| poll(&mut timer)));
        assert!(refused.is_err());
        drop((timer, waker));
        assert_eq!(Arc::strong_count(&home), 1);
    }
}

#[test]
fn a_timer_may_be_dropped_by_the_waker_of_another_as_the_runtime_ends() {
    struct DropOnWake {
        timer: Mutex<Option<Timer>>,
        went_well: AtomicBool,
    }
    impl Wake for DropOnWake {
        fn wake(self: Arc<Self>) {
            let timer = self.timer.lock().expect("nobody panicked").take();
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(timer)));
            self.went_well.store(dropped.is_ok(), Ordering::SeqCst);
        }
    }
    for runtime in runtimes(Mask::NONE) {
        let home = runtime.handle().scheduler().next_home();
        let [mut first, mut second] = [1, 2].map(|hours| Timer::new(&home, hours * 3_600_000));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(second.poll_elapsed(&mut cx).is_pending());
        let drops = Arc::new(DropOnWake {
            timer: Mutex::new(Some(second)),
            went_well: AtomicBool::new(false),
        });
        let waker = Waker::from(drops.clone());
        assert!(
            first
                .poll_elapsed(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(runtime);
        assert!(drops.went_well.load(Ordering::SeqCst));
    }
}

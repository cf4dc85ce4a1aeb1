//! The life of an operation, told by operations that only these tests have.

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use annulus_ring::{Cqe, Mask, Opcode, Sqe};

use super::{Op, Submit};
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

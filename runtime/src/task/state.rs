//! The state of a task: one word, so that every decision is one atomic step.
//!
//! ```text
//!              wake, abort                  start
//!      Idle ---------------> SCHEDULED ---------------> RUNNING
//!       ^                        ^                     /   |   \
//!       |                        |     woken meanwhile/    |    \ finished, panicked,
//!       |                        +-------------------+     |     \ or CANCELLED
//!       +--------------------------------------------------+      v
//!                                                            COMPLETE
//! ```
//!
//! * SCHEDULED and not RUNNING: exactly one [`Task`](super::Task) exists, in a
//!   run queue or on its way there.
//! * RUNNING: one thread has the future to itself, to poll or to drop it. A wake
//!   in the meantime only sets SCHEDULED; the runner then hands its own
//!   reference on as the next `Task`.
//! * COMPLETE: the future is gone, and the flag is never taken back.
//!
//! A cell is freed when nobody counts it and JOIN_INTEREST is clear: the join
//! handle's hold on the cell is that flag, not a count.
#![forbid(unsafe_code)]

use std::process;
#[cfg(not(all(test, loom)))]
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

#[cfg(all(test, loom))]
use loom::sync::atomic::AtomicUsize;

/// Set by the first wake or abort after the task began to run, cleared when a
/// run begins. Set at birth.
const SCHEDULED: usize = 1 << 0;
/// Set while one thread polls or drops the future. Never together with COMPLETE.
const RUNNING: usize = 1 << 1;
/// Set once, when the future is gone and the output has been stored.
const COMPLETE: usize = 1 << 2;
/// Set by `abort` and at shutdown: the next runner drops the future unpolled.
const CANCELLED: usize = 1 << 3;
/// Set at birth, cleared when the join handle is dropped. Whoever finds it
/// clear at completion drops the output; until then the output is the handle's.
const JOIN_INTEREST: usize = 1 << 4;
/// One counted reference: a `Task`, a waker, an abort handle, or the runtime's
/// list of live tasks.
const REFERENCE: usize = 1 << 5;
/// More references than any program holds without leaking wakers in a loop.
const REFERENCES_MAX: usize = isize::MAX as usize / REFERENCE;

/// The word.
pub(super) struct State(AtomicUsize);

/// What the holder of a `Task` is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Poll: the future is the caller's.
    Poll,
    /// Drop the future: it was aborted, and it is the caller's.
    Cancel,
    /// Nothing: shutdown has the future, or it is gone.
    Nothing,
}

/// What becomes of a task whose poll was pending.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// It waits for a wake.
    Idle,
    /// It was woken while it ran: the caller schedules it again, and has been
    /// given one reference more for that.
    Again,
    /// It was aborted while it ran: the future stays the caller's, to drop.
    Cancel,
}

/// What a join handle that goes away finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Others hold the cell.
    Held,
    /// The caller held the cell last, and frees it.
    Free,
    /// The task has completed: the caller drops the output, then calls `leave_complete`.
    Complete,
}

impl State {
    /// A task that is about to be scheduled: a join handle, and `references`
    /// counted holders, of which one is the first `Task`.
    pub(super) fn new(references: usize) -> State {
        State(AtomicUsize::new(
            SCHEDULED | JOIN_INTEREST | (references * REFERENCE),
        ))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.0.load(Acquire) & COMPLETE != 0
    }

    /// A run begins.
    pub(super) fn start(&self) -> Start {
        let mut now = self.0.load(Acquire);
        loop {
            if now & (RUNNING | COMPLETE) != 0 {
                return Start::Nothing;
            }
            let next = (now & !SCHEDULED) | RUNNING;
            match self.0.compare_exchange_weak(now, next, AcqRel, Acquire) {
                Ok(_) if now & CANCELLED != 0 => return Start::Cancel,
                Ok(_) => return Start::Poll,
                Err(other) => now = other,
            }
        }
    }

    /// A poll was pending.
    pub(super) fn pause(&self) -> Pause {
        let mut now = self.0.load(Acquire);
        loop {
            if now & CANCELLED != 0 {
                return Pause::Cancel;
            }
            let again = now & SCHEDULED != 0;
            let next = (now & !RUNNING) + if again { REFERENCE } else { 0 };
            match self.0.compare_exchange_weak(now, next, AcqRel, Acquire) {
                Ok(_) if again => return Pause::Again,
                Ok(_) => return Pause::Idle,
                Err(other) => now = other,
            }
        }
    }

    /// The output has been stored. True if a join handle waits for it; else it
    /// is the caller's, to drop.
    pub(super) fn complete(&self) -> bool {
        let was = self.0.fetch_xor(RUNNING | COMPLETE, AcqRel);
        debug_assert!(was & RUNNING != 0 && was & COMPLETE == 0);
        was & JOIN_INTEREST != 0
    }

    /// A wake. True if the caller is to schedule the task, for which it has
    /// been given one reference more.
    pub(super) fn wake(&self) -> bool {
        self.schedule(SCHEDULED)
    }

    /// An abort. True as for [`wake`](Self::wake): somebody has to run the
    /// task once more, to drop its future.
    pub(super) fn abort(&self) -> bool {
        self.schedule(SCHEDULED | CANCELLED)
    }

    /// Always a read-modify-write, also where it changes nothing: what the
    /// caller's thread wrote before must be visible to the poll that follows.
    fn schedule(&self, flags: usize) -> bool {
        let mut now = self.0.load(Acquire);
        loop {
            let idle = now & (SCHEDULED | RUNNING | COMPLETE) == 0;
            let next = (now | flags) + if idle { REFERENCE } else { 0 };
            match self.0.compare_exchange_weak(now, next, AcqRel, Acquire) {
                Ok(_) => return idle,
                Err(other) => now = other,
            }
        }
    }

    /// Shutdown. True if the future is now the caller's, to drop; else its
    /// runner will see the flag, or it is gone.
    pub(super) fn shutdown(&self) -> bool {
        let mut now = self.0.load(Acquire);
        loop {
            let taken = now & (RUNNING | COMPLETE) == 0;
            let next = now | CANCELLED | if taken { RUNNING } else { 0 };
            match self.0.compare_exchange_weak(now, next, AcqRel, Acquire) {
                Ok(_) => return taken,
                Err(other) => now = other,
            }
        }
    }

    /// The join handle goes away.
    pub(super) fn leave(&self) -> Leave {
        let mut now = self.0.load(Acquire);
        loop {
            if now & COMPLETE != 0 {
                return Leave::Complete;
            }
            match self
                .0
                .compare_exchange_weak(now, now & !JOIN_INTEREST, AcqRel, Acquire)
            {
                Ok(_) if now < REFERENCE => return Leave::Free,
                Ok(_) => return Leave::Held,
                Err(other) => now = other,
            }
        }
    }

    /// The join handle of a completed task is done with the output. True if
    /// the caller frees the cell.
    pub(super) fn leave_complete(&self) -> bool {
        self.0.fetch_and(!JOIN_INTEREST, AcqRel) < REFERENCE
    }

    /// One more reference, made from one that the caller has.
    pub(super) fn acquire(&self) {
        if self.0.fetch_add(REFERENCE, Relaxed) / REFERENCE > REFERENCES_MAX {
            // Counting on would free a cell that is in use.
            process::abort();
        }
    }

    /// `count` references fewer. True if the caller frees the cell.
    pub(super) fn release(&self, count: usize) -> bool {
        let was = self.0.fetch_sub(count * REFERENCE, AcqRel);
        debug_assert!(was / REFERENCE >= count);
        was / REFERENCE == count && was & JOIN_INTEREST == 0
    }
}

#[cfg(all(test, loom))]
mod model;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Leave, Pause, Start, State};

    #[test]
    fn a_wake_while_running_is_answered_after_the_poll() {
        let state = State::new(1);
        assert_eq!(state.start(), Start::Poll);
        assert!(!state.wake());
        assert!(!state.wake());
        assert_eq!(state.pause(), Pause::Again);
        assert_eq!(state.start(), Start::Poll);
        assert_eq!(state.pause(), Pause::Idle);
        assert!(state.wake());
        assert!(!state.wake());
    }

    #[test]
    fn an_abort_is_seen_by_the_next_start_or_by_the_pause() {
        let state = State::new(1);
        assert!(!state.abort());
        assert_eq!(state.start(), Start::Cancel);

        let state = State::new(1);
        assert_eq!(state.start(), Start::Poll);
        assert!(!state.abort());
        assert_eq!(state.pause(), Pause::Cancel);
        assert!(state.complete());
        assert!(!state.abort());

        let state = State::new(1);
        assert_eq!(state.start(), Start::Poll);
        assert_eq!(state.pause(), Pause::Idle);
        assert!(state.abort());
        assert_eq!(state.start(), Start::Cancel);
    }

    #[test]
    fn shutdown_takes_the_future_from_a_queued_task_and_not_from_a_running_one() {
        let state = State::new(1);
        assert!(state.shutdown());
        assert_eq!(state.start(), Start::Nothing);
        assert!(state.complete());
        assert!(!state.shutdown());

        let state = State::new(1);
        assert_eq!(state.start(), Start::Poll);
        assert!(!state.shutdown());
        assert_eq!(state.pause(), Pause::Cancel);
    }

    #[test]
    fn the_last_of_references_and_join_handle_frees() {
        let state = State::new(2);
        assert!(!state.release(1));
        assert_eq!(state.leave(), Leave::Held);
        state.acquire();
        assert!(!state.release(1));
        assert!(state.release(1));

        let state = State::new(1);
        assert!(!state.release(1));
        assert_eq!(state.leave(), Leave::Free);

        let state = State::new(2);
        assert_eq!(state.start(), Start::Poll);
        assert!(state.complete());
        assert!(!state.release(2));
        assert_eq!(state.leave(), Leave::Complete);
        assert!(state.leave_complete());
    }
}

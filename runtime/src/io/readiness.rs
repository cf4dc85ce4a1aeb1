//! What is known about a descriptor's readiness, and who waits for more.
//!
//! One [`Readiness`] stands behind each socket. Poll operations write it at the socket's home,
//! readers and writers on any thread read it, and clear what their calls disproved:
//!
//! ```text
//!   63        32 31       16 15..11  10..8   7..6     5..0
//!  +------------+-----------+------+--------+-------+-------+
//!  |    tick    |   errno   |  --  |  armed |untried| ready |
//!  +------------+-----------+------+--------+-------+-------+
//! ```
//!
//! - *ready*: [`Ready`]'s bits. Set by a poll's CQE; cleared by a call that would have blocked
//!   or moved less than it was asked to. `*_CLOSED` bits are never cleared.
//! - *untried*: nothing is known of the side, so a call may try without having waited, but
//!   nobody is told that it is ready. Set at birth, cleared by the first call that blocks.
//! - *armed*: a poll operation of this kind is with the home, so that a change will be told.
//!   Set by whoever then submits it, cleared by its terminal CQE.
//! - *errno*: why a poll operation failed; the next wait takes and returns it.
//! - *tick*: counts CQEs. A call notes the tick before it starts, and what it disproves is
//!   cleared only if the tick is still the same: news that arrived meanwhile stays.
//!
//! No wake is lost: whoever waits registers first and looks at the word again afterwards; the
//! home writes the word first and looks for wakers afterwards.
#![forbid(unsafe_code)]

use std::io;
use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;

use super::waiters::{Waiters, wake};
use super::{Interest, Ready};

/// Which poll operation: each kind has at most one in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Data, connections, the end of the stream.
    Read,
    /// Room to write.
    Write,
    /// Urgent data.
    Priority,
}

/// What was ready, and when that was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) ready: Ready,
    tick: u32,
}

impl Event {
    /// The part of it that is in `ready`.
    pub(crate) fn only(self, ready: Ready) -> Event {
        Event {
            ready: self.ready & ready,
            ..self
        }
    }

    /// The part of it that is not in `ready`.
    pub(crate) fn without(self, ready: Ready) -> Event {
        Event {
            ready: self.ready - ready,
            ..self
        }
    }
}

#[derive(Debug)]
pub(crate) struct Readiness {
    word: AtomicU64,
    /// The last task that a `poll_*` function of the read side turned away.
    reader: AtomicWaker,
    /// The same for the write side.
    writer: AtomicWaker,
    /// Everybody who waits in an `async fn`.
    pub(super) waiters: Waiters,
}

const UNTRIED_READ: u64 = 1 << 6;
const UNTRIED_WRITE: u64 = 1 << 7;
const ARMED_SHIFT: u32 = 8;
const ERRNO_SHIFT: u32 = 16;
const ERRNO_MASK: u64 = 0xffff << ERRNO_SHIFT;
const TICK_SHIFT: u32 = 32;

impl Side {
    pub(crate) fn interest(self) -> Interest {
        match self {
            Side::Read => Interest::READABLE,
            Side::Write => Interest::WRITABLE,
            Side::Priority => Interest::PRIORITY,
        }
    }

    /// The sides that have to be armed for a wait.
    pub(crate) fn of(interest: Interest) -> impl Iterator<Item = Side> {
        // An error is told by either poll; the read side's stands anyway.
        let read = interest.is_readable() || (interest.is_error() && !interest.is_writable());
        [
            (Side::Read, read),
            (Side::Write, interest.is_writable()),
            (Side::Priority, interest.is_priority()),
        ]
        .into_iter()
        .filter_map(|(side, wanted)| wanted.then_some(side))
    }

    fn armed(self) -> u64 {
        1 << (ARMED_SHIFT + self as u32)
    }

    fn untried(self) -> u64 {
        match self {
            Side::Read => UNTRIED_READ,
            Side::Write => UNTRIED_WRITE,
            Side::Priority => 0,
        }
    }
}

/// No code of the user runs while a readiness is being changed, so a panic leaves it whole.
impl RefUnwindSafe for Readiness {}

impl Readiness {
    /// The readiness of a new descriptor. Of sides outside `known` nothing is known, and a
    /// call on them may try its luck.
    pub(crate) fn new(known: Ready) -> Readiness {
        let mut word = u64::from(known.bits());
        if !known.is_readable() {
            word |= UNTRIED_READ;
        }
        if !known.is_writable() {
            word |= UNTRIED_WRITE;
        }
        Readiness {
            word: AtomicU64::new(word),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
            waiters: Waiters::new(),
        }
    }

    /// What is known to be ready of `interest`; [`Ready::EMPTY`] if nothing is.
    pub(crate) fn known(&self, interest: Interest) -> Event {
        let word = self.word.load(SeqCst);
        Event {
            ready: ready_of(word) & Ready::of(interest),
            tick: tick_of(word),
        }
    }

    /// The event to hold a call against, if the call is worth making: something of `interest`
    /// is ready, or nothing is known of one of its sides.
    pub(crate) fn worth_trying(&self, interest: Interest) -> Option<Event> {
        let word = self.word.load(SeqCst);
        let ready = ready_of(word) & Ready::of(interest);
        let untried = Side::of(interest).any(|side| word & side.untried() != 0);
        (!ready.is_empty() || untried).then_some(Event {
            ready,
            tick: tick_of(word),
        })
    }

    /// As [`worth_trying`](Readiness::worth_trying) for a caller who does not wait: a side
    /// that no poll watches may have changed unseen, so it is worth a call too.
    pub(crate) fn worth_trying_now(&self, interest: Interest) -> Option<Event> {
        let word = self.word.load(SeqCst);
        let ready = ready_of(word) & Ready::of(interest);
        let unseen = Side::of(interest).any(|side| word & side.armed() == 0);
        (!ready.is_empty() || unseen).then_some(Event {
            ready,
            tick: tick_of(word),
        })
    }

    /// Registers the task for `side`, unless the side is ready or turned out to be so after
    /// the task was registered.
    pub(crate) fn poll_known(&self, cx: &Context<'_>, side: Side) -> Poll<Event> {
        let event = self.known(side.interest());
        if !event.ready.is_empty() {
            return Poll::Ready(event);
        }
        self.register(side, cx.waker());
        let event = self.known(side.interest());
        if event.ready.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(event)
        }
    }

    /// Makes `waker` the one that is woken when `side` changes.
    pub(crate) fn register(&self, side: Side, waker: &Waker) {
        match side {
            Side::Read | Side::Priority => self.reader.register(waker),
            Side::Write => self.writer.register(waker),
        }
    }

    /// Takes `ready` back after a call of `side` disproved it, unless something has happened
    /// since `event` was read.
    pub(crate) fn clear(&self, event: Event, interest: Interest) {
        let untried = Side::of(interest).fold(0, |bits, side| bits | side.untried());
        let disproved = u64::from((event.ready - Ready::CLOSED).bits()) | untried;
        let _ = self.word.fetch_update(SeqCst, SeqCst, |word| {
            (tick_of(word) == event.tick).then_some(word & !disproved)
        });
    }

    /// As [`clear`](Readiness::clear), after a call of ours that would have blocked: then the side
    /// is not closed either. A FIFO whose writers have gone may get another.
    pub(crate) fn disprove(&self, event: Event, interest: Interest) {
        self.clear(event, interest);
        let closed = u64::from((event.ready & Ready::CLOSED).bits());
        let _ = self.word.fetch_update(SeqCst, SeqCst, |word| {
            (tick_of(word) == event.tick && word & closed != 0).then_some(word & !closed)
        });
    }

    /// Claims the right and the duty to submit the poll operation of `side`; false when one is
    /// in flight already.
    pub(crate) fn arm(&self, side: Side) -> bool {
        // The load keeps the usual case, where the poll stands, free of a write.
        !self.is_armed(side) && self.word.fetch_or(side.armed(), SeqCst) & side.armed() == 0
    }

    /// Whether a poll operation of `side` is in flight.
    pub(crate) fn is_armed(&self, side: Side) -> bool {
        self.word.load(SeqCst) & side.armed() != 0
    }

    /// Whether a poll operation of any side is in flight.
    pub(crate) fn is_any_armed(&self) -> bool {
        let sides = [Side::Read, Side::Write, Side::Priority];
        let armed = sides.map(Side::armed).iter().sum::<u64>();
        self.word.load(SeqCst) & armed != 0
    }

    /// A poll operation or a receive reported `ready` and stays in flight.
    pub(crate) fn land(&self, ready: Ready) {
        self.update(|word| word | u64::from(ready.bits()));
        self.wake(ready);
    }

    /// The poll operation of `side` ended with `ready`: the next wait submits another.
    pub(crate) fn finish(&self, side: Side, ready: Ready) {
        self.update(|word| (word | u64::from(ready.bits())) & !side.armed());
        self.wake(ready);
    }

    /// The poll operation of `side` ended without a result: whoever waits looks again, and is
    /// told `errno`, or submits another where there is none.
    pub(crate) fn fail(&self, side: Side, errno: u16) {
        self.update(|word| {
            let error = u64::from(errno) << ERRNO_SHIFT;
            (word & !ERRNO_MASK & !side.armed()) | error
        });
        self.wake(Ready::ALL);
    }

    /// Why the last poll operation failed, once.
    pub(crate) fn take_error(&self) -> io::Result<()> {
        if self.word.load(SeqCst) & ERRNO_MASK == 0 {
            return Ok(());
        }
        let word = self.word.fetch_and(!ERRNO_MASK, SeqCst);
        match (word & ERRNO_MASK) >> ERRNO_SHIFT {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno as i32)),
        }
    }

    /// Wakes whoever waits for any of `ready`.
    pub(crate) fn wake(&self, ready: Ready) {
        if ready.is_readable() || ready.is_priority() {
            wake(self.reader.take());
        }
        if ready.is_writable() {
            wake(self.writer.take());
        }
        self.waiters.wake(ready);
    }

    /// Forgets the tasks of the `poll_*` functions, for whose descriptor is gone: a waker
    /// keeps a task, and the task may keep the operation that keeps this.
    pub(crate) fn forget_wakers(&self) {
        drop(self.reader.take());
        drop(self.writer.take());
    }

    fn update(&self, change: impl Fn(u64) -> u64) {
        let next = |word| change(word).wrapping_add(1 << TICK_SHIFT);
        let _ = self
            .word
            .fetch_update(SeqCst, SeqCst, |word| Some(next(word)));
    }
}

fn ready_of(word: u64) -> Ready {
    Ready::from_bits(word as u8)
}

fn tick_of(word: u64) -> u32 {
    (word >> TICK_SHIFT) as u32
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio_test::{assert_pending, assert_ready, task};

    use super::*;

    fn quiet() -> Readiness {
        let readiness = Readiness::new(Ready::EMPTY);
        let event = readiness.worth_trying(Interest::READABLE).expect("fresh");
        readiness.clear(event, Interest::READABLE);
        readiness
    }

    #[test]
    fn a_fresh_side_is_worth_a_call_but_not_reported_ready() {
        let readiness = Readiness::new(Ready::WRITABLE);
        assert!(readiness.worth_trying(Interest::READABLE).is_some());
        assert!(readiness.known(Interest::READABLE).ready.is_empty());
        assert!(readiness.known(Interest::WRITABLE).ready.is_writable());
    }

    #[test]
    fn a_call_that_blocked_ends_the_benefit_of_the_doubt() {
        let readiness = quiet();
        assert!(readiness.worth_trying(Interest::READABLE).is_none());
        assert!(readiness.worth_trying(Interest::WRITABLE).is_some());
    }

    #[test]
    fn only_an_unwatched_side_is_tried_without_a_wait() {
        let readiness = quiet();
        assert!(readiness.worth_trying_now(Interest::READABLE).is_some());
        assert!(readiness.arm(Side::Read));
        assert!(readiness.worth_trying_now(Interest::READABLE).is_none());
        readiness.land(Ready::READABLE);
        assert!(readiness.worth_trying_now(Interest::READABLE).is_some());
    }

    #[test]
    fn news_that_arrived_during_a_call_survive_its_clear() {
        let readiness = quiet();
        // 1. The reader sees readiness and starts its call.
        readiness.land(Ready::READABLE);
        let event = readiness.known(Interest::READABLE);
        // 2. The call finds nothing, but before it says so the home reaps another CQE.
        readiness.land(Ready::READABLE);
        // 3. The reader's clear is of an older tick.
        readiness.clear(event, Interest::READABLE);
        assert!(readiness.known(Interest::READABLE).ready.is_readable());
    }

    #[test]
    fn a_closed_side_stays_ready() {
        let readiness = quiet();
        readiness.land(Ready::READABLE | Ready::READ_CLOSED);
        let event = readiness.known(Interest::READABLE);
        readiness.clear(event, Interest::READABLE);
        assert_eq!(
            readiness.known(Interest::READABLE).ready,
            Ready::READ_CLOSED
        );
    }

    #[test]
    fn a_closed_side_is_open_again_when_a_call_of_ours_would_have_blocked() {
        let readiness = quiet();
        readiness.land(Ready::READABLE | Ready::CLOSED);
        let event = readiness.known(Interest::READABLE);
        readiness.disprove(event, Interest::READABLE);
        assert!(readiness.known(Interest::READABLE).ready.is_empty());
        assert_eq!(
            readiness.known(Interest::WRITABLE).ready,
            Ready::WRITE_CLOSED
        );
        // What arrived meanwhile stays.
        readiness.land(Ready::READABLE | Ready::READ_CLOSED);
        readiness.disprove(event, Interest::READABLE);
        assert!(readiness.known(Interest::READABLE).ready.is_read_closed());
    }

    #[test]
    fn one_poll_is_in_flight_per_side_and_its_end_allows_the_next() {
        let readiness = quiet();
        assert!(readiness.arm(Side::Read));
        assert!(!readiness.arm(Side::Read));
        assert!(readiness.arm(Side::Write));
        readiness.finish(Side::Read, Ready::READABLE);
        assert!(readiness.arm(Side::Read));
        assert!(!readiness.arm(Side::Write));
    }

    #[test]
    fn an_error_wakes_the_reader_and_the_writer() {
        let readiness = quiet();
        let mut reader = task::spawn(poll_fn(|cx| readiness.poll_known(cx, Side::Read)));
        let mut writer = task::spawn(poll_fn(|cx| readiness.poll_known(cx, Side::Write)));
        assert_pending!(reader.poll());
        assert_pending!(writer.poll());
        readiness.land(Ready::from_poll(os::POLLERR as u32));
        assert!(reader.is_woken() && writer.is_woken());
        assert_ready!(reader.poll());
        assert_ready!(writer.poll());
    }

    #[test]
    fn a_failed_poll_is_told_once_and_disarmed() {
        let readiness = quiet();
        let mut reader = task::spawn(poll_fn(|cx| readiness.poll_known(cx, Side::Read)));
        assert_pending!(reader.poll());
        assert!(readiness.arm(Side::Read));
        readiness.fail(Side::Read, os::ENOMEM as u16);
        assert!(reader.is_woken());
        let error = readiness.take_error().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(os::ENOMEM));
        assert!(readiness.take_error().is_ok());
        assert!(readiness.arm(Side::Read));
    }

    #[test]
    fn the_tick_wraps_without_touching_the_rest() {
        let readiness = quiet();
        readiness.word.fetch_or(u64::MAX << TICK_SHIFT, SeqCst);
        readiness.land(Ready::READABLE);
        assert_eq!(tick_of(readiness.word.load(SeqCst)), 0);
        assert!(readiness.known(Interest::READABLE).ready.is_readable());
    }
}

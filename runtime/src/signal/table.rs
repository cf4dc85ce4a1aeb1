//! The process-wide part of signals: handlers, what they saw, and who listens.
//!
//! A handler may do next to nothing, so it sets its signal's bit and writes a
//! byte; the rest happens in [`Table::deliver`], on a thread that polls a
//! listener. No signal is lost between the two: the handler sets the bit before
//! it writes, and a listener empties the socket before it takes the bits, so a
//! bit that was not taken has a byte behind it that wakes somebody.
//!
//! Several arrivals of one signal before a delivery are one, as they are in the
//! kernel.

use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};

use annulus_ring::Kernel;
use slab::Slab;

use crate::context;

/// Linux numbers its signals 1 to 64.
const SIGNALS_MAX: usize = 64;

pub(super) struct Table {
    /// Bit n - 1: signal n came and is not yet delivered.
    pending: AtomicU64,
    /// Where handlers write.
    sender: UnixStream,
    /// What listeners poll.
    receiver: UnixStream,
    slots: [Mutex<Slot>; SIGNALS_MAX],
}

/// One signal.
#[derive(Default)]
struct Slot {
    /// The handler is in place, and stays.
    installed: bool,
    /// How often the signal was delivered.
    count: u64,
    /// A place for each listener, with the task that waits there.
    wakers: Slab<Option<Waker>>,
    /// When the last listener left.
    left: Option<Moment>,
}

/// A moment in the life of a core, as long as it does not turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    home: usize,
    enters: u64,
}

/// A listener's place in the table.
#[derive(Debug)]
pub(super) struct Place {
    signal: usize,
    key: usize,
    /// The deliveries that it has seen.
    seen: u64,
}

impl Table {
    /// The table, made when the first listener asks for it.
    pub(super) fn get() -> io::Result<&'static Table> {
        static TABLE: OnceLock<Table> = OnceLock::new();
        if let Some(table) = TABLE.get() {
            return Ok(table);
        }
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        // Of two threads that came here at once, one keeps its table.
        Ok(TABLE.get_or_init(|| Table {
            pending: AtomicU64::new(0),
            sender,
            receiver,
            slots: std::array::from_fn(|_| Mutex::default()),
        }))
    }

    /// The descriptor that is readable when a handler has run. It is never closed.
    pub(super) fn fd(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }

    /// A new listener to `signal`, which sees what comes from here on.
    pub(super) fn listen(&'static self, signal: i32) -> io::Result<Place> {
        let refused =
            |why: &str| io::Error::other(format!("cannot listen to signal {signal}: {why}"));
        if signal <= 0 || hooks::FORBIDDEN.contains(&signal) {
            return Err(refused("not a signal that can be handled"));
        }
        let index = usize::try_from(signal - 1).unwrap_or(SIGNALS_MAX);
        if index >= SIGNALS_MAX {
            return Err(refused("signals end at 64"));
        }
        // What came before is for those who listened before; where the last of them left since
        // this core has turned, for whoever comes in their place.
        let kept = u64::from(self.slot(index).was_just_left()) << index;
        self.deliver_but(kept);
        let mut slot = self.slot(index);
        if !slot.installed {
            // SAFETY: `record` keeps to what a signal handler may do.
            unsafe { hooks::register(signal, move || self.record(index)) }?;
            slot.installed = true;
        }
        Ok(Place {
            signal: index,
            seen: slot.count,
            key: slot.wakers.insert(None),
        })
    }

    pub(super) fn leave(&self, place: &Place) {
        let mut slot = self.slot(place.signal);
        let waker = slot.wakers.remove(place.key);
        slot.left = Moment::now();
        drop(slot);
        drop(waker);
    }

    /// Has the listener's task woken at the next delivery.
    pub(super) fn wait(&self, place: &Place, cx: &Context<'_>) {
        // Cloned before the lock and dropped after it: both may run anybody's code.
        let waker = cx.waker().clone();
        let old = self.slot(place.signal).wakers[place.key].replace(waker);
        drop(old);
    }

    /// Whether the signal was delivered since the listener last asked.
    pub(super) fn take(&self, place: &mut Place) -> bool {
        let count = self.slot(place.signal).count;
        std::mem::replace(&mut place.seen, count) != count
    }

    /// Empties the socket, so that the next signal makes it readable anew.
    pub(super) fn drain(&self, kernel: &Kernel) {
        let mut bytes = [MaybeUninit::uninit(); 64];
        while kernel.recv(self.receiver.as_fd(), &mut bytes, 0).is_ok() {}
    }

    /// Counts what handlers have recorded, and wakes who listens to it.
    pub(super) fn deliver(&self) {
        self.deliver_but(0);
    }

    fn deliver_but(&self, kept: u64) {
        let mut pending = self.pending.fetch_and(kept, Ordering::AcqRel) & !kept;
        while pending != 0 {
            let index = pending.trailing_zeros() as usize;
            pending &= pending - 1;
            for waker in self.slot(index).arrived() {
                waker.wake();
            }
        }
    }

    /// What a handler does: an atomic operation and a write(2), both allowed to
    /// it. A socket too full for another byte will wake its readers anyway.
    fn record(&self, index: usize) {
        self.pending.fetch_or(1 << index, Ordering::AcqRel);
        let _ = (&self.sender).write(&[0]);
    }

    fn slot(&self, index: usize) -> MutexGuard<'_, Slot> {
        self.slots[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment {
    /// None on a thread that drives no core.
    fn now() -> Option<Moment> {
        context::with_core(|core| Moment {
            home: Arc::as_ptr(core.home()).addr(),
            enters: core.home().stats().enters.get(),
        })
    }
}

impl Slot {
    /// Whether nobody listens, and the last who did left at this moment.
    fn was_just_left(&self) -> bool {
        self.wakers.is_empty() && self.left.is_some() && self.left == Moment::now()
    }

    fn arrived(&mut self) -> Vec<Waker> {
        self.count += 1;
        self.wakers
            .iter_mut()
            .filter_map(|(_, waker)| waker.take())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No two tests may use the same signal: the table is the process'.
    fn listener(signal: i32) -> (&'static Table, Place) {
        let table = Table::get().expect("a socket pair can be had");
        let place = table.listen(signal).expect("it can be handled");
        (table, place)
    }

    fn arrive(table: &'static Table, place: &Place) {
        table.record(place.signal);
    }

    #[test]
    fn every_listener_sees_a_signal_and_arrivals_before_a_delivery_are_one() {
        let (table, mut first) = listener(os::SIGUSR1);
        let (_, mut second) = listener(os::SIGUSR1);
        assert!(!table.take(&mut first));
        arrive(table, &first);
        arrive(table, &first);
        table.deliver();
        assert!(table.take(&mut first) && !table.take(&mut first));
        assert!(table.take(&mut second) && !table.take(&mut second));
        table.leave(&first);
        table.leave(&second);
    }

    #[test]
    fn a_new_listener_does_not_see_what_came_before() {
        let (table, mut old) = listener(os::SIGUSR2);
        arrive(table, &old);
        let (_, mut new) = listener(os::SIGUSR2);
        table.deliver();
        assert!(table.take(&mut old));
        assert!(!table.take(&mut new));
        table.leave(&old);
        table.leave(&new);
    }

    #[test]
    fn a_delivery_wakes_who_waits_for_that_signal_and_nobody_else() {
        let (table, waiting) = listener(os::SIGHUP);
        let (_, other) = listener(os::SIGWINCH);
        let [mut task, mut other_task] =
            [(); 2].map(|()| tokio_test::task::spawn(std::future::pending::<()>()));
        task.enter(|cx, _| table.wait(&waiting, cx));
        other_task.enter(|cx, _| table.wait(&other, cx));
        arrive(table, &waiting);
        table.deliver();
        assert!(task.is_woken());
        assert!(!other_task.is_woken());
        table.leave(&waiting);
        table.leave(&other);
    }

    #[test]
    fn what_nobody_may_handle_is_refused_with_its_number() {
        let table = Table::get().expect("a socket pair can be had");
        for signal in [
            -1,
            0,
            65,
            i32::MAX,
            i32::MIN,
            os::SIGKILL,
            os::SIGSTOP,
            os::SIGSEGV,
        ] {
            let error = table.listen(signal).expect_err("it cannot be handled");
            assert_eq!(error.kind(), io::ErrorKind::Other);
            assert!(error.to_string().contains(&signal.to_string()), "{error}");
        }
        assert!(table.listen(os::SIGRTMAX()).is_ok());
    }
}

//! Who waits in an `async fn` for a descriptor's readiness.
//!
//! One waiter per side has a place of its own, without a lock; more of them, and those who
//! wait for several things at once, stand in a list behind a mutex. All are woken together,
//! as several tasks that wait for the same readiness are by tokio.
//!
//! A waiter takes its place first and looks at the readiness afterwards; [`Waiters::wake`] is
//! called after the readiness was written, and looks for waiters then.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use slab::Slab;

use super::{Interest, Ready};

/// How many wakers are carried out of the mutex at a time.
const BATCH: usize = 16;

const READ_TAKEN: usize = 1;
const WRITE_TAKEN: usize = 1 << 1;
const LISTED: usize = 1 << 2;

#[derive(Debug)]
pub(crate) struct Waiters {
    /// Which of the two single places are taken, and how many stand in the list.
    count: AtomicUsize,
    read: AtomicWaker,
    write: AtomicWaker,
    list: Mutex<Slab<Listed>>,
}

#[derive(Debug)]
struct Listed {
    wanted: Ready,
    waker: Option<Waker>,
}

/// A waiter's place; given back by [`Waiters::leave`].
#[derive(Debug)]
pub(crate) enum Place {
    Read,
    Write,
    List(usize),
}

impl Waiters {
    pub(crate) const fn new() -> Waiters {
        Waiters {
            count: AtomicUsize::new(0),
            read: AtomicWaker::new(),
            write: AtomicWaker::new(),
            list: Mutex::new(Slab::new()),
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(SeqCst) == 0
    }

    /// Takes a place for a wait for `interest`; the waker is registered.
    pub(crate) fn enter(&self, interest: Interest, waker: &Waker) -> Place {
        let single = if interest == Interest::WRITABLE {
            Some((WRITE_TAKEN, &self.write, Place::Write))
        } else if interest.is_writable() {
            None
        } else {
            Some((READ_TAKEN, &self.read, Place::Read))
        };
        if let Some((bit, slot, place)) = single
            && self.count.fetch_or(bit, SeqCst) & bit == 0
        {
            slot.register(waker);
            return place;
        }
        let listed = Listed {
            wanted: Ready::of(interest),
            waker: Some(waker.clone()),
        };
        let key = self.list().insert(listed);
        self.count.fetch_add(LISTED, SeqCst);
        Place::List(key)
    }

    /// Registers `waker` at a place taken before.
    pub(crate) fn update(&self, place: &Place, waker: &Waker) {
        match place {
            Place::Read => self.read.register(waker),
            Place::Write => self.write.register(waker),
            Place::List(key) => {
                // Cloned before and dropped after the lock is held: both may be user code.
                let mut fresh = Some(waker.clone());
                if let Some(listed) = self.list().get_mut(*key) {
                    std::mem::swap(&mut listed.waker, &mut fresh);
                }
            }
        }
    }

    /// Gives a place back.
    pub(crate) fn leave(&self, place: Place) {
        match place {
            Place::Read => {
                drop(self.read.take());
                self.count.fetch_and(!READ_TAKEN, SeqCst);
            }
            Place::Write => {
                drop(self.write.take());
                self.count.fetch_and(!WRITE_TAKEN, SeqCst);
            }
            Place::List(key) => {
                let listed = self.list().try_remove(key);
                self.count.fetch_sub(LISTED, SeqCst);
                drop(listed);
            }
        }
    }

    /// Wakes whoever waits for any of `ready`.
    pub(crate) fn wake(&self, ready: Ready) {
        let count = self.count.load(SeqCst);
        if count == 0 {
            return;
        }
        if ready.is_readable() || ready.is_priority() || ready.is_error() {
            wake(self.read.take());
        }
        if ready.is_writable() {
            wake(self.write.take());
        }
        if count >= LISTED {
            while self.wake_batch(ready) {}
        }
    }

    /// Wakes up to [`BATCH`] of the list, outside its mutex; whether there may be more.
    fn wake_batch(&self, ready: Ready) -> bool {
        let mut batch: [Option<Waker>; BATCH] = Default::default();
        let mut free = batch.iter_mut();
        let mut more = false;
        for (_, listed) in self.list().iter_mut() {
            if (listed.wanted & ready).is_empty() || listed.waker.is_none() {
                continue;
            }
            match free.next() {
                Some(slot) => *slot = listed.waker.take(),
                None => {
                    more = true;
                    break;
                }
            }
        }
        batch.into_iter().for_each(wake);
        more
    }

    fn list(&self) -> MutexGuard<'_, Slab<Listed>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a task. A waker that panics is its owner's loss, not that of whoever reaps CQEs.
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn every_waiter_of_a_kind_is_woken_once() {
        let waiters = Waiters::new();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let places: Vec<_> = (0..3 * BATCH)
            .map(|_| waiters.enter(Interest::READABLE, &waker))
            .collect();
        let writer = waiters.enter(Interest::WRITABLE, &waker);
        waiters.wake(Ready::READABLE);
        assert_eq!(count.0.load(SeqCst), 3 * BATCH as u32);
        waiters.wake(Ready::READABLE);
        assert_eq!(count.0.load(SeqCst), 3 * BATCH as u32);
        waiters.wake(Ready::WRITABLE);
        assert_eq!(count.0.load(SeqCst), 3 * BATCH as u32 + 1);
        places.into_iter().for_each(|place| waiters.leave(place));
        waiters.leave(writer);
        assert_eq!(waiters.count.load(SeqCst), 0);
    }

    #[test]
    fn a_place_that_was_left_is_free_again() {
        let waiters = Waiters::new();
        let first = waiters.enter(Interest::READABLE, Waker::noop());
        let second = waiters.enter(Interest::READABLE, Waker::noop());
        assert!(matches!(first, Place::Read));
        assert!(matches!(second, Place::List(_)));
        waiters.leave(first);
        assert!(matches!(
            waiters.enter(Interest::ERROR, Waker::noop()),
            Place::Read
        ));
        waiters.leave(second);
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("a waker's own fault");
            }
        }
        let waiters = Waiters::new();
        let count = Arc::new(Count::default());
        waiters.enter(Interest::READABLE, &Waker::from(Arc::new(Panics)));
        waiters.enter(Interest::READABLE, &Waker::from(Arc::clone(&count)));
        waiters.wake(Ready::READABLE);
        assert_eq!(count.0.load(SeqCst), 1);
    }
}

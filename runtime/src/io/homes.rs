//! Where a descriptor's operations go: the core that is its home, and when that changes.
//!
//! ```text
//!   made ──first wait──► at home ──waits from elsewhere, AWAY_MAX in a row──► leaving
//!                           ▲                                                   │
//!                           └── moved in, or still busy ◄── the next wait ──────┘
//! ```
//!
//! - *made*: no operation has gone anywhere. The first wait decides: the worker that waits has
//!   the task, which was often accepted by another.
//! - *at home*: polls, cancels and the close go through one core's ring.
//! - *leaving*: the standing poll was cancelled. When it has ended, the next wait chooses anew,
//!   if nothing else is in flight; a descriptor that is still busy stays where it is.
//!
//! A descriptor whose home others rely on (receives of its own, operations with owned buffers)
//! is *fixed*, and one that has moved [`HOMES_MAX`] times stays.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::context;
use crate::reactor::Home;

/// How many waits in a row from another worker it takes to move.
const AWAY_MAX: u8 = 8;

/// How many homes a descriptor has at most in its life.
const HOMES_MAX: usize = 4;

pub(super) struct Homes {
    /// Where it was made: a home of the same runtime, which stands in until there is one.
    made_at: Arc<Home>,
    homes: [OnceLock<Arc<Home>>; HOMES_MAX],
    /// How many of them there are; the last is the one.
    count: AtomicU8,
    /// Waits in a row from another worker.
    away: AtomicU8,
    leaving: AtomicBool,
    fixed: AtomicBool,
}

impl Homes {
    pub(super) fn new(made_at: Arc<Home>) -> Homes {
        Homes {
            made_at,
            homes: [const { OnceLock::new() }; HOMES_MAX],
            count: AtomicU8::new(0),
            away: AtomicU8::new(0),
            leaving: AtomicBool::new(false),
            fixed: AtomicBool::new(false),
        }
    }

    /// The home, if there is one, else another of the same runtime.
    pub(super) fn any(&self) -> &Arc<Home> {
        self.current().unwrap_or(&self.made_at)
    }

    /// The home, chosen now if there is none, which is then the home for good. To be called
    /// under the same lock as [`settle`](Homes::settle).
    pub(super) fn fix(&self) -> &Arc<Home> {
        let home = self.settle(false);
        // Whoever sees it fixed sees which it is.
        self.fixed.store(true, Ordering::Release);
        home
    }

    /// Whether [`fix`](Homes::fix) was called.
    pub(super) fn is_fixed(&self) -> bool {
        self.fixed.load(Ordering::Acquire)
    }

    /// The home for an operation that is about to be submitted. Chosen now if there is none, or
    /// if it is to be left and the descriptor `is_idle`: nothing of it is with the old home. To
    /// be called under a lock that keeps others from submitting.
    pub(super) fn settle(&self, is_idle: bool) -> &Arc<Home> {
        let leaving = self.leaving.load(Ordering::Relaxed);
        if leaving {
            self.leaving.store(false, Ordering::Relaxed);
        }
        match self.current() {
            Some(home) if !(leaving && is_idle) || self.is_fixed() => home,
            current => self.choose(current),
        }
    }

    /// Counts a wait that found its poll standing. True if the descriptor is to leave: its
    /// standing poll has to be cancelled then.
    pub(super) fn note_wait(&self) -> bool {
        let Some(home) = self.current() else {
            return false;
        };
        if home.is_here() {
            if self.away.load(Ordering::Relaxed) != 0 {
                self.away.store(0, Ordering::Relaxed);
            }
            return false;
        }
        let count = usize::from(self.count.load(Ordering::Relaxed));
        if self.is_fixed() || count == HOMES_MAX || self.here().is_none() {
            return false;
        }
        if self.away.fetch_add(1, Ordering::Relaxed) + 1 < AWAY_MAX {
            return false;
        }
        self.away.store(0, Ordering::Relaxed);
        !self.leaving.swap(true, Ordering::Relaxed)
    }

    fn current(&self) -> Option<&Arc<Home>> {
        let count = usize::from(self.count.load(Ordering::Acquire));
        self.homes[..count].last().and_then(OnceLock::get)
    }

    fn choose<'a>(&'a self, current: Option<&'a Arc<Home>>) -> &'a Arc<Home> {
        let count = usize::from(self.count.load(Ordering::Relaxed));
        let here = self.here().filter(|_| count < HOMES_MAX);
        let chosen = match (here, current) {
            (None, Some(current)) => return current,
            (None, None) => Arc::clone(&self.made_at),
            (Some(here), Some(current)) if Arc::ptr_eq(&here, current) => return current,
            (Some(here), _) => here,
        };
        let home = self.homes[count].get_or_init(|| chosen);
        self.count.store(count as u8 + 1, Ordering::Release);
        home
    }

    /// The core that this thread drives, if it is of the same runtime.
    fn here(&self) -> Option<Arc<Home>> {
        context::with_core(|core| {
            let home = core.home();
            (home.runtime() == self.made_at.runtime()).then(|| Arc::clone(home))
        })
        .flatten()
    }
}

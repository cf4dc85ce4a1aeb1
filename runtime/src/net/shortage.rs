//! Accepting without free descriptors (EMFILE, ENFILE): wait, do not spin.
//!
//! A listener whose accept4 failed for want of a descriptor stays readable, so that trying
//! again at once would fail again, for ever. It tells its caller, and then lets accept wait
//! until a descriptor of this process was closed by us, or [`RETRY_MS`] passed; a caller that
//! goes on accepting is told again only every [`TELL_MS`].
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use crate::io::waiters::{Place, Waiters};
use crate::io::{Interest, Ready};
use crate::op::Timer;
use crate::reactor::Home;

/// How long accept waits before it tries again, if nobody closes a descriptor before.
const RETRY_MS: u64 = 50;

/// How often at most a listener reports the shortage.
const TELL_MS: u64 = 250;

/// Who waits for a free descriptor, in all runtimes of the process: descriptors are shared.
static WAITERS: Waiters = Waiters::new();

/// How many descriptors were closed by this process' runtimes since somebody first waited.
static FREED: AtomicU64 = AtomicU64::new(0);

/// A socket of ours was closed.
pub(super) fn freed() {
    if WAITERS.is_empty() {
        return;
    }
    FREED.fetch_add(1, Ordering::SeqCst);
    WAITERS.wake(Ready::READABLE);
}

/// Whether `error` says that there is no free descriptor.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(os::EMFILE | os::ENFILE))
}

/// A listener's memory of the shortage. Times are ticks of the home's clock, in ms, plus one:
/// zero is never.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    since: AtomicU64,
    told: AtomicU64,
}

impl Shortage {
    /// An accept failed for want of a descriptor; whether its caller is to be told.
    pub(super) fn begin(&self, home: &Home) -> bool {
        let now = home.clock().tick_now() + 1;
        self.since.store(now, Ordering::Relaxed);
        let told = self.told.load(Ordering::Relaxed);
        let tell = told == 0 || now >= told + TELL_MS;
        if tell {
            self.told.store(now, Ordering::Relaxed);
        }
        tell
    }

    /// The wait that stands before the next accept, if the last one met the shortage.
    pub(super) fn pause(&self, home: &Arc<Home>) -> Option<Pause> {
        if self.since.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let since = self.since.swap(0, Ordering::Relaxed);
        (since != 0).then(|| Pause {
            timer: Timer::new(home, since - 1 + RETRY_MS),
            freed: FREED.load(Ordering::SeqCst),
            place: None,
        })
    }
}

/// Ends when a descriptor was freed, or after [`RETRY_MS`].
pub(super) struct Pause {
    timer: Timer,
    freed: u64,
    place: Option<Place>,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &self.place {
            Some(place) => WAITERS.update(place, cx.waker()),
            None => self.place = Some(WAITERS.enter(Interest::READABLE, cx.waker())),
        }
        if FREED.load(Ordering::SeqCst) != self.freed {
            return Poll::Ready(());
        }
        // A runtime that has ended has no timers, and the accept that follows says so.
        if self.timer.home().refusal().is_some() {
            return Poll::Ready(());
        }
        self.timer.poll_elapsed(cx)
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            WAITERS.leave(place);
        }
    }
}

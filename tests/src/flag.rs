//! A waker that only counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Counts its wakes. A future polled with it, and not by a task, tells whether its result has
/// come without taking it.
#[derive(Debug, Default)]
pub struct Flag(AtomicUsize);

impl Flag {
    /// A flag nobody has raised, and its waker.
    pub fn new() -> (Arc<Self>, Waker) {
        let flag = Arc::new(Self::default());
        (flag.clone(), flag.into())
    }

    /// Whether it was woken since it was made, or since [`lower`](Self::lower).
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// Forgets the wakes so far, and says how many there were.
    pub fn lower(&self) -> usize {
        self.0.swap(0, Ordering::AcqRel)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

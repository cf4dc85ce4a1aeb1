//! The id of a task.
#![forbid(unsafe_code)]

use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::context;

/// A number that names a task among all tasks alive in this process.
///
/// Ids say nothing about the order of spawning nor about the runtime. The id of
/// a task that has completed may in principle be given again.
#[derive(Clone, Copy, Debug, Hash, Eq, PartialEq, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

impl Id {
    /// An id that no task has.
    pub(crate) fn next() -> Id {
        static LAST: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = LAST.fetch_add(1, Relaxed).wrapping_add(1);
            if let Some(number) = NonZeroU64::new(number) {
                return Id(number);
            }
        }
    }

    /// The number.
    pub(crate) fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of the task that this thread runs: while it is polled, and while its
/// future or its output is dropped by the runtime.
///
/// # Panics
///
/// Outside of a task, which includes the future given to `block_on`.
#[track_caller]
pub fn id() -> Id {
    try_id().expect("Can't get a task id when not inside a task")
}

/// The id of the task that this thread runs, or None outside of a task.
///
/// ```
/// assert_eq!(annulus::task::try_id(), None);
/// ```
pub fn try_id() -> Option<Id> {
    context::task_id()
}

//! Whether the current thread simulates, and what it is refused then.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;

/// Why no future can be blocked on.
pub(crate) const BLOCKED: &str = "block_on leaves the simulated world: all hosts run on this \
    thread, so whatever the future waits for could not happen. Spawn it, or await it";

thread_local! {
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Marks this thread as one that simulates, until it goes.
pub(super) struct Mark(PhantomData<*mut ()>);

impl Mark {
    pub(super) fn new(seed: u64) -> Mark {
        SEED.set(Some(seed));
        Mark(PhantomData)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = SEED.try_with(|seed| seed.set(None));
    }
}

/// The seed of the world that this thread simulates.
pub(crate) fn seed() -> Option<u64> {
    SEED.try_with(Cell::get).unwrap_or(None)
}

/// Refuses an operation that would leave the world; `instead` says what to do.
///
/// # Errors
///
/// `Unsupported` on a thread that simulates.
pub(crate) fn refuse(operation: &str, instead: &str) -> io::Result<()> {
    match seed() {
        None => Ok(()),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{operation} leaves the simulated world: {instead}"),
        )),
    }
}

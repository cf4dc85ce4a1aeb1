//! Whether the current thread simulates, and what it is refused then.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;

use annulus_ring::Kernel;

use crate::context;

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

/// The kernel of the runtime in context, where that is a simulated one.
pub(crate) fn kernel_in_context() -> Option<Kernel> {
    let kernel = context::with_handle(|handle| handle.scheduler().kernel().clone());
    kernel.filter(|kernel| matches!(kernel, Kernel::Simulated(_)))
}

/// Refuses an operation that would leave the world; `instead` says what to do.
///
/// # Errors
///
/// `Unsupported` on a thread that simulates, and in a simulated runtime.
pub(crate) fn refuse(operation: &str, instead: &str) -> io::Result<()> {
    if seed().is_some() || kernel_in_context().is_some() {
        return Err(left(operation, instead));
    }
    Ok(())
}

/// What is said of an operation that would leave the world.
pub(crate) fn left(operation: &str, instead: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        format!("{operation} leaves the simulated world: {instead}"),
    )
}

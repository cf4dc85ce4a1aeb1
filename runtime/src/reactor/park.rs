//! Whether a core waits in the kernel, and who has to wake it.
//!
//! ```text
//!              begin                 call: the caller signals
//!   Running ----------> Parked ---------------------------------+
//!     ^  |                 |                                    v
//!     |  +---- call -------+--------------------------------> Called
//!     |                    |            begin fails, and         |
//!     +------- end --------+------------- end ------------------+
//! ```
//!
//! No call is lost: whoever calls has put its work where the core looks for it, and the core looks
//! after `begin`, and again after `end`.
#![forbid(unsafe_code)]

use crate::atomics::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
/// The core waits in the kernel, or is about to: it needs a signal.
const PARKED: u8 = 1;
/// Somebody has called: the core must look before it waits.
const CALLED: u8 = 2;

pub(crate) struct Park(AtomicU8);

impl Park {
    pub(crate) fn new() -> Park {
        Park(AtomicU8::new(RUNNING))
    }

    /// Makes the core look at its inbox and queues. True if it waits: the caller has to signal.
    pub(crate) fn call(&self) -> bool {
        self.0.swap(CALLED, Ordering::SeqCst) == PARKED
    }

    /// The core is about to wait. False if it was called meanwhile and must not.
    pub(crate) fn begin(&self) -> bool {
        self.0
            .compare_exchange(RUNNING, PARKED, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// The core waits no more, or not at all.
    pub(crate) fn end(&self) {
        self.0.store(RUNNING, Ordering::SeqCst);
    }

    /// Whether the core waits and nobody has called.
    pub(crate) fn is_parked(&self) -> bool {
        self.0.load(Ordering::SeqCst) == PARKED
    }

    /// Whether somebody has called and the core has not looked since.
    pub(crate) fn is_called(&self) -> bool {
        self.0.load(Ordering::SeqCst) == CALLED
    }
}

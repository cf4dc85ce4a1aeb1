//! Which thread this is, for what belongs to one thread only.
//!
//! The address of a thread's own data would be at hand, but a later thread gets it again: the C
//! library keeps the memory of threads that ended for those to come.

#[cfg(feature = "std")]
use core::cell::Cell;
#[cfg(feature = "std")]
use core::sync::atomic::{AtomicU64, Ordering};

/// A thread of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadNumber(u64);

#[cfg(feature = "std")]
std::thread_local! {
    /// 0 until the thread asks for its number.
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// The number of the next thread that asks.
#[cfg(feature = "std")]
static NEXT: AtomicU64 = AtomicU64::new(1);

#[cfg(feature = "std")]
impl ThreadNumber {
    /// The calling thread's, which no other thread ever has.
    pub(crate) fn of_this() -> ThreadNumber {
        if NUMBER.get() == 0 {
            NUMBER.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        ThreadNumber(NUMBER.get())
    }

    /// Whether it is the calling thread's.
    #[inline]
    pub(crate) fn is_this(self) -> bool {
        NUMBER.get() == self.0
    }
}

/// Without `std` there is but the address, so a thread that took the place of one that ended is
/// taken for it.
#[cfg(not(feature = "std"))]
impl ThreadNumber {
    pub(crate) fn of_this() -> ThreadNumber {
        ThreadNumber(annulus_syscalls::arch::thread_pointer() as u64)
    }

    #[inline]
    pub(crate) fn is_this(self) -> bool {
        self == ThreadNumber::of_this()
    }
}

//! `Cursor`: the wrapping 32-bit index that both queues and the buffer ring count with.
//!
//! Head and tail run freely through all of `u32` and are masked only when a slot is touched, so
//! "how many" is a wrapping difference and never needs a case for the wrap. A queue of `n` slots
//! (a power of two, at most 2^31) is empty at difference 0 and full at difference `n`.

/// A free-running position in a queue of a power-of-two size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor(u32);

impl Cursor {
    /// The position with this raw value, as it stands in shared memory.
    #[inline]
    #[must_use]
    pub const fn new(raw: u32) -> Cursor {
        Cursor(raw)
    }

    /// The raw value, as it goes to shared memory.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The position `count` further on.
    #[inline]
    #[must_use]
    pub const fn plus(self, count: u32) -> Cursor {
        Cursor(self.0.wrapping_add(count))
    }

    /// How many steps `self` is ahead of `behind`.
    #[inline]
    #[must_use]
    pub const fn distance_from(self, behind: Cursor) -> u32 {
        self.0.wrapping_sub(behind.0)
    }

    /// The slot of this position; `mask` is the number of slots less one.
    #[inline]
    #[must_use]
    pub const fn slot(self, mask: u32) -> usize {
        (self.0 & mask) as usize
    }
}

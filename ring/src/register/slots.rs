//! `Slots`: which slots of a table are taken, one bit each.
//!
//! ```text
//!   free --take, claim--> taken --give_back--> free
//! ```

use alloc::boxed::Box;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

const BITS: u32 = u64::BITS;

/// A set of slots that threads share.
#[derive(Debug)]
pub(super) struct Slots {
    words: Box<[AtomicU64]>,
    count: u32,
}

impl Slots {
    /// `count` slots, all free.
    pub(super) fn new(count: u32) -> Slots {
        let words = count.div_ceil(BITS);
        Slots {
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            count,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn is_taken(&self, slot: u32) -> bool {
        self.word(slot).load(Ordering::Acquire) & bit(slot) != 0
    }

    /// Whether any slot of `range` is taken.
    pub(super) fn any_taken(&self, mut range: Range<u32>) -> bool {
        range.any(|slot| self.is_taken(slot))
    }

    /// Takes `slot`; `false` if it was taken.
    pub(super) fn take(&self, slot: u32) -> bool {
        let before = self.word(slot).fetch_or(bit(slot), Ordering::AcqRel);
        before & bit(slot) == 0
    }

    pub(super) fn give_back(&self, slot: u32) {
        self.word(slot).fetch_and(!bit(slot), Ordering::AcqRel);
    }

    /// Takes the lowest free slot that `usable` agrees to.
    pub(super) fn claim(&self, usable: impl Fn(u32) -> bool) -> Option<u32> {
        let mut slot = 0;
        while slot < self.count {
            if slot % BITS == 0 && self.word(slot).load(Ordering::Relaxed) == u64::MAX {
                slot += BITS;
                continue;
            }
            if !self.is_taken(slot) && usable(slot) && self.take(slot) {
                return Some(slot);
            }
            slot += 1;
        }
        None
    }

    fn word(&self, slot: u32) -> &AtomicU64 {
        assert!(slot < self.count, "a slot is below the capacity");
        &self.words[(slot / BITS) as usize]
    }
}

fn bit(slot: u32) -> u64 {
    1 << (slot % BITS)
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn slots_are_claimed_lowest_first_and_come_back() {
        let slots = Slots::new(130);
        for expected in 0..130 {
            assert_eq!(slots.claim(|_| true), Some(expected));
        }
        assert_eq!(slots.claim(|_| true), None);
        slots.give_back(64);
        slots.give_back(129);
        assert!(!slots.any_taken(64..65) && slots.any_taken(64..66));
        assert_eq!(slots.claim(|slot| slot > 64), Some(129));
        assert!(slots.take(64) && !slots.take(64));
    }
}

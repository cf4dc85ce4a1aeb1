//! `Word`: one 32-bit field of a queue in shared memory.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::map::Map;

/// A field that both sides read and one side writes. It is used only beside the [`Map`] it came
/// from, as a field of a queue whose owner drops the map last.
#[derive(Debug)]
pub(crate) struct Word(NonNull<AtomicU32>);

impl Word {
    /// The field at `offset_bytes`.
    ///
    /// # Safety
    /// The word is not used after `map` is gone.
    pub(crate) unsafe fn new(map: &Map, offset_bytes: u32) -> Word {
        Word(map.at(offset_bytes as usize, 1))
    }

    #[inline]
    pub(crate) fn load(&self, order: Ordering) -> u32 {
        // SAFETY: inside the mapping, aligned (`Map::at`), and the mapping is there (`new`).
        let word = unsafe { self.0.as_ref() };
        word.load(order)
    }

    #[inline]
    pub(crate) fn store(&self, value: u32, order: Ordering) {
        // SAFETY: inside the mapping, aligned (`Map::at`), and the mapping is there (`new`).
        let word = unsafe { self.0.as_ref() };
        word.store(value, order);
    }

    /// Sets bits, whoever else changes others.
    #[cfg(feature = "std")]
    pub(crate) fn set(&self, bits: u32) {
        // SAFETY: inside the mapping, aligned (`Map::at`), and the mapping is there (`new`).
        let word = unsafe { self.0.as_ref() };
        word.fetch_or(bits, Ordering::SeqCst);
    }

    /// Clears bits, whoever else changes others.
    #[cfg(feature = "std")]
    pub(crate) fn clear(&self, bits: u32) {
        // SAFETY: inside the mapping, aligned (`Map::at`), and the mapping is there (`new`).
        let word = unsafe { self.0.as_ref() };
        word.fetch_and(!bits, Ordering::SeqCst);
    }
}

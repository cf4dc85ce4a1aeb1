//! The completion queue: slots that the kernel fills and we copy out.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use annulus_syscalls::io_uring::{io_uring_cqe, io_uring_params};

use super::word::Word;
use crate::cqe::Cqe;
use crate::cursor::Cursor;
use crate::map::Map;

#[derive(Debug)]
pub(crate) struct CompletionQueue {
    head: Word,
    tail: Word,
    overflow: Word,
    slots: NonNull<io_uring_cqe>,
    mask: u32,
    /// The first slot not copied out yet; the kernel's `head` follows at `publish`.
    taken: Cursor,
    published: Cursor,
}

impl CompletionQueue {
    /// The queue in `rings`.
    ///
    /// # Safety
    /// The map belongs to the ring that `params` describes, whose CQEs have 16 bytes, and
    /// outlives the queue, and there is one queue per ring.
    pub(crate) unsafe fn new(rings: &Map, params: &io_uring_params) -> CompletionQueue {
        let entries = params.cq_entries;
        let off = &params.cq_off;
        // SAFETY: the map outlives the queue, says the caller; so for all three words.
        let head = unsafe { Word::new(rings, off.head) };
        let start = Cursor::new(head.load(Ordering::Relaxed));
        CompletionQueue {
            head,
            // SAFETY: as above.
            tail: unsafe { Word::new(rings, off.tail) },
            // SAFETY: as above.
            overflow: unsafe { Word::new(rings, off.overflow) },
            slots: rings.at(off.cqes as usize, entries as usize),
            mask: entries - 1,
            taken: start,
            published: start,
        }
    }

    /// The oldest completion, copied out.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Cqe> {
        if self.ready() == 0 {
            return None;
        }
        // SAFETY: the index is masked, and the map has as many slots (`new`).
        let slot = unsafe { self.slots.add(self.taken.slot(self.mask)) };
        // SAFETY: the kernel has filled the slot (its tail is beyond, read with Acquire) and
        // leaves it alone until `head` passes it.
        let cqe = unsafe { slot.read() };
        self.taken = self.taken.plus(1);
        Some(Cqe::from_raw(cqe))
    }

    /// Gives the kernel the slots that were copied out.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.published != self.taken {
            self.head.store(self.taken.raw(), Ordering::Release);
            self.published = self.taken;
        }
    }

    /// Completions that wait to be copied out.
    #[inline]
    pub(crate) fn ready(&self) -> u32 {
        let tail = Cursor::new(self.tail.load(Ordering::Acquire));
        tail.distance_from(self.taken)
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        self.mask + 1
    }

    /// Completions that were lost for good: out of memory in the kernel.
    pub(crate) fn lost(&self) -> u32 {
        self.overflow.load(Ordering::Relaxed)
    }
}

//! The submission queue: slots that we fill and the kernel consumes.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::setup::IORING_SETUP_NO_SQARRAY;

use super::word::Word;
use crate::cursor::Cursor;
use crate::map::Map;
use crate::sqe::Sqe;

#[derive(Debug)]
pub(crate) struct SubmissionQueue {
    head: Word,
    tail: Word,
    flags: Word,
    dropped: Word,
    slots: NonNull<Sqe>,
    mask: u32,
    /// After the last slot that was handed out; the kernel's `tail` follows at `publish`.
    filled: Cursor,
    published: Cursor,
}

impl SubmissionQueue {
    /// The queue in `rings`, with its slots in `slots`.
    ///
    /// # Safety
    /// Both maps belong to the ring that `params` describes and outlive the queue, and there is
    /// one queue per ring.
    pub(crate) unsafe fn new(
        rings: &Map,
        slots: &Map,
        params: &io_uring_params,
    ) -> SubmissionQueue {
        let entries = params.sq_entries;
        let off = &params.sq_off;
        if params.flags & IORING_SETUP_NO_SQARRAY == 0 {
            fill_with_identity(rings.at(off.array as usize, entries as usize), entries);
        }
        // SAFETY: the map outlives the queue, says the caller; so for all four words.
        let tail = unsafe { Word::new(rings, off.tail) };
        let start = Cursor::new(tail.load(Ordering::Relaxed));
        SubmissionQueue {
            // SAFETY: as above.
            head: unsafe { Word::new(rings, off.head) },
            tail,
            // SAFETY: as above.
            flags: unsafe { Word::new(rings, off.flags) },
            // SAFETY: as above.
            dropped: unsafe { Word::new(rings, off.dropped) },
            slots: slots.at(0, entries as usize),
            mask: entries - 1,
            filled: start,
            published: start,
        }
    }

    /// The next free slot, zeroed; `None` when the queue is full.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&mut Sqe> {
        if self.queued() > self.mask {
            return None;
        }
        let index = self.filled.slot(self.mask);
        // SAFETY: the index is masked, and the map has as many slots (`new`).
        let mut slot = unsafe { self.slots.add(index) };
        // SAFETY: any bytes are a valid `Sqe`, and the slot is ours: the kernel has consumed what
        // was there (the queue was not full) and sees nothing new before `publish`.
        let sqe = unsafe { slot.as_mut() };
        *sqe = Sqe::new();
        self.filled = self.filled.plus(1);
        Some(sqe)
    }

    /// Shows the kernel what was filled; returns how many entries it has to consume.
    #[inline]
    pub(crate) fn publish(&mut self) -> u32 {
        if self.published != self.filled {
            self.tail.store(self.filled.raw(), Ordering::Release);
            self.published = self.filled;
        }
        self.queued()
    }

    /// Runs `change` on every entry that was filled and not published yet.
    pub(crate) fn each_unpublished(&mut self, mut change: impl FnMut(&mut Sqe)) {
        let mut at = self.published;
        while at != self.filled {
            // SAFETY: the index is masked, and the map has as many slots (`new`).
            let mut slot = unsafe { self.slots.add(at.slot(self.mask)) };
            // SAFETY: not published, so the kernel does not look, and `self` is borrowed.
            change(unsafe { slot.as_mut() });
            at = at.plus(1);
        }
    }

    /// Entries that were filled and that the kernel has not consumed.
    #[inline]
    pub(crate) fn queued(&self) -> u32 {
        let head = Cursor::new(self.head.load(Ordering::Acquire));
        self.filled.distance_from(head)
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        self.mask + 1
    }

    #[inline]
    pub(crate) fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    pub(crate) fn dropped(&self) -> u32 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Lets entry `i` of the array stand for slot `i`, once: an entry's place is then its order.
fn fill_with_identity(array: NonNull<u32>, entries: u32) {
    for index in 0..entries {
        // SAFETY: `Map::at` has checked that `entries` numbers are inside.
        let place = unsafe { array.add(index as usize) };
        // SAFETY: aligned and inside; the kernel reads the array only after a first submission.
        unsafe { place.write(index) };
    }
}

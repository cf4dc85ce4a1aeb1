//! The submission queue: slots that we fill and the kernel consumes.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::setup::IORING_SETUP_NO_SQARRAY;

use super::word::Word;
use crate::cursor::Cursor;
use crate::entries::{MixedSqes, SqEntry};
use crate::map::Map;
use crate::sqe::{Sqe, SqeFlags, WideSqe};

#[derive(Debug)]
pub(crate) struct SubmissionQueue<S: SqEntry> {
    head: Word,
    tail: Word,
    flags: Word,
    dropped: Word,
    slots: NonNull<S::Entry>,
    mask: u32,
    /// After the last slot that was handed out; the kernel's `tail` follows at `publish`.
    filled: Cursor,
    published: Cursor,
}

impl<S: SqEntry> SubmissionQueue<S> {
    /// The queue in `rings`, with its slots in `slots`.
    ///
    /// # Safety
    /// Both maps belong to the ring that `params` describes, whose SQEs are those of `S`, and
    /// outlive the queue, and there is one queue per ring.
    pub(crate) unsafe fn new(
        rings: &Map,
        slots: &Map,
        params: &io_uring_params,
    ) -> SubmissionQueue<S> {
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
    pub(crate) fn next(&mut self) -> Option<&mut S::Entry> {
        if self.queued() > self.mask {
            return None;
        }
        let index = self.filled.slot(self.mask);
        // SAFETY: the index is masked, and the map has as many slots (`new`).
        let mut slot = unsafe { self.slots.add(index) };
        // SAFETY: any bytes are a valid entry, and the slot is ours: the kernel has consumed what
        // was there (the queue was not full) and sees nothing new before `publish`.
        let sqe = unsafe { slot.as_mut() };
        *sqe = S::zeroed();
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
            let sqe = unsafe { slot.as_mut() }.as_mut();
            let slots = if S::MIXED { sqe.opcode().slots() } else { 1 };
            change(sqe);
            at = at.plus(slots);
        }
    }

    /// Goes on where `old` stands: what the kernel has not consumed there moves over, what it has
    /// not been shown included.
    ///
    /// # Panics
    /// If it is more than fits.
    pub(crate) fn take_over(&mut self, old: &SubmissionQueue<S>) {
        assert!(old.queued() <= self.capacity(), "what moves over fits");
        let mut at = Cursor::new(old.head.load(Ordering::Acquire));
        while at != old.filled {
            // SAFETY: the index is masked, and the map has as many slots (`new`).
            let from = unsafe { old.slots.add(at.slot(old.mask)) };
            // SAFETY: as above.
            let to = unsafe { self.slots.add(at.slot(self.mask)) };
            // SAFETY: both are inside and aligned, in maps of their own, and nobody writes to
            // them: the kernel only reads entries, when it is told to submit.
            unsafe { from.copy_to_nonoverlapping(to, 1) };
            at = at.plus(1);
        }
        self.filled = old.filled;
    }

    /// Entries that were filled and not published yet.
    #[inline]
    pub(crate) fn unpublished(&self) -> u32 {
        self.filled.distance_from(self.published)
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

impl SubmissionQueue<MixedSqes> {
    /// The next two free slots as one entry, a `NOP128`; `None` when there are not as many. Where
    /// the first would be the queue's last, that is filled with a `NOP` without a CQE: the kernel
    /// takes no entry that goes round the end. It stays filled when the answer is `None`, so that
    /// a queue of two slots gets over its end too.
    pub(crate) fn next_wide(&mut self) -> Option<&mut WideSqe> {
        if self.filled.slot(self.mask) == self.mask as usize {
            let padding = self.next()?;
            padding.prep_nop().set_flags(SqeFlags::CQE_SKIP_SUCCESS);
        }
        if self.capacity() - self.queued() < 2 {
            return None;
        }
        let index = self.filled.slot(self.mask);
        // SAFETY: the index is masked and not the last, and the map has as many slots (`new`).
        let mut slot = unsafe { self.slots.add(index) }.cast::<WideSqe>();
        // SAFETY: both slots are inside and ours, as in `next`, and any bytes are a valid entry.
        let sqe = unsafe { slot.as_mut() };
        *sqe = WideSqe::nop128();
        self.filled = self.filled.plus(2);
        Some(sqe)
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

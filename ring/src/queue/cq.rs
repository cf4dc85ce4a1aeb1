//! The completion queue: slots that the kernel fills and we copy out.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::queue::IORING_CQ_EVENTFD_DISABLED;

use super::word::Word;
use crate::cursor::Cursor;
use crate::entries::CqEntry;
use crate::entries::sealed::{Begins, Cq};
use crate::map::Map;

#[derive(Debug)]
pub(crate) struct CompletionQueue<C: CqEntry> {
    head: Word,
    tail: Word,
    overflow: Word,
    /// Written by us; `None` before 5.8, which has no such place.
    flags: Option<Word>,
    slots: NonNull<<C as Cq>::Slot>,
    mask: u32,
    /// The first slot not copied out yet; the kernel's `head` follows at `publish`.
    taken: Cursor,
    published: Cursor,
}

impl<C: CqEntry> CompletionQueue<C> {
    /// The queue in `rings`.
    ///
    /// # Safety
    /// The map belongs to the ring that `params` describes, whose CQEs are those of `C`, and
    /// outlives the queue, and there is one queue per ring.
    pub(crate) unsafe fn new(rings: &Map, params: &io_uring_params) -> CompletionQueue<C> {
        let entries = params.cq_entries;
        let off = &params.cq_off;
        // SAFETY: the map outlives the queue, says the caller; so for all three words.
        let head = unsafe { Word::new(rings, off.head) };
        let start = Cursor::new(head.load(Ordering::Relaxed));
        // SAFETY: as above.
        let flags = (off.flags != 0).then(|| unsafe { Word::new(rings, off.flags) });
        CompletionQueue {
            head,
            flags,
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
    pub(crate) fn pop(&mut self) -> Option<C::Completion> {
        let tail = self.seen_tail();
        self.pop_before(tail)
    }

    /// The oldest completion before `tail`, copied out; `tail` was seen by
    /// [`seen_tail`](CompletionQueue::seen_tail) since the queue was made.
    #[inline]
    pub(crate) fn pop_before(&mut self, tail: Cursor) -> Option<C::Completion> {
        loop {
            let ready = tail.distance_from(self.taken);
            if ready == 0 {
                return None;
            }
            let first = self.slot(self.taken);
            match C::begins(&first) {
                Begins::One => {
                    self.taken = self.taken.plus(1);
                    return Some(C::one(first));
                }
                // A kernel shows both halves at once; nothing is read that it did not show.
                Begins::Two if ready < 2 => return None,
                Begins::Two => {
                    let second = self.slot(self.taken.plus(1));
                    self.taken = self.taken.plus(2);
                    return Some(C::two([first, second]));
                }
                Begins::Gap(slots) => self.taken = self.taken.plus(slots.min(ready)),
            }
        }
    }

    /// Copies a slot out, which lies between `taken` and a tail that was seen.
    #[inline]
    fn slot(&self, at: Cursor) -> <C as Cq>::Slot {
        // SAFETY: the index is masked, and the map has as many slots (`new`).
        let slot = unsafe { self.slots.add(at.slot(self.mask)) };
        // SAFETY: the kernel has filled the slot (its tail is beyond, read with Acquire) and
        // leaves it alone until `head` passes it.
        unsafe { slot.read() }
    }

    /// Gives the kernel the slots that were copied out.
    #[inline]
    pub(crate) fn publish(&mut self) {
        if self.published != self.taken {
            self.head.store(self.taken.raw(), Ordering::Release);
            self.published = self.taken;
        }
    }

    /// Goes on where `old` stands, to which the kernel posts no more: what was not popped there
    /// moves over.
    ///
    /// # Panics
    /// If it is more than fits.
    pub(crate) fn take_over(&mut self, old: &CompletionQueue<C>) {
        assert!(old.ready() <= self.capacity(), "what moves over fits");
        let end = old.seen_tail();
        let mut at = old.taken;
        while at != end {
            // SAFETY: the index is masked, and the map has as many slots (`new`).
            let from = unsafe { old.slots.add(at.slot(old.mask)) };
            // SAFETY: as above.
            let to = unsafe { self.slots.add(at.slot(self.mask)) };
            // SAFETY: both are inside and aligned, in maps of their own. The kernel posts to other
            // slots: those after `end`.
            unsafe { from.copy_to_nonoverlapping(to, 1) };
            at = at.plus(1);
        }
        self.taken = old.taken;
    }

    /// Slots that wait to be copied out.
    #[inline]
    pub(crate) fn ready(&self) -> u32 {
        self.seen_tail().distance_from(self.taken)
    }

    /// After the last slot that the kernel has filled by now.
    #[inline]
    pub(crate) fn seen_tail(&self) -> Cursor {
        Cursor::new(self.tail.load(Ordering::Acquire))
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u32 {
        self.mask + 1
    }

    /// Whether completions are told to the eventfd.
    pub(crate) fn eventfd_enabled(&self) -> bool {
        let flags = self.flags.as_ref();
        flags.is_none_or(|flags| flags.load(Ordering::Relaxed) & IORING_CQ_EVENTFD_DISABLED == 0)
    }

    /// Says whether completions are told to the eventfd; `false` where it cannot be said.
    pub(crate) fn enable_eventfd(&mut self, enabled: bool) -> bool {
        let Some(flags) = &self.flags else {
            return false;
        };
        let old = flags.load(Ordering::Relaxed);
        let new = if enabled {
            old & !IORING_CQ_EVENTFD_DISABLED
        } else {
            old | IORING_CQ_EVENTFD_DISABLED
        };
        // Nobody else writes the word.
        flags.store(new, Ordering::Relaxed);
        true
    }

    /// Completions that were lost for good: out of memory in the kernel.
    pub(crate) fn lost(&self) -> u32 {
        self.overflow.load(Ordering::Relaxed)
    }
}

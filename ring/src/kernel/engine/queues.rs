//! The kernel's side of both queues.
//!
//! ```text
//!   user   fills SQE, moves SQ tail  ->  here   copies the SQE, moves SQ head
//!   here   fills CQE, moves CQ tail  ->  user   copies the CQE, moves CQ head
//! ```
//!
//! A CQE that finds the CQ full waits in a list, CQ_OVERFLOW says so in the SQ's flags, and
//! everything after it waits behind it until an enter has found room again.

use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::queue::IORING_SQ_CQ_OVERFLOW;
use annulus_syscalls::io_uring::setup::IORING_SETUP_NO_SQARRAY;
use annulus_syscalls::io_uring::{
    io_cqring_offsets, io_sqring_offsets, io_uring_cqe, io_uring_params, io_uring_sqe,
};

use crate::fork::Origin;
use crate::map::Map;
use crate::queue::Word;

/// `IORING_MAX_ENTRIES` and `IORING_MAX_CQ_ENTRIES` of the kernel.
const SQ_ENTRIES_MAX: u32 = 1 << 15;
const CQ_ENTRIES_MAX: u32 = 1 << 16;

/// Where the words lie: what one side writes stays out of the other's cache line.
const SQ_HEAD: u32 = 0;
const SQ_FLAGS: u32 = 4;
const SQ_DROPPED: u32 = 8;
const CQ_TAIL: u32 = 12;
const CQ_OVERFLOW: u32 = 16;
const SQ_TAIL: u32 = 64;
const CQ_HEAD: u32 = 68;
const CQES: u32 = 128;

/// The memory that both sides of a ring share, and what it looks like.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) rings: Map,
    pub(crate) slots: Map,
    pub(crate) params: io_uring_params,
}

// SAFETY: it is two address ranges; who may touch what is the queues' protocol.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Queues with room for as many entries as `params` asks for, cut to what io_uring allows;
    /// flags and features are taken over as they are.
    ///
    /// # Errors
    /// EINVAL for no entries, or a CQ smaller than the SQ; ENOMEM.
    pub(crate) fn new(asked: &io_uring_params, origin: Origin) -> Result<Memory, Errno> {
        let sq_entries = rounded(asked.sq_entries, SQ_ENTRIES_MAX).ok_or(Errno::EINVAL)?;
        let cq_entries = match asked.cq_entries {
            0 => sq_entries * 2,
            wanted => rounded(wanted, CQ_ENTRIES_MAX).ok_or(Errno::EINVAL)?,
        };
        if cq_entries < sq_entries {
            return Err(Errno::EINVAL);
        }
        let cqes_bytes = cq_entries as usize * size_of::<io_uring_cqe>();
        let array = CQES + cqes_bytes as u32;
        let has_array = asked.flags & IORING_SETUP_NO_SQARRAY == 0;
        let array_bytes = if has_array {
            sq_entries as usize * 4
        } else {
            0
        };
        let params = io_uring_params {
            sq_entries,
            cq_entries,
            sq_off: io_sqring_offsets {
                head: SQ_HEAD,
                tail: SQ_TAIL,
                flags: SQ_FLAGS,
                dropped: SQ_DROPPED,
                array: if has_array { array } else { 0 },
                ..io_sqring_offsets::default()
            },
            cq_off: io_cqring_offsets {
                head: CQ_HEAD,
                tail: CQ_TAIL,
                overflow: CQ_OVERFLOW,
                cqes: CQES,
                ..io_cqring_offsets::default()
            },
            ..*asked
        };
        let slots_bytes = sq_entries as usize * size_of::<io_uring_sqe>();
        Ok(Memory {
            rings: Map::anonymous(array as usize + array_bytes, origin)?,
            slots: Map::anonymous(slots_bytes, origin)?,
            params,
        })
    }
}

/// A number of entries as io_uring makes it.
fn rounded(entries: u32, most: u32) -> Option<u32> {
    (entries > 0).then(|| entries.min(most).next_power_of_two())
}

/// The flags word of the SQ, for whoever has something to tell the submitter.
#[derive(Debug)]
pub(crate) struct Flags {
    word: Word,
    _memory: Arc<Memory>,
}

// SAFETY: the word is only used as an atomic.
unsafe impl Send for Flags {}
// SAFETY: as above.
unsafe impl Sync for Flags {}

impl Flags {
    pub(crate) fn new(memory: &Arc<Memory>) -> Flags {
        Flags {
            // SAFETY: the memory is kept beside the word.
            word: unsafe { Word::new(&memory.rings, SQ_FLAGS) },
            _memory: Arc::clone(memory),
        }
    }

    pub(crate) fn set(&self, bits: u32) {
        self.word.set(bits);
    }

    pub(crate) fn clear(&self, bits: u32) {
        self.word.clear(bits);
    }
}

/// Both queues, as the kernel has them.
#[derive(Debug)]
pub(crate) struct Queues {
    memory: Arc<Memory>,
    sq_head: Word,
    sq_tail: Word,
    cq_head: Word,
    cq_tail: Word,
    flags: Flags,
    slots: NonNull<io_uring_sqe>,
    cqes: NonNull<io_uring_cqe>,
    overflow: VecDeque<io_uring_cqe>,
    /// The CQ takes nothing, as if it were full.
    refuses: bool,
}

// SAFETY: it has the kernel's side of the queues for itself, which no thread is tied to.
unsafe impl Send for Queues {}

impl Queues {
    /// The kernel's side of `memory`.
    ///
    /// # Safety
    /// There is one for each memory.
    pub(crate) unsafe fn new(memory: Arc<Memory>) -> Queues {
        let (rings, params) = (&memory.rings, &memory.params);
        // SAFETY: the memory is kept beside the words.
        let word = |at| unsafe { Word::new(rings, at) };
        Queues {
            sq_head: word(SQ_HEAD),
            sq_tail: word(SQ_TAIL),
            cq_head: word(CQ_HEAD),
            cq_tail: word(CQ_TAIL),
            flags: Flags::new(&memory),
            slots: memory.slots.at(0, params.sq_entries as usize),
            cqes: rings.at(CQES as usize, params.cq_entries as usize),
            overflow: VecDeque::new(),
            refuses: false,
            memory,
        }
    }

    /// The oldest SQE that was not consumed yet, copied out; its slot is free again.
    pub(crate) fn consume(&mut self) -> Option<io_uring_sqe> {
        let head = self.sq_head.load(Ordering::Relaxed);
        if head == self.sq_tail.load(Ordering::Acquire) {
            return None;
        }
        let index = head & (self.memory.params.sq_entries - 1);
        // SAFETY: the index is masked, and the map has as many slots.
        let slot = unsafe { self.slots.add(index as usize) };
        // SAFETY: the slot was filled before the tail passed it, and stays until the head does.
        let sqe = unsafe { slot.read() };
        self.sq_head.store(head.wrapping_add(1), Ordering::Release);
        Some(sqe)
    }

    /// The SQEs that were not consumed yet, each with its place: no other has it until the places
    /// begin again.
    pub(crate) fn left(&self) -> impl Iterator<Item = (u32, io_uring_sqe)> {
        let head = self.sq_head.load(Ordering::Relaxed);
        let count = self.sq_tail.load(Ordering::Acquire).wrapping_sub(head);
        (0..count).map(move |nth| {
            let place = head.wrapping_add(nth);
            let index = place & (self.memory.params.sq_entries - 1);
            // SAFETY: the index is masked, and the map has as many slots.
            let slot = unsafe { self.slots.add(index as usize) };
            // SAFETY: as in `consume`: between head and tail a slot stays as it was filled.
            (place, unsafe { slot.read() })
        })
    }

    /// How many completions the user may pop.
    pub(crate) fn ready(&self) -> u32 {
        let tail = self.cq_tail.load(Ordering::Relaxed);
        tail.wrapping_sub(self.cq_head.load(Ordering::Acquire))
    }

    pub(crate) fn cq_entries(&self) -> u32 {
        self.memory.params.cq_entries
    }

    /// Whether a CQE would find room now.
    pub(crate) fn has_room(&self) -> bool {
        !self.refuses && self.overflow.is_empty() && self.ready() < self.cq_entries()
    }

    /// Lets the CQ refuse what comes, as if it were full, or take it again. Answers whether
    /// something waits for it now.
    pub(crate) fn refuse(&mut self, refuses: bool) -> bool {
        self.refuses = refuses;
        !self.overflow.is_empty()
    }

    /// Posts a CQE; where there is no room it waits for the next flush.
    pub(crate) fn post(&mut self, cqe: io_uring_cqe) {
        if self.has_room() {
            return self.put(cqe);
        }
        self.overflow.push_back(cqe);
        self.flags.set(IORING_SQ_CQ_OVERFLOW);
    }

    /// Moves what had to wait into the CQ, as far as there is room.
    pub(crate) fn flush(&mut self) {
        if self.overflow.is_empty() || self.refuses {
            return;
        }
        while self.ready() < self.cq_entries()
            && let Some(cqe) = self.overflow.pop_front()
        {
            self.put(cqe);
        }
        if self.overflow.is_empty() {
            self.flags.clear(IORING_SQ_CQ_OVERFLOW);
        }
    }

    fn put(&mut self, cqe: io_uring_cqe) {
        let tail = self.cq_tail.load(Ordering::Relaxed);
        let index = tail & (self.cq_entries() - 1);
        // SAFETY: the index is masked, and there are as many CQEs.
        let slot = unsafe { self.cqes.add(index as usize) };
        // SAFETY: the user's head has passed the slot, as there is room.
        unsafe { slot.write(cqe) };
        self.cq_tail.store(tail.wrapping_add(1), Ordering::Release);
    }
}

//! The header of a cell: who owns the body now, and how a result finds its waiter.
//!
//! ```text
//!             place              publish            terminal CQE
//!   Empty ------------> Queued ----------> Lent -------------------> Back
//!     ^                   |                 |                          |
//!     |              drop |            drop |                          | poll, or drop
//!     |                   v                 v                          |
//!     +----------- DroppedQueued      DroppedLent --terminal CQE-------+--> Empty
//! ```
//!
//! - `Empty -> Queued`: whoever took the cell from a free list, which makes it the only owner.
//! - `Queued -> Lent`: the home, after it filled the SQE. From here to the terminal CQE nobody
//!   forms a reference to the body.
//! - `Lent -> Back`: the home, after it turned the operation into its output. From here the body
//!   is the future's, on whatever thread polls it (release on the store, acquire on the load).
//! - `Lent -> Queued`: the home, when the operation has to go round again.
//! - `Queued -> DroppedQueued`, `Lent -> DroppedLent`: the future's drop, on any thread. The home
//!   does the rest.
//! - `Queued -> Detached`: the same for an operation that runs to its end all the same; the home
//!   publishes it as `DroppedLent`, and brings it back here when it has to go round again.
//! - `Lent -> Lost`: the home, when its ring has failed for good, or it ends with a timer in it: the
//!   body stays as it is for ever.
//! - `-> Empty`: whoever emptied the body; the cell is then the home's to reuse.
//!
//! A header stands in at most one list at a time, the inbox, and a bit beside the phase says so:
//! one compare-and-swap changes the phase and claims the place in the list. Whoever set the bit
//! pushes the header, and the home reuses no cell whose bit is set: it waits until the header has
//! come out of the inbox, where clearing the bit and reading the phase are one step too.

use std::panic::Location;
use std::ptr::NonNull;

use futures_util::task::AtomicWaker;

use super::cell::VTable;
use crate::atomics::Ordering::SeqCst;
use crate::atomics::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};

/// Bits of `user_data` that hold the slab index.
const INDEX_BITS: u32 = 32;
/// Bits of `user_data` that hold the generation; the kind stands above them.
const GENERATION_BITS: u32 = 28;
pub(super) const GENERATION_MASK: u32 = (1 << GENERATION_BITS) - 1;

/// What a completion is for: the top four bits of `user_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// An operation in a cell.
    Op = 1,
    /// A cancel, or a close, whose result nobody reads.
    Quiet = 2,
    /// A message or an event that only ends a wait.
    Wake = 3,
}

/// What a `user_data` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: Kind,
    pub(crate) generation: u32,
    pub(crate) index: u32,
}

impl Tag {
    pub(crate) const QUIET: Tag = Tag {
        kind: Kind::Quiet,
        generation: 0,
        index: 0,
    };
    /// A message to the ring.
    pub(crate) const MESSAGE: Tag = Tag {
        kind: Kind::Wake,
        generation: 0,
        index: 0,
    };
    /// The poll of the eventfd.
    pub(crate) const EVENT: Tag = Tag {
        kind: Kind::Wake,
        generation: 0,
        index: 1,
    };

    pub(crate) const fn pack(self) -> u64 {
        ((self.kind as u64) << (INDEX_BITS + GENERATION_BITS))
            | (((self.generation & GENERATION_MASK) as u64) << INDEX_BITS)
            | self.index as u64
    }

    /// `None` for a kind that we never send.
    pub(crate) const fn unpack(user_data: u64) -> Option<Tag> {
        let kind = match user_data >> (INDEX_BITS + GENERATION_BITS) {
            1 => Kind::Op,
            2 => Kind::Quiet,
            3 => Kind::Wake,
            _ => return None,
        };
        let generation = (user_data >> INDEX_BITS) as u32 & GENERATION_MASK;
        Some(Tag {
            kind,
            generation,
            index: user_data as u32,
        })
    }
}

/// Whether a completion with this user data could come twice, or late, and would be told from
/// others: by its generation.
pub(crate) const fn may_repeat(user_data: u64) -> bool {
    matches!(Tag::unpack(user_data), Some(Tag { kind: Kind::Op, .. }))
}

/// Where a cell stands; see the picture above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Empty = 0,
    Queued = 1,
    Lent = 2,
    Back = 3,
    DroppedQueued = 4,
    DroppedLent = 5,
    Lost = 6,
    Detached = 7,
}

impl Phase {
    fn of(state: u8) -> Phase {
        match state & !LINKED {
            0 => Phase::Empty,
            1 => Phase::Queued,
            2 => Phase::Lent,
            3 => Phase::Back,
            4 => Phase::DroppedQueued,
            5 => Phase::DroppedLent,
            6 => Phase::Lost,
            7 => Phase::Detached,
            _ => unreachable!("a phase is only ever stored from the enum"),
        }
    }
}

/// Whether a header stands in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Link {
    Free = 0,
    Linked = LINKED,
}

const LINKED: u8 = 0x80;

/// The first field of every cell.
#[repr(C)]
pub(crate) struct Header {
    /// The phase, and LINKED.
    state: AtomicU8,
    /// A cancel was asked for although somebody still waits.
    pub(super) cancel_wanted: AtomicBool,
    /// The cell stands in the table's queue for a free SQE. Read and written by the home only.
    pub(super) waiting: AtomicBool,
    /// How often a read came back with EFAULT that its memory did not cause.
    pub(super) faults: AtomicU8,
    /// The index of the size class.
    pub(super) class: u8,
    /// The free list that the cell belongs to: the one under the home's mutex, or the home's own.
    pub(super) foreign: bool,
    /// With the slab index: what the CQEs of this use are known by, from the publish on.
    generation: AtomicU32,
    index: AtomicU32,
    /// Bytes of the buffer that the kernel was lent. Read and written by the home only.
    pub(super) lent_bytes: AtomicU32,
    pub(super) link: AtomicPtr<Header>,
    /// Null in the cell of a timer.
    pub(super) vtable: AtomicPtr<VTable>,
    pub(super) site: AtomicPtr<Location<'static>>,
    pub(crate) waker: AtomicWaker,
}

impl Header {
    pub(super) fn new(class: u8, foreign: bool) -> Header {
        Header {
            state: AtomicU8::new(Phase::Empty as u8),
            cancel_wanted: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            faults: AtomicU8::new(0),
            class,
            foreign,
            generation: AtomicU32::new(0),
            index: AtomicU32::new(u32::MAX),
            lent_bytes: AtomicU32::new(0),
            link: AtomicPtr::new(std::ptr::null_mut()),
            vtable: AtomicPtr::new(std::ptr::null_mut()),
            site: AtomicPtr::new(std::ptr::null_mut()),
            waker: AtomicWaker::new(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::of(self.state.load(SeqCst))
    }

    /// Sets the phase of a cell that is the caller's alone: just taken, or refused by the inbox.
    pub(super) fn set(&self, phase: Phase, link: Link) {
        self.state.store(phase as u8 | link as u8, SeqCst);
    }

    /// Moves from one phase to another, or says which phase it was.
    pub(super) fn change(&self, from: Phase, to: Phase) -> Result<(), Phase> {
        self.swap_phase(from, to, 0).map(drop)
    }

    /// Moves from one phase to another and into the inbox. True when the caller has to push the
    /// header: it was not there yet.
    pub(super) fn change_and_link(&self, from: Phase, to: Phase) -> Result<bool, Phase> {
        self.swap_phase(from, to, LINKED)
            .map(|state| state & LINKED == 0)
    }

    fn swap_phase(&self, from: Phase, to: Phase, set: u8) -> Result<u8, Phase> {
        let update =
            |state| (Phase::of(state) == from).then_some(to as u8 | (state & LINKED) | set);
        self.state
            .fetch_update(SeqCst, SeqCst, update)
            .map_err(Phase::of)
    }

    /// Empties the cell. True when the caller may reuse it, false when the inbox still names it.
    pub(super) fn empty(&self) -> bool {
        let update = |state| Some(Phase::Empty as u8 | (state & LINKED));
        let state = self
            .state
            .fetch_update(SeqCst, SeqCst, update)
            .unwrap_or_else(|state| state);
        state & LINKED == 0
    }

    /// Takes the header out of the inbox, and says which phase it was in at that moment.
    pub(super) fn unlink(&self) -> Phase {
        Phase::of(self.state.fetch_and(!LINKED, SeqCst))
    }

    /// Stable from the first publish until the terminal CQE.
    pub(crate) fn tag(&self) -> Tag {
        Tag {
            kind: Kind::Op,
            generation: self.generation.load(Ordering::Acquire),
            index: self.index.load(Ordering::Acquire),
        }
    }

    pub(super) fn set_tag(&self, tag: Tag) {
        self.generation.store(tag.generation, Ordering::Release);
        self.index.store(tag.index, Ordering::Release);
    }
}

/// The address of a header. The pages keep it valid for as long as the home lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderRef(pub(super) NonNull<Header>);

// SAFETY: a header is made of atomics only; what the body allows is decided by the phase.
unsafe impl Send for HeaderRef {}
// SAFETY: as above.
unsafe impl Sync for HeaderRef {}

impl std::ops::Deref for HeaderRef {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: cells lie in append-only pages that live as long as the home, and whoever holds
        // a HeaderRef is the home's table, its inbox, or a future with a reference to the home.
        unsafe { self.0.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_tag_comes_back_as_it_was_packed(generation in 0..=GENERATION_MASK, index: u32) {
            let tag = Tag { kind: Kind::Op, generation, index };
            prop_assert_eq!(Tag::unpack(tag.pack()), Some(tag));
        }
    }

    #[test]
    fn a_kind_that_nobody_sends_is_refused() {
        assert_eq!(Tag::unpack(0), None);
        assert_eq!(Tag::unpack(u64::MAX), None);
    }
}

//! The timing wheel of a core: pure data, no clock and no waker.
//!
//! A tick is 1 ms. Six levels of 64 slots cover 2^36 ticks (two years) ahead;
//! one more list, *far*, holds what lies beyond.
//!
//! ```text
//!            bits of a deadline
//!   63      36 35  30 29  24 23  18 17  12 11   6 5    0
//!  |   far    | L 5  | L 4  | L 3  | L 2  | L 1  | L 0  |
//! ```
//!
//! An entry lies at the level of the highest group of bits in which its
//! deadline differs from `elapsed`, in the slot that this group names. Hence:
//!
//! - the groups above an entry's level equal those of `elapsed`, so slots never
//!   wrap round and the lowest bit set in `occupied` is the next slot;
//! - whatever lies at a lower level is due earlier than all that lies above;
//! - the entries of one slot of level 0 have the same deadline.
//!
//! When `elapsed` reaches the first tick of a slot above level 0, its entries
//! move to lower levels. Lists are kept in the order of insertion and entries
//! move in list order, so entries of one deadline fire in the order in which
//! they were inserted.
//!
//! Each slot keeps a lower bound of its deadlines: exact until its earliest
//! entry is removed, then early until the slot moves down. It spares an idle
//! core the wake-ups that only move entries down.
#![forbid(unsafe_code)]

use slab::Slab;

/// Levels below *far*.
const LEVELS: usize = 6;
/// Bits of a deadline that one level looks at.
const LEVEL_BITS: usize = 6;
/// Slots of one level.
const SLOTS: usize = 1 << LEVEL_BITS;
/// The list of entries that differ from `elapsed` above level 5.
const FAR: usize = LEVELS * SLOTS;
/// The end of a list, and so the limit of entries in a wheel.
const NONE: u32 = u32::MAX;

/// Entries with a deadline in ticks, fired in the order of their deadlines.
///
/// Allocates when it holds more entries than ever before, and at no other time.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// All that was due at or before this tick has fired.
    elapsed: u64,
    /// One bit per slot with entries.
    occupied: [u64; LEVELS],
    slots: Box<[Slot]>,
    entries: Slab<Entry<T>>,
}

/// Names an entry from its insertion until it fires or is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

/// A circular list of entries.
#[derive(Clone, Copy, Debug)]
struct Slot {
    head: u32,
    /// No entry of the slot is due earlier.
    earliest: u64,
}

#[derive(Debug)]
struct Entry<T> {
    deadline: u64,
    prev: u32,
    next: u32,
    slot: u16,
    value: T,
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel at tick 0.
    pub(crate) fn new() -> Self {
        let empty = Slot {
            head: NONE,
            earliest: 0,
        };
        Self {
            elapsed: 0,
            occupied: [0; LEVELS],
            slots: vec![empty; FAR + 1].into_boxed_slice(),
            entries: Slab::new(),
        }
    }

    /// Entries that wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The tick up to which everything has fired.
    #[cfg(test)]
    fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Adds an entry that fires once `deadline` is reached.
    ///
    /// A deadline that has passed fires at the next [`Wheel::advance`], and
    /// takes its turn among the entries due at the tick the wheel stands at.
    ///
    /// # Panics
    ///
    /// If 2^32 - 1 entries wait already.
    pub(crate) fn insert(&mut self, deadline: u64, value: T) -> Key {
        let index = self.entries.insert(Entry {
            deadline: deadline.max(self.elapsed),
            prev: NONE,
            next: NONE,
            slot: 0,
            value,
        });
        let index = u32::try_from(index).ok().filter(|&index| index != NONE);
        let index = index.expect("a wheel holds fewer than 2^32 timers");
        self.link(index);
        Key(index)
    }

    /// Takes back an entry that has not fired.
    ///
    /// # Panics
    ///
    /// If no entry has this key. A key is used again after its entry has fired
    /// or was removed: the caller keeps track.
    pub(crate) fn remove(&mut self, key: Key) -> T {
        assert!(
            self.entries.contains(key.0 as usize),
            "the timer is in no wheel"
        );
        self.unlink(key.0);
        self.entries.remove(key.0 as usize).value
    }

    /// The tick at which [`Wheel::advance`] has to be called next; `None` if no
    /// entry waits.
    ///
    /// Never later than the earliest deadline. Earlier only if the entry that
    /// was the earliest of its slot has been removed.
    pub(crate) fn next_expiration(&self) -> Option<u64> {
        self.first_slot().map(|slot| self.slots[slot].earliest)
    }

    /// Moves the wheel to `now` and calls `fire` with the value of each entry
    /// due by then, in the order of deadlines.
    ///
    /// A tick before that of the last call counts as that one. If `fire` panics,
    /// the entries that it has not seen stay in the wheel.
    pub(crate) fn advance(&mut self, now: u64, fire: &mut impl FnMut(T)) {
        while let Some(slot) = self.first_slot() {
            let start = self.start_of(slot);
            if start > now.max(self.elapsed) {
                break;
            }
            self.elapsed = self.elapsed.max(start);
            if slot >= SLOTS {
                self.move_down(slot);
                continue;
            }
            while self.slots[slot].head != NONE {
                fire(self.remove(Key(self.slots[slot].head)));
            }
        }
        self.elapsed = self.elapsed.max(now);
    }

    /// The slot with the earliest entry.
    fn first_slot(&self) -> Option<usize> {
        for (level, occupied) in self.occupied.iter().enumerate() {
            if *occupied != 0 {
                return Some(level * SLOTS + occupied.trailing_zeros() as usize);
            }
        }
        (self.slots[FAR].head != NONE).then_some(FAR)
    }

    /// The tick at which the entries of a slot fire or move down.
    fn start_of(&self, slot: usize) -> u64 {
        if slot == FAR {
            return self.slots[FAR].earliest & !low_bits(LEVELS);
        }
        let (level, group) = (slot / SLOTS, slot % SLOTS);
        let above = self.elapsed & !low_bits(level + 1);
        above | (group as u64) << (level * LEVEL_BITS)
    }

    /// The slot for a deadline, as seen from `elapsed`.
    fn slot_of(&self, deadline: u64) -> usize {
        let differs = deadline ^ self.elapsed;
        let level = differs.checked_ilog2().unwrap_or(0) as usize / LEVEL_BITS;
        if level >= LEVELS {
            return FAR;
        }
        let group = (deadline >> (level * LEVEL_BITS)) as usize % SLOTS;
        level * SLOTS + group
    }

    /// Links every entry of a slot anew, now that `elapsed` has reached it.
    fn move_down(&mut self, slot: usize) {
        let head = self.slots[slot].head;
        self.slots[slot].head = NONE;
        self.set_occupied(slot, false);
        let mut index = head;
        loop {
            let next = self.entry(index).next;
            self.link(index);
            if next == head {
                break;
            }
            index = next;
        }
    }

    /// Appends an entry to the slot of its deadline.
    fn link(&mut self, index: u32) {
        let deadline = self.entry(index).deadline;
        let slot = self.slot_of(deadline);
        let Slot { head, earliest } = self.slots[slot];
        if head == NONE {
            self.slots[slot] = Slot {
                head: index,
                earliest: deadline,
            };
            self.set_occupied(slot, true);
        } else {
            self.slots[slot].earliest = earliest.min(deadline);
        }
        let head = self.slots[slot].head;
        let tail = if head == index {
            index
        } else {
            self.entry(head).prev
        };
        let entry = self.entry(index);
        (entry.prev, entry.next, entry.slot) = (tail, head, slot as u16);
        self.entry(tail).next = index;
        self.entry(head).prev = index;
    }

    /// Takes an entry out of its slot.
    fn unlink(&mut self, index: u32) {
        let &mut Entry {
            prev, next, slot, ..
        } = self.entry(index);
        let slot = usize::from(slot);
        if next == index {
            self.slots[slot].head = NONE;
            self.set_occupied(slot, false);
            return;
        }
        self.entry(prev).next = next;
        self.entry(next).prev = prev;
        if self.slots[slot].head == index {
            self.slots[slot].head = next;
        }
    }

    fn set_occupied(&mut self, slot: usize, occupied: bool) {
        if slot == FAR {
            return;
        }
        let bit = 1 << (slot % SLOTS);
        if occupied {
            self.occupied[slot / SLOTS] |= bit;
        } else {
            self.occupied[slot / SLOTS] &= !bit;
        }
    }

    fn entry(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.entries[index as usize]
    }
}

/// The bits of a tick below a level.
fn low_bits(level: usize) -> u64 {
    (1 << (level * LEVEL_BITS)) - 1
}

#[cfg(test)]
mod tests;

//! One stretch of lent memory, and what was done so that a touch of it shows.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use std::mem::MaybeUninit;
use std::vec::Vec;

use super::extent::{Access, Extent};
use super::{Act, Borrower, list};
use crate::kernel::simulated::pages;

/// Lent memory. Dropped, it is the program's again.
#[derive(Debug)]
pub(super) struct Region {
    /// In the process's list.
    place: Option<usize>,
    watch: Watch,
    /// The kernel writes there: from then on nothing is watched.
    written: bool,
}

/// How a touch shows.
#[derive(Debug)]
enum Watch {
    Nothing,
    /// It is as it was.
    Kept([Part; 2]),
    /// It is full of this byte; what stood there is kept beside.
    Covered([Part; 2], u8),
    /// Whole pages that nobody can look at: where they begin, and how long they are.
    Hidden(usize, usize),
}

/// Bytes at an address, and what stood there.
#[derive(Debug)]
struct Part {
    address: usize,
    bytes: Vec<MaybeUninit<u8>>,
}

/// Of longer memory only both ends are watched: each half of this.
const WATCHED_BYTES_MAX: usize = 4096;

impl Region {
    /// The memory of an operation. `mark` is the byte that covers it, where it is covered.
    pub(super) fn new(extent: Extent, borrower: Borrower, mark: u8) -> Region {
        let Extent {
            address,
            len,
            access,
        } = extent;
        let watch = match access {
            Access::Nothing => Watch::Nothing,
            Access::Reads | Access::ReadsThenWrites => Watch::Kept(ends(address, len, Part::saved)),
            Access::Writes if pages::hide(address, len) => Watch::Hidden(address, len),
            Access::Writes => {
                let parts = ends(address, len, Part::saved);
                parts.iter().for_each(|part| part.fill(mark));
                Watch::Covered(parts, mark)
            }
        };
        let (opcode, user_data) = borrower.pack();
        Region {
            place: list::add(address, len, opcode, user_data),
            watch,
            written: matches!(access, Access::Writes | Access::ReadsThenWrites),
        }
    }

    /// A provided buffer, whose group is in the list.
    pub(super) fn of_buffer(address: usize, len: usize, mark: u8) -> Region {
        let parts = ends(address, len, Part::saved);
        parts.iter().for_each(|part| part.fill(mark));
        Region {
            place: None,
            watch: Watch::Covered(parts, mark),
            written: true,
        }
    }

    /// Memory that an allocator must leave alone, and no more.
    pub(super) fn listed(address: usize, len: usize, borrower: Borrower) -> Region {
        let access = Access::Nothing;
        let extent = Extent {
            address,
            len,
            access,
        };
        Region::new(extent, borrower, 0)
    }

    /// Data is about to be written. Answers whether the memory was left alone, and lets it be
    /// written to.
    pub(super) fn uncover(&mut self) -> bool {
        !self.written || self.leave()
    }

    /// Answers whether the memory was left alone, and watches it no more.
    pub(super) fn leave(&mut self) -> bool {
        match std::mem::replace(&mut self.watch, Watch::Nothing) {
            Watch::Nothing => true,
            Watch::Kept(parts) => !parts.iter().any(Part::has_changed),
            Watch::Covered(parts, mark) => {
                let untouched = parts.iter().all(|part| part.is_all(mark));
                parts.iter().for_each(Part::restore);
                untouched
            }
            Watch::Hidden(start, len) => {
                pages::show(start, len);
                true
            }
        }
    }

    /// What an allocator was asked to do with it.
    pub(super) fn take_freed(&self) -> Option<Act> {
        self.place.and_then(list::take_freed)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Watch::Hidden(start, len) = self.watch {
            pages::show(start, len);
        }
        if let Some(place) = self.place {
            list::remove(place);
        }
    }
}

/// The parts of some memory that are watched.
fn ends(address: usize, len: usize, part: impl Fn(usize, usize) -> Part) -> [Part; 2] {
    let half = WATCHED_BYTES_MAX / 2;
    if len <= WATCHED_BYTES_MAX {
        [part(address, len), part(address + len, 0)]
    } else {
        [part(address, half), part(address + len - half, half)]
    }
}

impl Part {
    /// Remembers what stands there.
    fn saved(address: usize, len: usize) -> Part {
        let mut bytes = Vec::with_capacity(len);
        let from = with_exposed_provenance::<MaybeUninit<u8>>(address);
        let to: *mut MaybeUninit<u8> = bytes.as_mut_ptr();
        // SAFETY: the memory is lent to the operation, initialised or not, and there is room.
        unsafe { to.copy_from_nonoverlapping(from, len) };
        // SAFETY: as many were copied, and may be uninitialised.
        unsafe { bytes.set_len(len) };
        Part { address, bytes }
    }

    fn fill(&self, byte: u8) {
        let start = with_exposed_provenance_mut::<u8>(self.address);
        // SAFETY: lent to an operation that writes it.
        unsafe { start.write_bytes(byte, self.bytes.len()) };
    }

    /// What stands there now, where it was initialised.
    fn now(&self) -> &[u8] {
        if self.bytes.is_empty() {
            return &[];
        }
        let start = with_exposed_provenance::<u8>(self.address);
        // SAFETY: lent to the operation until its last CQE, which is not posted yet; covered, or
        // lent for reading and so initialised.
        unsafe { core::slice::from_raw_parts(start, self.bytes.len()) }
    }

    fn is_all(&self, byte: u8) -> bool {
        // A slice against itself, one further: the C library compares, not a loop.
        let now = self.now();
        now.first().is_none_or(|&first| first == byte)
            && now.get(1..).is_none_or(|rest| *rest == now[..rest.len()])
    }

    /// Whether memory that is only read is not what it was.
    fn has_changed(&self) -> bool {
        // SAFETY: what an operation reads is initialised, and was copied from there.
        let then = unsafe {
            core::slice::from_raw_parts(self.bytes.as_ptr().cast::<u8>(), self.bytes.len())
        };
        self.now() != then
    }

    fn restore(&self) {
        if self.bytes.is_empty() {
            return;
        }
        let to = with_exposed_provenance_mut::<MaybeUninit<u8>>(self.address);
        // SAFETY: lent to an operation that writes it, and as long as what was saved.
        unsafe { to.copy_from_nonoverlapping(self.bytes.as_ptr(), self.bytes.len()) };
    }
}

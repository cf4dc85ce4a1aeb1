//! Memory that simulated operations have: whose it is, and whether it was left alone.
//!
//! ```text
//!   taken in    lend      what is to be read is remembered; what is to be written gets a canary,
//!                         or is hidden where it is whole pages
//!   data moves  uncover   the canary was not touched: what stood there comes back
//!   last CQE    give_back as above, or: what was to be read did not change
//!   meanwhile   free, realloc of it: seen by the allocator that asks `freed_while_lent`
//! ```
//!
//! The list for the allocator is the process's, without a lock and without memory of its own.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::fmt;
use std::mem::MaybeUninit;
use std::vec::Vec;

use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::pages;
use super::world::Id;
use crate::kernel::engine::Key;
use crate::opcode::Opcode;

/// Lent memory that was not left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was done to it.
    pub act: Act,
    /// The operation that had it.
    pub opcode: Opcode,
    /// Which one it was.
    pub user_data: u64,
}

/// What a program must not do to memory that it has lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It wrote to it.
    Touched,
    /// It gave it to the allocator to grow, to shrink or to move.
    Moved,
    /// It gave it back to the allocator.
    Freed,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let act = match self.act {
            Act::Touched => "written to",
            Act::Moved => "reallocated",
            Act::Freed => "freed",
        };
        let Violation {
            opcode, user_data, ..
        } = self;
        write!(
            f,
            "memory was {act} while it was lent to {opcode:?} (user data {user_data:#x})"
        )
    }
}

/// What the operations of all rings of a world have.
#[derive(Debug, Default)]
pub(super) struct Lent {
    loans: BTreeMap<(Id, u64), Loan>,
    violation: Option<Violation>,
}

/// Memory of one operation.
#[derive(Debug)]
struct Loan {
    /// In the process's list.
    place: Option<usize>,
    parts: [Part; 2],
    /// Whole pages that are hidden meanwhile: where they begin, and how long they are.
    hidden: Option<(usize, usize)>,
    /// The byte that covers what is to be written; without one the memory is only read.
    canary: Option<u8>,
    opcode: Opcode,
    user_data: u64,
}

/// Bytes at an address, as they were.
#[derive(Debug, Default)]
struct Part {
    address: usize,
    bytes: Vec<MaybeUninit<u8>>,
}

/// Of longer memory only both ends are watched: each half of this.
const WATCHED_BYTES_MAX: usize = 4096;

impl Lent {
    /// An operation was taken in: what it reads must not change, what it writes is covered.
    pub(super) fn lend(&mut self, ring: Id, key: Key, sqe: &io_uring_sqe) {
        let writes = match sqe.opcode {
            op::IORING_OP_RECV | op::IORING_OP_READ => true,
            op::IORING_OP_SEND | op::IORING_OP_SEND_ZC | op::IORING_OP_WRITE => false,
            _ => return,
        };
        let (address, len) = (sqe.addr as usize, sqe.len as usize);
        if address == 0 || len == 0 {
            return;
        }
        let opcode = Opcode(sqe.opcode);
        let user_data = sqe.user_data;
        let half = WATCHED_BYTES_MAX / 2;
        let ends = if len <= WATCHED_BYTES_MAX {
            [(address, len), (address + len, 0)]
        } else {
            [(address, half), (address + len - half, half)]
        };
        let hidden = (writes && pages::hide(address, len)).then_some((address, len));
        let canary =
            (writes && hidden.is_none()).then(|| 1 | (key.number().wrapping_mul(0x9d) as u8));
        let parts = if hidden.is_some() {
            [Part::default(), Part::default()]
        } else {
            ends.map(|(address, len)| Part::save(address, len, canary))
        };
        let loan = Loan {
            place: list::add(address, len, opcode.0, user_data),
            hidden,
            parts,
            canary,
            opcode,
            user_data,
        };
        self.loans.insert((ring, key.number()), loan);
    }

    /// Data is about to be written: what stood in the memory stands there again.
    pub(super) fn uncover(&mut self, ring: Id, key: Key) {
        let Some(loan) = self.loans.get_mut(&(ring, key.number())) else {
            return;
        };
        loan.show();
        if let Some(canary) = loan.canary.take() {
            let untouched = loan.parts.iter().all(|part| part.is_all(canary));
            for part in std::mem::take(&mut loan.parts) {
                part.restore();
            }
            if !untouched {
                let violation = loan.violation(Act::Touched);
                self.violation.get_or_insert(violation);
            }
        }
    }

    /// The operation has ended.
    pub(super) fn give_back(&mut self, ring: Id, key: Key) {
        self.uncover(ring, key);
        let Some(loan) = self.loans.remove(&(ring, key.number())) else {
            return;
        };
        if let Some(act) = loan.place.and_then(list::take_freed) {
            self.violation.get_or_insert(loan.violation(act));
        }
        if loan.parts.iter().any(Part::has_changed) {
            self.violation.get_or_insert(loan.violation(Act::Touched));
        }
    }

    /// A ring is gone, and what its operations had is nobody's business any more.
    pub(super) fn forget(&mut self, ring: Id) {
        self.loans.retain(|(of, _), _| *of != ring);
    }

    /// The first violation that nobody has taken yet.
    pub(super) fn take_violation(&mut self) -> Option<Violation> {
        if list::has_freed() {
            let freed = self.loans.values().find_map(|loan| {
                let act = loan.place.and_then(list::take_freed)?;
                Some(loan.violation(act))
            });
            if let Some(violation) = freed {
                return Some(violation);
            }
        }
        self.violation.take()
    }
}

impl Loan {
    fn show(&mut self) {
        if let Some((start, len)) = self.hidden.take() {
            pages::show(start, len);
        }
    }

    fn violation(&self, act: Act) -> Violation {
        Violation {
            act,
            opcode: self.opcode,
            user_data: self.user_data,
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.show();
        if let Some(place) = self.place {
            list::remove(place);
        }
    }
}

impl Part {
    /// Remembers what stands there, and covers it.
    fn save(address: usize, len: usize, canary: Option<u8>) -> Part {
        let mut bytes = Vec::with_capacity(len);
        let from = with_exposed_provenance::<MaybeUninit<u8>>(address);
        let to: *mut MaybeUninit<u8> = bytes.as_mut_ptr();
        // SAFETY: the memory is lent to the operation, initialised or not, and there is room.
        unsafe { to.copy_from_nonoverlapping(from, len) };
        // SAFETY: as many were copied, and may be uninitialised.
        unsafe { bytes.set_len(len) };
        if let Some(canary) = canary {
            let start = with_exposed_provenance_mut::<u8>(address);
            // SAFETY: lent to an operation that writes it.
            unsafe { start.write_bytes(canary, len) };
        }
        Part { address, bytes }
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
        let to = with_exposed_provenance_mut::<MaybeUninit<u8>>(self.address);
        if self.bytes.is_empty() {
            return;
        }
        // SAFETY: lent to an operation that writes it, and as long as what was saved.
        unsafe { to.copy_from_nonoverlapping(self.bytes.as_ptr(), self.bytes.len()) };
    }
}

/// For an allocator: whether memory that it is to free, or to move, is lent to an operation. Then
/// it stays as it is for good, and the simulation is told.
#[must_use]
pub fn freed_while_lent(start: *const u8, size_bytes: usize, act: Act) -> bool {
    list::freed(start.addr(), size_bytes, act)
}

/// The operation that has the memory at an address, and its user data. For a signal's handler.
pub(super) fn owner_of(address: usize) -> Option<(Opcode, u64)> {
    let (opcode, user_data) = list::owner_of(address)?;
    Some((Opcode(opcode), user_data))
}

/// The process's list of what is lent.
mod list {
    use super::{Act, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

    /// Loans at a time; more are not watched by the allocator.
    const PLACES: usize = 4096;
    /// A page of memory, for the counts below.
    const PAGE_BITS: u32 = 12;
    const COUNTS: usize = 1 << 14;
    /// Blocks of more pages are looked for without asking the counts.
    const PAGES_MAX: usize = 64;

    struct Place {
        /// 0 is free.
        start: AtomicUsize,
        len: AtomicUsize,
        opcode: AtomicU8,
        user_data: AtomicU64,
        /// What was done to it: nothing, or an act and one.
        freed: AtomicU8,
    }

    static LIST: [Place; PLACES] = [const {
        Place {
            start: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            opcode: AtomicU8::new(0),
            user_data: AtomicU64::new(0),
            freed: AtomicU8::new(0),
        }
    }; PLACES];
    /// Behind the last place that was ever used.
    static END: AtomicUsize = AtomicUsize::new(0);
    /// Loans in pages that share a number: where it is 0, nothing is lent.
    static IN_PAGES: [AtomicU32; COUNTS] = [const { AtomicU32::new(0) }; COUNTS];

    /// Places that were freed, which nobody has looked at.
    static FREED: AtomicUsize = AtomicUsize::new(0);

    fn pages(start: usize, len: usize) -> core::ops::RangeInclusive<usize> {
        start >> PAGE_BITS..=(start + len - 1) >> PAGE_BITS
    }

    fn count_pages(place: &Place, count: impl Fn(&AtomicU32)) {
        let (start, len) = (
            place.start.load(Ordering::Relaxed),
            place.len.load(Ordering::Relaxed),
        );
        pages(start, len).for_each(|page| count(&IN_PAGES[page % COUNTS]));
    }

    pub(super) fn add(start: usize, len: usize, opcode: u8, user_data: u64) -> Option<usize> {
        let free = LIST.iter().position(|place| {
            let free = place
                .start
                .compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed);
            free.is_ok()
        })?;
        let place = &LIST[free];
        place.len.store(len, Ordering::Relaxed);
        place.opcode.store(opcode, Ordering::Relaxed);
        place.user_data.store(user_data, Ordering::Relaxed);
        END.fetch_max(free + 1, Ordering::Release);
        count_pages(place, |count| {
            count.fetch_add(1, Ordering::Release);
        });
        Some(free)
    }

    pub(super) fn remove(place: usize) {
        let _ = take_freed(place);
        let place = &LIST[place];
        count_pages(place, |count| {
            count.fetch_sub(1, Ordering::Release);
        });
        place.len.store(0, Ordering::Relaxed);
        place.start.store(0, Ordering::Release);
    }

    pub(super) fn freed(start: usize, size_bytes: usize, act: Act) -> bool {
        if size_bytes == 0 {
            return false;
        }
        let mut pages = pages(start, size_bytes);
        let few = pages.end() - pages.start() < PAGES_MAX;
        if few && pages.all(|page| IN_PAGES[page % COUNTS].load(Ordering::Acquire) == 0) {
            return false;
        }
        let Some(place) = find(start, size_bytes) else {
            return false;
        };
        let known = place.freed.swap(act as u8 + 1, Ordering::AcqRel);
        FREED.fetch_add(usize::from(known == 0), Ordering::Release);
        true
    }

    /// A place with any of these bytes.
    fn find(start: usize, size_bytes: usize) -> Option<&'static Place> {
        let end = END.load(Ordering::Acquire);
        LIST[..end].iter().find(|place| {
            let (at, len) = (
                place.start.load(Ordering::Acquire),
                place.len.load(Ordering::Relaxed),
            );
            at != 0 && at < start + size_bytes && start < at + len
        })
    }

    /// The opcode and the user data of who has this byte.
    pub(super) fn owner_of(address: usize) -> Option<(u8, u64)> {
        let place = find(address, 1)?;
        let opcode = place.opcode.load(Ordering::Relaxed);
        Some((opcode, place.user_data.load(Ordering::Relaxed)))
    }

    pub(super) fn has_freed() -> bool {
        FREED.load(Ordering::Acquire) > 0
    }

    /// What was done to a place, once.
    pub(super) fn take_freed(place: usize) -> Option<Act> {
        let act = match LIST[place].freed.swap(0, Ordering::AcqRel) {
            0 => return None,
            act if act == Act::Moved as u8 + 1 => Act::Moved,
            _ => Act::Freed,
        };
        FREED.fetch_sub(1, Ordering::Release);
        Some(act)
    }
}

//! Memory that simulated operations have: whose it is, and whether it was left alone.
//!
//! ```text
//!   not consumed  keep_left       what an entry names that an enter left in the SQ
//!   taken in      lend            what is to be read is remembered; what is to be written is
//!                                 covered, or hidden where it is whole pages
//!   data moves    uncover         the cover was not touched: what stood there comes back
//!   last CQE      give_back       as above, or: what was to be read did not change
//!   meanwhile     free, realloc   seen by the allocator that asks `freed_while_lent`
//!
//!   provided      lend_buffers      the ring's tail has passed the buffer: it is covered
//!   selected      uncover_buffer
//!   CQE names it  give_back_buffer
//! ```

mod extent;
mod list;
mod region;

use std::collections::BTreeMap;
use std::fmt;
use std::vec::Vec;

use annulus_syscalls::io_uring::io_uring_sqe;

use self::region::Region;
use super::world::Id;
use crate::kernel::engine::{Key, Operation, Selected};
use crate::opcode::Opcode;

/// Lent memory that was not left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was done to it.
    pub act: Act,
    /// Who had it.
    pub borrower: Borrower,
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
    /// It lent the same buffer again.
    Repeated,
}

/// Who has memory that was lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Borrower {
    /// An operation.
    Operation {
        /// What it does.
        opcode: Opcode,
        /// Which one it is.
        user_data: u64,
    },
    /// A group of provided buffers.
    Group(u16),
}

impl Borrower {
    /// Stands for a group, where others have an opcode that io_uring does not.
    const GROUP: u8 = u8::MAX;

    fn of(sqe: &io_uring_sqe) -> Borrower {
        Borrower::Operation {
            opcode: Opcode(sqe.opcode),
            user_data: sqe.user_data,
        }
    }

    fn pack(self) -> (u8, u64) {
        match self {
            Borrower::Operation { opcode, user_data } => (opcode.0, user_data),
            Borrower::Group(group) => (Borrower::GROUP, u64::from(group)),
        }
    }

    fn unpack((opcode, user_data): (u8, u64)) -> Borrower {
        match opcode {
            Borrower::GROUP => Borrower::Group(user_data as u16),
            _ => Borrower::Operation {
                opcode: Opcode(opcode),
                user_data,
            },
        }
    }
}

impl fmt::Display for Borrower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Borrower::Operation { opcode, user_data } => {
                write!(f, "{opcode} (user data {user_data:#x})")
            }
            Borrower::Group(group) => write!(f, "buffer group {group}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let act = match self.act {
            Act::Touched => "written to",
            Act::Moved => "reallocated",
            Act::Freed => "freed",
            Act::Repeated => "lent again",
        };
        write!(f, "memory was {act} while it was lent to {}", self.borrower)
    }
}

/// What the operations of all rings of a world have.
#[derive(Debug, Default)]
pub(super) struct Lent {
    loans: BTreeMap<(Id, Name), Loan>,
    groups: BTreeMap<(Id, u16), Vec<Stretch>>,
    violation: Option<Violation>,
}

/// Which loan of a ring it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// A request's, by its number.
    Request(u64),
    /// A provided buffer, by its group and its id.
    Buffer(u16, u16),
    /// What an entry names that was not consumed, by its place in the SQ.
    Left(u32),
}

#[derive(Debug)]
struct Loan {
    regions: Vec<Region>,
    borrower: Borrower,
}

/// Memory of provided buffers that lie side by side. It is the group's also while some of them
/// are the program's: they cannot be freed one by one.
#[derive(Debug)]
struct Stretch {
    start: usize,
    len: usize,
    region: Region,
}

impl Lent {
    /// An operation was taken in: what it reads must not change, what it writes is covered.
    pub(super) fn lend(&mut self, ring: Id, key: Key, op: &Operation) {
        let borrower = Borrower::of(&op.sqe);
        let mark = mark_of(key.number());
        let mut regions = Vec::new();
        extent::of_operation(op, |extent| {
            if extent.address != 0 && extent.len != 0 {
                regions.push(Region::new(extent, borrower, mark));
            }
        });
        if !regions.is_empty() {
            let loan = Loan { regions, borrower };
            self.loans.insert((ring, Name::Request(key.number())), loan);
        }
    }

    /// An enter has left this entry of the SQ for a later one.
    pub(super) fn keep_left(&mut self, ring: Id, place: u32, sqe: &io_uring_sqe) {
        let name = (ring, Name::Left(place));
        if self.loans.contains_key(&name) {
            return;
        }
        let borrower = Borrower::of(sqe);
        let mut regions = Vec::new();
        extent::of_entry(sqe, |extent| {
            if extent.address != 0 && extent.len != 0 {
                regions.push(Region::new(extent, borrower, 0));
            }
        });
        if !regions.is_empty() {
            self.loans.insert(name, Loan { regions, borrower });
        }
    }

    /// An entry that was left is about to be consumed.
    pub(super) fn give_back_left(&mut self, ring: Id, place: u32) {
        self.end(ring, Name::Left(place));
    }

    /// Data is about to be written: what stood in the memory stands there again.
    pub(super) fn uncover(&mut self, ring: Id, key: Key) {
        self.uncover_named(ring, Name::Request(key.number()));
    }

    /// The operation has ended.
    pub(super) fn give_back(&mut self, ring: Id, key: Key) {
        self.end(ring, Name::Request(key.number()));
    }

    /// Buffers were provided.
    pub(super) fn lend_buffers(&mut self, ring: Id, group: u16, buffers: &[Selected]) {
        let borrower = Borrower::Group(group);
        let stretches = self.groups.entry((ring, group)).or_default();
        Stretch::add(stretches, borrower, buffers);
        for buffer in buffers {
            let name = (ring, Name::Buffer(group, buffer.id));
            if self.loans.contains_key(&name) {
                let act = Act::Repeated;
                self.violation.get_or_insert(Violation { act, borrower });
                continue;
            }
            let (address, len) = (buffer.address as usize, buffer.len as usize);
            let region = Region::of_buffer(address, len, mark_of(u64::from(buffer.id)));
            let regions = [region].into();
            self.loans.insert(name, Loan { regions, borrower });
        }
    }

    /// A buffer was selected, and data is about to be written there.
    pub(super) fn uncover_buffer(&mut self, ring: Id, group: u16, id: u16) {
        self.uncover_named(ring, Name::Buffer(group, id));
    }

    /// A CQE names the buffer.
    pub(super) fn give_back_buffer(&mut self, ring: Id, group: u16, buffer: Selected) {
        self.end(ring, Name::Buffer(group, buffer.id));
        if let Some(stretches) = self.groups.get_mut(&(ring, group)) {
            // A buffer that stands alone may be freed now.
            stretches.retain(|stretch| {
                stretch.start != buffer.address as usize || stretch.len != buffer.len as usize
            });
        }
    }

    /// A group was taken from its ring, with all that it had.
    pub(super) fn forget_group(&mut self, ring: Id, group: u16) {
        let names = (ring, Name::Buffer(group, 0))..=(ring, Name::Buffer(group, u16::MAX));
        let names: Vec<_> = self.loans.range(names).map(|(name, _)| *name).collect();
        for (ring, name) in names {
            self.end(ring, name);
        }
        self.groups.remove(&(ring, group));
    }

    /// A ring is gone, and what its operations had is nobody's business any more.
    pub(super) fn forget(&mut self, ring: Id) {
        self.loans.retain(|(of, _), _| *of != ring);
        self.groups.retain(|(of, _), _| *of != ring);
    }

    /// The first violation that nobody has taken yet.
    pub(super) fn take_violation(&mut self) -> Option<Violation> {
        if list::has_freed() {
            // What was left counts when it is consumed: a ring that is dead consumes nothing.
            let in_use = self
                .loans
                .iter()
                .filter(|((_, name), _)| !matches!(name, Name::Left(_)));
            let mut freed = in_use.filter_map(|(_, loan)| loan.take_freed());
            let groups = self.groups.iter();
            let mut in_groups = groups.filter_map(|((_, group), stretches)| {
                let borrower = Borrower::Group(*group);
                let act = stretches.iter().find_map(|it| it.region.take_freed())?;
                Some(Violation { act, borrower })
            });
            if let Some(violation) = freed.next().or_else(|| in_groups.next()) {
                return Some(violation);
            }
        }
        self.violation.take()
    }

    fn uncover_named(&mut self, ring: Id, name: Name) {
        let Some(loan) = self.loans.get_mut(&(ring, name)) else {
            return;
        };
        // Each of them, for all are written to.
        let touched = loan.regions.iter_mut().map(|region| !region.uncover());
        if touched.filter(|touched| *touched).count() > 0 {
            let violation = loan.violation(Act::Touched);
            self.violation.get_or_insert(violation);
        }
    }

    fn end(&mut self, ring: Id, name: Name) {
        let Some(mut loan) = self.loans.remove(&(ring, name)) else {
            return;
        };
        if let Some(violation) = loan.take_freed() {
            self.violation.get_or_insert(violation);
        }
        // Here too.
        let touched = loan.regions.iter_mut().map(|region| !region.leave());
        if touched.filter(|touched| *touched).count() > 0 {
            self.violation.get_or_insert(loan.violation(Act::Touched));
        }
    }
}

impl Loan {
    fn violation(&self, act: Act) -> Violation {
        Violation {
            act,
            borrower: self.borrower,
        }
    }

    fn take_freed(&self) -> Option<Violation> {
        let act = self.regions.iter().find_map(Region::take_freed)?;
        Some(self.violation(act))
    }
}

impl Stretch {
    /// Takes in the memory of buffers, as far as it is not there.
    fn add(stretches: &mut Vec<Stretch>, borrower: Borrower, buffers: &[Selected]) {
        let (mut start, mut len) = (0, 0);
        let mut add = |start: usize, len: usize| {
            let known = |it: &Stretch| it.start <= start && start + len <= it.start + it.len;
            if len > 0 && !stretches.iter().any(known) {
                let region = Region::listed(start, len, borrower);
                stretches.push(Stretch { start, len, region });
            }
        };
        for buffer in buffers {
            let (address, size_bytes) = (buffer.address as usize, buffer.len as usize);
            if address == start + len {
                len += size_bytes;
            } else {
                add(start, len);
                (start, len) = (address, size_bytes);
            }
        }
        add(start, len);
    }
}

/// The byte that covers a loan of this number.
fn mark_of(number: u64) -> u8 {
    1 | (number.wrapping_mul(0x9d) as u8)
}

/// For an allocator: whether memory that it is to free, or to move, is lent to an operation. Then
/// it stays as it is for good, and the simulation is told.
#[must_use]
pub fn freed_while_lent(start: *const u8, size_bytes: usize, act: Act) -> bool {
    list::freed(start.addr(), size_bytes, act)
}

/// Who has the memory at an address. For a signal's handler.
pub(super) fn owner_of(address: usize) -> Option<Borrower> {
    list::owner_of(address).map(Borrower::unpack)
}

//! The process's list of what is lent, for its allocator: without a lock, and without memory of
//! its own.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::Act;

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
/// Where a free place is looked for first.
static FREE: AtomicUsize = AtomicUsize::new(0);
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
    let from = FREE.load(Ordering::Relaxed);
    let free = (from..PLACES).chain(0..from).find(|&place| {
        let taken =
            LIST[place]
                .start
                .compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed);
        taken.is_ok()
    })?;
    FREE.store((free + 1) % PLACES, Ordering::Relaxed);
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
    FREE.fetch_min(place, Ordering::Relaxed);
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

//! Registered buffers: spans of the user's memory, by slot.

use core::ptr::with_exposed_provenance;
use std::sync::Arc;
use std::vec::Vec;

use annulus_syscalls::Errno;

use super::files::Given;
use super::mailbox::Mailbox;
use super::table::{Resource, Table};
use crate::register::BufferSpan;

/// `IORING_MAX_REG_BUFFERS` of the kernel.
const SPANS_MAX: u32 = 1 << 14;
const SPAN_BYTES_MAX: u64 = 1 << 30;

/// Memory that was registered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u64,
    end: u64,
}

#[derive(Debug)]
pub(super) struct Spans {
    table: Table<Span>,
    to: Arc<Mailbox>,
}

impl Spans {
    pub(super) fn new(to: &Arc<Mailbox>) -> Spans {
        Spans {
            table: Table::default(),
            to: Arc::clone(to),
        }
    }

    /// # Errors
    /// EBUSY if there is a table, EINVAL for no slots, too many, or a tag on an empty one; EFAULT
    /// for memory that cannot be.
    ///
    /// # Safety
    /// `given` has as many items and tags as it says, or none of both.
    pub(super) unsafe fn register(&mut self, given: Given) -> Result<(), Errno> {
        if self.table.is_registered() {
            return Err(Errno::EBUSY);
        }
        if given.count == 0 || given.count > SPANS_MAX {
            return Err(Errno::EINVAL);
        }
        let mut slots = Vec::with_capacity(given.count as usize);
        for at in 0..given.count {
            // SAFETY: promised by the caller.
            slots.push(unsafe { self.read(given, at) }?);
        }
        self.table.register(slots);
        Ok(())
    }

    pub(super) fn unregister(&mut self) -> Result<(), Errno> {
        self.table.unregister()
    }

    /// Puts spans into the slots from `first` on. Returns how many.
    ///
    /// # Errors
    /// If there was none: ENXIO without a table, EINVAL and EOVERFLOW for slots that are not
    /// there, EINVAL for a tag on nothing, EFAULT.
    ///
    /// # Safety
    /// `given` has as many items and tags as it says.
    pub(super) unsafe fn update(&mut self, first: u32, given: Given) -> Result<u32, Errno> {
        self.table.check_range(first, given.count)?;
        for at in 0..given.count {
            // SAFETY: promised by the caller.
            let span = unsafe { self.read(given, at) };
            let put = span.and_then(|span| self.table.put((first + at) as usize, span));
            if let Err(errno) = put {
                return if at == 0 { Err(errno) } else { Ok(at) };
            }
        }
        Ok(given.count)
    }

    /// # Safety
    /// `given` has more than `at` items and tags, or none of both.
    unsafe fn read(&self, given: Given, at: u32) -> Result<Option<Arc<Resource<Span>>>, Errno> {
        // SAFETY: promised by the caller.
        let tag = unsafe { given.tag(at) };
        let span = match given.items {
            0 => BufferSpan::EMPTY,
            items => {
                let spans = with_exposed_provenance::<BufferSpan>(items as usize);
                // SAFETY: promised by the caller.
                let span = unsafe { spans.add(at as usize) };
                // SAFETY: as above.
                unsafe { span.read_unaligned() }
            }
        };
        let (start, len) = (
            span.start.expose_provenance() as u64,
            span.size_bytes as u64,
        );
        match (start, len) {
            (0, 0) if tag != 0 => return Err(Errno::EINVAL),
            (0, 0) => return Ok(None),
            (0, _) | (_, 0) => return Err(Errno::EFAULT),
            _ => {}
        }
        if len > SPAN_BYTES_MAX {
            return Err(Errno::EFAULT);
        }
        let end = start.checked_add(len).ok_or(Errno::EOVERFLOW)?;
        populate(start, end)?;
        Ok(Some(Resource::new(Span { start, end }, tag, &self.to)))
    }

    /// The memory of `slot`, if these bytes lie in it.
    pub(super) fn get(&self, slot: u16, bytes: &[(u64, u64)]) -> Option<Arc<Resource<Span>>> {
        let resource = self.table.get(usize::from(slot))?;
        let Span { start, end } = resource.item;
        let lies_in = |(address, len): &(u64, u64)| {
            let last = address.checked_add(*len);
            *address >= start && last.is_some_and(|last| last <= end)
        };
        bytes.iter().all(lies_in).then(|| Arc::clone(resource))
    }
}

/// Has the pages in place, as pinning has.
///
/// # Errors
/// EFAULT if there is no memory.
fn populate(start: u64, end: u64) -> Result<(), Errno> {
    // SAFETY: takes a number only.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    let first = start - start % page_bytes;
    let len = (end - first).next_multiple_of(page_bytes) as usize;
    let first = core::ptr::with_exposed_provenance_mut(first as usize);
    // SAFETY: it changes no byte.
    let populated = unsafe { libc::madvise(first, len, libc::MADV_POPULATE_WRITE) };
    // EINVAL before Linux 5.14, which shows what is missing when it is used.
    if populated == -1 && super::last_errno() != Errno::EINVAL {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

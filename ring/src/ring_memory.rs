//! `RingMemory`: the memory that a ring's queues lie in, brought by us (NO_MMAP).
//!
//! ```text
//!   | queues, on whole pages | SQEs, on whole pages | the rest is not used |
//! ```
//!
//! The kernel pins the pages and keeps them until it is done with them, which nothing tells: so
//! the memory goes into the ring and does not come back.

use core::ptr::NonNull;

use annulus_syscalls::Errno;

use crate::cqe::Cqe;
use crate::entries::{CqEntry, SqEntry};
use crate::fork::Origin;
use crate::map::Map;
use crate::ring_bytes::{PAGE_BYTES_MAX, RingBytes};
use crate::setup::RingConfig;
use crate::sqe::Sqe;

/// Memory for the queues of one ring, for [`Ring::on_memory`](crate::Ring::on_memory).
///
/// ```
/// use annulus_ring::{Ring, RingConfig, RingMemory};
///
/// let config = RingConfig { sq_entries: 8, ..RingConfig::default() };
/// let memory = RingMemory::new(RingMemory::bytes_for(&config)?)?;
/// match Ring::on_memory(&config, memory) {
///     Ok(mut ring) => assert_eq!(ring.submit(), Ok(0)),
///     Err(_) => {} // not before Linux 6.5
/// }
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Debug)]
pub struct RingMemory(Map);

// SAFETY: it is the only owner of its mapping, which is bound to no thread.
unsafe impl Send for RingMemory {}
// SAFETY: what can be called with a shared reference reads its size and nothing else.
unsafe impl Sync for RingMemory {}

impl RingMemory {
    /// How many bytes a ring of this configuration needs, both areas on whole pages. It is enough
    /// also where flags are given up.
    ///
    /// # Errors
    /// EINVAL for numbers of entries that the kernel refuses.
    pub fn bytes_for(config: &RingConfig) -> Result<usize, Errno> {
        RingMemory::bytes_for_entries::<Sqe, Cqe>(config)
    }

    /// As [`bytes_for`](RingMemory::bytes_for), for a ring of these entries.
    ///
    /// # Errors
    /// EINVAL for numbers of entries that the kernel refuses.
    pub fn bytes_for_entries<S: SqEntry, C: CqEntry>(config: &RingConfig) -> Result<usize, Errno> {
        let most = config.most_bytes(S::SETUP_FLAG | C::SETUP_FLAG);
        Ok(most.ok_or(Errno::EINVAL)?.on_pages(PAGE_BYTES_MAX))
    }

    /// Maps `size_bytes` of zeroed memory, rounded up to whole pages. A child made by `fork` does
    /// not get it.
    ///
    /// # Errors
    /// ENOMEM; EINVAL for 0 bytes.
    pub fn new(size_bytes: usize) -> Result<RingMemory, Errno> {
        let size_bytes = round_up(size_bytes, PAGE_BYTES_MAX)?;
        let map = Map::anonymous(size_bytes, Origin::current()?)?;
        map.keep_from_children()?;
        Ok(RingMemory(map))
    }

    /// As [`new`](RingMemory::new), on huge pages of `page_bytes`, the system's default huge page
    /// size (2 MiB on x86-64), of which `size_bytes` is rounded up to a whole number. Before 6.10
    /// the kernel takes an area of more than one page only where it is one huge page.
    ///
    /// # Errors
    /// ENOMEM when the system has none free (`vm.nr_hugepages`); EINVAL for 0 bytes and for a
    /// `page_bytes` that is no power of two.
    pub fn huge(size_bytes: usize, page_bytes: usize) -> Result<RingMemory, Errno> {
        if !page_bytes.is_power_of_two() {
            return Err(Errno::EINVAL);
        }
        let size_bytes = round_up(size_bytes, page_bytes)?;
        let map = Map::huge(size_bytes, Origin::current()?)?;
        map.keep_from_children()?;
        Ok(RingMemory(map))
    }

    /// Takes memory that was come by otherwise. Its bytes are overwritten.
    ///
    /// # Errors
    /// EINVAL if it does not begin on a page.
    ///
    /// # Safety
    /// `start` is valid for reads and writes of `size_bytes` until the ring is dropped, and from
    /// now on nobody else uses it. After the ring is dropped it is unmapped, or left alone for
    /// good: the kernel may write to those pages until it has torn the ring down.
    pub unsafe fn from_raw(start: NonNull<u8>, size_bytes: usize) -> Result<RingMemory, Errno> {
        if !start.addr().get().is_multiple_of(PAGE_BYTES_MIN) {
            return Err(Errno::EINVAL);
        }
        // SAFETY: promised by the caller.
        let map = unsafe { Map::lent(start, size_bytes, Origin::current()?) };
        Ok(RingMemory(map))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }

    /// The two areas, zeroed. ENOMEM if there is not enough for them.
    pub(crate) fn split(&self, bytes: RingBytes) -> Result<Areas, Errno> {
        let queues = round_up(bytes.queues(), PAGE_BYTES_MAX)?;
        let sqes = round_up(bytes.sqes(), PAGE_BYTES_MAX)?;
        if self.size_bytes() < queues + sqes {
            return Err(Errno::ENOMEM);
        }
        let areas = Areas {
            queues: self.0.part(0, queues),
            sqes: self.0.part(queues, sqes),
        };
        // Linux 6.18 clears its words by itself; that earlier ones do is written nowhere.
        areas.queues.zero();
        Ok(areas)
    }
}

/// The parts of a [`RingMemory`]; used only while that is there.
#[derive(Debug)]
pub(crate) struct Areas {
    pub(crate) queues: Map,
    pub(crate) sqes: Map,
}

/// No kernel has smaller pages.
const PAGE_BYTES_MIN: usize = 4096;

/// EINVAL for nothing, and for more than there can be.
fn round_up(size_bytes: usize, page_bytes: usize) -> Result<usize, Errno> {
    match size_bytes.checked_next_multiple_of(page_bytes) {
        Some(rounded) if rounded > 0 => Ok(rounded),
        _ => Err(Errno::EINVAL),
    }
}

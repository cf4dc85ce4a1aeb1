//! `MemRegion`: memory that the kernel keeps at hand for one ring.
//!
//! ```text
//!   Process   private pages of ours --pinned--> the kernel reads and writes them in place
//!   Kernel    pages of the kernel's --mapped--> we read and write them in place
//! ```
//!
//! A ring takes one region, and keeps it until it ends: there is no unregistering. Dropping the
//! value unmaps our side only, which the kernel does not notice.

use core::ptr::NonNull;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::IORING_MEM_REGION_TYPE_USER;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_MEM_REGION;
use annulus_syscalls::io_uring::register::{io_uring_mem_region_reg, io_uring_region_desc};

use super::Ring;
use crate::entries::{CqEntry, SqEntry};
use crate::map::Map;
use crate::ring_bytes::PAGE_BYTES_MAX;

/// Whose pages a region is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegionMemory {
    /// Anonymous memory of this process, pinned by the kernel.
    #[default]
    Process,
    /// Memory that the kernel allocates and this process maps.
    Kernel,
}

/// Memory shared between a ring and its owner, registered for as long as the ring lives.
///
/// By itself it is bytes that nobody interprets; [`WaitRegion`](super::WaitRegion) gives it a
/// meaning.
#[derive(Debug)]
pub struct MemRegion {
    map: Map,
    size_bytes: usize,
}

// SAFETY: it is an address range. Who may touch which byte is promised with each access.
unsafe impl Send for MemRegion {}

impl MemRegion {
    /// Makes zeroed memory of at least `size_bytes` bytes, rounded up to whole pages of the
    /// largest size that the architecture has, and registers it with `ring`.
    ///
    /// # Errors
    /// EINVAL for a size of 0, for memory of the kernel's on a ring without a descriptor, and
    /// before 6.13; EBUSY if the ring has a region; ENOMEM, also over the limit of locked memory;
    /// EEXIST on a pinned ring from another thread than its own; EBADF in a forked child. When
    /// memory of the kernel's cannot be mapped (ENOMEM) the ring has a region all the same, which
    /// nobody uses.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn register<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        memory: RegionMemory,
        size_bytes: usize,
    ) -> Result<MemRegion, Errno> {
        MemRegion::register_with(ring, memory, size_bytes, 0)
    }

    /// As [`register`](MemRegion::register), with `flags` (`IORING_MEM_REGION_*`).
    pub(super) fn register_with<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        memory: RegionMemory,
        size_bytes: usize,
        flags: u64,
    ) -> Result<MemRegion, Errno> {
        let is_mapped = memory == RegionMemory::Kernel;
        if size_bytes == 0 || (is_mapped && ring.fd() < 0) {
            return Err(Errno::EINVAL);
        }
        let size_bytes = size_bytes.checked_next_multiple_of(PAGE_BYTES_MAX);
        let size_bytes = size_bytes.ok_or(Errno::ENOMEM)?;
        let mut desc = io_uring_region_desc {
            size: size_bytes as u64,
            ..io_uring_region_desc::default()
        };
        let map = match memory {
            RegionMemory::Process => {
                let map = Map::anonymous(size_bytes, ring.origin())?;
                desc.user_addr = map.at::<u8>(0, size_bytes).as_ptr().expose_provenance() as u64;
                desc.flags = IORING_MEM_REGION_TYPE_USER;
                register(ring, &mut desc, flags)?;
                map
            }
            RegionMemory::Kernel => {
                register(ring, &mut desc, flags)?;
                Map::ring(ring.fd(), size_bytes, desc.mmap_offset, ring.origin())?
            }
        };
        Ok(MemRegion { map, size_bytes })
    }

    /// The address of the first byte. Memory of the kernel's is not there in a child made by
    /// `fork`.
    #[must_use]
    pub fn start(&self) -> NonNull<u8> {
        self.map.at(0, self.size_bytes)
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The address of `T` number `index` in an array that begins at `offset_bytes`.
    ///
    /// # Panics
    /// If it is not inside, or not aligned.
    pub(super) fn at<T>(&self, offset_bytes: usize, index: usize) -> NonNull<T> {
        self.map.at(offset_bytes + index * size_of::<T>(), 1)
    }
}

/// The call. The memory that `desc` names, if any, is pinned by it.
fn register<S: SqEntry, C: CqEntry>(
    ring: &Ring<S, C>,
    desc: &mut io_uring_region_desc,
    flags: u64,
) -> Result<(), Errno> {
    let request = io_uring_mem_region_reg {
        region_uptr: core::ptr::from_mut(desc).expose_provenance() as u64,
        flags,
        ..io_uring_mem_region_reg::default()
    };
    let arg = (&raw const request).expose_provenance();
    // SAFETY: `arg` is the one request that this registration reads, and `desc` what it names and
    // writes. The kernel pins the pages, so that they outlive even their mapping.
    let done = unsafe { ring.register(IORING_REGISTER_MEM_REGION, arg, 1) };
    done.map(drop)
}

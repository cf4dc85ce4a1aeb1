//! `Map`: memory from `mmap`, unmapped with exactly the length it was mapped with.
//!
//! In a forked child dropping one does nothing: ring memory is not even mapped there, and what
//! lies at the address may be somebody else's. Nor is memory unmapped that a simulated operation
//! has: its simulation is told.

use core::ptr::NonNull;

use annulus_syscalls::{Errno, calls};

use crate::fork::Origin;
#[cfg(feature = "std")]
use crate::kernel::Act;

const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const MAP_SHARED: u32 = 1;
const MAP_PRIVATE: u32 = 2;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_POPULATE: u32 = 0x8000;
const MAP_HUGETLB: u32 = 0x4_0000;
const MADV_DONTFORK: u32 = 10;

/// One mapping. Who has it may read and write its bytes, but shares them with the kernel.
#[derive(Debug)]
pub(crate) struct Map {
    start: NonNull<u8>,
    size_bytes: usize,
    origin: Origin,
    /// Whether dropping it unmaps it: not what is a part of another, or the caller's.
    owned: bool,
}

impl Map {
    /// Maps `size_bytes` of the ring `fd` at one of the `IORING_OFF_*` offsets. A child made by
    /// `fork` does not get it.
    pub(crate) fn ring(
        fd: i32,
        size_bytes: usize,
        offset: u64,
        origin: Origin,
    ) -> Result<Map, Errno> {
        let flags = MAP_SHARED | MAP_POPULATE;
        // SAFETY: there is no MAP_FIXED, and the memory of a ring is ours and the kernel's alone.
        let start = unsafe { calls::mmap(size_bytes, PROT_READ | PROT_WRITE, flags, fd, offset) }?;
        let map = Map {
            start,
            size_bytes,
            origin,
            owned: true,
        };
        map.keep_from_children()?;
        Ok(map)
    }

    /// Maps `size_bytes` of private, zeroed memory.
    pub(crate) fn anonymous(size_bytes: usize, origin: Origin) -> Result<Map, Errno> {
        Map::private(size_bytes, 0, origin)
    }

    /// As [`anonymous`](Map::anonymous), of the system's huge pages, of which it must be a whole
    /// number.
    pub(crate) fn huge(size_bytes: usize, origin: Origin) -> Result<Map, Errno> {
        Map::private(size_bytes, MAP_HUGETLB, origin)
    }

    fn private(size_bytes: usize, extra: u32, origin: Origin) -> Result<Map, Errno> {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | extra;
        // SAFETY: there is no MAP_FIXED, and nobody else has anonymous private memory.
        let start = unsafe { calls::mmap(size_bytes, PROT_READ | PROT_WRITE, flags, -1, 0) }?;
        Ok(Map {
            start,
            size_bytes,
            origin,
            owned: true,
        })
    }

    /// Memory that somebody else unmaps.
    ///
    /// # Safety
    /// It is valid for reads and writes of `size_bytes` for as long as the map is used, and nobody
    /// but the kernel uses it otherwise.
    pub(crate) unsafe fn lent(start: NonNull<u8>, size_bytes: usize, origin: Origin) -> Map {
        Map {
            start,
            size_bytes,
            origin,
            owned: false,
        }
    }

    /// A child made by `fork` will not have this memory.
    pub(crate) fn keep_from_children(&self) -> Result<(), Errno> {
        // SAFETY: the range is mapped; the advice changes nothing in this process.
        unsafe { calls::madvise(self.start, self.size_bytes, MADV_DONTFORK) }
    }

    /// A part of it, which must not be used after it.
    ///
    /// # Panics
    /// If it is not all inside.
    pub(crate) fn part(&self, offset_bytes: usize, size_bytes: usize) -> Map {
        Map {
            start: self.at(offset_bytes, size_bytes),
            size_bytes,
            origin: self.origin,
            owned: false,
        }
    }

    /// Overwrites it with zeros. Nobody reads it meanwhile: no kernel knows of it yet.
    pub(crate) fn zero(&self) {
        // SAFETY: the mapping has as many bytes, which are ours alone, as the caller knows.
        unsafe { self.start.write_bytes(0, self.size_bytes) };
    }

    /// The number that tells the kernel where it is.
    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr().expose_provenance() as u64
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The address `offset_bytes` from the start.
    ///
    /// # Panics
    /// If `size_of::<T>() * count` bytes from there are not all inside, or not aligned.
    pub(crate) fn at<T>(&self, offset_bytes: usize, count: usize) -> NonNull<T> {
        let wanted = size_of::<T>() * count;
        assert!(offset_bytes <= self.size_bytes && wanted <= self.size_bytes - offset_bytes);
        // SAFETY: just checked to be inside the mapping.
        let address = unsafe { self.start.add(offset_bytes) }.cast::<T>();
        assert!(address.is_aligned());
        address
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        if !self.owned || self.origin.is_forked() {
            return;
        }
        #[cfg(feature = "std")]
        if crate::kernel::freed_while_lent(self.start.as_ptr(), self.size_bytes, Act::Freed) {
            return;
        }
        // SAFETY: the range is ours with this length, and nobody keeps a pointer beyond us.
        let unmapped = unsafe { calls::munmap(self.start, self.size_bytes) };
        debug_assert_eq!(unmapped, Ok(()), "a mapping is unmapped as it was mapped");
    }
}

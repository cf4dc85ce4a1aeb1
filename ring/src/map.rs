//! `Map`: memory from `mmap`, unmapped with exactly the length it was mapped with.
//!
//! In a forked child dropping one does nothing: ring memory is not even mapped there, and what
//! lies at the address may be somebody else's.

use core::ptr::NonNull;

use annulus_syscalls::{Errno, calls};

use crate::fork::Origin;

const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const MAP_SHARED: u32 = 1;
const MAP_PRIVATE: u32 = 2;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_POPULATE: u32 = 0x8000;
const MADV_DONTFORK: u32 = 10;

/// One mapping. Who has it may read and write its bytes, but shares them with the kernel.
#[derive(Debug)]
pub(crate) struct Map {
    start: NonNull<u8>,
    size_bytes: usize,
    origin: Origin,
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
        };
        // SAFETY: the range was just mapped; the advice changes nothing in this process.
        unsafe { calls::madvise(start, size_bytes, MADV_DONTFORK) }?;
        Ok(map)
    }

    /// Maps `size_bytes` of private, zeroed memory.
    pub(crate) fn anonymous(size_bytes: usize, origin: Origin) -> Result<Map, Errno> {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS;
        // SAFETY: there is no MAP_FIXED, and nobody else has anonymous private memory.
        let start = unsafe { calls::mmap(size_bytes, PROT_READ | PROT_WRITE, flags, -1, 0) }?;
        Ok(Map {
            start,
            size_bytes,
            origin,
        })
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
        if self.origin.is_forked() {
            return;
        }
        // SAFETY: the range is ours with this length, and nobody keeps a pointer beyond us.
        let unmapped = unsafe { calls::munmap(self.start, self.size_bytes) };
        debug_assert_eq!(unmapped, Ok(()), "a mapping is unmapped as it was mapped");
    }
}

//! `BufMemory`: the entries of a buffer ring and its buffers, wherever they lie.

use alloc::sync::Arc;
use core::ptr::NonNull;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::queue::{IORING_OFF_PBUF_RING, IORING_OFF_PBUF_SHIFT};
use annulus_syscalls::io_uring::register::io_uring_buf;

use super::BufRingConfig;
use crate::handle::Handle;
use crate::map::Map;

/// Page sizes of all supported architectures divide it, so what starts here starts a page.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// The memory of a [`BufRing`](crate::BufRing), to be read from any thread. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct BufMemory(Arc<Buffers>);

#[derive(Debug)]
struct Buffers {
    entries: NonNull<io_uring_buf>,
    buffers: NonNull<u8>,
    count: u16,
    size_bytes: u32,
    _map: Map,
    /// Of a ring that the kernel allocated: its entries.
    _kernel_map: Option<Map>,
}

// SAFETY: it is an address range. Who may touch which buffer is promised with each `unsafe` call.
unsafe impl Send for Buffers {}
// SAFETY: as above.
unsafe impl Sync for Buffers {}

impl BufMemory {
    /// Entries and buffers in one private mapping.
    pub(super) fn anonymous(ring: &Handle, config: &BufRingConfig) -> Result<BufMemory, Errno> {
        let count = usize::from(config.count);
        let entries_bytes = count * size_of::<io_uring_buf>();
        let buffers_at = entries_bytes.next_multiple_of(PAGE_BYTES_MAX);
        let total = buffers_bytes(config)?.checked_add(buffers_at);
        let map = Map::anonymous(total.ok_or(Errno::ENOMEM)?, ring.origin)?;
        Ok(BufMemory(Arc::new(Buffers {
            entries: map.at(0, count),
            buffers: map.at(buffers_at, buffers_bytes(config)?),
            count: config.count,
            size_bytes: config.size_bytes,
            _map: map,
            _kernel_map: None,
        })))
    }

    /// Buffers in a private mapping, and the entries of a ring that the kernel has allocated.
    pub(super) fn kernel_mapped(ring: &Handle, config: &BufRingConfig) -> Result<BufMemory, Errno> {
        let map = Map::anonymous(buffers_bytes(config)?, ring.origin)?;
        let entries_bytes = usize::from(config.count) * size_of::<io_uring_buf>();
        let offset = IORING_OFF_PBUF_RING | u64::from(config.group) << IORING_OFF_PBUF_SHIFT;
        let kernel_map = Map::ring(ring.fd(), entries_bytes, offset, ring.origin)?;
        Ok(BufMemory(Arc::new(Buffers {
            entries: kernel_map.at(0, usize::from(config.count)),
            buffers: map.at(0, buffers_bytes(config)?),
            count: config.count,
            size_bytes: config.size_bytes,
            _map: map,
            _kernel_map: Some(kernel_map),
        })))
    }

    /// The first `len` bytes of buffer `id`.
    ///
    /// # Safety
    /// A CQE named the buffer with at least `len` bytes, it was not pushed since, and it is not
    /// pushed while the result is used.
    ///
    /// # Panics
    /// If there is no such buffer, or it is smaller.
    #[inline]
    #[must_use]
    pub unsafe fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(
            len <= self.size_bytes() as usize,
            "a buffer has no more bytes"
        );
        let start = self.start(id);
        // SAFETY: inside the mapping, written by the kernel, and the caller's until it is pushed.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), len) }
    }

    /// The address of buffer `id`.
    ///
    /// # Panics
    /// If there is no such buffer.
    #[inline]
    #[must_use]
    pub fn start(&self, id: u16) -> NonNull<u8> {
        assert!(id < self.0.count, "a buffer id is below the count");
        let offset = usize::from(id) * self.0.size_bytes as usize;
        // SAFETY: inside the mapping, which has `count` buffers of this size.
        unsafe { self.0.buffers.add(offset) }
    }

    /// The number of buffers; their ids are below it.
    #[inline]
    #[must_use]
    pub fn count(&self) -> u16 {
        self.0.count
    }

    /// The size of each buffer in bytes.
    #[inline]
    #[must_use]
    pub fn size_bytes(&self) -> u32 {
        self.0.size_bytes
    }

    /// The entry at `slot`.
    #[inline]
    pub(super) fn entry(&self, slot: usize) -> NonNull<io_uring_buf> {
        assert!(slot < usize::from(self.0.count));
        // SAFETY: inside the mapping, which has `count` entries.
        unsafe { self.0.entries.add(slot) }
    }
}

fn buffers_bytes(config: &BufRingConfig) -> Result<usize, Errno> {
    let bytes = usize::from(config.count).checked_mul(config.size_bytes as usize);
    bytes.ok_or(Errno::ENOMEM)
}

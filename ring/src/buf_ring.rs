//! `BufRing`: buffers that the kernel takes from by itself, when data has come.
//!
//! ```text
//!   memory:   | entries of the ring, one page or more | buffer 0 | buffer 1 | ... |
//!   buffer:   pushed --taken by an operation, named by its CQE--> ours --push--> pushed
//! ```
//!
//! A receive that selects from a group holds no memory while it waits. The ring and its buffers
//! lie in one private mapping; the entries' part is pinned by the kernel while registered.

use alloc::sync::Arc;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU16, Ordering};

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_PBUF_RING, IORING_UNREGISTER_PBUF_RING,
};
use annulus_syscalls::io_uring::register::{io_uring_buf, io_uring_buf_reg};

use crate::cursor::Cursor;
use crate::handle::Handle;
use crate::map::Map;
use crate::ring::Ring;

/// The most buffers of one ring: io_uring takes no more.
const COUNT_MAX: u16 = 1 << 15;
/// Page sizes of all supported architectures divide it, so what starts here starts a page.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// A group of provided buffers, all of one size, registered with a ring.
///
/// Dropping it unregisters the group. The memory stays as long as a [`BufMemory`] does.
#[derive(Debug)]
pub struct BufRing {
    memory: BufMemory,
    ring: Arc<Handle>,
    group: u16,
    /// Our end of the ring; the kernel sees its lower 16 bits at `publish`.
    tail: Cursor,
    registered: bool,
}

/// The memory of a [`BufRing`], to be read from any thread. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct BufMemory(Arc<Buffers>);

#[derive(Debug)]
struct Buffers {
    map: Map,
    buffers: NonNull<u8>,
    count: u16,
    size_bytes: u32,
}

// SAFETY: it is an address range. Who may touch which buffer is promised with each `unsafe` call.
unsafe impl Send for Buffers {}
// SAFETY: as above.
unsafe impl Sync for Buffers {}

impl BufRing {
    /// Makes `count` buffers (a power of two, at most 32,768) of `size_bytes` each, registers them
    /// as `group` of `ring`, and pushes them all.
    ///
    /// # Errors
    /// EINVAL for a count that is not allowed or a size of 0; EEXIST if the group is there; ENOMEM,
    /// also over the limit of locked memory; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.19.
    pub fn new(ring: &Ring, group: u16, count: u16, size_bytes: u32) -> Result<BufRing, Errno> {
        if !count.is_power_of_two() || count > COUNT_MAX || size_bytes == 0 {
            return Err(Errno::EINVAL);
        }
        let memory = BufMemory::new(ring, count, size_bytes)?;
        let request = io_uring_buf_reg {
            ring_addr: memory.entry(0).as_ptr().expose_provenance() as u64,
            ring_entries: u32::from(count),
            bgid: group,
            ..io_uring_buf_reg::default()
        };
        let arg = (&raw const request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads. The memory it names stays
        // until `drop` has unregistered it, or for good.
        unsafe { ring.register(IORING_REGISTER_PBUF_RING, arg, 1) }?;
        let mut buf_ring = BufRing {
            memory,
            ring: ring.ring_ref().handle,
            group,
            tail: Cursor::default(),
            registered: true,
        };
        for id in 0..count {
            // SAFETY: the buffers are new: nobody refers to them.
            unsafe { buf_ring.push_unpublished(id) };
        }
        buf_ring.publish();
        Ok(buf_ring)
    }

    /// Gives buffer `id` back to the kernel.
    ///
    /// # Safety
    /// A CQE named it and it was not pushed since, or it was never pushed; and no reference to its
    /// bytes is left.
    ///
    /// # Panics
    /// If there is no such buffer.
    #[inline]
    pub unsafe fn push(&mut self, id: u16) {
        // SAFETY: promised by the caller.
        unsafe { self.push_unpublished(id) };
        self.publish();
    }

    /// As [`push`](BufRing::push), of several, shown to the kernel at once.
    ///
    /// # Safety
    /// As [`push`](BufRing::push), for each; none twice.
    ///
    /// # Panics
    /// If there is no such buffer.
    pub unsafe fn push_all(&mut self, ids: impl IntoIterator<Item = u16>) {
        for id in ids {
            // SAFETY: promised by the caller.
            unsafe { self.push_unpublished(id) };
        }
        self.publish();
    }

    /// The group, as [`Sqe::prep_recv_select`](crate::Sqe::prep_recv_select) takes it.
    #[inline]
    #[must_use]
    pub fn group(&self) -> u16 {
        self.group
    }

    /// The memory, for whoever holds a buffer.
    #[inline]
    #[must_use]
    pub fn memory(&self) -> &BufMemory {
        &self.memory
    }

    /// Unregisters the group: operations that select from it end with ENOBUFS. Dropping does the
    /// same, without telling.
    ///
    /// # Errors
    /// EEXIST on a pinned ring from another thread than its own: the memory is then leaked. EBADF
    /// if the ring is gone, or in a forked child.
    pub fn unregister(mut self) -> Result<(), Errno> {
        self.unregister_once()
    }

    /// # Safety
    /// As [`BufRing::push`].
    unsafe fn push_unpublished(&mut self, id: u16) {
        let buffers = &self.memory.0;
        let mask = u32::from(buffers.count) - 1;
        let entry = io_uring_buf {
            addr: buffers.start(id).as_ptr().expose_provenance() as u64,
            len: buffers.size_bytes,
            bid: id,
            resv: 0,
        };
        let slot = self.memory.entry(self.tail.slot(mask)).as_ptr();
        // The last field of entry 0 is the ring's tail, so the fields are written one by one.
        // SAFETY: `slot` points into the mapping; the kernel has consumed what was there, as no
        // more entries are pushed than there are buffers.
        let addr = unsafe { &raw mut (*slot).addr };
        // SAFETY: as above.
        let len = unsafe { &raw mut (*slot).len };
        // SAFETY: as above.
        let bid = unsafe { &raw mut (*slot).bid };
        // SAFETY: aligned, inside the mapping, and nobody else's before `publish`.
        unsafe { addr.write(entry.addr) };
        // SAFETY: as above.
        unsafe { len.write(entry.len) };
        // SAFETY: as above.
        unsafe { bid.write(entry.bid) };
        self.tail = self.tail.plus(1);
    }

    fn publish(&self) {
        let first = self.memory.entry(0).as_ptr();
        // SAFETY: the first entry is inside the mapping.
        let tail = unsafe { &raw mut (*first).resv };
        // SAFETY: aligned, inside the mapping, and only accessed as this atomic.
        let tail = unsafe { AtomicU16::from_ptr(tail) };
        tail.store(self.tail.raw() as u16, Ordering::Release);
    }

    fn unregister_once(&mut self) -> Result<(), Errno> {
        if !self.registered {
            return Ok(());
        }
        self.registered = false;
        let request = io_uring_buf_reg {
            bgid: self.group,
            ..io_uring_buf_reg::default()
        };
        let arg = (&raw const request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads.
        let done = unsafe { self.ring.register(IORING_UNREGISTER_PBUF_RING, arg, 1) };
        match done {
            Ok(_) => Ok(()),
            // The ring is gone, and nothing selects from the group any more.
            Err(Errno::EBADF) => Err(Errno::EBADF),
            Err(errno) => {
                core::mem::forget(self.memory.clone());
                Err(errno)
            }
        }
    }
}

impl Drop for BufRing {
    fn drop(&mut self) {
        // What cannot be unregistered is leaked: there is nobody to tell.
        let _ = self.unregister_once();
    }
}

impl BufMemory {
    fn new(ring: &Ring, count: u16, size_bytes: u32) -> Result<BufMemory, Errno> {
        let entries_bytes = usize::from(count) * size_of::<io_uring_buf>();
        let buffers_at = entries_bytes.next_multiple_of(PAGE_BYTES_MAX);
        let buffers_bytes = usize::from(count).checked_mul(size_bytes as usize);
        let total = buffers_bytes.and_then(|bytes| bytes.checked_add(buffers_at));
        let map = Map::anonymous(total.ok_or(Errno::ENOMEM)?, ring.origin())?;
        let buffers = map.at(buffers_at, usize::from(count) * size_bytes as usize);
        Ok(BufMemory(Arc::new(Buffers {
            map,
            buffers,
            count,
            size_bytes,
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
        self.0.start(id)
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

    fn entry(&self, slot: usize) -> NonNull<io_uring_buf> {
        self.0.map.at(slot * size_of::<io_uring_buf>(), 1)
    }
}

impl Buffers {
    fn start(&self, id: u16) -> NonNull<u8> {
        assert!(id < self.count, "a buffer id is below the count");
        let offset = usize::from(id) * self.size_bytes as usize;
        // SAFETY: inside the mapping, which has `count` buffers of this size.
        unsafe { self.buffers.add(offset) }
    }
}

//! `BufferPool`: registered buffers that own their memory.
//!
//! ```text
//!   free --claim--> FixedBuf, ours to read and write --lend--> LentBuf, the kernel's
//!     ^                |                ^                          |
//!     +------drop------+                +-----------land-----------+
//! ```
//!
//! A `LentBuf` that is dropped instead of landed is leaked with the pool's memory, as operations
//! may still use it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut, Range};
use core::ptr::NonNull;

use annulus_syscalls::Errno;

use super::buffer_table::{BufferSpan, BufferTable};
use super::slots::Slots;
use crate::entries::{CqEntry, SqEntry};
use crate::map::Map;
use crate::ring::Ring;
use crate::sqe::Sqe;

/// The most buffers of a table.
const COUNT_MAX: u16 = 1 << 14;

/// Buffers of one size, registered as the slots from 0 on of a ring's table of buffers. They are
/// zeroed, and lie one after the other in one private mapping.
///
/// Dropping it, and all buffers claimed from it, unregisters them and frees the memory.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use annulus_ring::{BufferPool, Ring, RingConfig};
///
/// let Ok(mut ring) = Ring::new(&RingConfig::default()) else {
///     return Ok(()); // io_uring is not to be had here
/// };
/// let pool = BufferPool::new(&ring, 4, 4096)?;
/// let mut buf = pool.claim().expect("all four are free");
/// buf.fill(1);
///
/// let zero = std::fs::File::open("/dev/zero").expect("there is always one");
/// let lent = buf.lend();
/// let sqe = ring.get_sqe().expect("empty");
/// lent.prep_read(sqe, zero.as_raw_fd(), 0..100, 0);
/// ring.submit_and_wait(1)?;
/// assert_eq!(ring.pop().expect("waited for").res(), 100);
/// // SAFETY: the only operation on it has completed.
/// let buf = unsafe { lent.land() };
/// assert_eq!((buf[99], buf[100]), (0, 1));
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Debug)]
pub struct BufferPool(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    // Unregistered before the memory goes.
    table: BufferTable,
    map: Map,
    claimed: Slots,
    size_bytes: usize,
}

// SAFETY: the map is an address range. Who may touch which buffer is settled by `claimed`: one
// `FixedBuf` or `LentBuf` at a time has it.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl BufferPool {
    /// Makes and registers `count` buffers (1 to 16,384) of `size_bytes` each (1 to 1 GiB).
    ///
    /// # Errors
    /// EINVAL for a count or size that is not allowed; EBUSY if the ring has a table of buffers;
    /// ENOMEM, also over the limit of locked memory; EEXIST on a pinned ring from another thread
    /// than its own; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.1.
    pub fn new<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        count: u16,
        size_bytes: u32,
    ) -> Result<BufferPool, Errno> {
        if count == 0 || count > COUNT_MAX || size_bytes == 0 {
            return Err(Errno::EINVAL);
        }
        let size_bytes = size_bytes as usize;
        let total = size_bytes.checked_mul(usize::from(count));
        let map = Map::anonymous(total.ok_or(Errno::ENOMEM)?, ring.origin())?;
        let span = |index| BufferSpan {
            start: map.at::<u8>(index * size_bytes, size_bytes).as_ptr(),
            size_bytes,
        };
        let spans: Vec<BufferSpan> = (0..usize::from(count)).map(span).collect();
        // SAFETY: the pool drops the table before the map.
        let table = unsafe { BufferTable::register(ring, &spans) }?;
        Ok(BufferPool(Arc::new(Pool {
            table,
            map,
            claimed: Slots::new(u32::from(count)),
            size_bytes,
        })))
    }

    /// Claims the lowest free buffer; `None` if there is none. Its bytes are those that its last
    /// user left. No call into the kernel.
    #[must_use]
    pub fn claim(&self) -> Option<FixedBuf> {
        let index = self.0.claimed.claim(|_| true)?;
        Some(FixedBuf {
            pool: Arc::clone(&self.0),
            index: index as u16, // below `COUNT_MAX`
        })
    }

    /// The number of buffers.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.0.claimed.count() as u16 // at most `COUNT_MAX`
    }

    /// The size of each buffer in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.size_bytes
    }

    /// The table, as a source of [`BufferTable::clone_of`].
    #[must_use]
    pub fn table(&self) -> &BufferTable {
        &self.0.table
    }
}

impl Pool {
    fn start(&self, index: u16) -> NonNull<u8> {
        let offset = usize::from(index) * self.size_bytes;
        self.map.at(offset, self.size_bytes)
    }
}

/// A registered buffer that nothing else uses: a slice of its bytes. Dropping it gives it back to
/// its pool.
#[derive(Debug)]
pub struct FixedBuf {
    pool: Arc<Pool>,
    index: u16,
}

impl FixedBuf {
    /// Gives the bytes away, to be used by operations.
    pub fn lend(self) -> LentBuf {
        LentBuf(ManuallyDrop::new(self))
    }

    /// The slot, as the `buf_index` of operations.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.index
    }
}

impl Deref for FixedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.pool.start(self.index).as_ptr();
        // SAFETY: inside the mapping, zeroed at first, and claimed by us alone; operations have
        // only what is lent.
        unsafe { core::slice::from_raw_parts(start, self.pool.size_bytes) }
    }
}

impl DerefMut for FixedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.pool.start(self.index).as_ptr();
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { core::slice::from_raw_parts_mut(start, self.pool.size_bytes) }
    }
}

impl Drop for FixedBuf {
    fn drop(&mut self) {
        self.pool.claimed.give_back(u32::from(self.index));
    }
}

/// A registered buffer whose bytes are lent to operations, as many as there are at once. Preparing
/// them is safe, as nobody reads the bytes before [`land`](LentBuf::land). Dropping it leaks the
/// buffer, and with it the memory of the pool.
#[derive(Debug)]
#[must_use = "dropping it leaks the memory of the pool"]
pub struct LentBuf(ManuallyDrop<FixedBuf>);

impl LentBuf {
    /// Prepares a read into the bytes of `range`, as
    /// [`Sqe::prep_read_fixed`](crate::Sqe::prep_read_fixed).
    ///
    /// # Panics
    /// If the buffer is smaller.
    ///
    /// # Kernel
    /// Since 5.1.
    pub fn prep_read<'a>(
        &self,
        sqe: &'a mut Sqe,
        fd: i32,
        range: Range<usize>,
        offset: u64,
    ) -> &'a mut Sqe {
        let (start, len) = self.span(range);
        // SAFETY: inside the buffer, whose bytes nobody looks at before it has landed.
        unsafe { sqe.prep_read_fixed(fd, start, len, offset, self.index()) }
    }

    /// Prepares a write of the bytes of `range`, as
    /// [`Sqe::prep_write_fixed`](crate::Sqe::prep_write_fixed).
    ///
    /// # Panics
    /// If the buffer is smaller.
    ///
    /// # Kernel
    /// Since 5.1.
    pub fn prep_write<'a>(
        &self,
        sqe: &'a mut Sqe,
        fd: i32,
        range: Range<usize>,
        offset: u64,
    ) -> &'a mut Sqe {
        let (start, len) = self.span(range);
        // SAFETY: inside the buffer, whose bytes nobody changes before it has landed.
        unsafe { sqe.prep_write_fixed(fd, start, len, offset, self.index()) }
    }

    /// Prepares a send of the bytes of `range` without copying, as
    /// [`Sqe::prep_send_zc_fixed`](crate::Sqe::prep_send_zc_fixed): the bytes are lent until the
    /// notification.
    ///
    /// # Panics
    /// If the buffer is smaller.
    ///
    /// # Kernel
    /// Since 6.0.
    pub fn prep_send_zc<'a>(
        &self,
        sqe: &'a mut Sqe,
        fd: i32,
        range: Range<usize>,
        flags: i32,
    ) -> &'a mut Sqe {
        let (start, len) = self.span(range);
        // SAFETY: inside the buffer, whose bytes nobody changes before it has landed.
        unsafe { sqe.prep_send_zc_fixed(fd, start, len, flags, 0, self.index()) }
    }

    /// Takes the bytes back.
    ///
    /// # Safety
    /// Every operation that was prepared with it has had its last CQE, for a zero-copy send the
    /// notification, or was never submitted.
    #[must_use]
    pub unsafe fn land(self) -> FixedBuf {
        ManuallyDrop::into_inner(self.0)
    }

    /// The slot, as the `buf_index` of operations.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.0.index
    }

    /// The first byte, for operations that have no method here.
    #[must_use]
    pub fn start(&self) -> NonNull<u8> {
        self.0.pool.start(self.0.index)
    }

    /// Address and length of the bytes of `range`.
    fn span(&self, range: Range<usize>) -> (*mut u8, u32) {
        let inside = range.start <= range.end && range.end <= self.0.pool.size_bytes;
        assert!(inside, "a buffer has no more bytes");
        // SAFETY: just checked to be inside the buffer, which is inside the mapping.
        let start = unsafe { self.start().add(range.start) };
        // A buffer's size has 32 bits (`BufferPool::new`).
        (start.as_ptr(), (range.end - range.start) as u32)
    }
}

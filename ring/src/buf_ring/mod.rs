//! `BufRing`: buffers that the kernel takes from by itself, when data has come.
//!
//! ```text
//!   entries:  | id, address, length | ... |     shared with the kernel, pinned while registered
//!   buffers:  | buffer 0 | buffer 1 | ... |
//!   buffer:   pushed --taken by an operation, named by its CQE--> ours --push--> pushed
//! ```
//!
//! A receive that selects from a group holds no memory while it waits. `BufRing` is the layer
//! that trusts its user with the ids; [`BufGroup`](crate::BufGroup) keeps account of them.

mod config;
mod group;
mod ledger;
mod memory;
mod message;
mod selected;

pub use config::BufRingConfig;
pub use group::BufGroup;
pub use ledger::{BufLedger, BufSpan};
pub use memory::BufMemory;
pub use message::{RECVMSG_HEADER_BYTES, ReceivedMsg};
pub use selected::Selected;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU16, Ordering};

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::{IOU_PBUF_RING_INC, IOU_PBUF_RING_MMAP};
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_PBUF_RING, IORING_REGISTER_PBUF_STATUS, IORING_UNREGISTER_PBUF_RING,
};
use annulus_syscalls::io_uring::register::{io_uring_buf, io_uring_buf_reg, io_uring_buf_status};

use crate::cursor::Cursor;
use crate::entries::{CqEntry, SqEntry};
use crate::handle::Handle;
use crate::ring::Ring;
use crate::version::Version;

/// The first kernels with a kind of ring, for the mask: the numbers of the flags do not tell.
const MMAP_SINCE: Version = Version::new(6, 4);
const INC_SINCE: Version = Version::new(6, 12);

/// A group of provided buffers, all of one size, registered with a ring.
///
/// Dropping it unregisters the group. The memory stays as long as a [`BufMemory`] does.
#[derive(Debug)]
pub struct BufRing {
    memory: BufMemory,
    ring: Arc<Handle>,
    /// As granted: without what the kernel refused.
    config: BufRingConfig,
    /// Our end of the ring; the kernel sees its lower 16 bits at `publish`.
    tail: Cursor,
    registered: bool,
}

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
    pub fn new<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        group: u16,
        count: u16,
        size_bytes: u32,
    ) -> Result<BufRing, Errno> {
        BufRing::with_config(ring, &BufRingConfig::new(group, count, size_bytes))
    }

    /// As [`new`](BufRing::new), of another kind. A group that was filled with
    /// [`Sqe::prep_provide_buffers`](crate::Sqe::prep_provide_buffers) and is empty again becomes
    /// a buffer ring.
    ///
    /// # Errors
    /// As [`new`](BufRing::new); EINVAL also for a `min_left` without `incremental` or larger than
    /// a buffer, and for `kernel_mapped` before 6.4.
    ///
    /// # Kernel
    /// Since 5.19. What [`BufRingConfig`] says is given up on older ones is missing afterwards.
    pub fn with_config<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        config: &BufRingConfig,
    ) -> Result<BufRing, Errno> {
        let mut buf_ring = BufRing::empty(ring, config)?;
        for id in 0..config.count {
            // SAFETY: the buffers are new: nobody refers to them.
            unsafe { buf_ring.push_unpublished(id) };
        }
        buf_ring.publish();
        Ok(buf_ring)
    }

    /// As [`with_config`](BufRing::with_config), with nothing pushed.
    pub(crate) fn empty<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        config: &BufRingConfig,
    ) -> Result<BufRing, Errno> {
        config.check()?;
        let handle = ring.ring_ref().handle;
        handle.origin.check()?;
        let memory = if config.kernel_mapped {
            None
        } else {
            Some(BufMemory::anonymous(&handle, config)?)
        };
        let addr = memory.as_ref().map_or(0, |memory| {
            memory.entry(0).as_ptr().expose_provenance() as u64
        });
        let granted = register(&handle, *config, addr)?;
        let memory = match memory {
            Some(memory) => memory,
            None => match BufMemory::kernel_mapped(&handle, &granted) {
                Ok(memory) => memory,
                Err(errno) => {
                    // No operation has seen the group, and no memory of ours is in it.
                    let _ = unregister(&handle, granted.group);
                    return Err(errno);
                }
            },
        };
        Ok(BufRing {
            memory,
            ring: handle,
            config: granted,
            tail: Cursor::default(),
            registered: true,
        })
    }

    /// Gives buffer `id` back to the kernel.
    ///
    /// # Safety
    /// A CQE named it, without [`buffer_more`](crate::Cqe::buffer_more), and it was not pushed
    /// since, or it was never pushed; and no reference to its bytes is left.
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
        self.config.group
    }

    /// The memory, for whoever holds a buffer.
    #[inline]
    #[must_use]
    pub fn memory(&self) -> &BufMemory {
        &self.memory
    }

    /// The number of buffers less one: what the kernel masks its positions with.
    #[inline]
    #[must_use]
    pub fn mask(&self) -> u16 {
        self.config.count - 1
    }

    /// Whether a CQE may leave its buffer with the kernel
    /// ([`Cqe::buffer_more`](crate::Cqe::buffer_more)): asked for, and granted.
    #[inline]
    #[must_use]
    pub fn is_incremental(&self) -> bool {
        self.config.incremental
    }

    /// With how few bytes left a buffer counts as full: as asked for, or 0 where the kernel does
    /// not know that.
    #[inline]
    #[must_use]
    pub fn min_left(&self) -> u32 {
        self.config.min_left
    }

    /// How many buffers were pushed so far, modulo 2^16: our end of the ring.
    #[inline]
    #[must_use]
    pub fn tail(&self) -> u16 {
        self.tail.raw() as u16
    }

    /// How many buffers the kernel has taken for good so far, modulo 2^16: its end of the ring.
    /// The difference to [`tail`](BufRing::tail) is how many it may still take.
    ///
    /// # Errors
    /// EINVAL before 6.8; EBADF if the ring is gone, or in a forked child; EEXIST on a pinned ring
    /// from another thread than its own.
    ///
    /// # Kernel
    /// Since 6.8.
    pub fn head(&self) -> Result<u16, Errno> {
        let mut status = io_uring_buf_status {
            buf_group: u32::from(self.config.group),
            ..io_uring_buf_status::default()
        };
        let arg = (&raw mut status).expose_provenance();
        // SAFETY: `arg` is the one status that this registration reads and writes.
        unsafe { self.ring.register(IORING_REGISTER_PBUF_STATUS, arg, 1) }?;
        Ok(status.head as u16)
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

    /// Adds buffer `id`, not yet shown to the kernel.
    ///
    /// # Safety
    /// As [`BufRing::push`].
    #[inline]
    pub(crate) unsafe fn push_unpublished(&mut self, id: u16) {
        // SAFETY: promised by the caller.
        unsafe { self.push_part(id, 0, self.config.size_bytes) };
    }

    /// As `push_unpublished`, of the `len` bytes from `offset` on.
    ///
    /// # Safety
    /// As [`BufRing::push`]; the buffer has these bytes.
    #[inline]
    pub(crate) unsafe fn push_part(&mut self, id: u16, offset: u32, len: u32) {
        if self.is_unmapped() {
            return;
        }
        debug_assert!(offset <= self.config.size_bytes && len <= self.config.size_bytes - offset);
        let mask = u32::from(self.config.count) - 1;
        let start = self.memory.start(id).as_ptr().expose_provenance() as u64;
        let buffer = start + u64::from(offset);
        let slot = self.memory.entry(self.tail.slot(mask)).as_ptr();
        // The last field of entry 0 is the ring's tail, so the fields are written one by one.
        // SAFETY: `slot` points into the mapping; the kernel has consumed what was there, as no
        // more entries are pushed than there are buffers.
        let addr = unsafe { &raw mut (*slot).addr };
        // SAFETY: as above.
        let len_place = unsafe { &raw mut (*slot).len };
        // SAFETY: as above.
        let bid = unsafe { &raw mut (*slot).bid };
        // SAFETY: aligned, inside the mapping, and nobody else's before `publish`.
        unsafe { addr.write(buffer) };
        // SAFETY: as above.
        unsafe { len_place.write(len) };
        // SAFETY: as above.
        unsafe { bid.write(id) };
        self.tail = self.tail.plus(1);
    }

    /// Takes the last `count` buffers back that were pushed and that the kernel did not take.
    ///
    /// # Safety
    /// No operation selects from the group until this returns.
    pub(crate) unsafe fn retract(&mut self, count: u16) {
        self.tail = self.tail.plus(u32::from(count).wrapping_neg());
        self.publish();
    }

    /// The entry at `slot`, as the kernel left it; `None` in a forked child that lacks it.
    pub(crate) fn read_entry(&self, slot: usize) -> Option<io_uring_buf> {
        if self.is_unmapped() {
            return None;
        }
        let entry = self.memory.entry(slot).as_ptr();
        // SAFETY: aligned and inside the mapping. The kernel writes to it, so it is read as memory
        // that changes.
        Some(unsafe { entry.read_volatile() })
    }

    /// Whether this is a forked child, and the entries are of a kind that it does not get.
    #[inline]
    fn is_unmapped(&self) -> bool {
        self.config.kernel_mapped && self.ring.origin.is_forked()
    }

    /// Shows the kernel what was added.
    #[inline]
    pub(crate) fn publish(&self) {
        if self.is_unmapped() {
            return;
        }
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
        match unregister(&self.ring, self.config.group) {
            Ok(()) => Ok(()),
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

/// Registers entries at `addr` (0: the kernel's own), giving up `min_left` first, then
/// `incremental`, while the kernel says EINVAL. Returns what it granted.
fn register(ring: &Handle, mut config: BufRingConfig, addr: u64) -> Result<BufRingConfig, Errno> {
    let mask = ring.mask;
    if config.kernel_mapped && mask.hides(MMAP_SINCE) {
        return Err(Errno::EINVAL);
    }
    if mask.hides(INC_SINCE) {
        (config.incremental, config.min_left) = (false, 0);
    }
    loop {
        match register_once(ring, &config, addr) {
            Err(Errno::EINVAL) if config.min_left != 0 => config.min_left = 0,
            Err(Errno::EINVAL) if config.incremental => config.incremental = false,
            done => return done.map(|()| config),
        }
    }
}

fn register_once(ring: &Handle, config: &BufRingConfig, addr: u64) -> Result<(), Errno> {
    let mut flags = 0;
    if config.kernel_mapped {
        flags |= IOU_PBUF_RING_MMAP;
    }
    if config.incremental {
        flags |= IOU_PBUF_RING_INC;
    }
    let request = io_uring_buf_reg {
        ring_addr: addr,
        ring_entries: u32::from(config.count),
        bgid: config.group,
        flags,
        min_left: config.min_left,
        ..io_uring_buf_reg::default()
    };
    let arg = (&raw const request).expose_provenance();
    // SAFETY: `arg` is the one request that this registration reads. The memory it names stays
    // until `BufRing` has unregistered it, or for good.
    let done = unsafe { ring.register(IORING_REGISTER_PBUF_RING, arg, 1) };
    done.map(drop)
}

fn unregister(ring: &Handle, group: u16) -> Result<(), Errno> {
    let request = io_uring_buf_reg {
        bgid: group,
        ..io_uring_buf_reg::default()
    };
    let arg = (&raw const request).expose_provenance();
    // SAFETY: `arg` is the one request that this registration reads.
    let done = unsafe { ring.register(IORING_UNREGISTER_PBUF_RING, arg, 1) };
    done.map(drop)
}

//! `BufferTable`: memory that a ring has pinned and knows by index, so that reads and writes need
//! not look up and pin its pages each time.

use alloc::sync::Arc;
use core::ops::Range;
use core::ptr::null_mut;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::{
    IORING_REGISTER_DST_REPLACE, IORING_REGISTER_SRC_REGISTERED, IORING_RSRC_REGISTER_SPARSE,
};
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS_UPDATE, IORING_REGISTER_BUFFERS2,
    IORING_REGISTER_CLONE_BUFFERS, IORING_UNREGISTER_BUFFERS,
};
use annulus_syscalls::io_uring::register::{
    io_uring_clone_buffers, io_uring_rsrc_register, io_uring_rsrc_update2,
};

use crate::entries::{CqEntry, SqEntry};
use crate::handle::Handle;
use crate::ring::Ring;

/// A span of memory, laid out as `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferSpan {
    /// Its first byte; null for an empty slot.
    pub start: *mut u8,
    /// Its size in bytes, at most 1 GiB; 0 for an empty slot.
    pub size_bytes: usize,
}

impl BufferSpan {
    /// No memory: the slot is empty.
    pub const EMPTY: BufferSpan = BufferSpan {
        start: null_mut(),
        size_bytes: 0,
    };

    /// The bytes of `memory`.
    #[must_use]
    pub fn of(memory: &mut [u8]) -> BufferSpan {
        BufferSpan {
            start: memory.as_mut_ptr(),
            size_bytes: memory.len(),
        }
    }
}

/// Where [`BufferTable::clone_range`] takes buffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneSource {
    /// The ring with this descriptor; this ring's own is allowed.
    Ring(i32),
    /// The ring that the calling thread has registered under this index.
    Registered(u32),
}

/// The table of registered buffers of a ring; a ring has at most one.
///
/// A slot keeps the pages of its memory, which count against the limit of locked memory
/// (RLIMIT_MEMLOCK) unless the process had CAP_IPC_LOCK when it made the ring. An operation
/// names a slot and memory inside of it: [`Sqe::prep_read_fixed`](crate::Sqe::prep_read_fixed)
/// and its kin. For memory that looks after itself see [`BufferPool`](crate::BufferPool).
///
/// Dropping it unregisters it; on a pinned ring that must happen on the ring's thread, or the
/// table stays until the ring is gone.
#[derive(Debug)]
pub struct BufferTable {
    ring: Arc<Handle>,
    capacity: u32,
    registered: bool,
}

impl BufferTable {
    /// Registers `spans`, the first as slot 0. The table has as many slots.
    ///
    /// # Errors
    /// EINVAL for none, and for more than 16,384; EFAULT for memory that is not there, cannot be
    /// written to, or is larger than 1 GiB; EBUSY if the ring has a table; ENOMEM, also over the
    /// limit of locked memory; EFAULT or EOPNOTSUPP for memory mapped from a file on a disk; EEXIST
    /// on a pinned ring from another thread than its own; EBADF in a forked child.
    ///
    /// # Safety
    /// The memory stays until the slot is changed, the table is unregistered, or the ring is gone.
    ///
    /// # Kernel
    /// Since 5.1; empty slots since 5.13.
    pub unsafe fn register<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        spans: &[BufferSpan],
    ) -> Result<BufferTable, Errno> {
        let count = length(spans)?;
        let arg = spans.as_ptr().expose_provenance();
        // SAFETY: `arg` is an array of `count` spans, which the call only reads; that their
        // memory stays is promised by the caller.
        unsafe { ring.register(IORING_REGISTER_BUFFERS, arg, count) }?;
        Ok(BufferTable::with_capacity(ring.ring_ref().handle, count))
    }

    /// As [`register`](BufferTable::register). When slot `i` is changed or emptied and nothing
    /// uses the old memory any more, a CQE comes with `tags[i]` as its user data and 0 as its
    /// result; a tag of 0 asks for none.
    ///
    /// # Errors
    /// As [`register`](BufferTable::register); EINVAL for another number of tags than of spans,
    /// and for a tag on an empty slot.
    ///
    /// # Safety
    /// As [`register`](BufferTable::register).
    ///
    /// # Kernel
    /// Since 5.13.
    pub unsafe fn register_tagged<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        spans: &[BufferSpan],
        tags: &[u64],
    ) -> Result<BufferTable, Errno> {
        if spans.len() != tags.len() {
            return Err(Errno::EINVAL);
        }
        let count = length(spans)?;
        let request = io_uring_rsrc_register {
            nr: count,
            data: spans.as_ptr().expose_provenance() as u64,
            tags: tags.as_ptr().expose_provenance() as u64,
            ..io_uring_rsrc_register::default()
        };
        // SAFETY: `request` names slices of `count` elements; that the memory of the spans stays
        // is promised by the caller.
        unsafe { register_buffers2(&ring.ring_ref().handle, &request) }?;
        Ok(BufferTable::with_capacity(ring.ring_ref().handle, count))
    }

    /// Registers `capacity` empty slots, at most 16,384.
    ///
    /// # Errors
    /// As [`register`](BufferTable::register).
    ///
    /// # Kernel
    /// Since 5.19.
    pub fn sparse<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        capacity: u32,
    ) -> Result<BufferTable, Errno> {
        let request = io_uring_rsrc_register {
            nr: capacity,
            flags: IORING_RSRC_REGISTER_SPARSE,
            ..io_uring_rsrc_register::default()
        };
        // SAFETY: `request` names no memory.
        unsafe { register_buffers2(&ring.ring_ref().handle, &request) }?;
        Ok(BufferTable::with_capacity(ring.ring_ref().handle, capacity))
    }

    /// Registers what `source` has: the same pages, which stay as long as either table has them.
    ///
    /// # Errors
    /// EBUSY if `ring` has a table; ENXIO if the source's was unregistered; ENOMEM; EBADF if its
    /// ring is gone or has no descriptor; EINVAL before 6.12; EEXIST on a pinned ring from another
    /// thread than its own.
    ///
    /// # Kernel
    /// Since 6.12.
    pub fn clone_of<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        source: &BufferTable,
    ) -> Result<BufferTable, Errno> {
        let open = source.ring.hold()?;
        let request = io_uring_clone_buffers {
            src_fd: open.fd() as u32,
            ..io_uring_clone_buffers::default()
        };
        let handle = ring.ring_ref().handle;
        clone(&handle, &request)?;
        Ok(BufferTable::with_capacity(handle, source.capacity))
    }

    /// Puts the buffers that `source` has in the slots `range` into the slots from `first` on, in
    /// the place of what is there. The table grows if it has fewer slots.
    ///
    /// # Errors
    /// EINVAL for an empty range, and before 6.13; EINVAL or EOVERFLOW for one beyond the source's
    /// slots; EOVERFLOW for slots that 32 bits cannot say; ENXIO if the source has no table;
    /// EBADF, EOPNOTSUPP or EINVAL if it is no ring; ENOMEM; EEXIST on a pinned ring from another
    /// thread than its own.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn clone_range(
        &mut self,
        first: u32,
        source: CloneSource,
        range: Range<u32>,
    ) -> Result<(), Errno> {
        // To the kernel 0 slots are all of them.
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        let nr = range.end - range.start;
        let (src_fd, source_flags) = match source {
            CloneSource::Ring(fd) => (fd as u32, 0),
            CloneSource::Registered(index) => (index, IORING_REGISTER_SRC_REGISTERED),
        };
        let request = io_uring_clone_buffers {
            src_fd,
            flags: source_flags | IORING_REGISTER_DST_REPLACE,
            src_off: range.start,
            dst_off: first,
            nr,
            pad: [0; 3],
        };
        clone(&self.ring, &request)?;
        self.capacity = self.capacity.max(first.saturating_add(nr));
        Ok(())
    }

    /// Puts `spans` into the slots from `first` on; [`BufferSpan::EMPTY`] empties a slot. Returns
    /// how many were dealt with; fewer than there are if a later one failed.
    ///
    /// # Errors
    /// EINVAL for slots beyond the capacity or none; EFAULT, EOPNOTSUPP and ENOMEM as
    /// [`register`](BufferTable::register), if the first failed; EEXIST on a pinned ring from
    /// another thread than its own.
    ///
    /// # Safety
    /// As [`register`](BufferTable::register).
    ///
    /// # Kernel
    /// Since 5.13.
    pub unsafe fn update(&mut self, first: u32, spans: &[BufferSpan]) -> Result<u32, Errno> {
        // SAFETY: promised by the caller.
        unsafe { self.put(first, spans, 0) }
    }

    /// As [`update`](BufferTable::update), with tags as in
    /// [`register_tagged`](BufferTable::register_tagged).
    ///
    /// # Errors
    /// As [`update`](BufferTable::update); EINVAL for another number of tags than of spans, and
    /// for a tag on an empty slot.
    ///
    /// # Safety
    /// As [`register`](BufferTable::register).
    ///
    /// # Kernel
    /// Since 5.13.
    pub unsafe fn update_tagged(
        &mut self,
        first: u32,
        spans: &[BufferSpan],
        tags: &[u64],
    ) -> Result<u32, Errno> {
        if spans.len() != tags.len() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: there are as many tags as spans; the rest is promised by the caller.
        unsafe { self.put(first, spans, tags.as_ptr().expose_provenance()) }
    }

    /// The number of slots.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Takes the table from the ring: its pages are let go when no operation uses them any more.
    /// Dropping it does the same, without telling.
    ///
    /// # Errors
    /// EEXIST on a pinned ring from another thread than its own; EBADF if the ring is gone, or in
    /// a forked child; ENXIO if somebody else has unregistered it.
    pub fn unregister(mut self) -> Result<(), Errno> {
        self.unregister_once()
    }

    fn with_capacity(ring: Arc<Handle>, capacity: u32) -> BufferTable {
        BufferTable {
            ring,
            capacity,
            registered: true,
        }
    }

    /// # Safety
    /// `tags` is 0 or the address of as many tags as there are spans; their memory stays.
    unsafe fn put(&self, first: u32, spans: &[BufferSpan], tags: usize) -> Result<u32, Errno> {
        let request = io_uring_rsrc_update2 {
            offset: first,
            data: spans.as_ptr().expose_provenance() as u64,
            tags: tags as u64,
            nr: length(spans)?,
            ..io_uring_rsrc_update2::default()
        };
        let arg = (&raw const request).expose_provenance();
        let size = size_of::<io_uring_rsrc_update2>() as u32;
        // SAFETY: `arg` is the one request that this registration reads, of `size` bytes; the
        // rest is promised by the caller.
        unsafe {
            self.ring
                .register(IORING_REGISTER_BUFFERS_UPDATE, arg, size)
        }
    }

    fn unregister_once(&mut self) -> Result<(), Errno> {
        if !core::mem::take(&mut self.registered) {
            return Ok(());
        }
        // SAFETY: this registration reads nothing.
        let done = unsafe { self.ring.register(IORING_UNREGISTER_BUFFERS, 0, 0) };
        done.map(drop)
    }
}

impl Drop for BufferTable {
    fn drop(&mut self) {
        // What cannot be unregistered stays until the ring is gone: there is nobody to tell.
        let _ = self.unregister_once();
    }
}

/// # Safety
/// What `request` names is valid for reads, and the memory of its spans stays.
unsafe fn register_buffers2(ring: &Handle, request: &io_uring_rsrc_register) -> Result<(), Errno> {
    let arg = core::ptr::from_ref(request).expose_provenance();
    let size = size_of::<io_uring_rsrc_register>() as u32;
    // SAFETY: `arg` is the one request that this registration reads, of `size` bytes; the rest is
    // promised by the caller.
    let done = unsafe { ring.register(IORING_REGISTER_BUFFERS2, arg, size) };
    done.map(drop)
}

fn clone(ring: &Handle, request: &io_uring_clone_buffers) -> Result<(), Errno> {
    let arg = core::ptr::from_ref(request).expose_provenance();
    // SAFETY: `arg` is the one request that this registration reads; pages that become shared are
    // pinned by the kernel, whatever becomes of the source.
    let done = unsafe { ring.register(IORING_REGISTER_CLONE_BUFFERS, arg, 1) };
    done.map(drop)
}

/// The number of spans; more than 32 bits can say are too many for any kernel.
fn length(spans: &[BufferSpan]) -> Result<u32, Errno> {
    u32::try_from(spans.len()).map_err(|_| Errno::EINVAL)
}

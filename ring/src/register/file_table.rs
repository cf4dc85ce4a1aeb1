//! `FileTable`: files that a ring knows by index, so that an operation need not look them up.
//!
//! ```text
//!   slots:   0 .. picked.start | picked range | .. capacity
//!            claimed by FileSlot, update        direct operations, where the kernel picks
//! ```

use alloc::sync::Arc;
use core::ops::Range;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::{
    IORING_REGISTER_FILES_SKIP, IORING_RSRC_REGISTER_SPARSE,
};
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_FILE_ALLOC_RANGE, IORING_REGISTER_FILES, IORING_REGISTER_FILES_UPDATE,
    IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES2, IORING_UNREGISTER_FILES,
};
use annulus_syscalls::io_uring::register::{
    io_uring_file_index_range, io_uring_files_update, io_uring_rsrc_register, io_uring_rsrc_update2,
};

use super::file_slot::FileSlot;
use super::slots::Slots;
use crate::entries::{CqEntry, SqEntry};
use crate::handle::Handle;
use crate::ring::Ring;

/// In place of a descriptor in [`FileTable::update`]: leave that slot as it is.
pub const SKIP_SLOT: i32 = IORING_REGISTER_FILES_SKIP;

/// The table of registered files of a ring; a ring has at most one.
///
/// An operation uses a slot by taking its number for a descriptor, with
/// [`SqeFlags::FIXED_FILE`](crate::SqeFlags::FIXED_FILE). It keeps the file it began with, even
/// if the slot changes while it runs.
///
/// The table is unregistered when it and all of its [`FileSlot`]s were dropped. On a pinned ring
/// that must happen on the ring's thread, or the table stays until the ring is gone.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use annulus_ring::{FileTable, Ring, RingConfig, SqeFlags};
///
/// let Ok(mut ring) = Ring::new(&RingConfig::default()) else {
///     return Ok(()); // io_uring is not to be had here
/// };
/// let file = std::fs::File::open("/dev/null").expect("there is always one");
/// let table = FileTable::register(&ring, &[-1, file.as_raw_fd()])?;
/// drop(file); // the table has its own
/// let sqe = ring.get_sqe().expect("empty");
/// sqe.prep_fsync(1, 0).add_flags(SqeFlags::FIXED_FILE);
/// ring.submit_and_wait(1)?;
/// assert!(ring.pop().is_some());
/// table.unregister()?;
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Debug)]
pub struct FileTable {
    table: Arc<Table>,
    /// Slots that got a file by `register` or `update`.
    filled: Slots,
    /// From which the kernel picks where an operation leaves the choice to it.
    picked: Range<u32>,
}

/// The part that slots share.
#[derive(Debug)]
pub(super) struct Table {
    ring: Arc<Handle>,
    pub(super) claimed: Slots,
    registered: bool,
}

impl FileTable {
    /// Registers `fds`, the first as slot 0; -1 leaves a slot empty. The table has as many slots.
    ///
    /// # Errors
    /// EINVAL for none; EBADF if one is not open, or in a forked child; EBUSY if the ring has a
    /// table; EMFILE for more than 1,048,576 or than the process may open; ENOMEM; EEXIST on a
    /// pinned ring from another thread than its own; ENXIO while the ring is being closed.
    ///
    /// # Kernel
    /// Since 5.1; empty slots since 5.5.
    pub fn register<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        fds: &[i32],
    ) -> Result<FileTable, Errno> {
        let count = length(fds)?;
        let arg = fds.as_ptr().expose_provenance();
        // SAFETY: `arg` is an array of `count` descriptors, which the call only reads.
        unsafe { ring.register(IORING_REGISTER_FILES, arg, count) }?;
        Ok(FileTable::of(ring.ring_ref().handle, fds))
    }

    /// As [`register`](FileTable::register). When slot `i` is changed or emptied and nothing uses
    /// the old file any more, a CQE comes with `tags[i]` as its user data and 0 as its result;
    /// a tag of 0 asks for none.
    ///
    /// # Errors
    /// As [`register`](FileTable::register); EINVAL for another number of tags than of files, and
    /// for a tag on an empty slot.
    ///
    /// # Kernel
    /// Since 5.13.
    pub fn register_tagged<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        fds: &[i32],
        tags: &[u64],
    ) -> Result<FileTable, Errno> {
        if fds.len() != tags.len() {
            return Err(Errno::EINVAL);
        }
        let request = io_uring_rsrc_register {
            nr: length(fds)?,
            data: fds.as_ptr().expose_provenance() as u64,
            tags: tags.as_ptr().expose_provenance() as u64,
            ..io_uring_rsrc_register::default()
        };
        register_files2(&ring.ring_ref().handle, &request)?;
        Ok(FileTable::of(ring.ring_ref().handle, fds))
    }

    /// Registers `capacity` empty slots.
    ///
    /// # Errors
    /// As [`register`](FileTable::register).
    ///
    /// # Kernel
    /// Since 5.19.
    pub fn sparse<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        capacity: u32,
    ) -> Result<FileTable, Errno> {
        let request = io_uring_rsrc_register {
            nr: capacity,
            flags: IORING_RSRC_REGISTER_SPARSE,
            ..io_uring_rsrc_register::default()
        };
        register_files2(&ring.ring_ref().handle, &request)?;
        Ok(FileTable::with_capacity(ring.ring_ref().handle, capacity))
    }

    /// Puts `fds` into the slots from `first` on: -1 empties a slot, [`SKIP_SLOT`] leaves it as
    /// it is. Returns how many were dealt with; fewer than there are if a later one failed.
    ///
    /// # Errors
    /// EINVAL for slots beyond the capacity or none; EBUSY if one of them is claimed as a
    /// [`FileSlot`]; EBADF if the first is not open; ENOMEM; EEXIST on a pinned ring from another
    /// thread than its own.
    ///
    /// # Kernel
    /// Since 5.5; skipping since 5.12.
    pub fn update(&mut self, first: u32, fds: &[i32]) -> Result<u32, Errno> {
        self.check_unclaimed(first, fds)?;
        let done = self.table.put(first, fds)?;
        self.note(first, fds, done);
        Ok(done)
    }

    /// As [`update`](FileTable::update), with tags as in
    /// [`register_tagged`](FileTable::register_tagged).
    ///
    /// # Errors
    /// As [`update`](FileTable::update); EINVAL for another number of tags than of files, and for
    /// a tag on a slot that is emptied or skipped.
    ///
    /// # Kernel
    /// Since 5.13.
    pub fn update_tagged(&mut self, first: u32, fds: &[i32], tags: &[u64]) -> Result<u32, Errno> {
        self.check_unclaimed(first, fds)?;
        let done = self.table.put_tagged(first, fds, tags)?;
        self.note(first, fds, done);
        Ok(done)
    }

    /// Says from which slots the kernel picks for operations that leave the choice to it, see
    /// [`Sqe::set_direct_alloc`](crate::Sqe::set_direct_alloc). At first that is the whole table;
    /// an empty range lets it pick none, and such operations fail with ENFILE. Slots that leave
    /// the range can be claimed from then on: what operations have put into them is to be closed
    /// before.
    ///
    /// # Errors
    /// EINVAL for a range beyond the capacity; EBUSY if a slot inside is claimed; EEXIST on a
    /// pinned ring from another thread than its own.
    ///
    /// # Kernel
    /// Since 6.0.
    pub fn set_alloc_range(&mut self, range: Range<u32>) -> Result<(), Errno> {
        let len = range.end.checked_sub(range.start).ok_or(Errno::EINVAL)?;
        if range.end > self.capacity() {
            return Err(Errno::EINVAL);
        }
        if self.table.claimed.any_taken(range.clone()) {
            return Err(Errno::EBUSY);
        }
        let request = io_uring_file_index_range {
            off: range.start,
            len,
            resv: 0,
        };
        let arg = (&raw const request).expose_provenance();
        let ring = &self.table.ring;
        // SAFETY: `arg` is the one range that this registration reads.
        unsafe { ring.register(IORING_REGISTER_FILE_ALLOC_RANGE, arg, 0) }?;
        self.picked = range;
        Ok(())
    }

    /// From which slots the kernel picks.
    #[must_use]
    pub fn alloc_range(&self) -> Range<u32> {
        self.picked.clone()
    }

    /// Claims the lowest slot that is outside of [`alloc_range`](FileTable::alloc_range), was not
    /// filled by [`register`](FileTable::register) or [`update`](FileTable::update), and is not
    /// claimed: nobody else gets it while the result lives. No call into the kernel.
    ///
    /// # Errors
    /// ENFILE if there is none: as long as the kernel picks from the whole table, for example.
    pub fn claim(&self) -> Result<FileSlot, Errno> {
        let usable = |slot| !self.picked.contains(&slot) && !self.filled.is_taken(slot);
        let claimed = self.table.claimed.claim(usable);
        let slot = claimed.ok_or(Errno::ENFILE)?;
        Ok(FileSlot::new(Arc::clone(&self.table), slot))
    }

    /// The number of slots.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.filled.count()
    }

    /// Takes the table from the ring: its files are let go when no operation uses them any more.
    /// Dropping it does the same, without telling.
    ///
    /// # Errors
    /// EBUSY while there are [`FileSlot`]s, the last of which will unregister it; EEXIST on a
    /// pinned ring from another thread than its own; EBADF if the ring is gone, or in a forked
    /// child; ENXIO if somebody else has unregistered it.
    pub fn unregister(self) -> Result<(), Errno> {
        let mut table = Arc::into_inner(self.table).ok_or(Errno::EBUSY)?;
        table.unregister_once()
    }

    fn of(ring: Arc<Handle>, fds: &[i32]) -> FileTable {
        let table = FileTable::with_capacity(ring, fds.len() as u32);
        table.note(0, fds, fds.len() as u32);
        table
    }

    fn with_capacity(ring: Arc<Handle>, capacity: u32) -> FileTable {
        FileTable {
            table: Arc::new(Table {
                ring,
                claimed: Slots::new(capacity),
                registered: true,
            }),
            filled: Slots::new(capacity),
            picked: 0..capacity,
        }
    }

    /// EBUSY if `fds` would change a slot that is claimed.
    fn check_unclaimed(&self, first: u32, fds: &[i32]) -> Result<(), Errno> {
        let count = length(fds)?;
        let end = first.checked_add(count).ok_or(Errno::EINVAL)?;
        if end > self.capacity() {
            return Err(Errno::EINVAL);
        }
        let changed = (first..end).zip(fds).filter(|(_, fd)| **fd != SKIP_SLOT);
        for (slot, _) in changed {
            if self.table.claimed.is_taken(slot) {
                return Err(Errno::EBUSY);
            }
        }
        Ok(())
    }

    /// Remembers which slots have a file now that the first `done` of `fds` are in place.
    fn note(&self, first: u32, fds: &[i32], done: u32) {
        for (slot, fd) in (first..).zip(fds).take(done as usize) {
            match *fd {
                SKIP_SLOT => {}
                -1 => self.filled.give_back(slot),
                _ => {
                    self.filled.take(slot);
                }
            }
        }
    }
}

impl Table {
    /// FILES_UPDATE.
    pub(super) fn put(&self, first: u32, fds: &[i32]) -> Result<u32, Errno> {
        let request = io_uring_files_update {
            offset: first,
            resv: 0,
            fds: fds.as_ptr().expose_provenance() as u64,
        };
        let arg = (&raw const request).expose_provenance();
        let (ring, count) = (&self.ring, length(fds)?);
        // SAFETY: `arg` is the one request that this registration reads, with `count` descriptors.
        unsafe { ring.register(IORING_REGISTER_FILES_UPDATE, arg, count) }
    }

    /// FILES_UPDATE2.
    pub(super) fn put_tagged(&self, first: u32, fds: &[i32], tags: &[u64]) -> Result<u32, Errno> {
        if fds.len() != tags.len() {
            return Err(Errno::EINVAL);
        }
        let request = io_uring_rsrc_update2 {
            offset: first,
            data: fds.as_ptr().expose_provenance() as u64,
            tags: tags.as_ptr().expose_provenance() as u64,
            nr: length(fds)?,
            ..io_uring_rsrc_update2::default()
        };
        let arg = (&raw const request).expose_provenance();
        let size = size_of::<io_uring_rsrc_update2>() as u32;
        // SAFETY: `arg` is the one request that this registration reads, of `size` bytes, with as
        // many descriptors and tags as it says.
        unsafe { self.ring.register(IORING_REGISTER_FILES_UPDATE2, arg, size) }
    }

    fn unregister_once(&mut self) -> Result<(), Errno> {
        if !core::mem::take(&mut self.registered) {
            return Ok(());
        }
        // SAFETY: this registration reads nothing.
        let done = unsafe { self.ring.register(IORING_UNREGISTER_FILES, 0, 0) };
        done.map(drop)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // What cannot be unregistered stays until the ring is gone: there is nobody to tell.
        let _ = self.unregister_once();
    }
}

fn register_files2(ring: &Handle, request: &io_uring_rsrc_register) -> Result<(), Errno> {
    let arg = core::ptr::from_ref(request).expose_provenance();
    let size = size_of::<io_uring_rsrc_register>() as u32;
    // SAFETY: `arg` is the one request that this registration reads, of `size` bytes; its arrays
    // are slices of as many elements as it says, or there are none.
    let done = unsafe { ring.register(IORING_REGISTER_FILES2, arg, size) };
    done.map(drop)
}

/// The number of descriptors; more than 32 bits can say are too many for any kernel.
fn length(fds: &[i32]) -> Result<u32, Errno> {
    u32::try_from(fds.len()).map_err(|_| Errno::EMFILE)
}

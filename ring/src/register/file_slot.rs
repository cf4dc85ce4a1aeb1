//! `FileSlot`: one slot of a file table, owned.

use alloc::sync::Arc;

use annulus_syscalls::Errno;

use super::file_table::Table;

/// A slot of a [`FileTable`](crate::FileTable) that nobody else gets while this lives, empty at
/// first. Dropping it empties the slot and gives it back; an operation under way keeps its file.
///
/// On a pinned ring a drop on another thread than the ring's gives the slot back with its file in
/// it, which then stays until the slot is filled again or the table goes.
#[derive(Debug)]
pub struct FileSlot {
    table: Arc<Table>,
    index: u32,
}

impl FileSlot {
    pub(super) fn new(table: Arc<Table>, index: u32) -> FileSlot {
        FileSlot { table, index }
    }

    /// The number of the slot, as [`Sqe::set_direct_slot`](crate::Sqe::set_direct_slot) and
    /// [`Sqe::prep_close_direct`](crate::Sqe::prep_close_direct) take it.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The number of the slot where a `prep_*` method takes a descriptor, with
    /// [`SqeFlags::FIXED_FILE`](crate::SqeFlags::FIXED_FILE).
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.index as i32 // at most 1,048,576
    }

    /// Puts the file of `fd` into the slot, in the place of what was there. The descriptor itself
    /// stays the caller's and may be closed.
    ///
    /// # Errors
    /// EBADF if it is not open, or the ring is gone; ENOMEM; EEXIST on a pinned ring from another
    /// thread than its own.
    pub fn install(&mut self, fd: i32) -> Result<(), Errno> {
        self.table.put(self.index, &[fd]).map(drop)
    }

    /// As [`install`](FileSlot::install); a CQE with the user data `tag` tells when the kernel
    /// has let go of the file again.
    ///
    /// # Errors
    /// As [`install`](FileSlot::install).
    ///
    /// # Kernel
    /// Since 5.13.
    pub fn install_tagged(&mut self, fd: i32, tag: u64) -> Result<(), Errno> {
        self.table.put_tagged(self.index, &[fd], &[tag]).map(drop)
    }

    /// Empties the slot.
    ///
    /// # Errors
    /// EBADF if the ring is gone; EEXIST on a pinned ring from another thread than its own.
    pub fn clear(&mut self) -> Result<(), Errno> {
        self.install(-1)
    }
}

impl Drop for FileSlot {
    fn drop(&mut self) {
        // If it fails the file stays until the slot is filled again: there is nobody to tell.
        let _ = self.clear();
        self.table.claimed.give_back(self.index);
    }
}

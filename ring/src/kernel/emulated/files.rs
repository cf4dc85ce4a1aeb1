//! Registered files: duplicates of the user's descriptors, by slot.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use std::ops::Range;
use std::sync::Arc;
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::file::IORING_FILE_INDEX_ALLOC;
use annulus_syscalls::io_uring::io_uring_sqe;
use annulus_syscalls::io_uring::register::flags::IORING_REGISTER_FILES_SKIP;
use annulus_syscalls::io_uring::register::io_uring_file_index_range;

use super::fd::Fd;
use super::mailbox::Mailbox;
use super::table::{Resource, Table};
use super::{Facts, last_errno};
use crate::fork::Origin;

/// `IORING_MAX_FIXED_FILES` of the kernel.
const FILES_MAX: u32 = 1 << 20;
/// In the place of a descriptor: the slot is empty.
const EMPTY: i32 = -1;

type File = Arc<Resource<Fd>>;

#[derive(Debug)]
pub(super) struct Files {
    table: Table<Fd>,
    /// Where direct operations find a slot that nobody chose.
    picked: Range<usize>,
    /// Where to look first: behind the slot that was filled last, or one that was emptied since.
    hint: usize,
    origin: Origin,
    facts: Arc<Facts>,
    to: Arc<Mailbox>,
}

/// Descriptors and tags in the user's memory, each array as long as the request says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) items: u64,
    /// 0 for none.
    pub(super) tags: u64,
    pub(super) count: u32,
}

impl Given {
    /// # Safety
    /// The array of tags is null or has more than `at` elements.
    pub(super) unsafe fn tag(self, at: u32) -> u64 {
        if self.tags == 0 {
            return 0;
        }
        let tags = with_exposed_provenance::<u64>(self.tags as usize);
        // SAFETY: promised by the caller.
        let tag = unsafe { tags.add(at as usize) };
        // SAFETY: as above.
        unsafe { tag.read_unaligned() }
    }

    /// # Safety
    /// The array of items is null or has more than `at` elements.
    unsafe fn fd(self, at: u32) -> i32 {
        if self.items == 0 {
            return EMPTY;
        }
        // SAFETY: promised by the caller.
        let place = unsafe { self.place(at) };
        // SAFETY: as above.
        unsafe { place.read_unaligned() }
    }

    /// # Safety
    /// The array of items has more than `at` elements.
    unsafe fn place(self, at: u32) -> *mut i32 {
        let fds = with_exposed_provenance_mut::<i32>(self.items as usize);
        // SAFETY: promised by the caller.
        unsafe { fds.add(at as usize) }
    }
}

impl Files {
    pub(super) fn new(origin: Origin, facts: &Arc<Facts>, to: &Arc<Mailbox>) -> Files {
        Files {
            table: Table::default(),
            picked: 0..0,
            hint: 0,
            origin,
            facts: Arc::clone(facts),
            to: Arc::clone(to),
        }
    }

    /// # Errors
    /// EBUSY if there is a table, EINVAL for no slots or a tag on an empty one, EMFILE for too
    /// many, EBADF for what is not open or is a ring.
    ///
    /// # Safety
    /// `given` has as many items and tags as it says, or none of both.
    pub(super) unsafe fn register(&mut self, given: Given) -> Result<(), Errno> {
        if self.table.is_registered() {
            return Err(Errno::EBUSY);
        }
        if given.count == 0 {
            return Err(Errno::EINVAL);
        }
        if given.count > FILES_MAX || u64::from(given.count) > descriptors_max() {
            return Err(Errno::EMFILE);
        }
        let mut slots = Vec::with_capacity(given.count as usize);
        for at in 0..given.count {
            // SAFETY: promised by the caller.
            let tag = unsafe { given.tag(at) };
            // SAFETY: promised by the caller.
            slots.push(match unsafe { given.fd(at) } {
                EMPTY if tag != 0 => return Err(Errno::EINVAL),
                EMPTY => None,
                fd => Some(self.duplicate(fd, tag)?),
            });
        }
        self.table.register(slots);
        self.picked = 0..self.table.len();
        self.hint = 0;
        Ok(())
    }

    pub(super) fn unregister(&mut self) -> Result<(), Errno> {
        self.table.unregister()
    }

    /// Puts descriptors into the slots from `first` on. Returns how many.
    ///
    /// # Errors
    /// If there was none: ENXIO without a table, EINVAL and EOVERFLOW for slots that are not
    /// there, EINVAL for a tag on nothing, EBADF.
    ///
    /// # Safety
    /// `given` has as many items and tags as it says.
    pub(super) unsafe fn update(&mut self, first: u32, given: Given) -> Result<u32, Errno> {
        self.table.check_range(first, given.count)?;
        for at in 0..given.count {
            // SAFETY: promised by the caller.
            let tag = unsafe { given.tag(at) };
            // SAFETY: promised by the caller.
            let fd = unsafe { given.fd(at) };
            if let Err(errno) = self.change((first + at) as usize, fd, tag) {
                return if at == 0 { Err(errno) } else { Ok(at) };
            }
        }
        Ok(given.count)
    }

    fn change(&mut self, slot: usize, fd: i32, tag: u64) -> Result<(), Errno> {
        if fd == EMPTY || fd == IORING_REGISTER_FILES_SKIP {
            if tag != 0 {
                return Err(Errno::EINVAL);
            }
            if fd == EMPTY {
                self.put(slot, None)?;
            }
            return Ok(());
        }
        // What is there goes even if nothing comes in its place.
        self.put(slot, None)?;
        let file = self.duplicate(fd, tag)?;
        self.put(slot, Some(file)).map(drop)
    }

    /// FILES_UPDATE: as [`update`](Files::update), or with slots that are picked here, whose
    /// numbers take the place of the descriptors.
    pub(super) fn update_by(&mut self, sqe: &io_uring_sqe) -> Result<u32, Errno> {
        let given = Given {
            items: sqe.addr,
            tags: 0,
            count: sqe.len,
        };
        if given.count == 0 || sqe.op_flags != 0 || sqe.file_index != 0 {
            return Err(Errno::EINVAL);
        }
        if sqe.off as u32 != IORING_FILE_INDEX_ALLOC {
            // SAFETY: the array is lent to this operation, says who has submitted it.
            return unsafe { self.update(sqe.off as u32, given) };
        }
        if !self.table.is_registered() {
            return Err(Errno::ENXIO);
        }
        for at in 0..given.count {
            // SAFETY: as above.
            let place = unsafe { given.place(at) };
            // SAFETY: as above.
            let fd = unsafe { given.fd(at) };
            let file = self.duplicate(fd, 0);
            match file.and_then(|file| self.put_anywhere(file)) {
                // SAFETY: as above.
                Ok(slot) => unsafe { place.write_unaligned(slot) },
                Err(errno) => return if at == 0 { Err(errno) } else { Ok(at) },
            }
        }
        Ok(given.count)
    }

    /// # Errors
    /// ENXIO without a table, EOVERFLOW and EINVAL for slots that are not there.
    pub(super) fn pick_from(&mut self, range: &io_uring_file_index_range) -> Result<(), Errno> {
        let end = range.off.checked_add(range.len).ok_or(Errno::EOVERFLOW)?;
        if range.resv != 0 || end as usize > self.table.len() {
            return Err(Errno::EINVAL);
        }
        self.picked = range.off as usize..end as usize;
        self.hint = self.picked.start;
        Ok(())
    }

    /// Takes over the descriptor that a direct operation made: what its CQE says of it. It is
    /// closed if there is no place for it.
    pub(super) fn install(&mut self, file_index: u32, fd: i32) -> i32 {
        let file = Resource::new(Fd::new(fd, self.origin), 0, &self.to);
        let done = match file_index {
            IORING_FILE_INDEX_ALLOC => self.put_anywhere(file),
            index => {
                let put = self.put(index as usize - 1, Some(file));
                put.map(|_before| 0)
            }
        };
        done.unwrap_or_else(|errno| -errno.raw())
    }

    /// Empties the slot of a direct close.
    pub(super) fn close(&mut self, file_index: u32) -> Result<(), Errno> {
        let slot = file_index as usize - 1;
        match self.put(slot, None)? {
            Some(_closed) => Ok(()),
            None => Err(Errno::EBADF),
        }
    }

    pub(super) fn get(&self, slot: i32) -> Option<File> {
        self.table.get(usize::try_from(slot).ok()?).cloned()
    }

    fn put_anywhere(&mut self, file: File) -> Result<i32, Errno> {
        let slot = self.table.empty_slot(self.picked.clone(), self.hint);
        let slot = slot.ok_or(Errno::ENFILE)?;
        self.put(slot, Some(file))?;
        Ok(slot as i32)
    }

    /// Puts a file, or none, into a slot: the next is picked behind it, or there.
    fn put(&mut self, slot: usize, file: Option<File>) -> Result<Option<File>, Errno> {
        let fills = file.is_some();
        let before = self.table.put(slot, file)?;
        if fills || before.is_some() {
            self.hint = slot + usize::from(fills);
        }
        Ok(before)
    }

    /// # Errors
    /// EBADF for what is not open, or is a ring; EMFILE.
    fn duplicate(&self, fd: i32, tag: u64) -> Result<File, Errno> {
        if self.facts.ring(fd).is_some() {
            return Err(Errno::EBADF);
        }
        // SAFETY: this command takes a number only.
        match unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) } {
            -1 => Err(last_errno()),
            number => Ok(Resource::new(Fd::new(number, self.origin), tag, &self.to)),
        }
    }
}

/// The limit of open descriptors.
fn descriptors_max() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => limit.rlim_cur,
        _ => u64::MAX,
    }
}

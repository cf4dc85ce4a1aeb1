//! Provided buffers: rings of them in the user's memory, and groups handed over entry by entry.
//!
//! A buffer is looked at before an attempt and taken after one that moved data, so an operation
//! that waits holds none.

use core::ptr::{NonNull, with_exposed_provenance_mut};
use core::sync::atomic::{AtomicU16, Ordering};
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::cqe_flags::{
    IORING_CQE_BUFFER_SHIFT, IORING_CQE_F_BUF_MORE, IORING_CQE_F_BUFFER,
};
use annulus_syscalls::io_uring::io_uring_sqe;
use annulus_syscalls::io_uring::register::flags::IOU_PBUF_RING_INC;
use annulus_syscalls::io_uring::register::{io_uring_buf, io_uring_buf_reg};

use super::request::Selected;
use super::world::World;

/// The most buffers of a ring: io_uring takes no more.
const COUNT_MAX: u32 = 1 << 15;

/// A ring starts a page; page sizes of all architectures are multiples of this one.
const PAGE_BYTES_MIN: u64 = 4096;

/// The groups of one ring.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<u16, Group>);

#[derive(Debug)]
enum Group {
    Ring {
        entries: NonNull<io_uring_buf>,
        mask: u16,
        head: u16,
        /// Up to here the world knows of the buffers.
        seen: u16,
        /// Buffers are used up piece by piece, until fewer bytes than this are left.
        incremental: Option<u32>,
    },
    List(VecDeque<Selected>),
}

// SAFETY: it has the kernel's end of rings in memory that the registration lends to no thread in
// particular.
unsafe impl Send for Groups {}

impl Groups {
    /// Makes a group of the buffer ring that `request` describes.
    ///
    /// # Errors
    /// EINVAL for a number that is no power of two, memory that is not aligned, or flags that are
    /// not emulated; EEXIST if the group is there.
    ///
    /// # Safety
    /// The memory stays valid until the group is removed.
    pub(crate) unsafe fn add_ring(&mut self, request: &io_uring_buf_reg) -> Result<(), Errno> {
        let count = request.ring_entries;
        if !count.is_power_of_two() || count > COUNT_MAX || request.flags & !IOU_PBUF_RING_INC != 0
        {
            return Err(Errno::EINVAL);
        }
        let start = with_exposed_provenance_mut::<io_uring_buf>(request.ring_addr as usize);
        let entries = NonNull::new(start).ok_or(Errno::EFAULT)?;
        if !request.ring_addr.is_multiple_of(PAGE_BYTES_MIN) {
            return Err(Errno::EINVAL);
        }
        match self.0.get(&request.bgid) {
            Some(Group::List(list)) if list.is_empty() => {}
            None => {}
            Some(_) => return Err(Errno::EEXIST),
        }
        let group = Group::Ring {
            entries,
            mask: (count - 1) as u16,
            head: 0,
            seen: 0,
            incremental: (request.flags & IOU_PBUF_RING_INC != 0)
                .then_some(request.min_left.max(1)),
        };
        self.0.insert(request.bgid, group);
        Ok(())
    }

    /// # Errors
    /// ENOENT if there is none, EINVAL if it is no ring.
    pub(crate) fn remove_ring(&mut self, group: u16) -> Result<(), Errno> {
        match self.0.get(&group) {
            Some(Group::Ring { .. }) => {
                self.0.remove(&group);
                Ok(())
            }
            Some(Group::List(_)) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    /// The position of the kernel's end.
    ///
    /// # Errors
    /// As [`remove_ring`](Groups::remove_ring).
    pub(crate) fn head(&self, group: u16) -> Result<u16, Errno> {
        match self.0.get(&group) {
            Some(Group::Ring { head, .. }) => Ok(*head),
            Some(Group::List(_)) => Err(Errno::EINVAL),
            None => Err(Errno::ENOENT),
        }
    }

    /// PROVIDE_BUFFERS.
    pub(super) fn provide(&mut self, sqe: &io_uring_sqe) -> Result<i32, Errno> {
        let count = u16::try_from(sqe.fd).map_err(|_| Errno::E2BIG)?;
        let first = u16::try_from(sqe.off).map_err(|_| Errno::EINVAL)?;
        if count == 0 {
            return Err(Errno::E2BIG);
        }
        if sqe.len == 0 || u32::from(first) + u32::from(count) > 1 << 16 {
            return Err(Errno::EINVAL);
        }
        let group = self.0.entry(sqe.buf_index);
        let Group::List(list) = group.or_insert_with(|| Group::List(VecDeque::new())) else {
            return Err(Errno::EINVAL);
        };
        for nth in 0..count {
            list.push_back(Selected {
                address: sqe.addr + u64::from(nth) * u64::from(sqe.len),
                len: sqe.len,
                id: first.wrapping_add(nth),
            });
        }
        Ok(0)
    }

    /// REMOVE_BUFFERS.
    pub(super) fn remove(&mut self, sqe: &io_uring_sqe) -> Result<i32, Errno> {
        match self.0.get_mut(&sqe.buf_index) {
            None => Err(Errno::ENOENT),
            Some(Group::Ring { .. }) => Err(Errno::EINVAL),
            Some(Group::List(list)) => {
                let count = list.len().min(sqe.fd.max(0) as usize);
                list.drain(..count);
                Ok(count as i32)
            }
        }
    }

    /// Tells a world that watches of the buffers that came since the last call.
    pub(super) fn look(&mut self, world: &mut impl World) {
        if !world.watches() {
            return;
        }
        for (&group, ring) in &mut self.0 {
            let Group::Ring {
                entries,
                mask,
                head,
                seen,
                ..
            } = ring
            else {
                continue;
            };
            let tail = tail(*entries);
            if tail == *seen {
                continue;
            }
            if seen.wrapping_sub(*head) > tail.wrapping_sub(*head) {
                // The user has taken some back.
                world.forget_group(group);
                *seen = *head;
            }
            let came = (0..tail.wrapping_sub(*seen)).map(|nth| {
                let index = seen.wrapping_add(nth) & *mask;
                // SAFETY: the index is masked, and the ring has as many entries.
                let entry = unsafe { entries.add(usize::from(index)) };
                read(entry.as_ptr())
            });
            let came: Vec<Selected> = came.collect();
            world.lend_buffers(group, &came);
            *seen = tail;
        }
    }

    /// The next buffer of the group, for up to `len_max` bytes (0: as many as it has).
    pub(super) fn select(&self, group: u16, len_max: u32) -> Option<Selected> {
        let mut selected = match self.0.get(&group)? {
            Group::List(list) => *list.front()?,
            Group::Ring {
                entries,
                mask,
                head,
                ..
            } => {
                if tail(*entries) == *head {
                    return None;
                }
                // SAFETY: the index is masked, and the ring has as many entries.
                let entry = unsafe { entries.add(usize::from(*head & *mask)) };
                read(entry.as_ptr())
            }
        };
        if len_max != 0 {
            selected.len = selected.len.min(len_max);
        }
        Some(selected)
    }

    /// Takes the buffer that was selected, of which `used` bytes were filled. Returns the flags
    /// that tell so in the CQE.
    pub(super) fn take(
        &mut self,
        group: u16,
        selected: Selected,
        used: u32,
        world: &mut impl World,
    ) -> u32 {
        let mut flags = IORING_CQE_F_BUFFER | (u32::from(selected.id) << IORING_CQE_BUFFER_SHIFT);
        match self.0.get_mut(&group) {
            None => {}
            Some(Group::List(list)) => {
                list.pop_front();
            }
            Some(Group::Ring {
                entries,
                mask,
                head,
                incremental,
                ..
            }) => {
                // SAFETY: the index is masked, and the ring has as many entries.
                let entry = unsafe { entries.add(usize::from(*head & *mask)) };
                let whole = read(entry.as_ptr());
                let left =
                    incremental.is_some_and(|left_min| shrink(entry.as_ptr(), used) >= left_min);
                world.give_back_buffer(group, whole);
                if left {
                    flags |= IORING_CQE_F_BUF_MORE;
                    world.lend_buffers(group, &[read(entry.as_ptr())]);
                } else {
                    *head = head.wrapping_add(1);
                }
            }
        }
        flags
    }
}

/// The buffer that an entry names. The user's tail is beyond it, read with Acquire: it was written,
/// and the user leaves it alone until a CQE names its buffer.
fn read(entry: *const io_uring_buf) -> Selected {
    // The last field of entry 0 is the ring's tail, so the fields are read one by one.
    // SAFETY: inside the registered memory.
    let addr = unsafe { &raw const (*entry).addr };
    // SAFETY: as above.
    let len = unsafe { &raw const (*entry).len };
    // SAFETY: as above.
    let bid = unsafe { &raw const (*entry).bid };
    Selected {
        // SAFETY: written before the tail passed it, and nobody writes now.
        address: unsafe { addr.read() },
        // SAFETY: as above.
        len: unsafe { len.read() },
        // SAFETY: as above.
        id: unsafe { bid.read() },
    }
}

/// Takes `used` bytes from the start of an entry. Returns how many are left.
fn shrink(entry: *mut io_uring_buf, used: u32) -> u32 {
    // SAFETY: an entry of a registered ring that the user has handed over.
    let len = unsafe { &raw mut (*entry).len };
    // SAFETY: as above.
    let addr = unsafe { &raw mut (*entry).addr };
    // SAFETY: as above; the field that doubles as the tail is not touched.
    let left = unsafe { len.read() }.saturating_sub(used);
    // SAFETY: as above.
    let start = unsafe { addr.read() };
    // SAFETY: as above.
    unsafe { addr.write(start + u64::from(used)) };
    // SAFETY: as above.
    unsafe { len.write(left) };
    left
}

/// The user's end of a ring.
fn tail(entries: NonNull<io_uring_buf>) -> u16 {
    // SAFETY: the first entry of a registered ring; its last field is the tail.
    let tail = unsafe { &raw mut (*entries.as_ptr()).resv };
    // SAFETY: aligned, valid while registered, and only accessed as this atomic.
    unsafe { AtomicU16::from_ptr(tail) }.load(Ordering::Acquire)
}

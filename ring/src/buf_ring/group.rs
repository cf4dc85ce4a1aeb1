//! `BufGroup`: a buffer ring with the account kept, and nothing to push twice.
//!
//! ```text
//!   recv(sqe) --enter--> CQE --take--> Selected --drop--> free --next use--> the kernel's
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ffi::c_void;

use annulus_syscalls::Errno;

use super::selected::{Holders, Selected};
use super::{BufLedger, BufRing, BufRingConfig};
use crate::cqe::Cqe;
use crate::entries::{CqEntry, SqEntry};
use crate::ring::Ring;
use crate::sqe::Sqe;

/// Waiting for all of a receive's length: see [`BufGroup::recv`].
const MSG_WAITALL: i32 = 0x100;

/// A group of provided buffers that prepares the operations that select from it, and knows of each
/// completion which bytes it delivered.
///
/// Ids do not appear in its use: what a completion delivered is a [`Selected`], and its buffer
/// goes back when that is dropped. Dropping the group while operations of it are under way leaks
/// its memory, as the kernel may still write to it.
///
/// ```
/// use std::io::Write;
/// use std::os::fd::AsRawFd;
/// use annulus_ring::{BufGroup, BufRingConfig, Ring, RingConfig};
///
/// let Ok(mut ring) = Ring::new(&RingConfig::default()) else {
///     return Ok(()); // io_uring is not to be had here
/// };
/// let mut group = BufGroup::new(&ring, &BufRingConfig::new(0, 8, 4096))?;
/// let (mut ours, theirs) = std::os::unix::net::UnixStream::pair()?;
/// ours.write_all(b"hello")?;
/// group.recv(ring.get_sqe().expect("empty"), theirs.as_raw_fd(), 0)?;
/// ring.submit_and_wait(1)?;
/// let cqe = ring.pop().expect("waited for");
/// // SAFETY: it is the completion of the group's receive, told once.
/// let selected = unsafe { group.take(&cqe) }?.expect("data has come");
/// assert_eq!(&selected[..], b"hello");
/// group.put(selected);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct BufGroup {
    ring: BufRing,
    ledger: BufLedger,
    holders: Arc<Holders>,
    /// Where each buffer stands in the ring: the number of pushes before it.
    positions: Box<[u16]>,
    /// Operations whose last completion was not told.
    under_way: u32,
}

impl BufGroup {
    /// Makes the buffers, registers them with `ring` and pushes them all.
    ///
    /// # Errors
    /// As [`BufRing::with_config`].
    ///
    /// # Kernel
    /// Since 5.19; what is newer is given up as [`BufRingConfig`] says.
    pub fn new<S: SqEntry, C: CqEntry>(
        ring: &Ring<S, C>,
        config: &BufRingConfig,
    ) -> Result<BufGroup, Errno> {
        let ring = BufRing::empty(ring, config)?;
        let holders = Arc::new(Holders::new(ring.memory().clone()));
        let mut group = BufGroup {
            ring,
            ledger: BufLedger::new(config.count),
            holders,
            positions: (0..config.count).collect(),
            under_way: 0,
        };
        for id in 0..config.count {
            // SAFETY: the buffers are new: nobody refers to them.
            unsafe { group.push(id) };
        }
        group.ring.publish();
        Ok(group)
    }

    /// Prepares `recv`(2) with `MSG_*` flags of as many bytes as the buffer has.
    ///
    /// # Errors
    /// EINVAL for `MSG_WAITALL`: when the data comes in pieces, kernels up to 6.18 name fewer
    /// buffers than they took, or one that they keep, and no account can be kept.
    #[inline]
    pub fn recv<'a>(
        &mut self,
        sqe: &'a mut Sqe,
        fd: i32,
        flags: i32,
    ) -> Result<&'a mut Sqe, Errno> {
        self.begin(flags)?;
        // SAFETY: the buffers are the group's; it leaks them while operations are under way.
        Ok(unsafe { sqe.prep_recv_select(fd, 0, flags, self.ring.group()) })
    }

    /// Prepares `recv`(2) again and again. It ends with ENOBUFS when the group is empty, with 0
    /// when the peer has closed, and on errors.
    ///
    /// # Errors
    /// As [`recv`](BufGroup::recv).
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub fn recv_multishot<'a>(
        &mut self,
        sqe: &'a mut Sqe,
        fd: i32,
        flags: i32,
    ) -> Result<&'a mut Sqe, Errno> {
        self.begin(flags)?;
        // SAFETY: as in `recv`.
        Ok(unsafe { sqe.prep_recv_multishot(fd, flags, self.ring.group()) })
    }

    /// As [`recv`](BufGroup::recv), into as many buffers at once as the data fills. Its
    /// completions are for [`take_bundle`](BufGroup::take_bundle).
    ///
    /// # Errors
    /// As [`recv`](BufGroup::recv). A kernel without `IORING_FEAT_RECVSEND_BUNDLE` completes it
    /// with EINVAL.
    ///
    /// # Kernel
    /// Since 6.10.
    #[inline]
    pub fn recv_bundle<'a>(
        &mut self,
        sqe: &'a mut Sqe,
        fd: i32,
        flags: i32,
    ) -> Result<&'a mut Sqe, Errno> {
        self.recv(sqe, fd, flags).map(Sqe::set_bundle)
    }

    /// As [`recv_multishot`](BufGroup::recv_multishot), each time into as many buffers as the data
    /// fills. Its completions are for [`take_bundle`](BufGroup::take_bundle).
    ///
    /// # Errors
    /// As [`recv_bundle`](BufGroup::recv_bundle).
    ///
    /// # Kernel
    /// Since 6.10.
    #[inline]
    pub fn recv_bundle_multishot<'a>(
        &mut self,
        sqe: &'a mut Sqe,
        fd: i32,
        flags: i32,
    ) -> Result<&'a mut Sqe, Errno> {
        self.recv_multishot(sqe, fd, flags).map(Sqe::set_bundle)
    }

    /// Prepares `recvmsg`(2) again and again, as [`Sqe::prep_recvmsg_multishot`]. In an
    /// incremental group it ends with EFAULT where a buffer has too little left for the header,
    /// name and control data: give the group a `min_left` of their size. A
    /// [`ReceivedMsg`](crate::ReceivedMsg) takes what was delivered apart.
    ///
    /// # Errors
    /// As [`recv`](BufGroup::recv).
    ///
    /// # Safety
    /// `message` is valid for reads of a `struct msghdr`, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.0.
    pub unsafe fn recvmsg_multishot<'a>(
        &mut self,
        sqe: &'a mut Sqe,
        fd: i32,
        message: *mut c_void,
        flags: i32,
    ) -> Result<&'a mut Sqe, Errno> {
        self.begin(flags)?;
        // SAFETY: as in `recv`; the message is promised by the caller.
        Ok(unsafe { sqe.prep_recvmsg_multishot(fd, message, flags, self.ring.group()) })
    }

    /// Prepares `pread`(2) of up to `len` bytes (0: as many as the buffer has) at `offset`. Of a
    /// file that cannot be polled, such as a regular one, the completion is for
    /// [`take_read`](BufGroup::take_read).
    #[inline]
    pub fn read<'a>(&mut self, sqe: &'a mut Sqe, fd: i32, len: u32, offset: u64) -> &'a mut Sqe {
        self.count_one();
        // SAFETY: as in `recv`.
        unsafe { sqe.prep_read_select(fd, len, offset, self.ring.group()) }
    }

    /// Prepares `read`(2) again and again, of a file that can be polled.
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub fn read_multishot<'a>(&mut self, sqe: &'a mut Sqe, fd: i32) -> &'a mut Sqe {
        self.count_one();
        // SAFETY: as in `recv`.
        unsafe { sqe.prep_read_multishot(fd, self.ring.group()) }
    }

    /// What `cqe` delivered: `None` if it names no buffer, as on ENOBUFS and at the end. A buffer
    /// that it names with an error comes back without bytes.
    ///
    /// # Errors
    /// EPROTO if the kernel names a buffer that it does not have. The result of the operation is
    /// [`Cqe::result`].
    ///
    /// # Safety
    /// `cqe` is a completion of an operation that this group prepared, not as a bundle; it is told
    /// once, and all of them in the order in which the ring gave them. In an incremental group an
    /// operation that claims before it knows, as [`take_read`](BufGroup::take_read) says, is the
    /// only one under way: a completion does not say where its bytes are, and others could
    /// overtake it.
    #[inline]
    pub unsafe fn take(&mut self, cqe: &Cqe) -> Result<Option<Selected>, Errno> {
        // SAFETY: promised by the caller.
        unsafe { self.take_read(cqe, bytes(cqe)) }
    }

    /// As [`take`](BufGroup::take), for an operation that asked for `asked` bytes (0: as many as
    /// the buffer has) and claimed them before it knew how many there are: a read of a file that
    /// cannot be polled, and whatever ran with [`SqeFlags::ASYNC`](crate::SqeFlags::ASYNC). In an
    /// incremental group the kernel goes on behind the claim.
    ///
    /// # Errors
    /// As [`take`](BufGroup::take).
    ///
    /// # Safety
    /// As [`take`](BufGroup::take).
    #[inline]
    pub unsafe fn take_read(&mut self, cqe: &Cqe, asked: u32) -> Result<Option<Selected>, Errno> {
        self.end(cqe);
        let Some(id) = cqe.buffer_id() else {
            return Ok(None);
        };
        let span = self
            .ledger
            .take_claimed(id, bytes(cqe), asked, cqe.buffer_more())?;
        Ok(Some(self.holders.select(span)))
    }

    /// What a completion of a bundle delivered, buffer by buffer, in the order of the data.
    ///
    /// # Errors
    /// EPROTO if the kernel names buffers that it does not have; what `to` was given is right.
    ///
    /// # Safety
    /// As [`take`](BufGroup::take), but of an operation that was prepared as a bundle.
    pub unsafe fn take_bundle(
        &mut self,
        cqe: &Cqe,
        to: &mut impl Extend<Selected>,
    ) -> Result<(), Errno> {
        self.end(cqe);
        let Some(first) = cqe.buffer_id() else {
            return Ok(());
        };
        let (ring, positions) = (&self.ring, &self.positions);
        let limit = |id: u16| {
            if ring.is_incremental() {
                return u32::MAX;
            }
            // A kernel may have shortened the entry of a bundle's first buffer for good.
            let slot = usize::from(positions[usize::from(id)] & ring.mask());
            let entry = ring.read_entry(slot).filter(|entry| entry.bid == id);
            entry.map_or(u32::MAX, |entry| entry.len)
        };
        let each = |span| to.extend(Some(self.holders.select(span)));
        let kept = cqe.buffer_more();
        self.ledger
            .take_bundle(first, bytes(cqe), kept, limit, each)
    }

    /// Gives what a completion delivered back. If nothing else of the buffer is in use, the kernel
    /// has it again.
    #[inline]
    pub fn put(&mut self, selected: Selected) {
        drop(selected);
        self.refill();
    }

    /// Hands the buffers to the kernel whose last part was dropped, and returns how many these
    /// are. Preparing an operation does the same first; a multishot operation that goes on by
    /// itself needs it.
    pub fn refill(&mut self) -> u16 {
        let holders = Arc::clone(&self.holders);
        let mut count = 0;
        for id in holders.take_returned() {
            // SAFETY: the kernel and every holder have let go of it, and it is taken once.
            unsafe { self.push(id) };
            count += 1;
        }
        if count != 0 {
            self.ring.publish();
        }
        count
    }

    /// The ring of buffers below: its group, its kind and its ends.
    #[inline]
    #[must_use]
    pub fn buf_ring(&self) -> &BufRing {
        &self.ring
    }

    /// How many buffers the kernel has, as far as completions have told.
    #[inline]
    #[must_use]
    pub fn pushed(&self) -> u16 {
        self.ledger.pushed()
    }

    /// How many operations are under way: prepared, and their last completion not yet told.
    #[inline]
    #[must_use]
    pub fn under_way(&self) -> u32 {
        self.under_way
    }

    #[inline]
    fn begin(&mut self, flags: i32) -> Result<(), Errno> {
        if flags & MSG_WAITALL != 0 {
            return Err(Errno::EINVAL);
        }
        self.count_one();
        Ok(())
    }

    #[inline]
    fn count_one(&mut self) {
        self.refill();
        self.under_way += 1;
    }

    #[inline]
    fn end(&mut self, cqe: &Cqe) {
        if !cqe.more() {
            self.under_way = self.under_way.saturating_sub(1);
        }
    }

    /// Adds a buffer, not yet shown to the kernel.
    ///
    /// # Safety
    /// Neither the kernel nor anybody else has it.
    unsafe fn push(&mut self, id: u16) {
        let size_bytes = self.holders.memory().size_bytes();
        let is_new = self.ledger.push(id, size_bytes);
        assert!(is_new, "what nobody holds is not the kernel's either");
        self.positions[usize::from(id)] = self.ring.tail();
        // SAFETY: promised by the caller.
        unsafe { self.ring.push_unpublished(id) };
    }
}

impl Drop for BufGroup {
    fn drop(&mut self) {
        if self.under_way != 0 {
            core::mem::forget(Arc::clone(&self.holders));
        }
    }
}

/// The bytes that a completion delivered: none with an error.
#[inline]
fn bytes(cqe: &Cqe) -> u32 {
    cqe.result().unwrap_or(0)
}

//! Larger or smaller queues for a ring that runs.
//!
//! ```text
//!   set memory aside -> the kernel switches -> give it back -> map the new queues
//!         |                   |                                       |
//!         v                   v                                       v
//!       ENOMEM         EINVAL, EOVERFLOW, ..              entries move over, and the
//!      the old queues go on in both cases                 old queues are unmapped
//! ```
//!
//! Once the kernel has switched there is no way back, and only we can map what it now uses. So
//! address space of the same size is set aside before: its failure is a failure in time. A ring on
//! memory of the caller's has its new memory before, and nothing to map.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_RESIZE_RINGS;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_CLAMP, IORING_SETUP_CQSIZE, IORING_SETUP_NO_MMAP, IORING_SETUP_NO_SQARRAY,
};

use super::Ring;
use super::open::map;
use crate::entries::{CqEntry, SqEntry};
use crate::map::Map;
use crate::queue::{CompletionQueue, SubmissionQueue};
use crate::ring_bytes::RingBytes;
use crate::ring_memory::{Areas, RingMemory};

/// An enter flag that no kernel knows: it refuses the call before it looks at anything.
const ENTER_REFUSED: u32 = 1 << 31;

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Gives the ring queues of other sizes: `sq_entries` of 1 to 32,768 and `cq_entries` of at
    /// least as many and up to 65,536, or 0 for twice the SQ; both are rounded up to powers of
    /// two, and cut to those limits if the ring was made so. Entries that are queued and
    /// completions that are not popped move over.
    ///
    /// ```
    /// use annulus_ring::{Ring, RingConfig};
    ///
    /// let config = RingConfig { sq_entries: 4, pinned: true, ..RingConfig::default() };
    /// let Ok(mut ring) = Ring::new(&config) else {
    ///     return; // io_uring is not to be had here
    /// };
    /// if ring.resize(64, 0).is_ok() { // since 6.13
    ///     assert_eq!((ring.sq_capacity(), ring.cq_capacity()), (64, 128));
    /// }
    /// ```
    ///
    /// # Errors
    /// The ring goes on as it was after: EINVAL for sizes that are not allowed, on a ring that is
    /// not of DEFER_TASKRUN (`RingConfig::pinned`), or is on memory of the caller's, and before
    /// 6.13; EOVERFLOW if what is queued, or not popped, is more than would fit; EBUSY where
    /// entries of two sizes are queued and would get fewer slots; ENOMEM; EEXIST from another
    /// thread than the ring's own; EBADF in a forked child.
    ///
    /// ENOMEM is final if another thread took the last of the address space meanwhile: every
    /// enter then fails with EINVAL, and the ring is good for nothing but being dropped.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn resize(&mut self, sq_entries: u32, cq_entries: u32) -> Result<(), Errno> {
        let request = self.resize_request(sq_entries, cq_entries)?;
        if self.params.flags & IORING_SETUP_NO_MMAP != 0 {
            return Err(Errno::EINVAL);
        }
        let origin = self.handle.origin;
        let set_aside = [
            Map::anonymous(request.bytes.queues(), origin)?,
            Map::anonymous(request.bytes.sqes(), origin)?,
        ];
        // SAFETY: the kernel allocates the memory.
        let params = unsafe { self.switch(&request, None) }?;
        drop(set_aside);
        match map(self.fd(), &params, origin) {
            Ok(areas) => {
                self.adopt(params, areas);
                Ok(())
            }
            Err(errno) => {
                self.enter_flags |= ENTER_REFUSED;
                Err(errno)
            }
        }
    }

    /// As [`resize`](Ring::resize), of a ring that is on memory of the caller's, into other such
    /// memory. The old is given up as when the ring is dropped.
    ///
    /// # Errors
    /// As [`resize`](Ring::resize), but EINVAL on a ring that is not on memory of the caller's;
    /// ENOMEM also if there is not enough of it.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn resize_on(
        &mut self,
        sq_entries: u32,
        cq_entries: u32,
        memory: RingMemory,
    ) -> Result<(), Errno> {
        let request = self.resize_request(sq_entries, cq_entries)?;
        if self.params.flags & IORING_SETUP_NO_MMAP == 0 {
            return Err(Errno::EINVAL);
        }
        let areas = memory.split(request.bytes)?;
        // SAFETY: the areas are parts of `memory`, of the size that was asked for, and it goes
        // into the ring, or is dropped because the kernel did not take it.
        let params = unsafe { self.switch(&request, Some(&areas)) }?;
        self.adopt(params, areas);
        // The old memory goes: the kernel has pinned what it may still look at.
        self._memory = Some(memory);
        Ok(())
    }

    /// What to ask for, after everything that can be refused without the kernel.
    fn resize_request(&mut self, sq_entries: u32, cq_entries: u32) -> Result<Request, Errno> {
        self.handle.origin.check()?;
        let has_size = if cq_entries == 0 {
            0
        } else {
            IORING_SETUP_CQSIZE
        };
        let inherited = self.params.flags & !IORING_SETUP_CQSIZE;
        let bytes = RingBytes::of(sq_entries, cq_entries, inherited | has_size);
        let bytes = bytes.ok_or(Errno::EINVAL)?;
        // The kernel counts what it was shown. What is queued beyond that has to fit too.
        let (slots, queued) = (
            bytes.sqes() / size_of::<S::Entry>(),
            self.sq.queued() as usize,
        );
        if queued > slots {
            return Err(Errno::EOVERFLOW);
        }
        // In fewer slots an entry of two may come to lie around the end.
        if S::MIXED && queued > 0 && slots < self.sq.capacity() as usize {
            return Err(Errno::EBUSY);
        }
        self.cq.publish();
        Ok(Request {
            sq_entries,
            cq_entries,
            flags: has_size | self.params.flags & IORING_SETUP_CLAMP,
            bytes,
        })
    }

    /// Lets the kernel change over to new queues. Returns what describes them.
    ///
    /// # Safety
    /// The areas are as large as the request says, and stay until the ring is closed or resized.
    unsafe fn switch(
        &self,
        request: &Request,
        areas: Option<&Areas>,
    ) -> Result<io_uring_params, Errno> {
        let mut answer = io_uring_params {
            sq_entries: request.sq_entries,
            cq_entries: request.cq_entries,
            flags: request.flags,
            ..io_uring_params::default()
        };
        if let Some(areas) = areas {
            answer.cq_off.user_addr = areas.queues.address();
            answer.sq_off.user_addr = areas.sqes.address();
        }
        let arg = (&raw mut answer).expose_provenance();
        // SAFETY: `arg` is the one set of parameters that this registration reads and writes. The
        // memory it names the caller promised; the old queues' stays until they are replaced.
        unsafe { self.handle.register(IORING_REGISTER_RESIZE_RINGS, arg, 1) }?;
        if self.params.flags & IORING_SETUP_NO_SQARRAY == 0 {
            // The kernel does not say where the array is (6.18): it is the last of the queues.
            let array_bytes = answer.sq_entries as usize * size_of::<u32>();
            answer.sq_off.array = (request.bytes.queues() - array_bytes) as u32;
        }
        Ok(io_uring_params {
            sq_entries: answer.sq_entries,
            cq_entries: answer.cq_entries,
            sq_off: answer.sq_off,
            cq_off: answer.cq_off,
            ..self.params
        })
    }

    /// Goes on with the new queues.
    fn adopt(&mut self, params: io_uring_params, areas: Areas) {
        let Areas {
            queues: rings,
            sqes: slots,
        } = areas;
        // SAFETY: both maps are the ring's new ones, are dropped after the queue, and this is the
        // one: the old queue goes.
        let mut sq = unsafe { SubmissionQueue::new(&rings, &slots, &params) };
        // SAFETY: as above; the size of a CQE is what it was.
        let mut cq = unsafe { CompletionQueue::new(&rings, &params) };
        // The kernel has moved what it was shown; what it was not moves here. The rest is moved
        // again, so that nothing rests on how the kernel's loop goes round the end of a counter.
        sq.take_over(&self.sq);
        cq.take_over(&self.cq);
        self.sq = sq;
        self.cq = cq;
        self.params = params;
        self._rings = rings;
        self._slots = slots;
    }
}

/// A change of sizes, as the kernel is asked for it.
struct Request {
    sq_entries: u32,
    cq_entries: u32,
    /// `IORING_SETUP_*`: those that may be said when resizing.
    flags: u32,
    /// What the new queues take.
    bytes: RingBytes,
}

//! `Ring`: both queues of one io_uring, and the calls that drive them.
//!
//! ```text
//!   get_sqe -> prep_* -> (more) -> enter -> pop, pop, .. -> (next turn)
//! ```
//!
//! Filling and reaping are plain memory accesses; only `enter` and registrations are calls.

mod clock;
mod modes;
mod open;
mod reap;
mod region;
mod registered;
mod resize;
mod signals;
mod wait;
mod wait_region;

pub use clock::Clock;
pub use reap::Completions;
pub use region::{MemRegion, RegionMemory};
pub use signals::SignalSet;
pub use wait::{TimeLimit, Wait};
pub use wait_region::WaitRegion;

use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};
use core::time::Duration;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::{
    IORING_ENTER_EXT_ARG, IORING_ENTER_GETEVENTS, IORING_ENTER_SQ_WAKEUP,
};
use annulus_syscalls::io_uring::queue::{
    IORING_SQ_CQ_OVERFLOW, IORING_SQ_NEED_WAKEUP, IORING_SQ_TASKRUN,
};
use annulus_syscalls::io_uring::setup::IORING_SETUP_SQPOLL;
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_getevents_arg, io_uring_params};

use crate::cqe::Cqe;
use crate::entries::{CqEntry, SqEntry};
use crate::fork::Origin;
use crate::handle::{Handle, Registered};
use crate::map::Map;
use crate::mask::Mask;
use crate::opcode::Opcode;
use crate::queue::{CompletionQueue, SubmissionQueue};
use crate::ring_memory::RingMemory;
use crate::ring_ref::RingRef;
use crate::setup::{StepDown, StepDowns};
use crate::sqe::Sqe;

/// One io_uring, owned by whoever has it: it may move between threads, but not be shared.
///
/// `S` and `C` say what entries it has: 64 and 16 bytes unless told otherwise, and by
/// [`with_entries`](Ring::with_entries) also larger ones.
///
/// In a child made by `fork` it is dead: no entry is handed out, nothing completes, entering
/// fails with EBADF, and dropping it does nothing.
///
/// ```
/// use annulus_ring::{Ring, RingConfig};
///
/// let mut ring = match Ring::new(&RingConfig::default()) {
///     Ok(ring) => ring,
///     Err(_) => return Ok(()), // io_uring is not to be had here
/// };
/// ring.get_sqe().expect("empty").prep_nop().set_user_data(7);
/// ring.submit_and_wait(1)?;
/// let cqe = ring.pop().expect("waited for");
/// assert_eq!((cqe.user_data(), cqe.res()), (7, 0));
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Debug)]
pub struct Ring<S: SqEntry = Sqe, C: CqEntry = Cqe> {
    sq: SubmissionQueue<S>,
    cq: CompletionQueue<C>,
    /// Flags of every enter.
    enter_flags: u32,
    registered: Option<Registered>,
    params: io_uring_params,
    step_downs: StepDowns,
    handle: Arc<Handle>,
    // Unmapped last: the queues point into them.
    _rings: Map,
    _slots: Map,
    _memory: Option<RingMemory>,
}

// SAFETY: the pointers lead into mappings that only this ring has, and nothing in it is bound to a
// thread: a registered index is, and `register_ring_fd` says so.
unsafe impl<S: SqEntry, C: CqEntry> Send for Ring<S, C> {}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// The next free entry, zeroed and counted as queued; `None` when the SQ is full: enter then.
    #[inline]
    pub fn get_sqe(&mut self) -> Option<&mut S::Entry> {
        if self.handle.origin.is_forked() {
            return None;
        }
        self.sq.next()
    }

    /// How many entries [`get_sqe`](Ring::get_sqe) can hand out before the next enter; 0 in a
    /// forked child.
    #[inline]
    #[must_use]
    pub fn sq_space_left(&self) -> u32 {
        if self.handle.origin.is_forked() {
            return 0;
        }
        self.sq_capacity() - self.sq.queued()
    }

    /// How many entries were handed out and not yet consumed by the kernel.
    #[inline]
    #[must_use]
    pub fn sq_queued(&self) -> u32 {
        if self.handle.origin.is_forked() {
            return 0;
        }
        self.sq.queued()
    }

    /// The number of entries of the SQ.
    #[inline]
    #[must_use]
    pub fn sq_capacity(&self) -> u32 {
        self.sq.capacity()
    }

    /// The number of entries of the CQ.
    #[inline]
    #[must_use]
    pub fn cq_capacity(&self) -> u32 {
        self.cq.capacity()
    }

    /// The oldest completion. Its slot goes back to the kernel with the next
    /// [`publish_head`](Ring::publish_head) or enter.
    #[inline]
    pub fn pop(&mut self) -> Option<C::Completion> {
        if self.handle.origin.is_forked() {
            return None;
        }
        self.cq.pop()
    }

    /// Gives the slots of popped completions back to the kernel.
    #[inline]
    pub fn publish_head(&mut self) {
        if !self.handle.origin.is_forked() {
            self.cq.publish();
        }
    }

    /// How many completions wait to be popped. Those that overflowed come after the next enter.
    /// In a CQ of mixed sizes: how many slots, of which a wide completion has two and a gap has
    /// one or two.
    #[inline]
    #[must_use]
    pub fn cq_ready(&self) -> u32 {
        if self.handle.origin.is_forked() {
            return 0;
        }
        self.cq.ready()
    }

    /// Whether completion work waits for an enter. It may be another thread's work, which an
    /// enter of this one does not run: never loop until it clears.
    #[inline]
    #[must_use]
    pub fn taskrun(&self) -> bool {
        self.sq_flags() & IORING_SQ_TASKRUN != 0
    }

    /// Whether completions wait in the kernel because the CQ was full. Enter with the CQ emptied
    /// brings them.
    #[inline]
    #[must_use]
    pub fn cq_overflowed(&self) -> bool {
        self.sq_flags() & IORING_SQ_CQ_OVERFLOW != 0
    }

    /// Whether completions are told to the eventfd that is registered, if one is.
    #[must_use]
    pub fn eventfd_enabled(&self) -> bool {
        !self.handle.origin.is_forked() && self.cq.eventfd_enabled()
    }

    /// Stops telling completions to the registered eventfd, or starts again. No call into the
    /// kernel: a completion that is posted at the same moment may still, or not yet, be told.
    ///
    /// # Errors
    /// EOPNOTSUPP before 5.8; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.8.
    pub fn enable_eventfd(&mut self, enabled: bool) -> Result<(), Errno> {
        self.handle.origin.check()?;
        if self.cq.enable_eventfd(enabled) {
            Ok(())
        } else {
            Err(Errno::EOPNOTSUPP)
        }
    }

    /// Completions that the kernel lost for good, being out of memory.
    #[must_use]
    pub fn cq_lost(&self) -> u32 {
        if self.handle.origin.is_forked() {
            return 0;
        }
        self.cq.lost()
    }

    /// Entries that the kernel found not valid and passed over. 0 unless memory was damaged.
    #[must_use]
    pub fn sq_dropped(&self) -> u32 {
        if self.handle.origin.is_forked() {
            return 0;
        }
        self.sq.dropped()
    }

    /// Submits what is queued, waits for nothing and runs no completion work. Returns how many
    /// entries were consumed; with SQPOLL, how many the kernel's thread was shown, and there is no
    /// call unless that thread sleeps.
    ///
    /// # Errors
    /// As [`enter`](Ring::enter).
    pub fn submit(&mut self) -> Result<u32, Errno> {
        self.call(0, 0, None)
    }

    /// [`enter`](Ring::enter) without a time limit.
    ///
    /// # Errors
    /// As [`enter`](Ring::enter).
    pub fn submit_and_wait(&mut self, min_complete: u32) -> Result<u32, Errno> {
        self.enter(min_complete, None)
    }

    /// Gives popped slots back, submits what is queued, runs completion work, brings overflowed
    /// completions, and waits until `min_complete` completions are there or `timeout` has passed
    /// (`None`: without limit; more than 63 years are cut to that).
    /// Returns how many entries were consumed: running out of time is no error.
    ///
    /// When the kernel consumes fewer than are queued it does not wait; the rest stays queued.
    /// With IOPOLL the kernel looks at the device until there are as many, ignores `timeout`, and
    /// may return with fewer.
    ///
    /// # Errors
    /// EINTR when a signal came; EBUSY and EAGAIN when completions have to be popped, or memory to
    /// become free, first; EEXIST from a thread that a pinned ring does not belong to; EBADFD for
    /// a disabled ring; EBADF in a forked child. What was consumed before an error is not told
    /// here, but [`sq_queued`](Ring::sq_queued) knows.
    #[inline]
    pub fn enter(&mut self, min_complete: u32, timeout: Option<Duration>) -> Result<u32, Errno> {
        match self.call(IORING_ENTER_GETEVENTS, min_complete, timeout) {
            Err(Errno::ETIME) => Ok(0),
            other => other,
        }
    }

    fn call(
        &mut self,
        flags: u32,
        min_complete: u32,
        timeout: Option<Duration>,
    ) -> Result<u32, Errno> {
        let mut flags = flags | self.enter_flags;
        let time = timeout.map(timespec);
        let arg = io_uring_getevents_arg {
            ts: time.as_ref().map_or(0, |time| {
                core::ptr::from_ref(time).expose_provenance() as u64
            }),
            ..io_uring_getevents_arg::default()
        };
        let (arg, arg_size) = match time {
            Some(_) => {
                flags |= IORING_ENTER_EXT_ARG;
                let address = (&raw const arg).expose_provenance();
                (address, size_of::<io_uring_getevents_arg>())
            }
            None => (0, 0),
        };
        // SAFETY: `arg` is what EXT_ARG means, or 0.
        unsafe { self.enter_raw(flags, min_complete, arg, arg_size) }
    }

    /// Publishes both queues and makes the call. All that can be refused without the kernel has
    /// to be refused before.
    ///
    /// # Safety
    /// `arg` and `arg_size` describe what `flags` say, or are 0.
    #[inline]
    unsafe fn enter_raw(
        &mut self,
        mut flags: u32,
        min_complete: u32,
        arg: usize,
        arg_size: usize,
    ) -> Result<u32, Errno> {
        self.handle.origin.check()?;
        self.cq.publish();
        self.hide_masked_opcodes();
        let handed_over = self.sq.unpublished();
        let mut to_submit = self.sq.publish();
        if self.params.flags & IORING_SETUP_SQPOLL != 0 {
            // How much of it the thread has taken meanwhile is chance.
            to_submit = handed_over;
            let is_plain_submit = flags == self.enter_flags;
            // The tail must be visible before the flag is read, or the thread may go to sleep
            // between the two and nobody wakes it.
            fence(Ordering::SeqCst);
            if self.sq.flags() & IORING_SQ_NEED_WAKEUP != 0 {
                flags |= IORING_ENTER_SQ_WAKEUP;
            } else if is_plain_submit {
                return Ok(to_submit);
            }
        }
        // SAFETY: promised by the caller.
        unsafe { self.call_kernel(to_submit, min_complete, flags, arg, arg_size) }
    }

    /// The call, with whichever of its names is the ring's in this thread.
    ///
    /// # Safety
    /// `arg` and `arg_size` describe what `flags` say, or are 0.
    #[inline]
    unsafe fn call_kernel(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        arg: usize,
        arg_size: usize,
    ) -> Result<u32, Errno> {
        let registered = self.registered.as_ref().and_then(Registered::index_here);
        let arg = (arg, arg_size);
        // SAFETY: every queued entry was prepared under the promises of its `prep_*` method, and
        // the caller promised the argument.
        unsafe {
            self.handle
                .enter(registered, to_submit, min_complete, flags, arg)
        }
    }

    /// Lets the kernel refuse what an older one would not know.
    fn hide_masked_opcodes(&mut self) {
        let mask = self.handle.mask;
        if !mask.hides_anything() {
            return;
        }
        self.sq.each_unpublished(|sqe| {
            if mask.hides_opcode(sqe.opcode()) {
                sqe.set_opcode(UNKNOWN_OPCODE);
            }
        });
    }

    /// `io_uring_register`(2) with `opcode` (`IORING_REGISTER_*`), for what has no method.
    ///
    /// # Errors
    /// Those of the registration; EINVAL for what the mask hides; EBADF in a forked child.
    ///
    /// # Safety
    /// `arg` and `count` describe what `opcode` says; memory that becomes registered stays valid
    /// until it is unregistered or the ring is gone.
    pub unsafe fn register(&self, opcode: u32, arg: usize, count: u32) -> Result<u32, Errno> {
        // SAFETY: promised by the caller.
        unsafe { self.handle.register(opcode, arg, count) }
    }

    /// The ring for other threads.
    #[must_use]
    pub fn ring_ref(&self) -> RingRef {
        RingRef {
            handle: Arc::clone(&self.handle),
        }
    }

    /// The descriptor; -1 for a ring that has none (REGISTERED_FD_ONLY). It can be polled:
    /// readable while completions wait.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.handle.fd()
    }

    /// What the kernel said at setup, without what the mask hides.
    #[must_use]
    pub fn params(&self) -> &io_uring_params {
        &self.params
    }

    /// `IORING_FEAT_*`.
    #[must_use]
    pub fn features(&self) -> u32 {
        self.params.features
    }

    /// `IORING_SETUP_*` as they were granted.
    #[must_use]
    pub fn setup_flags(&self) -> u32 {
        self.params.flags
    }

    /// The setup flags that were given up, in order, and why.
    #[must_use]
    pub fn step_downs(&self) -> &[StepDown] {
        self.step_downs.as_slice()
    }

    /// What is hidden.
    #[must_use]
    pub fn mask(&self) -> Mask {
        self.handle.mask
    }

    /// The process that made the ring.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.handle.origin
    }

    fn sq_flags(&self) -> u32 {
        if self.handle.origin.is_forked() {
            return 0;
        }
        self.sq.flags()
    }
}

impl<S: SqEntry, C: CqEntry> Drop for Ring<S, C> {
    /// Closes the descriptor, or forgets the index, unless this is a forked child. The kernel then
    /// cancels what is under way, but not at once: memory that was lent is not free before its
    /// last CQE was seen.
    fn drop(&mut self) {
        // A registration would keep the kernel's side alive. If there is none, or it is another
        // thread's, nothing can be done.
        let _ = self.unregister_ring_fd();
        self.handle.close();
    }
}

/// An opcode that no kernel will ever have.
const UNKNOWN_OPCODE: Opcode = Opcode(u8::MAX);

/// The longest span that the kernel is told: 63 years. Added to its clock in 64-bit nanoseconds,
/// 292 years would overflow, and what a kernel makes of that is not to be relied on.
const SPAN_MAX: Duration = Duration::from_secs(2_000_000_000);

/// A span as the kernel takes it.
pub(crate) fn timespec(span: Duration) -> __kernel_timespec {
    let span = span.min(SPAN_MAX);
    __kernel_timespec {
        tv_sec: span.as_secs() as i64,
        tv_nsec: i64::from(span.subsec_nanos()),
    }
}

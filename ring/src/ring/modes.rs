//! What only some rings can do: being enabled, waking the kernel's thread, waiting for it.

use core::sync::atomic::{Ordering, fence};

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::IORING_ENTER_SQ_WAIT;
use annulus_syscalls::io_uring::queue::IORING_SQ_NEED_WAKEUP;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_ENABLE_RINGS;
use annulus_syscalls::io_uring::setup::IORING_SETUP_SQPOLL;

use super::Ring;
use crate::entries::{CqEntry, MixedSqes, SqEntry};
use crate::sqe::WideSqe;

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Enables a ring that was made disabled. The calling thread becomes the one that a pinned
    /// ring belongs to.
    ///
    /// ```
    /// use annulus_ring::{Errno, Ring, RingConfig};
    ///
    /// let config = RingConfig { disabled: true, ..RingConfig::default() };
    /// let mut ring = match Ring::new(&config) {
    ///     Ok(ring) => ring,
    ///     Err(_) => return Ok(()), // io_uring is not to be had here
    /// };
    /// assert_eq!(ring.submit(), Err(Errno::EBADFD));
    /// ring.enable()?;
    /// assert_eq!(ring.submit(), Ok(0));
    /// # Ok::<(), Errno>(())
    /// ```
    ///
    /// # Errors
    /// EBADFD if it is enabled; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.10.
    pub fn enable(&mut self) -> Result<(), Errno> {
        // SAFETY: this registration takes no argument.
        unsafe { self.handle.register(IORING_REGISTER_ENABLE_RINGS, 0, 0) }.map(drop)
    }

    /// Whether a kernel thread takes the entries (SQPOLL).
    #[must_use]
    pub fn is_sqpoll(&self) -> bool {
        self.params.flags & IORING_SETUP_SQPOLL != 0
    }

    /// Whether that thread sleeps. [`submit`](Ring::submit) and [`enter`](Ring::enter) wake it.
    #[must_use]
    pub fn sq_needs_wakeup(&self) -> bool {
        // What was published must be visible before the flag is read, or the thread may go to
        // sleep between the two and nobody wakes it.
        fence(Ordering::SeqCst);
        self.sq_flags() & IORING_SQ_NEED_WAKEUP != 0
    }

    /// Submits what is queued and waits until the kernel's thread has made room in the SQ; returns
    /// how many entries are free. With room it waits for nothing. 0 when a signal came first, or
    /// other work of this thread: wait again.
    ///
    /// # Errors
    /// EINVAL without SQPOLL: there an enter makes room. EOWNERDEAD when the thread is gone;
    /// EBADFD for a disabled ring; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.10.
    pub fn wait_sq_room(&mut self) -> Result<u32, Errno> {
        if !self.is_sqpoll() {
            return Err(Errno::EINVAL);
        }
        if self.sq_space_left() == 0 {
            self.call(IORING_ENTER_SQ_WAIT, 0, None)?;
        } else {
            self.submit()?;
        }
        Ok(self.sq_space_left())
    }
}

impl<C: CqEntry> Ring<MixedSqes, C> {
    /// The next two free slots as one entry of 128 bytes, which begins as a `NOP128`; `None` when
    /// the SQ has not as many: enter then. At the SQ's end a slot may be left out, which is filled
    /// with a `NOP` that has no CQE. In the numbers of queued and consumed entries a wide one
    /// counts as two.
    #[inline]
    pub fn get_sqe128(&mut self) -> Option<&mut WideSqe> {
        if self.handle.origin.is_forked() {
            return None;
        }
        self.sq.next_wide()
    }
}

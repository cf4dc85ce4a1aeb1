//! The descriptor of a ring, shared between the ring and those who call from other threads.
//!
//! The ring closes it when dropped, or the last call that is just using it does: never earlier,
//! so that a call cannot hit a descriptor that took the number since.
//!
//! ```text
//!   state:   CLOSED bit | number of calls under way
//!   open, n --use--> open, n+1 --done--> open, n
//!   open, n --close--> CLOSED, n --done--> CLOSED, n-1 ... CLOSED, 0: the descriptor is closed
//! ```

use core::sync::atomic::{AtomicU32, Ordering};

use annulus_syscalls::{Errno, calls};

use crate::fork::Origin;
use crate::mask::Mask;

const CLOSED: u32 = 1 << 31;

#[derive(Debug)]
pub(crate) struct Handle {
    fd: i32,
    state: AtomicU32,
    pub(crate) origin: Origin,
    pub(crate) mask: Mask,
}

impl Handle {
    pub(crate) fn new(fd: i32, origin: Origin, mask: Mask) -> Handle {
        Handle {
            fd,
            state: AtomicU32::new(0),
            origin,
            mask,
        }
    }

    pub(crate) fn fd(&self) -> i32 {
        self.fd
    }

    /// `io_uring_register` as this process and this mask allow it.
    ///
    /// # Safety
    /// As [`calls::io_uring_register`].
    pub(crate) unsafe fn register(
        &self,
        opcode: u32,
        arg: usize,
        count: u32,
    ) -> Result<u32, Errno> {
        if self.mask.hides_register(opcode) {
            return Err(Errno::EINVAL);
        }
        let open = self.hold()?;
        // SAFETY: promised by the caller; the descriptor is the ring's while `open` is there.
        unsafe { calls::io_uring_register(open.0.fd, opcode, arg, count) }
    }

    /// Keeps the descriptor open; EBADF once the ring was dropped, or in a forked child.
    pub(crate) fn hold(&self) -> Result<Open<'_>, Errno> {
        self.origin.check()?;
        let one_more = |state: u32| (state & CLOSED == 0).then_some(state + 1);
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        match self.state.fetch_update(success, failure, one_more) {
            Ok(_) => Ok(Open(self)),
            Err(_closed) => Err(Errno::EBADF),
        }
    }

    /// Closes the descriptor once nobody uses it. Called once, when the ring is dropped.
    pub(crate) fn close(&self) {
        if self.state.fetch_or(CLOSED, Ordering::AcqRel) == 0 {
            self.close_now();
        }
    }

    fn close_now(&self) {
        if self.origin.is_forked() {
            return;
        }
        // SAFETY: the ring is gone and `hold` refuses from now on, so the number is ours alone.
        let _ = unsafe { calls::close(self.fd) };
    }
}

/// A call under way.
pub(crate) struct Open<'a>(&'a Handle);

impl Open<'_> {
    pub(crate) fn fd(&self) -> i32 {
        self.0.fd
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, Ordering::AcqRel) == CLOSED + 1 {
            self.0.close_now();
        }
    }
}

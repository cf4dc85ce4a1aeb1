//! `Personality`: credentials that single operations run with.

use alloc::sync::Arc;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_PERSONALITY, IORING_UNREGISTER_PERSONALITY,
};

use crate::entries::{CqEntry, SqEntry};
use crate::handle::Handle;
use crate::ring::Ring;

/// The credentials that a thread had when it registered them, for
/// [`Sqe::set_personality`](crate::Sqe::set_personality). Dropping it unregisters them; operations
/// under way keep them.
#[derive(Debug)]
pub struct Personality {
    ring: Arc<Handle>,
    id: u16,
    registered: bool,
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Registers the credentials of the calling thread: user, groups, capabilities, and what a
    /// security module adds.
    ///
    /// # Errors
    /// ENOMEM, EBUSY for more than 65,535; EEXIST on a pinned ring from another thread than its
    /// own; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.6.
    pub fn register_personality(&self) -> Result<Personality, Errno> {
        // SAFETY: this registration reads nothing.
        let id = unsafe { self.register(IORING_REGISTER_PERSONALITY, 0, 0) }?;
        Ok(Personality {
            ring: self.ring_ref().handle,
            id: id as u16, // the kernel gives out 1 to 65,535
            registered: true,
        })
    }
}

impl Personality {
    /// The number, never 0.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Forgets the credentials: an operation that is submitted with them from now on fails with
    /// EINVAL. Dropping it does the same, without telling.
    ///
    /// # Errors
    /// EEXIST on a pinned ring from another thread than its own; EBADF if the ring is gone, or in
    /// a forked child.
    pub fn unregister(mut self) -> Result<(), Errno> {
        self.unregister_once()
    }

    fn unregister_once(&mut self) -> Result<(), Errno> {
        if !core::mem::take(&mut self.registered) {
            return Ok(());
        }
        let id = u32::from(self.id);
        // SAFETY: this registration reads no memory.
        let done = unsafe { self.ring.register(IORING_UNREGISTER_PERSONALITY, 0, id) };
        done.map(drop)
    }
}

impl Drop for Personality {
    fn drop(&mut self) {
        // What cannot be unregistered stays until the ring is gone: there is nobody to tell.
        let _ = self.unregister_once();
    }
}

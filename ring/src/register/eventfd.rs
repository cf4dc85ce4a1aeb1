//! Completions told through an eventfd, for a program that waits for descriptors.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_EVENTFD, IORING_REGISTER_EVENTFD_ASYNC, IORING_UNREGISTER_EVENTFD,
};

use crate::entries::{CqEntry, SqEntry};
use crate::ring::Ring;

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Lets the kernel add to the eventfd `fd` when completions have been posted: once for those
    /// that are posted together. The ring keeps the eventfd itself; the descriptor may be closed.
    ///
    /// # Errors
    /// EBADF if it is not open, EINVAL if it is no eventfd; EBUSY if the ring has one; ENOMEM;
    /// EEXIST on a pinned ring from another thread than its own; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.2.
    pub fn register_eventfd(&self, fd: i32) -> Result<(), Errno> {
        self.eventfd(IORING_REGISTER_EVENTFD, fd)
    }

    /// As [`register_eventfd`](Ring::register_eventfd), but only for completions that a worker
    /// thread of the kernel posts.
    ///
    /// # Errors
    /// As [`register_eventfd`](Ring::register_eventfd).
    ///
    /// # Kernel
    /// Since 5.6.
    pub fn register_eventfd_async(&self, fd: i32) -> Result<(), Errno> {
        self.eventfd(IORING_REGISTER_EVENTFD_ASYNC, fd)
    }

    /// Stops adding to the eventfd.
    ///
    /// # Errors
    /// ENXIO if there is none; EEXIST on a pinned ring from another thread than its own; EBADF in
    /// a forked child.
    ///
    /// # Kernel
    /// Since 5.2.
    pub fn unregister_eventfd(&self) -> Result<(), Errno> {
        // SAFETY: this registration reads nothing.
        let done = unsafe { self.register(IORING_UNREGISTER_EVENTFD, 0, 0) };
        done.map(drop)
    }

    fn eventfd(&self, opcode: u32, fd: i32) -> Result<(), Errno> {
        let arg = (&raw const fd).expose_provenance();
        // SAFETY: `arg` is the one descriptor that this registration reads.
        let done = unsafe { self.register(opcode, arg, 1) };
        done.map(drop)
    }
}

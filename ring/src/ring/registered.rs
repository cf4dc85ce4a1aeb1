//! The registered descriptor of a ring: an index that saves the kernel a look-up at each enter.
//!
//! It belongs to the thread that registered it. In another thread the same index is not valid, or
//! another ring: so the ring remembers which thread that was.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::io_uring_rsrc_update;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS,
};

use super::Ring;
use crate::entries::{CqEntry, SqEntry};
use crate::handle::Registered;

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Registers the descriptor for the calling thread, so that its enters need not look it up.
    /// Another thread's enters use the plain descriptor: to it the index means nothing, or another
    /// ring. A thread that gives the ring away unregisters first, or its registration stays, and
    /// keeps the kernel's side of the ring alive, until the thread ends. Without the feature `std`
    /// it has to: a later thread at the same place in memory would be taken for this one.
    ///
    /// # Errors
    /// EEXIST if it is registered already, or the ring has no descriptor; EBUSY when the thread has
    /// 16 registered rings; ENOMEM; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.18.
    pub fn register_ring_fd(&mut self) -> Result<(), Errno> {
        if self.registered.is_some() {
            return Err(Errno::EEXIST);
        }
        let mut update = io_uring_rsrc_update {
            offset: u32::MAX,
            data: self.fd() as u64,
            ..io_uring_rsrc_update::default()
        };
        let arg = (&raw mut update).expose_provenance();
        // SAFETY: `arg` is the one update that this registration reads and writes.
        unsafe { self.handle.register(IORING_REGISTER_RING_FDS, arg, 1) }?;
        self.registered = Some(Registered::here(update.offset));
        Ok(())
    }

    /// Forgets the registration.
    ///
    /// # Errors
    /// EINVAL if it is not registered, or by another thread, whose registration stays, or if the
    /// ring has no descriptor.
    pub fn unregister_ring_fd(&mut self) -> Result<(), Errno> {
        if self.fd() < 0 {
            return Err(Errno::EINVAL);
        }
        let registered = self.registered.take();
        let index = registered.and_then(|registered| registered.index_here());
        let update = io_uring_rsrc_update {
            offset: index.ok_or(Errno::EINVAL)?,
            ..io_uring_rsrc_update::default()
        };
        let arg = (&raw const update).expose_provenance();
        // SAFETY: `arg` is the one update that this registration reads.
        let done = unsafe { self.handle.register(IORING_UNREGISTER_RING_FDS, arg, 1) };
        done.map(drop)
    }

    /// Whether the descriptor is registered, by whichever thread.
    #[must_use]
    pub fn is_ring_fd_registered(&self) -> bool {
        self.registered.is_some()
    }
}

//! Receive queues of network cards that write right into the memory of the program.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::io_uring_zcrx_ifq_reg;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_ZCRX_CTRL, IORING_REGISTER_ZCRX_IFQ,
};
use annulus_syscalls::io_uring::register::zcrx_ctrl;

use crate::entries::{CqEntry, SqEntry};
use crate::ring::Ring;

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Registers a receive queue of a card for zero-copy receive. Area and region are as the
    /// request says; the kernel fills in the offsets, the number, and the area's token.
    ///
    /// # Errors
    /// EINVAL before 6.15, on a ring that is not pinned or has no large CQEs, and for a request
    /// that is not sound; EPERM without CAP_NET_ADMIN; ENODEV without such an interface;
    /// EOPNOTSUPP if its driver cannot; EFAULT; EEXIST for a queue that is in use; ENOMEM.
    ///
    /// # Safety
    /// The addresses in `request` are an `io_uring_zcrx_area_reg` and an `io_uring_region_desc`,
    /// valid for reads and writes. The memory of area and region is given to the card: it stays,
    /// and nobody else uses what the kernel has not handed out, until the ring is gone.
    ///
    /// # Kernel
    /// Since 6.15.
    pub unsafe fn register_zcrx_ifq(
        &self,
        request: &mut io_uring_zcrx_ifq_reg,
    ) -> Result<(), Errno> {
        let arg = core::ptr::from_mut(request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads and writes; the rest is
        // promised by the caller.
        let done = unsafe { self.register(IORING_REGISTER_ZCRX_IFQ, arg, 1) };
        done.map(drop)
    }

    /// Controls a registered receive queue: takes back what lies in its refill queue, or makes a
    /// descriptor of it, which the answer in `request` then names.
    ///
    /// # Errors
    /// EINVAL before 6.19, and for a request that is not sound; ENXIO without such a queue;
    /// ENOMEM, EMFILE.
    ///
    /// # Kernel
    /// Since 6.19.
    pub fn zcrx_ctrl(&self, request: &mut zcrx_ctrl) -> Result<(), Errno> {
        let arg = core::ptr::from_mut(request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads and writes; it names no
        // memory.
        let done = unsafe { self.register(IORING_REGISTER_ZCRX_CTRL, arg, 0) };
        done.map(drop)
    }
}

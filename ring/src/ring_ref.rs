//! `RingRef`: what any thread may do to a ring while its own thread uses it.

use alloc::sync::Arc;
use core::time::Duration;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::register::io_uring_sync_cancel_reg;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_SEND_MSG_RING, IORING_REGISTER_SYNC_CANCEL,
};

use crate::handle::Handle;
use crate::register::{CancelMatch, Message};

/// A ring seen from another thread. Cloning it is cheap. It does not keep the ring alive: once
/// that is dropped, every call answers EBADF.
#[derive(Clone, Debug)]
pub struct RingRef {
    pub(crate) handle: Arc<Handle>,
}

impl RingRef {
    /// The descriptor, as a target of [`Sqe::prep_msg_ring`](crate::Sqe::prep_msg_ring). Valid
    /// while the ring lives.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.handle.fd()
    }

    /// Cancels the operations that carry `user_data` and waits up to `timeout` (`None`: without
    /// limit) until they are done; their CQEs come as always.
    ///
    /// # Errors
    /// ENOENT if there is none, ETIME, EINTR, EALREADY; EINVAL before 6.0; EEXIST on a pinned ring
    /// from another thread than its own; EBADF once the ring was dropped.
    ///
    /// # Kernel
    /// Since 6.0.
    pub fn sync_cancel(&self, user_data: u64, timeout: Option<Duration>) -> Result<(), Errno> {
        let which = CancelMatch::user_data(user_data);
        self.sync_cancel_match(&which, timeout).map(drop)
    }

    /// As [`sync_cancel`](RingRef::sync_cancel), for operations on the descriptor `fd`: the first,
    /// or all with `IORING_ASYNC_CANCEL_ALL` in `flags`.
    ///
    /// # Errors
    /// As [`sync_cancel`](RingRef::sync_cancel).
    ///
    /// # Kernel
    /// Since 6.0.
    pub fn sync_cancel_fd(
        &self,
        fd: i32,
        flags: u32,
        timeout: Option<Duration>,
    ) -> Result<(), Errno> {
        let mut which = CancelMatch::fd(fd);
        which.flags |= flags;
        self.sync_cancel_match(&which, timeout).map(drop)
    }

    /// As [`sync_cancel`](RingRef::sync_cancel), for the operations that match `which`. Returns
    /// how many of `all` were cancelled, or 0; a call that had to wait for them returns 0, too.
    ///
    /// # Errors
    /// As [`sync_cancel`](RingRef::sync_cancel); EBADF for a file that is not open. With
    /// [`all`](CancelMatch::all) it is no error that there is none.
    ///
    /// # Kernel
    /// Since 6.0; `which` may need a newer one.
    pub fn sync_cancel_match(
        &self,
        which: &CancelMatch,
        timeout: Option<Duration>,
    ) -> Result<u32, Errno> {
        let request = io_uring_sync_cancel_reg {
            timeout: timespec(timeout),
            ..which.request()
        };
        let arg = (&raw const request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads.
        unsafe { self.handle.register(IORING_REGISTER_SYNC_CANCEL, arg, 1) }
    }

    /// Posts a CQE with `user_data` and `res` in this ring, waking it if it waits, from a thread
    /// that needs no ring of its own.
    ///
    /// # Errors
    /// EINVAL before 6.13: use [`Sqe::prep_msg_ring`](crate::Sqe::prep_msg_ring) or an eventfd
    /// there. EOVERFLOW if the CQ is full, ENOMEM, EBADFD if the ring is disabled; EBADF once the
    /// ring was dropped.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn send_msg_ring(&self, user_data: u64, res: i32) -> Result<(), Errno> {
        self.send(&Message {
            user_data,
            res,
            cqe_flags: None,
        })
    }

    /// As [`send_msg_ring`](RingRef::send_msg_ring), with all that a message can say.
    ///
    /// # Errors
    /// As [`send_msg_ring`](RingRef::send_msg_ring).
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn send(&self, message: &Message) -> Result<(), Errno> {
        let mask = self.handle.mask;
        if mask.hides_register(IORING_REGISTER_SEND_MSG_RING) {
            return Err(Errno::EINVAL);
        }
        let open = self.handle.hold()?;
        let sqe = message.sqe(open.fd());
        let arg = (&raw const sqe).expose_provenance();
        // SAFETY: `arg` is the one SQE that this registration reads.
        unsafe { self.handle.send_message(arg) }.map(drop)
    }
}

/// The time limit of a synchronous cancel; -1 in both fields is none.
fn timespec(timeout: Option<Duration>) -> __kernel_timespec {
    match timeout {
        Some(timeout) => crate::ring::timespec(timeout),
        None => __kernel_timespec {
            tv_sec: -1,
            tv_nsec: -1,
        },
    }
}

//! Polling of network cards while a ring waits, instead of sleeping until they interrupt.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::{
    IO_URING_NAPI_REGISTER_OP, IO_URING_NAPI_STATIC_ADD_ID, IO_URING_NAPI_STATIC_DEL_ID,
    IO_URING_NAPI_TRACKING_DYNAMIC, IO_URING_NAPI_TRACKING_INACTIVE, IO_URING_NAPI_TRACKING_STATIC,
};
use annulus_syscalls::io_uring::register::io_uring_napi;
use annulus_syscalls::io_uring::register::op::{IORING_REGISTER_NAPI, IORING_UNREGISTER_NAPI};

use crate::entries::{CqEntry, SqEntry};
use crate::ring::Ring;

/// Which queues of network cards are polled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NapiTracking {
    /// Those of the sockets in use, as the kernel finds them.
    #[default]
    Dynamic,
    /// Those that [`Ring::add_napi_id`] names. Since 6.13.
    Static,
    /// None: nothing is registered.
    Inactive,
}

/// How a ring polls network cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Napi {
    /// For how long a wait polls before it sleeps, in microseconds.
    pub busy_poll_us: u32,
    /// Whether the cards' interrupts are put off as long as there is polling.
    pub prefer_busy_poll: bool,
    /// Which queues are polled.
    pub tracking: NapiTracking,
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Makes waits poll as `napi` says. Returns what was set before.
    ///
    /// # Errors
    /// EINVAL before 6.9, for IOPOLL rings, before 6.13 for another tracking than dynamic, and
    /// always for [`NapiTracking::Inactive`]; EOPNOTSUPP where the kernel was built without busy
    /// polling; EEXIST on a pinned ring from another thread than its own;
    /// EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 6.9.
    pub fn register_napi(&self, napi: &Napi) -> Result<Napi, Errno> {
        let tracking = match napi.tracking {
            NapiTracking::Dynamic => IO_URING_NAPI_TRACKING_DYNAMIC,
            NapiTracking::Static => IO_URING_NAPI_TRACKING_STATIC,
            NapiTracking::Inactive => IO_URING_NAPI_TRACKING_INACTIVE,
        };
        let request = io_uring_napi {
            busy_poll_to: napi.busy_poll_us,
            prefer_busy_poll: u8::from(napi.prefer_busy_poll),
            opcode: IO_URING_NAPI_REGISTER_OP,
            op_param: tracking,
            ..io_uring_napi::default()
        };
        self.napi(IORING_REGISTER_NAPI, request)
    }

    /// Stops polling, if there is any.
    ///
    /// # Errors
    /// EINVAL before 6.9; EEXIST on a pinned ring from another thread than its own; EBADF in a
    /// forked child.
    ///
    /// # Kernel
    /// Since 6.9.
    pub fn unregister_napi(&self) -> Result<(), Errno> {
        // What was set before comes back without the tracking: half an answer is none.
        let done = self.napi(IORING_UNREGISTER_NAPI, io_uring_napi::default());
        done.map(drop)
    }

    /// Polls the queue `id` too, as the socket option SO_INCOMING_NAPI_ID tells it.
    ///
    /// # Errors
    /// EINVAL without static tracking, for a number that is no such id, and before 6.13; EEXIST
    /// if it is polled, and on a pinned ring from another thread than its own; ENOMEM; EBADF in
    /// a forked child.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn add_napi_id(&self, id: u32) -> Result<(), Errno> {
        self.napi_id(IO_URING_NAPI_STATIC_ADD_ID, id)
    }

    /// Does not poll the queue `id` any more.
    ///
    /// # Errors
    /// ENOENT if it was not polled; EINVAL without static tracking, for a number that is no such
    /// id, and before 6.13; EEXIST on a pinned ring from another thread than its own; EBADF in a
    /// forked child.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn remove_napi_id(&self, id: u32) -> Result<(), Errno> {
        self.napi_id(IO_URING_NAPI_STATIC_DEL_ID, id)
    }

    fn napi_id(&self, opcode: u8, id: u32) -> Result<(), Errno> {
        let request = io_uring_napi {
            opcode,
            op_param: id,
            ..io_uring_napi::default()
        };
        self.napi(IORING_REGISTER_NAPI, request).map(drop)
    }

    fn napi(&self, opcode: u32, mut request: io_uring_napi) -> Result<Napi, Errno> {
        let arg = (&raw mut request).expose_provenance();
        // SAFETY: `arg` is the one request that these registrations read and write.
        unsafe { self.register(opcode, arg, 1) }?;
        Ok(Napi {
            busy_poll_us: request.busy_poll_to,
            prefer_busy_poll: request.prefer_busy_poll != 0,
            tracking: match request.op_param {
                IO_URING_NAPI_TRACKING_STATIC => NapiTracking::Static,
                IO_URING_NAPI_TRACKING_INACTIVE => NapiTracking::Inactive,
                _ => NapiTracking::Dynamic,
            },
        })
    }
}

//! What a kernel does with operations: the part that differs between kernels.

use core::fmt::Debug;
use std::sync::Arc;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::io_uring_cqe;

use super::request::{Key, Operation, Selected};
use crate::kernel::Fault;

/// What came of trying an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is done: the result and the flags of the CQE.
    Done(i32, u32),
    /// As `Done`, and a multishot operation ends with it.
    Last(i32, u32),
    /// Not yet. It is tried again when its descriptor is ready for one of these (`POLL*`).
    Wait(u32),
    /// It may block: a thread does it.
    Offload,
}

/// Keeps a registered file or buffer in place.
pub(crate) type Lease = Arc<dyn Debug + Send + Sync>;

/// The clocks of timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    Monotonic,
    Boottime,
    Realtime,
}

impl Clock {
    pub(crate) const ALL: [Clock; 3] = [Clock::Monotonic, Clock::Boottime, Clock::Realtime];
}

/// Whatever operations act on: an operating system, or a simulated one.
pub(crate) trait World {
    /// Tries `op` of the request `key` without blocking. `ready` says that its descriptor was reported ready.
    fn attempt(&mut self, key: Key, op: &mut Operation, ready: bool) -> Attempt;

    /// Reports from now on each time `fd` becomes ready for one of `mask`, and once if it is:
    /// to [`Engine::ready`](super::Engine::ready).
    ///
    /// # Errors
    /// EPERM for what is always ready, as files are; EBADF and others.
    fn arm(&mut self, key: Key, fd: i32, mask: u32) -> Result<(), Errno>;

    /// Whether `fd` names an open file.
    fn is_open(&self, _fd: i32) -> bool {
        true
    }

    /// What `fd` is ready for now, of `mask` at least; 0 where that cannot be told.
    fn readiness(&mut self, fd: i32, mask: u32) -> u32;

    /// Reports no more to this request.
    fn disarm(&mut self, key: Key, fd: i32);

    /// Has a thread run `op`, whose result comes to [`Engine::arrive`](super::Engine::arrive).
    fn offload(&mut self, key: Key, op: Operation);

    /// Takes back what was offloaded. False if it runs or has run.
    fn recall(&mut self, key: Key) -> bool;

    /// Waiting requests whose descriptor is gone, since the last call.
    fn take_evicted(&mut self) -> Option<Key>;

    /// Posts a CQE in the ring `fd`.
    ///
    /// # Errors
    /// EBADFD if that is no ring of this kernel.
    fn message(&mut self, fd: i32, user_data: u64, res: i32, flags: u32) -> Result<(), Errno>;

    /// The registered file in `slot`: its descriptor, and what keeps it open.
    fn file(&mut self, _slot: i32) -> Option<(i32, Lease)> {
        None
    }

    /// What keeps the registered memory in `slot` in place, if all these bytes (address and
    /// length) lie in it.
    fn memory(&mut self, _slot: u16, _bytes: &[(u64, u64)]) -> Option<Lease> {
        None
    }

    /// Puts the descriptor `fd`, which a direct operation has made, where `file_index` says.
    /// Returns what its CQE tells.
    fn install(&mut self, _file_index: u32, _fd: i32) -> i32 {
        -Errno::ENXIO.raw()
    }

    /// The time in nanoseconds.
    fn now_ns(&self, clock: Clock) -> u64;

    /// Whether it wants to know which memory is lent.
    fn watches(&self) -> bool {
        false
    }

    /// From now on a request has the memory that it names.
    fn lend(&mut self, _key: Key, _op: &Operation) {}

    /// The last completion of a request is about to be posted: its memory is given back.
    fn give_back(&mut self, _key: Key) {}

    /// From now on a group has these buffers.
    fn lend_buffers(&mut self, _group: u16, _buffers: &[Selected]) {}

    /// A group has no buffers any more.
    fn forget_group(&mut self, _group: u16) {}

    /// A completion is about to name a buffer: it is given back.
    fn give_back_buffer(&mut self, _group: u16, _buffer: Selected) {}

    /// Whether a fault strikes here; if so, it has happened. Real worlds have their own.
    fn strikes(&mut self, _fault: Fault) -> bool {
        false
    }

    /// Whether to try a fault that shows only afterwards whether it has happened: then it is
    /// [counted](World::count).
    fn might_strike(&mut self, _fault: Fault) -> bool {
        false
    }

    /// A fault has happened.
    fn count(&mut self, _fault: Fault) {}

    /// Calls [`Engine::late`](super::Engine::late) for the request after a while: asked for only
    /// where a fault struck.
    fn call_later(&mut self, _key: Key) {}

    /// The last completion of a request was posted. True if it is to come twice.
    fn ended(&mut self, _cqe: &io_uring_cqe) -> bool {
        false
    }
}

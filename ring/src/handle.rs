//! The descriptor of a ring, shared between the ring and those who call from other threads. A
//! ring of REGISTERED_FD_ONLY has none: only the thread that made it can name it, by an index.
//!
//! The ring closes it when dropped, or the last call that is just using it does: never earlier,
//! so that a call cannot hit a descriptor that took the number since.
//!
//! ```text
//!   state:   CLOSED bit | number of calls under way
//!   open, n --use--> open, n+1 --done--> open, n
//!   open, n --close--> CLOSED, n --done--> CLOSED, n-1 ... CLOSED, 0: the descriptor is closed
//! ```

#[cfg(feature = "std")]
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32, Ordering};

use annulus_syscalls::io_uring::enter::IORING_ENTER_REGISTERED_RING;
use annulus_syscalls::io_uring::register::io_uring_rsrc_update;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_SEND_MSG_RING, IORING_REGISTER_USE_REGISTERED_RING, IORING_UNREGISTER_RING_FDS,
};
use annulus_syscalls::{Errno, calls};

use crate::fork::Origin;
#[cfg(feature = "std")]
use crate::kernel::UserSide;
use crate::mask::Mask;
use crate::thread_number::ThreadNumber;

const CLOSED: u32 = 1 << 31;

#[derive(Debug)]
pub(crate) struct Handle {
    name: Name,
    state: AtomicU32,
    pub(crate) origin: Origin,
    pub(crate) mask: Mask,
}

impl Handle {
    pub(crate) fn new(name: Name, origin: Origin, mask: Mask) -> Handle {
        Handle {
            name,
            state: AtomicU32::new(0),
            origin,
            mask,
        }
    }

    /// The descriptor; -1 for a ring that has only an index.
    pub(crate) fn fd(&self) -> i32 {
        match &self.name {
            Name::Fd(fd) => *fd,
            Name::Index(_) => -1,
            #[cfg(feature = "std")]
            Name::UserSide(side) => side.fd(),
        }
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// `io_uring_enter`; `registered` is the index that stands for the descriptor in this thread.
    ///
    /// # Safety
    /// As [`calls::io_uring_enter`]; the ring is not dropped meanwhile.
    #[inline]
    pub(crate) unsafe fn enter(
        &self,
        registered: Option<u32>,
        to_submit: u32,
        min_complete: u32,
        mut flags: u32,
        arg: (usize, usize),
    ) -> Result<u32, Errno> {
        let (arg, arg_size) = arg;
        #[cfg(feature = "std")]
        if let Name::UserSide(side) = &self.name {
            // SAFETY: promised by the caller.
            return unsafe { side.enter(to_submit, min_complete, flags, arg, arg_size) };
        }
        let fd = match registered {
            Some(index) => {
                flags |= IORING_ENTER_REGISTERED_RING;
                index as i32
            }
            None => self.fd(),
        };
        // SAFETY: promised by the caller.
        unsafe { calls::io_uring_enter(fd, to_submit, min_complete, flags, arg, arg_size) }
    }

    /// IORING_REGISTER_SEND_MSG_RING to this ring, from none.
    ///
    /// # Safety
    /// `arg` is the address of the message's SQE.
    pub(crate) unsafe fn send_message(&self, arg: usize) -> Result<u32, Errno> {
        let opcode = IORING_REGISTER_SEND_MSG_RING;
        #[cfg(feature = "std")]
        if let Name::UserSide(side) = &self.name {
            // SAFETY: promised by the caller.
            return unsafe { side.register(opcode, arg, 1) };
        }
        // SAFETY: promised by the caller; -1 stands for no source ring.
        unsafe { calls::io_uring_register(-1, opcode, arg, 1) }
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
        let (fd, opcode) = match &open.0.name {
            Name::Fd(fd) => (*fd, opcode),
            Name::Index(registered) => (
                registered.index as i32,
                opcode | IORING_REGISTER_USE_REGISTERED_RING,
            ),
            #[cfg(feature = "std")]
            Name::UserSide(side) => {
                // SAFETY: promised by the caller.
                return unsafe { side.register(opcode, arg, count) };
            }
        };
        // SAFETY: promised by the caller; the descriptor or, in this thread, the index is the
        // ring's while `open` is there.
        unsafe { calls::io_uring_register(fd, opcode, arg, count) }
    }

    /// Keeps the descriptor open; EBADF once the ring was dropped, in a forked child, and in a
    /// thread that does not know the ring's index.
    pub(crate) fn hold(&self) -> Result<Open<'_>, Errno> {
        self.origin.check()?;
        if let Name::Index(registered) = self.name {
            registered.index_here().ok_or(Errno::EBADF)?;
        }
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
        match &self.name {
            Name::Fd(fd) => {
                // SAFETY: the ring is gone and `hold` refuses from now on, so the number is ours
                // alone.
                let _ = unsafe { calls::close(*fd) };
            }
            #[cfg(feature = "std")]
            Name::UserSide(side) => side.close(),
            // In another thread nothing can be done: the index goes when its thread ends.
            Name::Index(registered) => {
                if let Some(index) = registered.index_here() {
                    forget_index(index);
                }
            }
        }
    }
}

/// What the kernel knows a ring by.
#[derive(Debug)]
pub(crate) enum Name {
    Fd(i32),
    /// There is no descriptor (REGISTERED_FD_ONLY).
    Index(Registered),
    /// No kernel knows it: its other side is in this process.
    #[cfg(feature = "std")]
    UserSide(Arc<UserSide>),
}

/// An index that stands for the ring, in one thread only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    index: u32,
    thread: ThreadNumber,
}

impl Registered {
    /// An index that the calling thread was just given.
    pub(crate) fn here(index: u32) -> Registered {
        Registered {
            index,
            thread: ThreadNumber::of_this(),
        }
    }

    /// The index, if it means anything to the calling thread.
    #[inline]
    pub(crate) fn index_here(&self) -> Option<u32> {
        self.thread.is_this().then_some(self.index)
    }
}

/// Takes the ring out of this thread's table, by itself.
fn forget_index(index: u32) {
    let update = io_uring_rsrc_update {
        offset: index,
        ..io_uring_rsrc_update::default()
    };
    let arg = (&raw const update).expose_provenance();
    let opcode = IORING_UNREGISTER_RING_FDS | IORING_REGISTER_USE_REGISTERED_RING;
    // SAFETY: `arg` is the one update that this registration reads.
    let _ = unsafe { calls::io_uring_register(index as i32, opcode, arg, 1) };
}

/// A call under way.
pub(crate) struct Open<'a>(&'a Handle);

impl Open<'_> {
    pub(crate) fn fd(&self) -> i32 {
        self.0.fd()
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, Ordering::AcqRel) == CLOSED + 1 {
            self.0.close_now();
        }
    }
}

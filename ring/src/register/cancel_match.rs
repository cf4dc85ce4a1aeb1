//! `CancelMatch`: which operations a cancel means.

use annulus_syscalls::io_uring::flags::cancel;
use annulus_syscalls::io_uring::register::io_uring_sync_cancel_reg;

use crate::opcode::Opcode;

/// Which operations of a ring to cancel: those that match everything that is said, and of these
/// the first, or [`all`](CancelMatch::all).
///
/// ```
/// use annulus_ring::{CancelMatch, Opcode};
///
/// let reads_of_a_socket = CancelMatch::fd(5).with_opcode(Opcode::RECV).all();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelMatch {
    pub(crate) flags: u32,
    pub(crate) user_data: u64,
    pub(crate) fd: i32,
    pub(crate) opcode: u8,
}

impl CancelMatch {
    /// Operations with this user data.
    #[must_use]
    pub const fn user_data(user_data: u64) -> CancelMatch {
        CancelMatch {
            flags: 0,
            user_data,
            fd: -1,
            opcode: 0,
        }
    }

    /// Operations on the file of this descriptor.
    ///
    /// # Kernel
    /// Since 5.19.
    #[must_use]
    pub const fn fd(fd: i32) -> CancelMatch {
        CancelMatch {
            flags: cancel::IORING_ASYNC_CANCEL_FD,
            user_data: 0,
            fd,
            opcode: 0,
        }
    }

    /// Operations on the file in this slot of the table of files.
    ///
    /// # Kernel
    /// Since 6.0.
    #[must_use]
    pub const fn slot(slot: u32) -> CancelMatch {
        CancelMatch {
            flags: cancel::IORING_ASYNC_CANCEL_FD | cancel::IORING_ASYNC_CANCEL_FD_FIXED,
            user_data: 0,
            fd: slot as i32, // at most 1,048,576
            opcode: 0,
        }
    }

    /// Operations of this kind.
    ///
    /// # Kernel
    /// Since 6.6.
    #[must_use]
    pub const fn opcode(opcode: Opcode) -> CancelMatch {
        CancelMatch {
            flags: cancel::IORING_ASYNC_CANCEL_OP,
            user_data: 0,
            fd: -1,
            opcode: opcode.0,
        }
    }

    /// Every operation, all of them.
    ///
    /// # Kernel
    /// Since 5.19.
    #[must_use]
    pub const fn any() -> CancelMatch {
        CancelMatch {
            flags: cancel::IORING_ASYNC_CANCEL_ANY | cancel::IORING_ASYNC_CANCEL_ALL,
            user_data: 0,
            fd: -1,
            opcode: 0,
        }
    }

    /// Of these only those with this user data.
    ///
    /// # Kernel
    /// Since 6.6.
    #[must_use]
    pub const fn with_user_data(mut self, user_data: u64) -> CancelMatch {
        self.flags &= !cancel::IORING_ASYNC_CANCEL_ANY;
        self.flags |= cancel::IORING_ASYNC_CANCEL_USERDATA;
        self.user_data = user_data;
        self
    }

    /// Of these only those of this kind.
    ///
    /// # Kernel
    /// Since 6.6.
    #[must_use]
    pub const fn with_opcode(mut self, opcode: Opcode) -> CancelMatch {
        if self.flags & !cancel::IORING_ASYNC_CANCEL_ALL == 0 {
            // Beside another criterion the user data counts only where a flag says so.
            self.flags |= cancel::IORING_ASYNC_CANCEL_USERDATA;
        }
        self.flags &= !cancel::IORING_ASYNC_CANCEL_ANY;
        self.flags |= cancel::IORING_ASYNC_CANCEL_OP;
        self.opcode = opcode.0;
        self
    }

    /// All that match, not only the first.
    ///
    /// # Kernel
    /// Since 5.19.
    #[must_use]
    pub const fn all(mut self) -> CancelMatch {
        self.flags |= cancel::IORING_ASYNC_CANCEL_ALL;
        self
    }

    pub(crate) fn request(&self) -> io_uring_sync_cancel_reg {
        io_uring_sync_cancel_reg {
            addr: self.user_data,
            fd: self.fd,
            flags: self.flags,
            opcode: self.opcode,
            ..io_uring_sync_cancel_reg::default()
        }
    }
}

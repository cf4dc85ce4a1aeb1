//! `Cqe`: what became of an operation.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::cqe_flags::{
    IORING_CQE_BUFFER_SHIFT, IORING_CQE_F_BUF_MORE, IORING_CQE_F_BUFFER, IORING_CQE_F_MORE,
    IORING_CQE_F_NOTIF, IORING_CQE_F_SOCK_NONEMPTY,
};
use annulus_syscalls::io_uring::io_uring_cqe;

/// A completion, copied out of the ring.
///
/// It comes from [`Ring::pop`](crate::Ring::pop); [`failed`](Cqe::failed) and
/// [`synthetic`](Cqe::synthetic) make one for an operation that never reached a kernel.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cqe(io_uring_cqe);

impl Cqe {
    /// The completion of an operation that failed with `errno` before any kernel saw it.
    #[must_use]
    pub const fn failed(user_data: u64, errno: Errno) -> Cqe {
        Cqe::synthetic(user_data, -errno.raw(), 0)
    }

    /// A completion with this content.
    #[must_use]
    pub const fn synthetic(user_data: u64, res: i32, flags: u32) -> Cqe {
        Cqe(io_uring_cqe {
            user_data,
            res,
            flags,
        })
    }

    /// The word that the SQE carried.
    #[inline]
    #[must_use]
    pub const fn user_data(&self) -> u64 {
        self.0.user_data
    }

    /// The raw result: not negative, or an errno with its sign turned.
    #[inline]
    #[must_use]
    pub const fn res(&self) -> i32 {
        self.0.res
    }

    /// The result: a count, a descriptor, a mask, as the opcode says.
    ///
    /// # Errors
    /// The errno of the operation.
    #[inline]
    pub const fn result(&self) -> Result<u32, Errno> {
        if self.0.res < 0 {
            Err(Errno::from_raw(self.0.res.wrapping_neg()))
        } else {
            Ok(self.0.res as u32)
        }
    }

    /// `IORING_CQE_F_*`, and the buffer id in the upper 16 bits.
    #[inline]
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.0.flags
    }

    /// Whether the operation goes on: more completions with this `user_data` follow.
    #[inline]
    #[must_use]
    pub const fn more(&self) -> bool {
        self.0.flags & IORING_CQE_F_MORE != 0
    }

    /// Whether this is the notification of a zero-copy send: the memory is free again.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    #[must_use]
    pub const fn notif(&self) -> bool {
        self.0.flags & IORING_CQE_F_NOTIF != 0
    }

    /// Whether more data lay in the socket after this receive.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    #[must_use]
    pub const fn sock_nonempty(&self) -> bool {
        self.0.flags & IORING_CQE_F_SOCK_NONEMPTY != 0
    }

    /// The id of the provided buffer that the kernel took, if it took one.
    #[inline]
    #[must_use]
    pub const fn buffer_id(&self) -> Option<u16> {
        if self.0.flags & IORING_CQE_F_BUFFER == 0 {
            return None;
        }
        Some((self.0.flags >> IORING_CQE_BUFFER_SHIFT) as u16)
    }

    /// Whether the kernel keeps the buffer and goes on filling it (buffer rings with INC).
    ///
    /// # Kernel
    /// Since 6.12.
    #[inline]
    #[must_use]
    pub const fn buffer_more(&self) -> bool {
        self.0.flags & IORING_CQE_F_BUF_MORE != 0
    }
}

impl AsRef<Cqe> for Cqe {
    fn as_ref(&self) -> &Cqe {
        self
    }
}

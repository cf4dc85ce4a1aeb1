//! Asking for the end of other operations.

use annulus_syscalls::io_uring::flags::cancel;

use super::{Common, Sqe};
use crate::opcode::Opcode;
use crate::register::CancelMatch;

impl Sqe {
    /// Asks for the end of the operation that carries `user_data`, or of all that do with
    /// `IORING_ASYNC_CANCEL_ALL` in `flags`.
    ///
    /// The result is 0 (or how many, with `ALL`), ENOENT if there is none, EALREADY if it runs and
    /// may still complete. Waits for futexes and children are told in another way: 1 for one that
    /// was found, and with `ALL` all of them count as one.
    ///
    /// One that a worker thread has just taken may be answered with ENOENT or EALREADY and go on
    /// waiting all the same: cancel it again until its own CQE has come.
    ///
    /// The operation's own CQE comes in any case, and what it lent is lent until then: it has
    /// ECANCELED, or its own result, or, where a worker thread was interrupted, also EINTR or 512,
    /// the kernel's ERESTARTSYS.
    ///
    /// # Kernel
    /// Since 5.5.
    #[inline]
    pub fn prep_cancel64(&mut self, user_data: u64, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::ASYNC_CANCEL,
            fd: -1,
            addr: user_data,
            len: 0,
            off: 0,
        })
        .with_op_flags(flags)
    }

    /// As [`prep_cancel64`](Sqe::prep_cancel64), for operations on `fd`; with
    /// `IORING_ASYNC_CANCEL_FD_FIXED` (6.0) on that index of the registered file table.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub fn prep_cancel_fd(&mut self, fd: i32, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::ASYNC_CANCEL,
            fd,
            addr: 0,
            len: 0,
            off: 0,
        })
        .with_op_flags(flags | cancel::IORING_ASYNC_CANCEL_FD)
    }

    /// As [`prep_cancel64`](Sqe::prep_cancel64), for every operation of the ring but those that
    /// limit others. The result is how many. The time it takes grows faster than their number:
    /// 20 ms for 1,000 waiting polls, 0.8 s for 10,000 and 10 s for 30,000 were measured on 6.18.
    ///
    /// # Kernel
    /// Since 5.19.
    #[inline]
    pub fn prep_cancel_any(&mut self) -> &mut Sqe {
        self.prep_cancel64(
            0,
            cancel::IORING_ASYNC_CANCEL_ANY | cancel::IORING_ASYNC_CANCEL_ALL,
        )
    }

    /// As [`prep_cancel64`](Sqe::prep_cancel64), for the operations that match all that `which`
    /// says: a kind, a descriptor, user data.
    ///
    /// # Kernel
    /// As `which` says.
    #[inline]
    pub fn prep_cancel_match(&mut self, which: &CancelMatch) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::ASYNC_CANCEL,
            fd: which.fd,
            addr: which.user_data,
            len: u32::from(which.opcode),
            off: 0,
        })
        .with_op_flags(which.flags)
    }
}

//! Timeouts.

use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::flags::timeout;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// Completes with ETIME after `time`, or with 0 once `count` other operations have completed
    /// (0: only after the time). `flags` are `IORING_TIMEOUT_*`.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    #[inline]
    pub unsafe fn prep_timeout(
        &mut self,
        time: *const __kernel_timespec,
        count: u32,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::TIMEOUT,
            fd: -1,
            addr: address(time),
            len: 1,
            off: u64::from(count),
        })
        .with_op_flags(flags)
    }

    /// Ends the timeout that carries `user_data`: it completes with ECANCELED. The result is 0,
    /// ENOENT, or EBUSY if it is just running out.
    #[inline]
    pub fn prep_timeout_remove(&mut self, user_data: u64) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::TIMEOUT_REMOVE,
            fd: -1,
            addr: user_data,
            len: 0,
            off: 0,
        })
    }

    /// Gives the timeout that carries `user_data` another `time`.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    #[inline]
    pub unsafe fn prep_timeout_update(
        &mut self,
        user_data: u64,
        time: *const __kernel_timespec,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::TIMEOUT_REMOVE,
            fd: -1,
            addr: user_data,
            len: 0,
            off: address(time),
        })
        .with_op_flags(flags | timeout::IORING_TIMEOUT_UPDATE)
    }

    /// Limits the entry before it, which has [`IO_LINK`](crate::SqeFlags::IO_LINK), to `time`:
    /// when that runs out, the operation is cancelled and this one completes with ETIME; else
    /// with ECANCELED.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    #[inline]
    pub unsafe fn prep_link_timeout(
        &mut self,
        time: *const __kernel_timespec,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::LINK_TIMEOUT,
            fd: -1,
            addr: address(time),
            len: 1,
            off: 0,
        })
        .with_op_flags(flags)
    }
}

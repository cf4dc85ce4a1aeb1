//! Timeouts.
//!
//! `flags` are `IORING_TIMEOUT_*`. A time is a span, or with `ABS` (5.5) a point, of
//! CLOCK_MONOTONIC, or with `BOOTTIME` or `REALTIME` (5.15) of that clock. A point is one of the
//! clock outside of a time namespace, whose shift is not heeded (6.18).

use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::flags::timeout;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// Completes with ETIME after `time`, or with 0 once `count` other operations have completed
    /// (0: only after the time). A negative time, or nanoseconds of a second or more, are EINVAL.
    /// `flags` are `IORING_TIMEOUT_*`; a point in time (`ABS`) is one of the clock outside of a
    /// time namespace, whose shift is not heeded (6.18).
    ///
    /// With `MULTISHOT` (6.4) `time` is the period of a span that completes again and again, each
    /// time with ETIME and [`more`](crate::Cqe::more), `count` times (0: until it is removed). With
    /// `ETIME_SUCCESS` (5.16) ETIME does not break the chain that the timeout stands in.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.4.
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

    /// As [`prep_timeout`](Sqe::prep_timeout), `time_ns` nanoseconds standing in the entry itself.
    ///
    /// # Kernel
    /// Since 7.1; before, the result is EINVAL.
    ///
    /// ```
    /// use annulus_ring::{Opcode, Sqe};
    ///
    /// let mut sqe = Sqe::new();
    /// sqe.prep_timeout_immediate(10_000_000, 0, 0);
    /// assert_eq!(sqe.opcode(), Opcode::TIMEOUT);
    /// ```
    #[inline]
    pub fn prep_timeout_immediate(&mut self, time_ns: u64, count: u32, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::TIMEOUT,
            fd: -1,
            addr: time_ns,
            len: 1,
            off: u64::from(count),
        })
        .with_op_flags(flags | timeout::IORING_TIMEOUT_IMMEDIATE_ARG)
    }

    /// Ends the timeout that carries `user_data`: it completes with ECANCELED. The result is 0,
    /// ENOENT, or EBUSY if it is just running out.
    ///
    /// # Kernel
    /// Since 5.5.
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

    /// Gives the timeout that carries `user_data` another `time`, a span from now unless `flags`
    /// have `ABS`; the clock stays. The result is 0, ENOENT, or EALREADY if it is just running out.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.11.
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

    /// As [`prep_timeout_update`](Sqe::prep_timeout_update), `time_ns` nanoseconds standing in the
    /// entry itself.
    ///
    /// # Kernel
    /// Since 7.1; before, the result is EINVAL.
    #[inline]
    pub fn prep_timeout_update_immediate(
        &mut self,
        user_data: u64,
        time_ns: u64,
        flags: u32,
    ) -> &mut Sqe {
        let update = timeout::IORING_TIMEOUT_UPDATE | timeout::IORING_TIMEOUT_IMMEDIATE_ARG;
        self.prep(Common {
            opcode: Opcode::TIMEOUT_REMOVE,
            fd: -1,
            addr: user_data,
            len: 0,
            off: time_ns,
        })
        .with_op_flags(flags | update)
    }

    /// Gives the link timeout that carries `user_data` another `time`, a span from now unless
    /// `flags` have `ABS`. The result is 0, or ENOENT: also while the operation that it limits was
    /// not started.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.15.
    #[inline]
    pub unsafe fn prep_link_timeout_update(
        &mut self,
        user_data: u64,
        time: *const __kernel_timespec,
        flags: u32,
    ) -> &mut Sqe {
        let flags = flags | timeout::IORING_LINK_TIMEOUT_UPDATE;
        // SAFETY: promised by the caller.
        unsafe { self.prep_timeout_update(user_data, time, flags) }
    }

    /// Limits the entry before it, which has [`IO_LINK`](crate::SqeFlags::IO_LINK), to `time`:
    /// when that runs out, the operation is cancelled and this one completes with ETIME; else
    /// with ECANCELED.
    ///
    /// Where both are done at the same time, this one may also complete with ENOENT or EALREADY,
    /// and ETIME only says that the operation was asked to stop: whether it did, its own result
    /// says. A limit that ends a wait for a futex or a child completes with 1 instead of ETIME.
    /// EINVAL where there is no operation before it.
    ///
    /// # Safety
    /// `time` is valid for reads, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.5.
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

    /// As [`prep_link_timeout`](Sqe::prep_link_timeout), `time_ns` nanoseconds standing in the
    /// entry itself.
    ///
    /// # Kernel
    /// Since 7.1; before, the result is EINVAL, which fails the entry before it too.
    #[inline]
    pub fn prep_link_timeout_immediate(&mut self, time_ns: u64, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::LINK_TIMEOUT,
            fd: -1,
            addr: time_ns,
            len: 1,
            off: 0,
        })
        .with_op_flags(flags | timeout::IORING_TIMEOUT_IMMEDIATE_ARG)
    }
}

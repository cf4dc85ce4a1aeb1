//! Epoll, driven through the ring.

use core::ffi::c_void;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `epoll_ctl`(2): adds, changes or removes `fd` in `epoll_fd`, as `operation`
    /// (`EPOLL_CTL_*`) says, with the `struct epoll_event` at `event`, which may be null for a
    /// removal. The result is 0.
    ///
    /// # Safety
    /// `event` is null or valid for reads of a `struct epoll_event`, lent until consumed.
    ///
    /// # Kernel
    /// Since 5.6.
    #[inline]
    pub unsafe fn prep_epoll_ctl(
        &mut self,
        epoll_fd: i32,
        operation: i32,
        fd: i32,
        event: *const c_void,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::EPOLL_CTL,
            fd: epoll_fd,
            addr: address(event),
            len: operation as u32,
            off: u64::from(fd as u32),
        })
    }

    /// `epoll_wait`(2) without a time limit, for up to `count_max` events of `epoll_fd` into the
    /// array of `struct epoll_event` at `events`. The result is how many there are.
    ///
    /// # Safety
    /// `events` is valid for writes of `count_max` entries, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.15.
    #[inline]
    pub unsafe fn prep_epoll_wait(
        &mut self,
        epoll_fd: i32,
        events: *mut c_void,
        count_max: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::EPOLL_WAIT,
            fd: epoll_fd,
            addr: address(events),
            len: count_max,
            off: 0,
        })
    }
}

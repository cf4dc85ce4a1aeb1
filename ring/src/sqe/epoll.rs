//! Epoll instances, changed and waited for by the ring.

use core::ffi::c_void;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// `epoll_ctl`(2): does `operation` (`EPOLL_CTL_*`) with `fd` in the instance `epoll_fd`. The
    /// result is 0.
    ///
    /// # Safety
    /// `event` is valid for reads of an `epoll_event`, lent until consumed; null for
    /// `EPOLL_CTL_DEL`.
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
            // Sign and all: the kernel takes the lower half.
            off: i64::from(fd) as u64,
        })
    }

    /// `epoll_wait`(2) without a time limit: completes when `epoll_fd` has events, and writes up to
    /// `count` of them to `events`. The result is how many.
    ///
    /// # Safety
    /// `events` is valid for writes of `count` times `epoll_event`, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.15.
    #[inline]
    pub unsafe fn prep_epoll_wait(
        &mut self,
        epoll_fd: i32,
        events: *mut c_void,
        count: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::EPOLL_WAIT,
            fd: epoll_fd,
            addr: address(events),
            len: count,
            off: 0,
        })
    }
}

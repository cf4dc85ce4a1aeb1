//! Futexes and child processes.

use core::ffi::c_void;

use annulus_syscalls::io_uring::futex_waitv;

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// Waits while the futex at `word` has `value`; `mask` selects which wakes count, `flags` are
    /// `FUTEX2_*`. The result is 0, EAGAIN if it has another value, or EINVAL: the kernel knows
    /// words of 32 bits only, and a mask of none, or of more than those, is no mask.
    ///
    /// # Safety
    /// `word` is valid for atomic reads of the size in `flags`, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub unsafe fn prep_futex_wait(
        &mut self,
        word: *const u32,
        value: u64,
        mask: u64,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FUTEX_WAIT,
            fd: flags as i32,
            addr: address(word),
            len: 0,
            off: value,
        });
        self.0.addr3 = mask;
        self
    }

    /// Wakes up to `count` waiters of the futex at `word`. The result is how many.
    ///
    /// # Safety
    /// `word` is an address that the caller may use as a futex, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub unsafe fn prep_futex_wake(
        &mut self,
        word: *const u32,
        count: u64,
        mask: u64,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FUTEX_WAKE,
            fd: flags as i32,
            addr: address(word),
            len: 0,
            off: count,
        });
        self.0.addr3 = mask;
        self
    }

    /// Waits on the `count` futexes at `waits`, 1 to 128. The result is the index of one that was
    /// woken, EAGAIN if one has another value, or EINVAL.
    ///
    /// # Safety
    /// `waits` is valid for reads of `count` entries, lent until consumed; each futex as in
    /// [`prep_futex_wait`](Sqe::prep_futex_wait).
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub unsafe fn prep_futex_waitv(&mut self, waits: *const futex_waitv, count: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::FUTEX_WAITV,
            fd: 0,
            addr: address(waits),
            len: count,
            off: 0,
        })
    }

    /// `waitid`(2) for `id_type` (`P_*`) and `id` with `options` (`WEXITED` and others) into the
    /// `siginfo_t` at `info`, which may be null. The result is 0, also where `WNOHANG` found nobody:
    /// the process in `info` is 0 then; or ECHILD, or EINVAL.
    ///
    /// # Safety
    /// `info` is null or valid for writes of a `siginfo_t`, lent until the last CQE.
    ///
    /// # Kernel
    /// Since 6.7.
    #[inline]
    pub unsafe fn prep_waitid(
        &mut self,
        id_type: u32,
        id: u32,
        info: *mut c_void,
        options: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::WAITID,
            fd: id as i32,
            addr: 0,
            len: id_type,
            off: address(info),
        });
        self.0.file_index = options;
        self
    }
}

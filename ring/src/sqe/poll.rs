//! Waiting for readiness.

use annulus_syscalls::io_uring::flags::poll;

use super::{Common, Sqe};
use crate::opcode::Opcode;

impl Sqe {
    /// Waits until `fd` is ready for one of `mask` (`POLL*`). The result is the mask that holds.
    #[inline]
    pub fn prep_poll_add(&mut self, fd: i32, mask: u32) -> &mut Sqe {
        self.prep_poll(fd, mask, 0)
    }

    /// Reports each time `fd` becomes ready for one of `mask` (`POLL*`), edge-triggered. It ends
    /// on errors, and when completions had to be kept back because the CQ was full.
    /// A poll of a ring ends with its first report.
    ///
    /// # Kernel
    /// Since 5.13. 6.18 refuses `IORING_POLL_ADD_LEVEL` with EINVAL.
    #[inline]
    pub fn prep_poll_multishot(&mut self, fd: i32, mask: u32) -> &mut Sqe {
        self.prep_poll(fd, mask, poll::IORING_POLL_ADD_MULTI)
    }

    /// Ends the poll that carries `user_data`. The result is 0, ENOENT, or EALREADY.
    #[inline]
    pub fn prep_poll_remove(&mut self, user_data: u64) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::POLL_REMOVE,
            fd: -1,
            addr: user_data,
            len: 0,
            off: 0,
        })
    }

    /// Gives the poll that carries `old_user_data` another `mask`, `user_data`, or both, as
    /// `flags` (`IORING_POLL_UPDATE_*`) say. The result is 0, ENOENT, or EALREADY.
    ///
    /// With a new mask it looks again: what of it holds already completes the poll. A multishot
    /// poll goes on if `flags` have `IORING_POLL_ADD_MULTI`.
    ///
    /// # Kernel
    /// Since 5.13.
    #[inline]
    pub fn prep_poll_update(
        &mut self,
        old_user_data: u64,
        new_user_data: u64,
        mask: u32,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::POLL_REMOVE,
            fd: -1,
            addr: old_user_data,
            len: flags,
            off: new_user_data,
        })
        .with_op_flags(poll_mask(mask))
    }

    #[inline]
    fn prep_poll(&mut self, fd: i32, mask: u32, flags: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::POLL_ADD,
            fd,
            addr: 0,
            len: flags,
            off: 0,
        })
        .with_op_flags(poll_mask(mask))
    }
}

/// The mask as the kernel reads it: on big endian with its 16-bit halves swapped.
#[inline]
fn poll_mask(mask: u32) -> u32 {
    if cfg!(target_endian = "big") {
        mask.rotate_left(16)
    } else {
        mask
    }
}

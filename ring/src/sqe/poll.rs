//! Waiting for readiness.

use annulus_syscalls::io_uring::flags::poll;

use super::{Common, Sqe};
use crate::opcode::Opcode;

impl Sqe {
    /// Waits until `fd` is ready for one of `mask` (`POLL*`). The result is the mask that holds.
    ///
    /// # Kernel
    /// Since 5.1.
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

    /// Ends the poll that carries `user_data`: it completes with ECANCELED. The result is 0, ENOENT,
    /// or EALREADY if it is just being woken: a multishot poll may then end with what woke it, or go
    /// on, so the removal is repeated until its last completion has come.
    ///
    /// # Kernel
    /// Since 5.1.
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

#[inline]
fn poll_mask(mask: u32) -> u32 {
    placed_mask(mask, cfg!(target_endian = "big"))
}

/// The mask as it stands in an entry. Its lower half came first in history and keeps its place at
/// the lower address: on big endian the halves are swapped.
#[inline]
const fn placed_mask(mask: u32, is_big_endian: bool) -> u32 {
    if is_big_endian {
        mask.rotate_left(16)
    } else {
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::placed_mask;

    #[test]
    fn the_lower_half_of_a_poll_mask_comes_first_in_memory_on_either_endian() {
        for bit in 0..32 {
            let mask = 1_u32 << bit;
            let (low, high) = (mask as u16, (mask >> 16) as u16);
            let little = placed_mask(mask, false).to_le_bytes();
            assert_eq!(little, [low.to_le_bytes(), high.to_le_bytes()].concat()[..]);
            let big = placed_mask(mask, true).to_be_bytes();
            assert_eq!(big, [low.to_be_bytes(), high.to_be_bytes()].concat()[..]);
        }
    }

    #[test]
    fn the_kernels_own_swap_gives_the_mask_back() {
        for mask in [0, 1, 0x2001, 0x8000_0000, 0x1234_5678, u32::MAX] {
            assert_eq!(placed_mask(placed_mask(mask, true), true), mask);
            assert_eq!(placed_mask(placed_mask(mask, false), false), mask);
        }
    }
}

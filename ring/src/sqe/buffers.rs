//! Provided buffers, the way before buffer rings.

use super::{Common, Sqe, address};
use crate::opcode::Opcode;

impl Sqe {
    /// Hands `count` buffers of `len` bytes each, one after the other from `start`, to `group`,
    /// with ids from `first_id` on. A [`BufRing`](crate::BufRing) does the same without an entry.
    ///
    /// # Safety
    /// All of the memory is valid for writes, lent until each buffer was named by a CQE or
    /// removed again.
    ///
    /// # Kernel
    /// Since 5.7.
    #[inline]
    pub unsafe fn prep_provide_buffers(
        &mut self,
        start: *mut u8,
        len: u32,
        count: u16,
        group: u16,
        first_id: u16,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::PROVIDE_BUFFERS,
            fd: i32::from(count),
            addr: address(start),
            len,
            off: u64::from(first_id),
        });
        self.0.buf_index = group;
        self
    }

    /// Takes up to `count` buffers of `group` back. The result is how many.
    ///
    /// # Kernel
    /// Since 5.7.
    #[inline]
    pub fn prep_remove_buffers(&mut self, count: u16, group: u16) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::REMOVE_BUFFERS,
            fd: i32::from(count),
            addr: 0,
            len: 0,
            off: 0,
        });
        self.0.buf_index = group;
        self
    }
}

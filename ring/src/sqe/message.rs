//! From one ring to another.

use annulus_syscalls::io_uring::flags::msg_ring::{
    IORING_MSG_DATA, IORING_MSG_RING_FLAGS_PASS, IORING_MSG_SEND_FD,
};

use super::{Common, Sqe};
use crate::opcode::Opcode;

impl Sqe {
    /// Posts a CQE with `user_data` and `res` in the ring `target_fd`. `flags` are
    /// `IORING_MSG_RING_*`. The result here is 0, or EOVERFLOW if the target is full.
    ///
    /// # Kernel
    /// Since 5.18.
    #[inline]
    pub fn prep_msg_ring(
        &mut self,
        target_fd: i32,
        user_data: u64,
        res: i32,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::MSG_RING,
            fd: target_fd,
            addr: IORING_MSG_DATA,
            len: res as u32,
            off: user_data,
        })
        .with_op_flags(flags)
    }

    /// As [`prep_msg_ring`](Sqe::prep_msg_ring), the CQE carrying `cqe_flags`.
    ///
    /// # Kernel
    /// Since 6.3.
    #[inline]
    pub fn prep_msg_ring_cqe_flags(
        &mut self,
        target_fd: i32,
        user_data: u64,
        res: i32,
        flags: u32,
        cqe_flags: u32,
    ) -> &mut Sqe {
        self.prep_msg_ring(
            target_fd,
            user_data,
            res,
            flags | IORING_MSG_RING_FLAGS_PASS,
        );
        self.0.file_index = cqe_flags;
        self
    }

    /// Puts the registered file `source_slot` into `target_slot` of the ring `target_fd`, which
    /// gets a CQE with `user_data`.
    ///
    /// # Kernel
    /// Since 6.0.
    #[inline]
    pub fn prep_msg_ring_fd(
        &mut self,
        target_fd: i32,
        source_slot: u32,
        target_slot: u32,
        user_data: u64,
        flags: u32,
    ) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::MSG_RING,
            fd: target_fd,
            addr: IORING_MSG_SEND_FD,
            len: 0,
            off: user_data,
        })
        .with_op_flags(flags);
        self.0.addr3 = u64::from(source_slot);
        self.set_direct_slot(target_slot)
    }
}

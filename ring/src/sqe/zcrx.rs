//! Receiving without copying, from hardware queues that were registered for it.

use annulus_syscalls::io_uring::flags::net;

use super::{Common, Sqe};
use crate::opcode::Opcode;

impl Sqe {
    /// Receives again and again into the area of the interface queue that was registered as
    /// `queue`, up to `len_max` bytes in all (0: without limit). Each CQE, 32 bytes long, says
    /// where its bytes lie.
    ///
    /// The memory is not lent by this entry: the registration of the queue lent it.
    ///
    /// # Kernel
    /// Since 6.15.
    #[inline]
    pub fn prep_recv_zc(&mut self, fd: i32, len_max: u32, queue: u32) -> &mut Sqe {
        self.prep(Common {
            opcode: Opcode::RECV_ZC,
            fd,
            addr: 0,
            len: len_max,
            off: 0,
        })
        .with_ioprio(net::IORING_RECV_MULTISHOT);
        self.0.file_index = queue;
        self
    }
}

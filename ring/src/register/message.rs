//! Messages to a ring from a thread that has none.

use annulus_syscalls::io_uring::register::op::IORING_REGISTER_SEND_MSG_RING;
use annulus_syscalls::{Errno, calls};

use crate::sqe::Sqe;

/// What the CQE of a message says.
///
/// To a ring of this process that is at hand, [`RingRef::send`](crate::RingRef::send) sends it.
///
/// ```
/// use annulus_ring::{Message, Ring, RingConfig};
///
/// let Ok(mut ring) = Ring::new(&RingConfig::default()) else {
///     return Ok(()); // io_uring is not to be had here
/// };
/// let message = Message { user_data: 7, res: 42, cqe_flags: None };
/// if message.send_to(ring.fd()).is_ok() {
///     ring.submit_and_wait(1)?;
///     assert_eq!(ring.pop().map(|cqe| cqe.res()), Some(42));
/// }
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its user data.
    pub user_data: u64,
    /// Its result.
    pub res: i32,
    /// Its flags; `None` for none.
    pub cqe_flags: Option<u32>,
}

impl Message {
    /// Posts the CQE in the ring whose descriptor is `target_fd`, waking it if it waits.
    ///
    /// # Errors
    /// EINVAL before 6.13; EBADF if it is not open, EBADFD if it is no ring or a disabled one;
    /// EOVERFLOW if its CQ is full; ENOMEM.
    ///
    /// # Kernel
    /// Since 6.13.
    pub fn send_to(&self, target_fd: i32) -> Result<(), Errno> {
        let sqe = self.sqe(target_fd);
        let arg = (&raw const sqe).expose_provenance();
        // SAFETY: `arg` is the one SQE that this registration reads; -1 stands for no source ring.
        let sent = unsafe { calls::io_uring_register(-1, IORING_REGISTER_SEND_MSG_RING, arg, 1) };
        sent.map(drop)
    }

    pub(crate) fn sqe(&self, target_fd: i32) -> Sqe {
        let mut sqe = Sqe::new();
        match self.cqe_flags {
            None => sqe.prep_msg_ring(target_fd, self.user_data, self.res, 0),
            Some(flags) => {
                sqe.prep_msg_ring_cqe_flags(target_fd, self.user_data, self.res, 0, flags)
            }
        };
        sqe
    }
}

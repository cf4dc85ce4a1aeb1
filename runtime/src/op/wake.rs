//! How a core that waits in the kernel is woken where a message cannot be posted to its ring:
//! an eventfd under a standing poll.

use std::os::fd::{AsRawFd, BorrowedFd};

use annulus_ring::Sqe;

use super::header::Tag;

/// Fills a standing poll of the eventfd. Every write to it is one completion.
pub(super) fn fill(sqe: &mut Sqe, event: BorrowedFd<'_>) {
    sqe.prep_poll_multishot(event.as_raw_fd(), os::POLLIN as u32);
    debug_assert!(super::allowed::allows(sqe), "{sqe:?} is not listed");
    sqe.set_user_data(Tag::EVENT.pack());
}

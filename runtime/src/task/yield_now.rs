//! Giving way once.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::task::Poll;

use crate::context;

/// Gives way to other tasks once. The worker looks for completed I/O before
/// this task runs again; nothing is promised about which other tasks run.
///
/// # Cancel safety
///
/// Safe: there is nothing to lose.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context::defer(cx.waker());
        Poll::Pending
    })
    .await;
}

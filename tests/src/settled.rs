//! Waiting for a condition, instead of for a time.

use std::time::{Duration, Instant};

/// After this long a condition is taken never to come true: far above what a loaded machine
/// needs, and below what the driver of the tests allows.
const LIMIT: Duration = Duration::from_secs(30);

/// Polls `condition` from a task until it holds, yielding in between.
///
/// # Panics
///
/// If it does not come true; `what` is named.
pub async fn settled(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut rounds = 0_u32;
    while !condition() {
        assert!(start.elapsed() < LIMIT, "never came true: {what}");
        rounds += 1;
        if rounds.is_multiple_of(1024) {
            // What it waits for happens elsewhere: leave that the processor.
            annulus::time::sleep(Duration::from_millis(1)).await;
        } else {
            annulus::task::yield_now().await;
        }
    }
}

/// Polls `condition` from a plain thread until it holds.
///
/// # Panics
///
/// If it does not come true; `what` is named.
pub fn settled_blocking(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < LIMIT, "never came true: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Yields until the loop of this thread has entered its ring at least once: it does so after 61
/// polls even while tasks are ready.
pub async fn turns() {
    for _ in 0..64 {
        annulus::task::yield_now().await;
    }
}

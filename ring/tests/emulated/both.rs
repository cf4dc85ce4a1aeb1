//! Running a scenario on both kernels.

use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use annulus_ring::{Cqe, Errno, Kernel, Mask, Ring, RingConfig, Sqe};

use crate::support::skip;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// What a program sees of a completion: user data, result, flags.
pub(crate) type Seen = (u64, Result<u32, Errno>, u32);

pub(crate) fn seen(cqe: &Cqe) -> Seen {
    (cqe.user_data(), cqe.result(), cqe.flags())
}

/// A ring of the emulated kernel.
pub(crate) fn emulated() -> Ring {
    emulated_with(&RingConfig::default())
}

pub(crate) fn emulated_with(config: &RingConfig) -> Ring {
    Kernel::emulated(Mask::NONE).open(config).expect("a ring")
}

/// Runs `scenario` on both kernels and compares what it has seen. Returns that.
#[track_caller]
pub(crate) fn on_both<T: PartialEq + std::fmt::Debug>(scenario: impl Fn(&mut Ring) -> T) -> T {
    on_both_with(&RingConfig::default(), scenario)
}

/// As [`on_both`], with rings of this configuration.
#[track_caller]
pub(crate) fn on_both_with<T: PartialEq + std::fmt::Debug>(
    config: &RingConfig,
    scenario: impl Fn(&mut Ring) -> T,
) -> T {
    let emulated = scenario(&mut emulated_with(config));
    match Ring::new(config) {
        Ok(mut ring) => assert_eq!(emulated, scenario(&mut ring), "emulated, then io_uring"),
        Err(errno) => skip(&format!("no io_uring to compare with: {errno}")),
    }
    emulated
}

/// Prepares an entry.
pub(crate) fn push(ring: &mut Ring, user_data: u64, prep: impl FnOnce(&mut Sqe)) {
    let sqe = ring.get_sqe().expect("room in the SQ");
    prep(sqe);
    sqe.set_user_data(user_data);
}

/// Enters until `count` completions were popped.
#[track_caller]
pub(crate) fn reap(ring: &mut Ring, count: usize) -> Vec<Seen> {
    let start = Instant::now();
    let mut all = Vec::new();
    while all.len() < count {
        assert!(start.elapsed() < LIMIT, "no completion in time: {all:?}");
        // The end of an earlier io_uring of this thread may interrupt a wait.
        match ring.enter(1, Some(LIMIT)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("entered: {errno}"),
        }
        while let Some(cqe) = ring.pop() {
            all.push(seen(&cqe));
        }
    }
    all
}

/// As [`reap`], ordered by user data: where the order is the kernel's to choose.
#[track_caller]
pub(crate) fn reap_sorted(ring: &mut Ring, count: usize) -> Vec<Seen> {
    let mut all = reap(ring, count);
    all.sort_by_key(|seen| seen.0);
    all
}

/// Submits, and pops what is there without waiting.
#[track_caller]
pub(crate) fn now(ring: &mut Ring) -> Vec<Seen> {
    ring.enter(0, None).expect("entered");
    std::iter::from_fn(|| ring.pop())
        .map(|cqe| seen(&cqe))
        .collect()
}

/// Takes over a descriptor that a completion told, whose number means nothing.
#[track_caller]
pub(crate) fn fd_of(seen: &Seen) -> OwnedFd {
    let fd = seen.1.expect("a descriptor");
    // SAFETY: the kernel just made it for whoever sees this completion.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

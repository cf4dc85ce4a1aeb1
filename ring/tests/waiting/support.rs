//! What the tests of this folder share.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use annulus_ring::{Ring, RingConfig, TimeLimit, Wait};

/// So long that whoever waits for it has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(600);

pub(crate) fn ring_with(config: RingConfig) -> Ring {
    Ring::new(&config).expect("a ring")
}

pub(crate) fn ring(sq_entries: u32, cq_entries: u32) -> Ring {
    ring_with(RingConfig {
        sq_entries,
        cq_entries,
        ..RingConfig::default()
    })
}

/// A ring of SINGLE_ISSUER and DEFER_TASKRUN; `None`, and why, before 6.1.
pub(crate) fn pinned(sq_entries: u32, cq_entries: u32) -> Option<Ring> {
    let ring = ring_with(RingConfig {
        sq_entries,
        cq_entries,
        pinned: true,
        ..RingConfig::default()
    });
    if ring.setup_flags() & annulus_syscalls::io_uring::setup::IORING_SETUP_DEFER_TASKRUN == 0 {
        eprintln!("skipped: the kernel has no DEFER_TASKRUN (6.1)");
        return None;
    }
    Some(ring)
}

/// Whether the ring has `feature`; says that it is skipped if not.
pub(crate) fn has(ring: &Ring, feature: u32, name: &str) -> bool {
    let is_there = ring.features() & feature != 0;
    if !is_there {
        eprintln!("skipped: the kernel has no {name}");
    }
    is_there
}

pub(crate) fn push_nop(ring: &mut Ring, user_data: u64) {
    let sqe = ring.get_sqe().expect("room in the SQ");
    sqe.prep_nop().set_user_data(user_data);
}

/// The `user_data` of all completions that are ready, in order.
pub(crate) fn pop_all(ring: &mut Ring) -> Vec<u64> {
    core::iter::from_fn(|| ring.pop())
        .map(|cqe| cqe.user_data())
        .collect()
}

/// A wait for `min_complete` completions until `limit` has passed.
pub(crate) fn wait_for(min_complete: u32, limit: Duration) -> Wait {
    Wait {
        min_complete,
        limit: TimeLimit::After(limit),
        ..Wait::default()
    }
}

/// Waits until the other end is gone. Interrupted reads, which the end of a ring causes in its
/// thread, are repeated.
pub(crate) fn end_of_stream(stream: &mut UnixStream) {
    stream.set_read_timeout(Some(NEVER)).expect("set");
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        // What was written to it was never read.
        Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET)),
    }
}

/// What a clock (`libc::CLOCK_*`) shows.
pub(crate) fn now(clock: i32) -> Duration {
    // SAFETY: all zeros is a `timespec`.
    let mut time: libc::timespec = unsafe { core::mem::zeroed() };
    // SAFETY: `time` may be written to.
    let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(done, 0, "the clock is there");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

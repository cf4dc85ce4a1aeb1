//! What the tests of this program share: a ring, its results, and times.

use std::collections::BTreeMap;
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use annulus_ring::{Cqe, Errno, Opcode, Probe, Ring, RingConfig, Sqe};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::__kernel_timespec;

/// What takes longer hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// A time that never comes.
pub(crate) const FOREVER: __kernel_timespec = span(Duration::from_secs(3_600));

pub(crate) fn ring() -> Ring {
    Ring::new(&RingConfig::default()).expect("a ring")
}

/// A ring whose completion work runs in its thread's enters only.
pub(crate) fn pinned_ring() -> Ring {
    let config = RingConfig {
        pinned: true,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a ring")
}

/// The next entry, named `user_data`.
pub(crate) fn entry(ring: &mut Ring, user_data: u64) -> &mut Sqe {
    let sqe = ring.get_sqe().expect("room in the SQ");
    sqe.set_user_data(user_data)
}

/// Submits what is queued and pops `count` completions, in the order they came.
pub(crate) fn reap(ring: &mut Ring, count: usize) -> Vec<Cqe> {
    let start = Instant::now();
    let mut cqes = Vec::with_capacity(count);
    while cqes.len() < count {
        assert!(
            start.elapsed() < LIMIT,
            "{count} completions were to come, but only {cqes:?} did"
        );
        match ring.enter(1, Some(Duration::from_secs(1))) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("entering failed: {errno}"),
        }
        while cqes.len() < count {
            match ring.pop() {
                Some(cqe) => cqes.push(cqe),
                None => break,
            }
        }
        ring.publish_head();
    }
    cqes
}

/// The one completion that comes next.
pub(crate) fn reap_one(ring: &mut Ring) -> Cqe {
    reap(ring, 1)[0]
}

/// What the next `count` operations came to, each of which completes once, by `user_data`.
pub(crate) fn results(ring: &mut Ring, count: usize) -> BTreeMap<u64, Result<u32, Errno>> {
    let cqes = reap(ring, count);
    let results: BTreeMap<_, _> = cqes
        .iter()
        .map(|cqe| (cqe.user_data(), cqe.result()))
        .collect();
    assert_eq!(results.len(), count, "one completion each: {cqes:?}");
    results
}

/// Runs completion work that is due, and says that nothing completed.
pub(crate) fn assert_quiet(ring: &mut Ring) {
    ring.enter(0, None).expect("entered");
    assert_eq!(ring.pop(), None);
}

/// `time` as the kernel takes it.
pub(crate) const fn span(time: Duration) -> __kernel_timespec {
    __kernel_timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: time.subsec_nanos() as i64,
    }
}

/// What `clock` shows.
pub(crate) fn now(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes.
    let read = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(read, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The reading and the writing end of a new pipe.
pub(crate) fn pipe() -> (OwnedFd, OwnedFd) {
    let [reading, writing] = calls::pipe2(libc::O_CLOEXEC as u32).expect("a pipe can be made");
    (owned(reading), owned(writing))
}

/// A counter that wakes whoever polls it.
pub(crate) fn eventfd() -> OwnedFd {
    let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
    owned(calls::eventfd2(0, flags as u32).expect("an eventfd can be made"))
}

/// `fd`, which a call just returned or a completion just told, to be closed when dropped.
pub(crate) fn owned(fd: i32) -> OwnedFd {
    assert!(fd >= 0, "not a descriptor");
    // SAFETY: by this function's one promise the number is new and nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The share of `full` that this run does: `ANNULUS_STRESS_PERCENT`, 10 by default. At least 1.
pub(crate) fn rounds(full: u64) -> u64 {
    let percent = match std::env::var("ANNULUS_STRESS_PERCENT") {
        Ok(text) => text.parse().expect("ANNULUS_STRESS_PERCENT is a number"),
        Err(_) => 10,
    };
    (full * percent / 100).max(1)
}

/// Whether the kernel has `opcode`; says so if not.
pub(crate) fn has(ring: &Ring, opcode: Opcode) -> bool {
    let is_there = Probe::of(ring).expect("a probe").supports(opcode);
    if !is_there {
        skip(&format!("{} is newer than this kernel", opcode.name()));
    }
    is_there
}

/// Says why a test does nothing here: the kernel is too old for it.
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Waits until `holds`, which something outside of any ring brings about.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "it never came: {what}");
        std::thread::yield_now();
    }
}

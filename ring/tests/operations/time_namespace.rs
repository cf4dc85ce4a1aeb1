//! Points in time for a process whose clock a time namespace shifts: timeouts and waits go by the
//! clock outside (6.18), or, should a kernel know better, by its own; the two agree, and nobody
//! waits for as long as the clocks differ.

use std::time::{Duration, Instant};

use annulus_ring::{Errno, Ring, TimeLimit, Wait};
use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::feat::IORING_FEAT_MIN_TIMEOUT;
use annulus_syscalls::io_uring::flags::timeout::IORING_TIMEOUT_ABS;

use crate::support::{collect, in_a_child, of, push, result, ring, skip, skip_feature};

const SHORT: Duration = Duration::from_millis(10);
/// How far the clock of the namespace is ahead.
const SHIFT: Duration = Duration::from_secs(1000);
/// Not in libc.
const CLONE_NEWTIME: i32 = 0x80;

/// What the clock of this process shows.
fn now() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writes.
    let read = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(read, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Lets the children that this process makes from now on live with a shifted clock.
fn shift_the_clock_of_children() -> std::io::Result<()> {
    // SAFETY: takes a number only.
    if unsafe { libc::unshare(CLONE_NEWTIME) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    let offset = format!("monotonic {} 0", SHIFT.as_secs());
    std::fs::write("/proc/self/timens_offsets", offset)
}

fn timespec(time: Duration) -> __kernel_timespec {
    __kernel_timespec {
        tv_sec: time.as_secs() as i64,
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

/// Whether points in time are those of the clock outside: one that lies ahead there, and behind
/// us here, does not come before a short span has passed.
fn goes_by_the_clock_outside(ring: &mut Ring) -> bool {
    let (point, span) = (timespec(now() - SHIFT / 2), timespec(SHORT * 10));
    // SAFETY: `point` outlives the submission.
    push(ring, 0, |sqe| unsafe {
        sqe.prep_timeout(&raw const point, 0, IORING_TIMEOUT_ABS)
    });
    // SAFETY: `span` outlives the submission.
    push(ring, 1, |sqe| unsafe {
        sqe.prep_timeout(&raw const span, 0, 0)
    });
    ring.submit_and_wait(1).expect("entered");
    let first = ring.pop().expect("waited for").user_data();
    push(ring, 2, |sqe| sqe.prep_timeout_remove(1 - first));
    assert_eq!(of(&collect(ring, 2), 2).result(), Ok(0));
    first == 1
}

/// A timeout, and then a wait, until `point`.
fn wait_until(ring: &mut Ring, point: Duration) {
    let time = timespec(point);
    // SAFETY: `time` outlives the submission.
    let ended = result(ring, |sqe| unsafe {
        sqe.prep_timeout(&raw const time, 0, IORING_TIMEOUT_ABS)
    });
    assert_eq!(ended, Err(Errno::ETIME));
    let wait = Wait {
        min_complete: 1,
        limit: TimeLimit::At(point),
        ..Wait::default()
    };
    assert_eq!(ring.enter_with(&wait), Ok(0));
}

fn in_a_shifted_process() -> bool {
    let mut ring = ring();
    if ring.features() & IORING_FEAT_MIN_TIMEOUT == 0 {
        skip_feature("waits have no points in time (6.12)");
        return true;
    }
    let by_outside = goes_by_the_clock_outside(&mut ring);
    eprintln!("points in time are those of the clock outside: {by_outside}");
    // 1. Nothing ends before the point that is meant, and nothing as much later.
    let point = now() + SHORT;
    let meant = if by_outside { point - SHIFT } else { point };
    wait_until(&mut ring, meant);
    assert!(now() >= point);
    // 2. A span is a span by either.
    let start = Instant::now();
    ring.enter(1, Some(SHORT)).expect("entered");
    start.elapsed() >= SHORT
}

#[test]
fn a_point_in_time_is_one_of_the_clock_outside_of_a_time_namespace() {
    assert!(in_a_child(|| match shift_the_clock_of_children() {
        Ok(()) => in_a_child(in_a_shifted_process),
        Err(error) => {
            skip(&format!(
                "a clock of one's own takes CAP_SYS_ADMIN: {error}"
            ));
            true
        }
    }));
}

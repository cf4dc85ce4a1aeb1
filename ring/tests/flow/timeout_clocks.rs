//! The clocks that a timeout can go by, and points in time on each.

use std::os::fd::AsRawFd;
use std::time::Duration;

use annulus_ring::{Errno, SqeFlags};
use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::flags::timeout::{
    IORING_TIMEOUT_ABS, IORING_TIMEOUT_BOOTTIME, IORING_TIMEOUT_REALTIME,
};

use super::support::{assert_quiet, entry, now, pipe, reap_one, results, ring, span};

const CLOCKS: [(u32, libc::clockid_t); 3] = [
    (0, libc::CLOCK_MONOTONIC),
    (IORING_TIMEOUT_BOOTTIME, libc::CLOCK_BOOTTIME),
    (IORING_TIMEOUT_REALTIME, libc::CLOCK_REALTIME),
];
const TEN_MS: Duration = Duration::from_millis(10);

/// What a timeout with `time` and `flags` comes to.
fn ended(time: __kernel_timespec, flags: u32) -> Result<u32, Errno> {
    let mut ring = ring();
    // SAFETY: `time` outlives the submission in `reap_one`.
    unsafe { entry(&mut ring, 1).prep_timeout(&raw const time, 0, flags) };
    reap_one(&mut ring).result()
}

#[test]
fn a_span_passes_on_every_clock() {
    for (clock_flag, clock) in CLOCKS {
        let start = now(clock);
        assert_eq!(ended(span(TEN_MS), clock_flag), Err(Errno::ETIME));
        // The wall clock may be set meanwhile.
        if clock != libc::CLOCK_REALTIME {
            assert!(now(clock) - start >= TEN_MS);
        }
    }
}

#[test]
fn a_point_in_time_is_waited_for_on_every_clock() {
    for (clock_flag, clock) in CLOCKS {
        let point = now(clock) + TEN_MS;
        assert_eq!(
            ended(span(point), clock_flag | IORING_TIMEOUT_ABS),
            Err(Errno::ETIME)
        );
        assert!(now(clock) >= point || clock == libc::CLOCK_REALTIME);
    }
}

#[test]
fn a_point_in_the_past_is_there_at_once_and_one_ahead_is_not() {
    for (clock_flag, clock) in CLOCKS {
        let flags = clock_flag | IORING_TIMEOUT_ABS;
        assert_eq!(
            ended(span(Duration::from_secs(1)), flags),
            Err(Errno::ETIME)
        );
        let mut ring = ring();
        let ahead = span(now(clock) + Duration::from_secs(3_600));
        // SAFETY: `ahead` outlives the submission that follows.
        unsafe { entry(&mut ring, 1).prep_timeout(&raw const ahead, 0, flags) };
        assert_quiet(&mut ring);
        entry(&mut ring, 2).prep_timeout_remove(1);
        assert_eq!(results(&mut ring, 2)[&1], Err(Errno::ECANCELED));
    }
}

#[test]
fn a_limit_of_another_operation_goes_by_every_clock() {
    for (clock_flag, clock) in CLOCKS {
        let mut ring = ring();
        let point = span(now(clock) + TEN_MS);
        let (reading, _writing) = pipe();
        entry(&mut ring, 1)
            .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
            .add_flags(SqeFlags::IO_LINK);
        // SAFETY: `point` outlives the submission in `results`.
        unsafe {
            entry(&mut ring, 2).prep_link_timeout(&raw const point, clock_flag | IORING_TIMEOUT_ABS)
        };
        let ended = results(&mut ring, 2);
        assert_eq!(
            (ended[&1], ended[&2]),
            (Err(Errno::ECANCELED), Err(Errno::ETIME))
        );
    }
}

//! The clock that waits are measured with.

use std::time::{Duration, Instant};

use annulus_ring::{Clock, Errno, Mask, Ring, RingConfig, TimeLimit, Wait};

use crate::support::{now, ring, ring_with, wait_for};

const SHORT: Duration = Duration::from_millis(10);
const CLOCKS: [(Clock, i32); 2] = [
    (Clock::Boottime, libc::CLOCK_BOOTTIME),
    (Clock::Monotonic, libc::CLOCK_MONOTONIC),
];

/// A ring that can choose its clock.
fn choosing() -> Option<Ring> {
    let mut ring = ring(8, 0);
    match ring.register_clock(Clock::Monotonic) {
        Ok(()) => Some(ring),
        Err(errno) => {
            eprintln!("skipped: the kernel has no REGISTER_CLOCK (6.12): {errno}");
            None
        }
    }
}

fn until(time: Duration) -> Wait {
    Wait {
        min_complete: 1,
        limit: TimeLimit::At(time),
        ..Wait::default()
    }
}

#[test]
fn waits_of_either_clock_do_not_end_early() {
    let Some(mut ring) = choosing() else { return };
    for (clock, number) in CLOCKS {
        ring.register_clock(clock).expect("chosen");
        let start = Instant::now();
        assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
        assert!(start.elapsed() >= SHORT);
        let then = now(number) + SHORT;
        assert_eq!(ring.enter_with(&until(then)), Ok(0));
        assert!(now(number) >= then);
    }
}

#[test]
fn a_kernel_without_the_choice_refuses_it() {
    let mut ring = ring_with(RingConfig {
        mask: Mask::V6_6,
        ..RingConfig::default()
    });
    let refused = ring.register_clock(Clock::Boottime);
    assert_eq!(refused, Err(Errno::EINVAL));
}

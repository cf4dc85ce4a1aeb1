//! The shorter limit: for so long a wait is for many completions, then for one.

use std::thread;
use std::time::{Duration, Instant};

use annulus_ring::{Ring, TimeLimit, Wait};
use annulus_syscalls::io_uring::feat::IORING_FEAT_MIN_TIMEOUT;

use crate::support::{NEVER, has, pinned, pop_all, push_nop, ring, wait_for};

const SHORT: Duration = Duration::from_millis(10);

/// Rings of both kinds, if the kernel has the shorter limit.
fn rings() -> impl Iterator<Item = Ring> {
    let rings = [Some(ring(16, 0)), pinned(16, 0)].into_iter().flatten();
    rings.filter(|ring| has(ring, IORING_FEAT_MIN_TIMEOUT, "MIN_TIMEOUT (6.12)"))
}

fn at_least(min_complete: u32, min_wait: Duration, limit: Duration) -> Wait {
    Wait {
        min_wait: Some(min_wait),
        ..wait_for(min_complete, limit)
    }
}

#[test]
fn with_one_completion_the_wait_ends_at_the_shorter_limit() {
    for mut ring in rings() {
        push_nop(&mut ring, 1);
        let start = Instant::now();
        assert_eq!(ring.enter_with(&at_least(8, SHORT, NEVER)), Ok(1));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(pop_all(&mut ring), [1]);
    }
}

#[test]
fn without_a_completion_the_wait_goes_on_to_the_longer_limit() {
    for mut ring in rings() {
        let start = Instant::now();
        let wait = at_least(8, Duration::from_millis(1), SHORT * 2);
        assert_eq!(ring.enter_with(&wait), Ok(0));
        assert!(start.elapsed() >= SHORT * 2);
        assert_eq!(ring.cq_ready(), 0);
    }
}

#[test]
fn enough_completions_end_the_wait_before_the_shorter_limit() {
    for mut ring in rings() {
        for user_data in 0..8 {
            push_nop(&mut ring, user_data);
        }
        assert_eq!(ring.enter_with(&at_least(8, NEVER, NEVER * 2)), Ok(8));
        assert_eq!(ring.cq_ready(), 8);
    }
}

#[test]
fn after_the_shorter_limit_the_first_completion_ends_the_wait() {
    for mut ring in rings() {
        let target = ring.ring_ref();
        let sender = thread::spawn(move || target.send_msg_ring(4, 0));
        let wait = at_least(8, Duration::from_micros(1), NEVER);
        let entered = ring.enter_with(&wait);
        if let Err(errno) = sender.join().expect("no panic") {
            return eprintln!("skipped: no message without a ring ({errno})");
        }
        assert_eq!(entered, Ok(0));
        assert_eq!(pop_all(&mut ring), [4]);
    }
}

#[test]
fn a_longer_limit_that_is_the_earlier_one_ends_the_wait() {
    for mut ring in rings() {
        let start = Instant::now();
        assert_eq!(ring.enter_with(&at_least(8, NEVER, SHORT)), Ok(0));
        assert!(start.elapsed() >= SHORT);
    }
}

#[test]
fn without_a_longer_limit_the_shorter_one_is_the_limit() {
    for mut ring in rings() {
        let wait = Wait {
            limit: TimeLimit::Never,
            ..at_least(8, SHORT, NEVER)
        };
        let start = Instant::now();
        assert_eq!(ring.enter_with(&wait), Ok(0));
        assert!(start.elapsed() >= SHORT);
    }
}

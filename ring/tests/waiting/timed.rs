//! Time limits: when a wait ends, and what it says.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use annulus_ring::{Errno, Mask, Ring, RingConfig, TimeLimit, Wait};
use annulus_syscalls::io_uring::feat::IORING_FEAT_NO_IOWAIT;

use crate::support::{NEVER, has, pinned, pop_all, push_nop, ring, ring_with, wait_for};

const SHORT: Duration = Duration::from_millis(10);

#[test]
fn a_wait_without_completions_ends_with_its_limit_and_not_before() {
    for mut ring in [Some(ring(8, 0)), pinned(8, 0)].into_iter().flatten() {
        let start = Instant::now();
        assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(ring.cq_ready(), 0);
    }
}

#[test]
fn a_wait_that_runs_out_of_time_still_says_what_was_consumed() {
    for mut ring in [Some(ring(8, 0)), pinned(8, 0)].into_iter().flatten() {
        for user_data in 0..3 {
            push_nop(&mut ring, user_data);
        }
        assert_eq!(ring.enter_with(&wait_for(4, SHORT)), Ok(3));
        assert_eq!(pop_all(&mut ring), [0, 1, 2]);
        assert_eq!(ring.sq_queued(), 0);
    }
}

#[test]
fn a_wait_for_nothing_returns_at_once_whatever_its_limit() {
    let mut ring = ring(8, 0);
    assert_eq!(ring.enter_with(&Wait::default()), Ok(0));
    assert_eq!(ring.enter_with(&wait_for(0, NEVER)), Ok(0));
    push_nop(&mut ring, 1);
    assert_eq!(ring.enter_with(&wait_for(0, NEVER)), Ok(1));
    assert_eq!(pop_all(&mut ring), [1]);
}

#[test]
fn a_wait_ends_with_the_completion_that_was_asked_for_and_not_with_an_earlier_one() {
    for count in [1, 2, 7] {
        let mut ring = ring(8, 0);
        let target = ring.ring_ref();
        let sender = thread::spawn(move || {
            for user_data in 0..u64::from(count) {
                target.send_msg_ring(user_data, 0)?;
            }
            Ok::<(), Errno>(())
        });
        ring.enter_with(&wait_for(count, NEVER)).expect("entered");
        let seen = ring.cq_ready();
        match sender.join().expect("no panic") {
            Ok(()) => assert_eq!(seen, count),
            Err(errno) => return eprintln!("skipped: no message without a ring ({errno})"),
        }
    }
}

#[test]
fn completions_that_are_there_already_count_for_a_wait() {
    let mut ring = ring(8, 0);
    push_nop(&mut ring, 1);
    push_nop(&mut ring, 2);
    ring.submit().expect("submitted");
    assert_eq!(ring.cq_ready(), 2);
    assert_eq!(ring.enter_with(&wait_for(2, NEVER)), Ok(0));
    // What was popped no longer counts, although the kernel is told only now.
    assert_eq!(pop_all(&mut ring), [1, 2]);
    assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
    assert_eq!(ring.cq_ready(), 0);
}

#[test]
fn deferred_work_that_comes_during_a_timed_wait_is_run_by_it() {
    let Some(mut ring) = pinned(8, 0) else { return };
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let readable = libc::POLLIN as u32;
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_add(ours.as_raw_fd(), readable)
        .set_user_data(3);
    // 1. Nothing to read yet: the wait runs out of time, more than once.
    assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(1));
    assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
    // 2. Another thread makes it readable: the work is this thread's, in its wait.
    let writer = thread::spawn(move || std::io::Write::write_all(&mut &theirs, b"x"));
    assert_eq!(ring.enter_with(&wait_for(1, NEVER)), Ok(0));
    assert_eq!(pop_all(&mut ring), [3]);
    writer.join().expect("no panic").expect("written");
}

#[test]
fn whether_waits_count_as_disk_waits_is_chosen_per_ring_and_per_wait() {
    let mut ring = ring(8, 0);
    if !has(&ring, IORING_FEAT_NO_IOWAIT, "NO_IOWAIT (6.15)") {
        return;
    }
    for counts in [true, false, true] {
        ring.set_iowait(counts).expect("chosen");
        for iowait in [None, Some(true), Some(false)] {
            push_nop(&mut ring, 1);
            let wait = Wait {
                iowait,
                ..wait_for(2, Duration::from_millis(1))
            };
            assert_eq!(ring.enter_with(&wait), Ok(1));
            assert_eq!(pop_all(&mut ring), [1]);
        }
    }
}

#[test]
fn what_a_kernel_lacks_is_refused_before_anything_is_submitted() {
    let too_new = [
        Wait {
            min_wait: Some(SHORT),
            ..Wait::default()
        },
        Wait {
            limit: TimeLimit::At(SHORT),
            ..Wait::default()
        },
        Wait {
            iowait: Some(false),
            ..Wait::default()
        },
    ];
    let mut ring = ring_with(RingConfig {
        mask: Mask::V6_6,
        ..RingConfig::default()
    });
    for wait in too_new {
        push_nop(&mut ring, 5);
        let queued = ring.sq_queued();
        assert_eq!(ring.enter_with(&wait), Err(Errno::EOPNOTSUPP));
        assert_eq!(ring.sq_queued(), queued);
        assert_eq!(kernel_sees(&ring), 0, "the tail was not published");
    }
    assert_eq!(ring.set_iowait(false), Err(Errno::EOPNOTSUPP));
    assert_eq!(ring.enter_with(&wait_for(3, NEVER)), Ok(3));
    assert_eq!(pop_all(&mut ring), [5, 5, 5]);
}

/// How many entries the kernel finds in the SQ, from what it shows of the ring.
fn kernel_sees(ring: &Ring) -> u64 {
    let path = format!("/proc/self/fdinfo/{}", ring.fd());
    let text = std::fs::read_to_string(path).expect("fdinfo");
    let number = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.expect("a line of it").split_whitespace().nth(1);
        value.expect("a number").parse::<u64>().expect("a number")
    };
    number("SqTail:") - number("SqHead:")
}

#[test]
fn a_point_in_time_ends_a_wait_when_it_comes_and_at_once_when_it_has_passed() {
    use annulus_syscalls::io_uring::feat::IORING_FEAT_MIN_TIMEOUT;
    let mut ring = ring(8, 0);
    if !has(&ring, IORING_FEAT_MIN_TIMEOUT, "ABS_TIMER (6.12)") {
        return;
    }
    let at = |time| Wait {
        min_complete: 1,
        limit: TimeLimit::At(time),
        ..Wait::default()
    };
    let then = crate::support::now(libc::CLOCK_MONOTONIC) + SHORT;
    assert_eq!(ring.enter_with(&at(then)), Ok(0));
    assert!(crate::support::now(libc::CLOCK_MONOTONIC) >= then);
    for past in [then, Duration::ZERO, Duration::from_nanos(1)] {
        assert_eq!(ring.enter_with(&at(past)), Ok(0));
    }
    // A completion ends it too, long before.
    push_nop(&mut ring, 1);
    assert_eq!(ring.enter_with(&at(then + NEVER)), Ok(1));
    assert_eq!(pop_all(&mut ring), [1]);
}

#[test]
fn a_pinned_ring_is_not_waited_for_by_another_thread() {
    let Some(mut ring) = pinned(8, 0) else { return };
    push_nop(&mut ring, 1);
    let mut ring = thread::spawn(move || {
        assert_eq!(ring.enter_with(&wait_for(1, NEVER)), Err(Errno::EEXIST));
        ring
    })
    .join()
    .expect("no panic");
    assert_eq!(ring.sq_queued(), 1);
    assert_eq!(ring.enter_with(&wait_for(1, NEVER)), Ok(1));
}

#[test]
fn a_wait_can_leave_what_is_queued_alone() {
    let mut ring = ring(8, 0);
    push_nop(&mut ring, 1);
    assert_eq!(ring.wait(&wait_for(1, SHORT)), Ok(0));
    assert_eq!(ring.sq_queued(), 1);
    assert_eq!(kernel_sees(&ring), 0);
    assert_eq!(ring.submit(), Ok(1));
    assert_eq!(ring.wait(&wait_for(1, NEVER)), Ok(1));
    push_nop(&mut ring, 2);
    assert_eq!(ring.wait(&Wait::default()), Ok(1));
    assert_eq!(pop_all(&mut ring), [1]);
    assert_eq!(ring.sq_queued(), 1);
}

//! The completion queue at its limits: full, overflowing, with completions that never come.

use std::collections::VecDeque;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{Errno, Ring, SqeFlags, Wait};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::support::{NEVER, end_of_stream, pinned, pop_all, push_nop, ring, wait_for};

/// Rings of both kinds.
fn rings(sq_entries: u32, cq_entries: u32) -> impl Iterator<Item = Ring> {
    let rings = [
        Some(ring(sq_entries, cq_entries)),
        pinned(sq_entries, cq_entries),
    ];
    rings.into_iter().flatten()
}

/// Submits all that is queued. A kernel that wants completions popped first, older ones do, gets
/// its way: they go to `seen`.
fn submit_all(ring: &mut Ring, seen: &mut Vec<u64>) {
    while ring.sq_queued() > 0 {
        match ring.submit() {
            Ok(_) => {}
            Err(Errno::EBUSY) => {
                seen.extend(pop_all(ring));
                ring.wait(&Wait::default()).expect("brought");
            }
            Err(errno) => panic!("not submitted: {errno}"),
        }
    }
}

#[test]
fn many_more_completions_than_slots_come_once_each_and_in_order() {
    for mut ring in rings(64, 64) {
        let total = 64 * 50;
        let (mut sent, mut seen) = (0, Vec::new());
        // 1. Nothing is popped until everything is submitted.
        while sent < total {
            while ring.sq_space_left() > 0 {
                push_nop(&mut ring, sent);
                sent += 1;
            }
            submit_all(&mut ring, &mut seen);
        }
        assert!(ring.cq_overflowed());
        assert_eq!(ring.cq_ready(), 64);
        // 2. What did not fit comes with each enter after popping.
        while seen.len() < total as usize {
            assert!(ring.wait(&wait_for(1, NEVER)).expect("brought") > 0);
            seen.extend(pop_all(&mut ring));
        }
        assert_eq!(seen, (0..total).collect::<Vec<_>>());
        assert_eq!(ring.wait(&Wait::default()), Ok(0));
        assert!(!ring.cq_overflowed());
        assert_eq!((ring.cq_lost(), ring.sq_dropped()), (0, 0));
    }
}

#[test]
fn a_cq_that_is_exactly_full_has_not_overflowed() {
    for mut ring in rings(8, 8) {
        for round in 0..3 {
            for user_data in 0..8 {
                push_nop(&mut ring, user_data);
            }
            assert_eq!(ring.enter(8, None), Ok(8));
            assert_eq!(ring.cq_ready(), 8);
            assert!(!ring.cq_overflowed(), "round {round}");
            // One more does.
            push_nop(&mut ring, 8);
            assert_eq!(ring.submit(), Ok(1));
            assert!(ring.cq_overflowed());
            // It stays outside as long as there is no room.
            assert_eq!(ring.wait(&Wait::default()), Ok(8));
            assert!(ring.cq_overflowed());
            assert_eq!(pop_all(&mut ring), (0..8).collect::<Vec<_>>());
            assert_eq!(ring.wait(&Wait::default()), Ok(1));
            assert!(!ring.cq_overflowed());
            assert_eq!(pop_all(&mut ring), [8]);
        }
    }
}

#[test]
fn a_wait_counts_completions_that_overflowed_once_there_is_room() {
    for mut ring in rings(16, 16) {
        for batch in 0..2 {
            for user_data in 0..16 {
                push_nop(&mut ring, batch * 16 + user_data);
            }
            assert_eq!(ring.submit(), Ok(16));
        }
        for user_data in 0..10 {
            assert_eq!(ring.pop().map(|cqe| cqe.user_data()), Some(user_data));
        }
        // Six are there, ten find room now, six more stay outside.
        assert_eq!(ring.wait(&wait_for(16, NEVER)), Ok(16));
        assert!(ring.cq_overflowed());
        assert_eq!(pop_all(&mut ring), (10..26).collect::<Vec<_>>());
        assert_eq!(ring.wait(&wait_for(6, NEVER)), Ok(6));
        assert!(!ring.cq_overflowed());
    }
}

#[test]
fn newer_completions_do_not_overtake_those_that_overflowed() {
    for mut ring in rings(4, 4) {
        for user_data in 0..6 {
            push_nop(&mut ring, user_data);
            assert_eq!(ring.submit(), Ok(1));
        }
        assert!(ring.cq_overflowed());
        let mut seen: Vec<u64> = (0..3)
            .map(|_| ring.pop().expect("four").user_data())
            .collect();
        ring.publish_head();
        // There is room in the queue now, but two wait outside: the newest goes behind them.
        push_nop(&mut ring, 6);
        assert_eq!(ring.submit(), Ok(1));
        while seen.len() < 7 {
            ring.wait(&wait_for(1, NEVER)).expect("brought");
            seen.extend(pop_all(&mut ring));
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
    }
}

#[test]
fn a_ring_dropped_with_overflowed_completions_lets_everything_go() {
    for mut ring in rings(4, 4) {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_poll_multishot(ours.as_raw_fd(), libc::POLLIN as u32);
        assert_eq!(ring.submit(), Ok(1));
        drop(ours);
        for user_data in 0..64 {
            push_nop(&mut ring, user_data);
            assert_eq!(ring.submit(), Ok(1));
        }
        assert!(ring.cq_overflowed());
        theirs.write_all(b"x").expect("written");
        drop(ring);
        end_of_stream(&mut theirs);
    }
}

#[test]
fn a_multishot_poll_that_overflows_loses_no_event_it_told() {
    // All are dropped at the end: the end of a ring interrupts waits of its thread.
    for ring in &mut rings(16, 16).collect::<Vec<_>>() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_poll_multishot(ours.as_raw_fd(), libc::POLLIN as u32)
            .set_user_data(1000);
        assert_eq!(ring.submit(), Ok(1));
        // 1. Nops leave no room, and then the poll has something to tell, more than once.
        for user_data in 0..16 {
            push_nop(ring, user_data);
        }
        assert_eq!(ring.submit(), Ok(16));
        for _ in 0..3 {
            theirs.write_all(b"x").expect("written");
            ring.wait(&Wait::default()).expect("entered");
        }
        // 2. It told at least once, in order, and ends by an event without `more`, or goes on.
        assert_eq!(pop_all(ring), (0..16).collect::<Vec<_>>());
        ring.wait(&wait_for(1, NEVER)).expect("brought");
        let mut told = 0;
        let mut goes_on = true;
        while let Some(cqe) = ring.pop() {
            assert!(goes_on, "nothing comes after the last");
            assert_eq!(cqe.user_data(), 1000);
            assert_ne!(cqe.result().expect("an event") & libc::POLLIN as u32, 0);
            goes_on = cqe.more();
            told += 1;
        }
        assert!(told >= 1);
        // 3. If it goes on, it tells the next event too.
        if goes_on {
            theirs.write_all(b"x").expect("written");
            ring.wait(&wait_for(1, NEVER)).expect("told");
            assert_eq!(ring.pop().map(|cqe| cqe.user_data()), Some(1000));
        }
    }
}

#[test]
fn skipped_successes_leave_no_completion_and_failures_do() {
    for mut ring in rings(16, 0) {
        let skip = SqeFlags::CQE_SKIP_SUCCESS;
        for user_data in 0..8 {
            push_nop(&mut ring, user_data);
        }
        assert_eq!(ring.submit(), Ok(8));
        assert_eq!(pop_all(&mut ring).len(), 8);
        // 1. Every other nop is skipped; a close that fails is told though it asked to be.
        for user_data in 0..8 {
            let sqe = ring.get_sqe().expect("room");
            sqe.prep_nop().set_user_data(user_data);
            if user_data % 2 == 0 {
                sqe.add_flags(skip);
            }
        }
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_close(-1).set_user_data(100).add_flags(skip);
        assert_eq!(ring.submit(), Ok(9));
        ring.wait(&wait_for(5, NEVER)).expect("waited");
        let cqes: Vec<_> = core::iter::from_fn(|| ring.pop()).collect();
        let seen: Vec<u64> = cqes.iter().map(|cqe| cqe.user_data()).collect();
        assert_eq!(seen, [1, 3, 5, 7, 100]);
        assert_eq!(cqes[4].result(), Err(Errno::EBADF));
        // 2. They do not count for a wait either.
        for _ in 0..4 {
            let sqe = ring.get_sqe().expect("room");
            sqe.prep_nop().add_flags(skip);
        }
        let limit = core::time::Duration::from_millis(1);
        assert_eq!(ring.enter_with(&wait_for(1, limit)), Ok(4));
        assert_eq!(ring.cq_ready(), 0);
    }
}

#[test]
fn skipped_successes_take_no_slot_of_a_full_cq() {
    for mut ring in rings(4, 4) {
        for user_data in 0..4 {
            push_nop(&mut ring, user_data);
        }
        assert_eq!(ring.submit(), Ok(4));
        for _ in 0..100 {
            let sqe = ring.get_sqe().expect("room");
            sqe.prep_nop().add_flags(SqeFlags::CQE_SKIP_SUCCESS);
            assert_eq!(ring.submit(), Ok(1));
        }
        assert!(!ring.cq_overflowed());
        assert_eq!(pop_all(&mut ring), [0, 1, 2, 3]);
    }
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    /// Any interleaving of filling, submitting, popping and waiting is a queue.
    #[test]
    fn whatever_is_done_in_whatever_order_completions_are_a_queue(
        steps in proptest::collection::vec((0_u8..5, any::<u8>()), 1..200),
        is_pinned in any::<bool>(),
    ) {
        let made = if is_pinned { pinned(8, 8) } else { Some(ring(8, 8)) };
        let Some(mut ring) = made else { return Ok(()) };
        let (mut next, mut queued, mut done) = (0, VecDeque::new(), VecDeque::new());
        for (step, count) in steps {
            match step {
                0 => for _ in 0..count % 9 {
                    if let Some(sqe) = ring.get_sqe() {
                        sqe.prep_nop().set_user_data(next);
                        queued.push_back(next);
                        next += 1;
                    }
                },
                1 => {
                    prop_assert_eq!(ring.submit(), Ok(queued.len() as u32));
                    done.append(&mut queued);
                }
                2 => for _ in 0..count % 9 {
                    if let Some(cqe) = ring.pop() {
                        prop_assert_eq!(Some(cqe.user_data()), done.pop_front());
                    }
                },
                3 => {
                    let ready = ring.wait(&Wait::default()).expect("entered");
                    prop_assert_eq!(ready as usize, done.len().min(8));
                }
                _ => ring.publish_head(),
            }
            prop_assert!(ring.cq_ready() as usize <= done.len());
            prop_assert_eq!(ring.sq_queued() as usize, queued.len());
            if ring.cq_overflowed() {
                prop_assert!(!done.is_empty());
            }
        }
    }
}

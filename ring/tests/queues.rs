//! The two queues at their limits: full, wrapping, overflowing.

use annulus_ring::{Errno, Ring, RingConfig};

fn ring(sq_entries: u32, cq_entries: u32) -> Ring {
    let config = RingConfig {
        sq_entries,
        cq_entries,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a ring")
}

fn push_nop(ring: &mut Ring, user_data: u64) {
    let sqe = ring.get_sqe().expect("room in the SQ");
    sqe.prep_nop().set_user_data(user_data);
}

#[test]
fn sizes_are_rounded_up_to_powers_of_two_and_cut_to_the_limit() {
    let small = ring(3, 0);
    assert_eq!((small.sq_capacity(), small.cq_capacity()), (4, 8));
    let large = ring(100_000, 0);
    assert_eq!((large.sq_capacity(), large.cq_capacity()), (32_768, 65_536));
}

#[test]
fn a_ring_of_no_entries_is_refused() {
    let config = RingConfig {
        sq_entries: 0,
        ..RingConfig::default()
    };
    assert_eq!(Ring::new(&config).map(drop), Err(Errno::EINVAL));
}

#[test]
fn a_full_sq_hands_out_nothing_until_the_kernel_has_consumed() {
    let mut ring = ring(4, 0);
    for user_data in 0..4 {
        assert_eq!(u64::from(ring.sq_space_left()), 4 - user_data);
        push_nop(&mut ring, user_data);
    }
    assert!(ring.get_sqe().is_none());
    assert_eq!(ring.sq_queued(), 4);
    assert_eq!(ring.submit(), Ok(4));
    assert_eq!(ring.sq_space_left(), 4);
    assert!(ring.get_sqe().is_some());
}

#[test]
fn an_entry_is_zeroed_when_it_is_handed_out_again() {
    let mut ring = ring(1, 0);
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_socket(1, 2, 3).set_user_data(4);
    ring.submit_and_wait(1).expect("submitted");
    let sqe = ring.get_sqe().expect("room");
    assert_eq!(sqe, &annulus_ring::Sqe::new());
}

#[test]
fn batches_keep_their_order_across_the_wrap_of_both_queues() {
    let mut ring = ring(8, 8);
    let mut sent = 0;
    let mut seen = 0;
    for batch in (1..=8).cycle().take(400) {
        for _ in 0..batch {
            push_nop(&mut ring, sent);
            sent += 1;
        }
        assert_eq!(ring.submit_and_wait(batch), Ok(batch));
        assert_eq!(ring.cq_ready(), batch);
        while let Some(cqe) = ring.pop() {
            assert_eq!(cqe.user_data(), seen);
            seen += 1;
        }
    }
    assert_eq!(seen, sent);
}

#[test]
fn popped_slots_go_back_when_the_head_is_published_and_not_before() {
    let mut ring = ring(4, 4);
    for user_data in 0..4 {
        push_nop(&mut ring, user_data);
    }
    ring.submit_and_wait(4).expect("submitted");
    // 1. All four are copied out, but the kernel does not know: a fifth finds no slot.
    for _ in 0..4 {
        ring.pop().expect("four are ready");
    }
    assert_eq!(ring.cq_ready(), 0);
    // 2. An enter publishes first, so the fifth finds one.
    push_nop(&mut ring, 4);
    ring.submit_and_wait(1).expect("submitted");
    assert!(!ring.cq_overflowed());
    assert_eq!(ring.pop().expect("a fifth").user_data(), 4);
}

#[test]
fn an_overflowing_cq_loses_nothing() {
    let mut ring = ring(4, 4);
    let total = 64;
    for user_data in 0..total {
        push_nop(&mut ring, user_data);
        ring.submit().expect("submitted");
    }
    assert!(ring.cq_overflowed());
    assert_eq!(ring.cq_ready(), 4);
    let mut seen = 0;
    while seen < total {
        ring.enter(1, None).expect("the rest is brought");
        while let Some(cqe) = ring.pop() {
            assert_eq!(cqe.user_data(), seen, "in order");
            seen += 1;
        }
    }
    ring.enter(0, None).expect("entered");
    assert!(!ring.cq_overflowed());
    assert!(ring.pop().is_none());
    assert_eq!((ring.cq_lost(), ring.sq_dropped()), (0, 0));
}

#[test]
fn without_the_array_entries_keep_their_order_too() {
    let config = RingConfig {
        sq_entries: 4,
        no_sqarray: true,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    for user_data in 0..30 {
        push_nop(&mut ring, user_data);
        if user_data % 3 == 2 {
            assert_eq!(ring.submit_and_wait(3), Ok(3));
            for want in user_data - 2..=user_data {
                assert_eq!(ring.pop().expect("ready").user_data(), want);
            }
        }
    }
}

#[test]
fn an_empty_sq_can_be_entered_and_running_out_of_time_is_no_error() {
    let mut ring = ring(4, 0);
    assert_eq!(ring.submit(), Ok(0));
    assert_eq!(ring.enter(0, None), Ok(0));
    let timeout = std::time::Duration::from_millis(1);
    assert_eq!(ring.enter(1, Some(timeout)), Ok(0));
    push_nop(&mut ring, 1);
    assert_eq!(ring.enter(2, Some(timeout)), Ok(1));
    assert_eq!(ring.cq_ready(), 1);
}

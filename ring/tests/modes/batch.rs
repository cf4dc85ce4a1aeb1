//! Reaping many completions at once.

use annulus_ring::{Cqe, Cqe32, MixedCqe, MixedCqes, Ring, RingConfig, Sqe};

use super::{if_known, push_nop, small};

fn ring() -> Ring {
    let config = RingConfig {
        sq_entries: 4,
        cq_entries: 8,
        ..small()
    };
    Ring::new(&config).expect("a ring")
}

fn post(ring: &mut Ring, numbers: std::ops::Range<u64>) {
    for number in numbers {
        push_nop(ring, number);
        ring.submit_and_wait(1).expect("submitted");
    }
}

#[test]
fn batches_of_every_size_keep_their_order_across_the_wrap() {
    let mut ring = ring();
    let (mut sent, mut seen) = (0, 0);
    let mut cqes = [Cqe::default(); 8];
    for round in 0..200 {
        let posted = 1 + round % 8;
        post(&mut ring, sent..sent + posted);
        sent += posted;
        for fit in 1..=8 {
            let reaped = ring.reap(&mut cqes[..fit]);
            assert_eq!(reaped, fit.min((sent - seen) as usize));
            for cqe in &cqes[..reaped] {
                assert_eq!(cqe.user_data(), seen);
                seen += 1;
            }
            if seen == sent {
                break;
            }
            assert_eq!(u64::from(ring.cq_ready()), sent - seen);
        }
        assert_eq!(ring.reap(&mut cqes), 0);
    }
    assert_eq!(seen, sent);
}

#[test]
fn what_does_not_fit_stays_for_the_next_batch() {
    let mut ring = ring();
    post(&mut ring, 0..5);
    let mut cqes = [Cqe::default(); 3];
    assert_eq!(ring.reap(&mut []), 0);
    assert_eq!(ring.reap(&mut cqes), 3);
    assert_eq!(ring.cq_ready(), 2);
    assert_eq!(ring.reap(&mut cqes), 2);
    assert_eq!((cqes[0].user_data(), cqes[1].user_data()), (3, 4));
    assert_eq!(ring.reap(&mut cqes), 0);
}

#[test]
fn a_batch_gives_its_slots_back_so_that_nothing_overflows() {
    let mut ring = ring();
    post(&mut ring, 0..8);
    assert_eq!(ring.completions().count(), 8);
    post(&mut ring, 8..16);
    assert!(!ring.cq_overflowed());
    let numbers: Vec<u64> = ring.completions().map(|cqe| cqe.user_data()).collect();
    assert_eq!(numbers, (8..16).collect::<Vec<_>>());
}

#[test]
fn an_iterator_that_is_left_early_leaves_the_rest() {
    let mut ring = ring();
    post(&mut ring, 0..6);
    let first: Vec<u64> = ring
        .completions()
        .take(2)
        .map(|cqe| cqe.user_data())
        .collect();
    assert_eq!(first, [0, 1]);
    drop(ring.completions());
    assert_eq!(ring.cq_ready(), 4);
    assert_eq!(
        ring.completions().last().map(|cqe| cqe.user_data()),
        Some(5)
    );
}

#[test]
fn overflowed_completions_come_in_batches_after_the_next_enter() {
    let mut ring = ring();
    for number in 0..20 {
        push_nop(&mut ring, number);
        ring.submit().expect("submitted");
    }
    assert!(ring.cq_overflowed());
    let mut seen = 0;
    while seen < 20 {
        let mut cqes = [Cqe::default(); 5];
        let reaped = ring.reap(&mut cqes);
        for cqe in &cqes[..reaped] {
            assert_eq!(cqe.user_data(), seen);
            seen += 1;
        }
        if reaped == 0 {
            ring.enter(1, None).expect("brought");
        }
    }
}

#[test]
fn wide_and_mixed_completions_come_in_batches_too() {
    let mut wide = Ring::<Sqe, Cqe32>::with_entries(&small()).expect("a ring");
    for round in 0..20 {
        for number in 0..5 {
            push_nop(&mut wide, round * 5 + number);
        }
        wide.submit_and_wait(5).expect("submitted");
        let mut cqes = [Cqe32::default(); 8];
        assert_eq!(wide.reap(&mut cqes), 5);
        for (number, cqe) in (0..).zip(&cqes[..5]) {
            assert_eq!(cqe.user_data(), round * 5 + number);
        }
    }
    let made = Ring::<Sqe, MixedCqes>::with_entries(&small());
    let Some(mut mixed) = if_known(made, "CQE_MIXED", "6.18") else {
        return;
    };
    for number in 0..5 {
        push_nop(&mut mixed, number);
    }
    mixed.submit_and_wait(5).expect("submitted");
    let mut cqes = [MixedCqe::default(); 8];
    assert_eq!(mixed.reap(&mut cqes), 5);
    assert_eq!(cqes[4].user_data(), 4);
}

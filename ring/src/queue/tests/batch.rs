//! Completions in batches: every head and tail, and every size of a batch.

use std::vec::Vec;

use core::sync::atomic::Ordering;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{ENTRIES, Fake};
use crate::Cqe;
use crate::queue::CompletionQueue;
use crate::ring::Completions;

/// Reaps at most `fit` completions; they are numbers that go on from `next`.
fn reap(cq: &mut CompletionQueue<Cqe>, fit: usize, next: u64) -> usize {
    let mut cqes = std::vec![Cqe::synthetic(u64::MAX, 0, 0); fit];
    let count = Completions::of(cq, false).copy_into(&mut cqes);
    for (place, cqe) in (0_u64..).zip(&cqes) {
        let filled = place < count as u64;
        let wanted = if filled { next + place } else { u64::MAX };
        assert_eq!(cqe.user_data(), wanted);
    }
    count
}

/// Posts `posted` completions at `start`, and reaps them `fit` at a time.
fn all_come_in_order(start: u32, posted: u32, fit: usize) {
    let fake = Fake::starting_at(start);
    // SAFETY: the map is dropped after the queue, and there is one.
    let mut cq = unsafe { CompletionQueue::<Cqe>::new(&fake.rings, &fake.params) };
    for number in 0..posted {
        fake.post(u64::from(number));
    }
    let mut seen = 0;
    while seen < posted {
        let count = reap(&mut cq, fit, u64::from(seen));
        assert_eq!(count, fit.min((posted - seen) as usize));
        seen += count as u32;
        // The head is published with the batch, not before and not after.
        let head = fake.head.load(Ordering::Relaxed);
        assert_eq!(head, start.wrapping_add(seen));
    }
    assert_eq!(reap(&mut cq, fit, 0), 0);
    assert_eq!(cq.ready(), 0);
}

#[test]
fn every_head_tail_and_size_of_a_batch_around_the_wrap() {
    let mut cases = 0;
    for back in 0..3 * ENTRIES {
        for start in [0_u32.wrapping_sub(back), back, (1 << 31) - back] {
            for posted in 0..=ENTRIES {
                for fit in 1..=ENTRIES as usize + 1 {
                    all_come_in_order(start, posted, fit);
                    cases += 1;
                }
            }
        }
    }
    assert_eq!(cases, 12 * 3 * 5 * 5);
}

proptest! {
    #[test]
    fn batches_mix_with_single_completions_and_with_a_kernel_that_posts_meanwhile(
        start in any::<u32>(),
        steps in proptest::collection::vec((0_u8..4, 0_usize..6), 0..200),
    ) {
        let fake = Fake::starting_at(start);
        // SAFETY: the map is dropped after the queue, and there is one.
        let mut cq = unsafe { CompletionQueue::<Cqe>::new(&fake.rings, &fake.params) };
        let (mut posted, mut seen) = (0_u64, 0_u64);
        for (step, size) in steps {
            let there = (posted - seen) as usize;
            match step {
                0 => {
                    let head = fake.head.load(Ordering::Acquire);
                    let used = fake.tail.load(Ordering::Relaxed).wrapping_sub(head);
                    for _ in 0..size.min((ENTRIES - used) as usize) {
                        fake.post(posted);
                        posted += 1;
                    }
                }
                1 => {
                    let count = reap(&mut cq, size, seen);
                    prop_assert_eq!(count, size.min(there));
                    seen += count as u64;
                }
                2 => {
                    // 1. What is posted after an iterator was made does not belong to it.
                    let mut batch = Completions::of(&mut cq, false);
                    let head = fake.head.load(Ordering::Acquire);
                    if fake.tail.load(Ordering::Relaxed).wrapping_sub(head) < ENTRIES {
                        fake.post(posted);
                        posted += 1;
                    }
                    // 2. Leaving it early leaves the rest.
                    let taken: Vec<u64> =
                        batch.by_ref().take(size).map(|cqe| cqe.user_data()).collect();
                    let wanted = seen..seen + size.min(there) as u64;
                    prop_assert_eq!(taken, wanted.clone().collect::<Vec<_>>());
                    seen = wanted.end;
                    // 3. Nothing is given back before it is dropped.
                    prop_assert_eq!(fake.head.load(Ordering::Relaxed), head);
                    drop(batch);
                }
                _ => {
                    let popped = cq.pop().map(|cqe| cqe.user_data());
                    prop_assert_eq!(popped, (there > 0).then_some(seen));
                    seen += u64::from(there > 0);
                    cq.publish();
                }
            }
            prop_assert_eq!(u64::from(cq.ready()), posted - seen);
            let head = fake.head.load(Ordering::Relaxed);
            prop_assert_eq!(head, start.wrapping_add(seen as u32));
        }
    }
}

#[test]
fn a_forked_child_reaps_nothing_and_publishes_nothing() {
    let fake = Fake::starting_at(7);
    // SAFETY: the map is dropped after the queue, and there is one.
    let mut cq = unsafe { CompletionQueue::<Cqe>::new(&fake.rings, &fake.params) };
    fake.post(1);
    let mut cqes = [Cqe::default(); 2];
    assert_eq!(Completions::of(&mut cq, true).copy_into(&mut cqes), 0);
    assert_eq!(fake.head.load(Ordering::Relaxed), 7);
}

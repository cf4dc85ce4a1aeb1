//! Entries one at a time, of one size.

use std::collections::VecDeque;
use std::vec::Vec;

use core::sync::atomic::Ordering;
use proptest::prelude::{prop_assert_eq, proptest};

use super::{ENTRIES, Fake, start};
use crate::queue::{CompletionQueue, SubmissionQueue};
use crate::{Cqe, Sqe};

proptest! {
    #[test]
    fn the_kernel_consumes_what_was_filled_in_order(
        start in start(),
        steps in proptest::collection::vec(0_u8..3, 0..200),
    ) {
        let fake = Fake::starting_at(start);
        // SAFETY: the maps are dropped after the queue, and there is one.
        let mut sq = unsafe { SubmissionQueue::<Sqe>::new(&fake.rings, &fake.slots, &fake.params) };
        let (mut next, mut filled, mut published) = (0, VecDeque::new(), 0);
        for step in steps {
            match step {
                0 => match sq.next() {
                    Some(sqe) => {
                        prop_assert_eq!(&*sqe, &Sqe::new());
                        sqe.set_user_data(next);
                        filled.push_back(next);
                        next += 1;
                    }
                    None => prop_assert_eq!(filled.len(), ENTRIES as usize),
                },
                1 => {
                    prop_assert_eq!(sq.publish() as usize, filled.len());
                    published = filled.len();
                }
                _ => {
                    let head = fake.head.load(Ordering::Relaxed);
                    let visible = fake.tail.load(Ordering::Relaxed).wrapping_sub(head);
                    prop_assert_eq!(visible as usize, published);
                    if published > 0 {
                        prop_assert_eq!(Some(fake.sqe_at(head)), filled.pop_front());
                        fake.head.store(head.wrapping_add(1), Ordering::Release);
                        published -= 1;
                    }
                }
            }
            prop_assert_eq!(sq.queued() as usize, filled.len());
        }
    }

    #[test]
    fn what_the_kernel_posts_is_popped_in_order(
        start in start(),
        steps in proptest::collection::vec(0_u8..3, 0..200),
    ) {
        let fake = Fake::starting_at(start);
        // SAFETY: the map is dropped after the queue, and there is one.
        let mut cq = unsafe { CompletionQueue::<Cqe>::new(&fake.rings, &fake.params) };
        let (mut next, mut posted, mut held) = (0, VecDeque::new(), 0);
        for step in steps {
            match step {
                0 => {
                    // The kernel sees no free slot while we hold popped ones back.
                    let head = fake.head.load(Ordering::Acquire);
                    let used = fake.tail.load(Ordering::Relaxed).wrapping_sub(head);
                    prop_assert_eq!(used as usize, posted.len() + held);
                    if used < ENTRIES {
                        fake.post(next);
                        posted.push_back(next);
                        next += 1;
                    }
                }
                1 => {
                    held += usize::from(!posted.is_empty());
                    prop_assert_eq!(cq.pop().map(|cqe| cqe.user_data()), posted.pop_front());
                }
                _ => {
                    cq.publish();
                    held = 0;
                }
            }
            prop_assert_eq!(cq.ready() as usize, posted.len());
        }
    }

    #[test]
    fn only_what_is_not_published_is_changed(
        start in start(),
        published in 0_u64..=4,
        more in 0_u64..=4,
    ) {
        let fake = Fake::starting_at(start);
        // SAFETY: the maps are dropped after the queue, and there is one.
        let mut sq = unsafe { SubmissionQueue::<Sqe>::new(&fake.rings, &fake.slots, &fake.params) };
        let fill = |sq: &mut SubmissionQueue<Sqe>, numbers: core::ops::Range<u64>| {
            for number in numbers {
                if let Some(sqe) = sq.next() {
                    sqe.set_user_data(number);
                }
            }
        };
        fill(&mut sq, 0..published);
        sq.publish();
        fill(&mut sq, published..published + more);
        let mut seen = Vec::new();
        sq.each_unpublished(|sqe| seen.push(sqe.user_data()));
        let end = (published + more).min(u64::from(ENTRIES));
        prop_assert_eq!(seen, (published..end).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_in_the_queues_moves_over_to_larger_and_smaller_ones(
        start in start(),
        published in 0_u64..=4,
        more in 0_u64..=4,
        to_entries in proptest::sample::select(Vec::from([ENTRIES, 4 * ENTRIES])),
    ) {
        let from = Fake::starting_at(start);
        // SAFETY: the maps are dropped after the queue, and there is one.
        let mut sq = unsafe { SubmissionQueue::<Sqe>::new(&from.rings, &from.slots, &from.params) };
        let total = (published + more).min(u64::from(ENTRIES));
        for number in 0..total {
            sq.next().expect("room").set_user_data(number);
            if number + 1 == published {
                sq.publish();
            }
        }
        // The kernel sets the words of the new queue, and nothing else.
        let to = Fake::of(to_entries, start);
        to.tail.store(from.tail.load(Ordering::Relaxed), Ordering::Relaxed);
        // SAFETY: as above.
        let mut moved = unsafe { SubmissionQueue::<Sqe>::new(&to.rings, &to.slots, &to.params) };
        moved.take_over(&sq);
        prop_assert_eq!(u64::from(moved.queued()), total);
        let mut unpublished = Vec::new();
        moved.each_unpublished(|sqe| unpublished.push(sqe.user_data()));
        prop_assert_eq!(unpublished, (published.min(total)..total).collect::<Vec<_>>());
        moved.publish();
        let slots = to.slots.at::<Sqe>(0, to_entries as usize);
        for number in 0..total {
            let slot = start.wrapping_add(number as u32) % to_entries;
            // SAFETY: below the number of slots.
            let sqe = unsafe { slots.add(slot as usize) };
            // SAFETY: published, so nobody writes there.
            prop_assert_eq!(unsafe { sqe.as_ref() }.user_data(), number);
        }

        let from = Fake::starting_at(start);
        (0..published).for_each(|number| from.post(number));
        // SAFETY: the map is dropped after the queue, and there is one.
        let mut cq = unsafe { CompletionQueue::<Cqe>::new(&from.rings, &from.params) };
        let popped = cq.pop().map_or(0, |_| 1);
        cq.publish();
        let to = Fake::of(to_entries, start);
        to.head.store(from.head.load(Ordering::Relaxed), Ordering::Relaxed);
        to.tail.store(from.tail.load(Ordering::Relaxed), Ordering::Relaxed);
        // SAFETY: as above.
        let mut moved = unsafe { CompletionQueue::<Cqe>::new(&to.rings, &to.params) };
        moved.take_over(&cq);
        let rest = core::iter::from_fn(|| moved.pop()).map(|cqe| cqe.user_data());
        prop_assert_eq!(rest.collect::<Vec<_>>(), (popped..published).collect::<Vec<_>>());
    }
}

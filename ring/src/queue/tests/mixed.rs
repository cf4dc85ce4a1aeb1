//! Queues with entries of both sizes, and with wide ones only.

use std::collections::VecDeque;
use std::vec::Vec;

use annulus_syscalls::io_uring::cqe_flags::{IORING_CQE_F_32, IORING_CQE_F_SKIP};
use core::sync::atomic::Ordering;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{ARRAY_OR_CQES, ENTRIES, Fake, start};
use crate::queue::{CompletionQueue, SubmissionQueue};
use crate::ring::Completions;
use crate::{
    COMMAND_BYTES, Cqe, Cqe32, MixedCqe, MixedCqes, MixedSqes, Opcode, Sqe, Sqe128, SqeFlags,
};

impl Fake {
    /// How many slots of the CQ the kernel may fill.
    fn free(&self) -> u32 {
        let head = self.head.load(Ordering::Acquire);
        ENTRIES - self.tail.load(Ordering::Relaxed).wrapping_sub(head)
    }

    /// Fills the next slot of a CQ of 16 bytes, without showing it.
    fn fill(&self, ahead: u32, cqe: Cqe) {
        let at = self.tail.load(Ordering::Relaxed).wrapping_add(ahead);
        let slots = self
            .rings
            .at::<Cqe>(ARRAY_OR_CQES as usize, ENTRIES as usize);
        // SAFETY: the index is masked, and there are as many slots.
        let slot = unsafe { slots.add((at % ENTRIES) as usize) };
        // SAFETY: free, as `head` has passed it.
        unsafe { slot.write(cqe) };
    }

    fn show(&self, count: u32) {
        let tail = self.tail.load(Ordering::Relaxed);
        self.tail.store(tail.wrapping_add(count), Ordering::Release);
    }

    /// Posts a wide completion as the kernel does, with a gap if it would go round the end;
    /// whether there was room.
    fn post_wide(&self, user_data: u64) -> bool {
        let at_the_end = self.tail.load(Ordering::Relaxed) % ENTRIES == ENTRIES - 1;
        let gap = u32::from(at_the_end);
        if self.free() < 2 + gap {
            return false;
        }
        if at_the_end {
            self.fill(0, Cqe::synthetic(u64::MAX, -1, IORING_CQE_F_SKIP));
        }
        self.fill(gap, Cqe::synthetic(user_data, 0, IORING_CQE_F_32));
        self.fill(gap + 1, Cqe::synthetic(!user_data, 0, 0));
        self.show(2 + gap);
        true
    }

    /// The slot of the SQ that the kernel would consume `ahead` of its head.
    fn slot_at(&self, ahead: u32) -> (u32, Sqe) {
        let index = self.head.load(Ordering::Relaxed).wrapping_add(ahead) % ENTRIES;
        let slots = self.slots.at::<Sqe>(0, ENTRIES as usize);
        // SAFETY: the index is masked, and there are as many slots.
        let slot = unsafe { slots.add(index as usize) };
        // SAFETY: published, so nobody writes there.
        (index, unsafe { slot.as_ref() }.clone())
    }
}

proptest! {
    #[test]
    fn plain_and_wide_completions_come_in_order_and_gaps_never(
        start in start(),
        steps in proptest::collection::vec(0_u8..5, 0..300),
    ) {
        let fake = Fake::starting_at(start);
        // SAFETY: the map is dropped after the queue, and there is one.
        let mut cq = unsafe { CompletionQueue::<MixedCqes>::new(&fake.rings, &fake.params) };
        let (mut next, mut posted) = (0_u64, VecDeque::new());
        let as_posted = |cqe: MixedCqe| (cqe.user_data(), cqe.extra().map(|extra| extra[0]));
        for step in steps {
            match step {
                0 if fake.free() > 0 => {
                    fake.post(next);
                    posted.push_back((next, None));
                    next += 1;
                }
                1 | 2 if fake.post_wide(next) => {
                    posted.push_back((next, Some(!next)));
                    next += 1;
                }
                3 => {
                    prop_assert_eq!(cq.pop().map(as_posted), posted.pop_front());
                    cq.publish();
                }
                4 => {
                    let mut cqes = [MixedCqe::default(); 3];
                    let count = Completions::of(&mut cq, false).copy_into(&mut cqes);
                    prop_assert_eq!(count, posted.len().min(3));
                    for cqe in &cqes[..count] {
                        prop_assert_eq!(Some(as_posted(*cqe)), posted.pop_front());
                    }
                }
                _ => {}
            }
            prop_assert!(cq.ready() as usize >= posted.len());
        }
        let rest: Vec<_> = Completions::of(&mut cq, false).map(as_posted).collect();
        prop_assert_eq!(rest, Vec::from(posted));
        prop_assert_eq!(cq.ready(), 0);
        prop_assert_eq!(fake.free(), ENTRIES);
    }

    #[test]
    fn entries_of_one_and_two_slots_are_consumed_in_order_and_none_goes_round_the_end(
        start in start(),
        steps in proptest::collection::vec(0_u8..4, 0..300),
    ) {
        let fake = Fake::starting_at(start);
        // SAFETY: the maps are dropped after the queue, and there is one.
        let mut sq =
            unsafe { SubmissionQueue::<MixedSqes>::new(&fake.rings, &fake.slots, &fake.params) };
        let (mut next, mut filled) = (1_u64, VecDeque::new());
        for step in steps {
            match step {
                0 => {
                    if let Some(sqe) = sq.next() {
                        prop_assert_eq!(&*sqe, &Sqe::new());
                        sqe.set_user_data(next);
                        filled.push_back((next, Opcode::NOP));
                        next += 1;
                    }
                }
                1 | 2 => {
                    if let Some(sqe) = sq.next_wide() {
                        prop_assert_eq!(sqe.command(), [0; COMMAND_BYTES]);
                        sqe.set_user_data(next);
                        let opcode = if step == 1 {
                            Opcode::NOP128
                        } else {
                            // SAFETY: no kernel reads it.
                            unsafe { sqe.prep_uring_cmd128(1, 2, 3, &[0xee; COMMAND_BYTES]) };
                            Opcode::URING_CMD128
                        };
                        filled.push_back((next, opcode));
                        next += 1;
                    }
                }
                _ => {
                    // The kernel consumes everything.
                    let mut left = sq.publish();
                    while left > 0 {
                        let (index, sqe) = fake.slot_at(0);
                        let slots = sqe.opcode().slots();
                        let is_padding = sqe.user_data() == 0;
                        if is_padding {
                            prop_assert_eq!(index, ENTRIES - 1);
                            prop_assert_eq!(sqe.opcode(), Opcode::NOP);
                            prop_assert_eq!(sqe.flags(), SqeFlags::CQE_SKIP_SUCCESS);
                        } else {
                            let wanted = filled.pop_front();
                            prop_assert_eq!(Some((sqe.user_data(), sqe.opcode())), wanted);
                        }
                        prop_assert!(slots == 1 || index < ENTRIES - 1);
                        if sqe.opcode() == Opcode::URING_CMD128 {
                            prop_assert_eq!(fake.slot_at(1).1.user_data(), u64::MAX / 255 * 0xee);
                        }
                        let head = fake.head.load(Ordering::Relaxed);
                        fake.head.store(head.wrapping_add(slots), Ordering::Release);
                        left -= slots;
                    }
                    prop_assert!(filled.is_empty());
                }
            }
            let slots: u32 = filled.iter().map(|(_, opcode)| opcode.slots()).sum();
            prop_assert!(sq.queued() >= slots && sq.queued() <= slots + 1);
        }
    }

    #[test]
    fn entries_and_completions_of_one_wide_size_keep_their_order(
        start in start(),
        counts in proptest::collection::vec(1_u32..=ENTRIES, 0..40),
    ) {
        let submissions = Fake::starting_at(start);
        let completions = Fake::starting_at(start);
        let (rings, slots, params) = (&submissions.rings, &submissions.slots, &submissions.params);
        // SAFETY: the maps are dropped after the queue, and there is one.
        let mut sq = unsafe { SubmissionQueue::<Sqe128>::new(rings, slots, params) };
        // SAFETY: as above.
        let mut cq =
            unsafe { CompletionQueue::<Cqe32>::new(&completions.rings, &completions.params) };
        let mut next = 0_u64;
        for count in counts {
            for number in next..next + u64::from(count) {
                let sqe = sq.next().expect("room");
                prop_assert_eq!(&*sqe, &Sqe128::new());
                sqe.set_user_data(number);
            }
            prop_assert_eq!(sq.publish(), count);
            for number in next..next + u64::from(count) {
                let head = submissions.head.load(Ordering::Relaxed);
                let all = submissions.slots.at::<Sqe128>(0, ENTRIES as usize);
                // SAFETY: the index is masked, and there are as many slots.
                let slot = unsafe { all.add((head % ENTRIES) as usize) };
                // SAFETY: published, so nobody writes there.
                prop_assert_eq!(unsafe { slot.as_ref() }.user_data(), number);
                submissions.head.store(head.wrapping_add(1), Ordering::Release);
                let tail = completions.tail.load(Ordering::Relaxed);
                let all = completions
                    .rings
                    .at::<Cqe32>(ARRAY_OR_CQES as usize, ENTRIES as usize);
                // SAFETY: the index is masked, and there are as many slots.
                let slot = unsafe { all.add((tail % ENTRIES) as usize) };
                let cqe = Cqe32::synthetic(Cqe::synthetic(number, 0, 0), [number; 2]);
                // SAFETY: free, as `head` has passed it.
                unsafe { slot.write(cqe) };
                completions.show(1);
            }
            for number in next..next + u64::from(count) {
                let cqe = cq.pop().expect("posted");
                prop_assert_eq!((cqe.user_data(), cqe.extra()), (number, [number; 2]));
            }
            cq.publish();
            next += u64::from(count);
        }
    }
}

#[test]
fn half_a_wide_completion_is_not_taken() {
    // No kernel shows one half; if one did, nothing beyond would be read.
    for start in 0..ENTRIES {
        let fake = Fake::starting_at(start);
        // SAFETY: the map is dropped after the queue, and there is one.
        let mut cq = unsafe { CompletionQueue::<MixedCqes>::new(&fake.rings, &fake.params) };
        fake.fill(0, Cqe::synthetic(5, 0, IORING_CQE_F_32));
        fake.show(1);
        assert!(cq.pop().is_none());
        assert_eq!(cq.ready(), 1);
        fake.fill(0, Cqe::synthetic(6, 0, 0));
        fake.show(1);
        assert_eq!(cq.pop().and_then(|cqe| cqe.extra()), Some([6, 0]));
    }
}

#[test]
fn a_gap_is_passed_over_even_where_nothing_follows() {
    let fake = Fake::starting_at(0);
    // SAFETY: the map is dropped after the queue, and there is one.
    let mut cq = unsafe { CompletionQueue::<MixedCqes>::new(&fake.rings, &fake.params) };
    fake.fill(0, Cqe::synthetic(1, 0, IORING_CQE_F_SKIP));
    let wide_gap = IORING_CQE_F_SKIP | IORING_CQE_F_32;
    fake.fill(1, Cqe::synthetic(2, 0, wide_gap));
    fake.show(3);
    assert!(cq.pop().is_none());
    assert_eq!(cq.ready(), 0);
}

#[test]
fn an_sq_of_two_slots_gets_over_its_end() {
    let mut fake = Fake::starting_at(1);
    fake.params.sq_entries = 2;
    // SAFETY: the maps are dropped after the queue, and there is one.
    let mut sq =
        unsafe { SubmissionQueue::<MixedSqes>::new(&fake.rings, &fake.slots, &fake.params) };
    assert!(sq.next_wide().is_none(), "the last slot is left out");
    assert_eq!(sq.publish(), 1);
    fake.head.store(2, Ordering::Release);
    assert!(sq.next_wide().is_some());
    assert_eq!(sq.publish(), 2);
}

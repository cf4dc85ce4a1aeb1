//! The wrapping cursor, for every position of head and tail.

use annulus_ring::Cursor;
use proptest::prelude::{any, prop_assert_eq, proptest};

proptest! {
    #[test]
    fn what_was_added_is_the_distance(start: u32, count: u32) {
        let head = Cursor::new(start);
        prop_assert_eq!(head.plus(count).distance_from(head), count);
    }

    #[test]
    fn steps_add_up_wherever_they_start(start: u32, first: u32, second: u32) {
        let head = Cursor::new(start);
        prop_assert_eq!(head.plus(first).plus(second), head.plus(first.wrapping_add(second)));
    }

    #[test]
    fn consecutive_positions_have_consecutive_slots(start: u32, log_size in 0_u32..=15) {
        let mask = (1 << log_size) - 1;
        let here = Cursor::new(start);
        let next = here.plus(1).slot(mask);
        prop_assert_eq!(next, (here.slot(mask) + 1) & mask as usize);
    }

    #[test]
    fn a_queue_behaves_as_a_queue_at_any_position(
        start in any::<u32>(),
        steps in proptest::collection::vec(any::<bool>(), 0..64),
    ) {
        // The model: a queue of eight slots, filled at its tail and emptied at its head.
        let mask = 7;
        let (mut head, mut tail) = (Cursor::new(start), Cursor::new(start));
        let mut slots = [0; 8];
        let mut model = std::collections::VecDeque::new();
        for (step, is_push) in steps.into_iter().enumerate() {
            if is_push && tail.distance_from(head) <= mask {
                slots[tail.slot(mask)] = step;
                tail = tail.plus(1);
                model.push_back(step);
            } else if !is_push && tail != head {
                prop_assert_eq!(Some(slots[head.slot(mask)]), model.pop_front());
                head = head.plus(1);
            }
            prop_assert_eq!(tail.distance_from(head) as usize, model.len());
        }
    }
}

#[test]
fn every_head_and_tail_around_the_wrap_has_the_right_distance() {
    let around = || (-40_i64..=40).map(|at| at.rem_euclid(1 << 32) as u32);
    for head in around() {
        for (count, tail) in (0..80).map(|count| (count, head.wrapping_add(count))) {
            assert_eq!(Cursor::new(tail).distance_from(Cursor::new(head)), count);
            assert_eq!(Cursor::new(head).plus(count).raw(), tail);
        }
    }
}

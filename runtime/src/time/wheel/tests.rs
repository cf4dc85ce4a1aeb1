//! The wheel against a sorted map of what waits.
#![forbid(unsafe_code)]

use super::{Key, LEVELS, Wheel};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A wheel, and the same entries in a map. The value of an entry is its number.
#[derive(Default)]
struct Pair {
    wheel: Option<Wheel<u64>>,
    /// (deadline, number) to key: deadlines in order, insertions in order.
    waiting: BTreeMap<(u64, u64), Key>,
    inserted: u64,
    removed: bool,
}

impl Pair {
    fn wheel(&mut self) -> &mut Wheel<u64> {
        self.wheel.get_or_insert_with(Wheel::new)
    }

    fn insert(&mut self, deadline: u64) {
        let number = self.inserted;
        self.inserted += 1;
        let due = deadline.max(self.wheel().elapsed());
        let key = self.wheel().insert(deadline, number);
        self.waiting.insert((due, number), key);
        self.check();
    }

    fn remove(&mut self, nth: usize) {
        if self.waiting.is_empty() {
            return;
        }
        let nth = nth % self.waiting.len();
        let (&(due, number), &key) = self.waiting.iter().nth(nth).unwrap();
        self.waiting.remove(&(due, number));
        assert_eq!(self.wheel().remove(key), number);
        self.removed = true;
        self.check();
    }

    fn advance(&mut self, now: u64) {
        let now = now.max(self.wheel().elapsed());
        let later = match now.checked_add(1) {
            Some(next) => self.waiting.split_off(&(next, 0)),
            None => BTreeMap::new(),
        };
        let due = std::mem::replace(&mut self.waiting, later);
        let due: Vec<u64> = due.into_keys().map(|(_, number)| number).collect();
        let mut fired = Vec::new();
        self.wheel().advance(now, &mut |number| fired.push(number));
        assert_eq!(fired, due);
        assert_eq!(self.wheel().elapsed(), now);
        self.check();
    }

    /// Moves from expiration to expiration until nothing waits.
    fn run_out(&mut self) {
        let mut turns = 0;
        while let Some(next) = self.wheel().next_expiration() {
            self.advance(next);
            turns += 1;
        }
        assert!(self.waiting.is_empty());
        // Each early wake-up moves a slot down at least one level.
        assert!(turns <= self.inserted * (LEVELS as u64 + 2));
    }

    fn check(&mut self) {
        let earliest = self.waiting.keys().next().map(|&(due, _)| due);
        let next = self.wheel().next_expiration();
        assert_eq!(next.is_some(), earliest.is_some());
        assert!(next <= earliest, "{next:?} is late for {earliest:?}");
        assert!(
            self.removed || next == earliest,
            "{next:?} is early for {earliest:?}"
        );
        assert_eq!(self.wheel().len(), self.waiting.len());
    }
}

/// Ticks of every magnitude, and those beside the boundaries of the levels.
fn ticks() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (any::<u64>(), 0..64).prop_map(|(bits, shift)| bits >> shift),
        2 => 0..200_u64,
        1 => (0..11_u32, -1..=1_i64).prop_map(|(level, beside)| {
            64_u64.saturating_pow(level).saturating_add_signed(beside)
        }),
        1 => Just(u64::MAX),
    ]
}

#[derive(Clone, Debug)]
enum Act {
    InsertAt(u64),
    InsertIn(u64),
    Remove(usize),
    Advance(u64),
    AdvanceToNext,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => ticks().prop_map(Act::InsertAt),
        4 => ticks().prop_map(Act::InsertIn),
        2 => any::<usize>().prop_map(Act::Remove),
        2 => ticks().prop_map(Act::Advance),
        2 => Just(Act::AdvanceToNext),
    ];
    prop::collection::vec(act, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn fires_what_a_sorted_map_would_fire(start in ticks(), acts in acts()) {
        let mut pair = Pair::default();
        pair.advance(start >> 1);
        for act in acts {
            let elapsed = pair.wheel().elapsed();
            match act {
                Act::InsertAt(tick) => pair.insert(tick),
                Act::InsertIn(ticks) => pair.insert(elapsed.saturating_add(ticks)),
                Act::Remove(nth) => pair.remove(nth),
                // A step that stays far from the end leaves room for the rest.
                Act::Advance(ticks) => pair.advance(elapsed.saturating_add(ticks >> 8)),
                Act::AdvanceToNext => {
                    let next = pair.wheel().next_expiration();
                    next.into_iter().for_each(|next| pair.advance(next));
                }
            }
        }
        pair.run_out();
    }
}

#[test]
fn fires_at_each_boundary_of_each_level_and_not_a_tick_before() {
    let sides = |tick: u64| [tick.saturating_sub(1), tick, tick.saturating_add(1)];
    let bounds: Vec<u64> = (0..=11)
        .flat_map(|level| sides(64_u64.saturating_pow(level)))
        .collect();
    for &start in &bounds {
        for &deadline in bounds.iter().filter(|&&deadline| deadline > start) {
            let mut pair = Pair::default();
            pair.advance(start);
            pair.insert(deadline);
            pair.advance(deadline - 1);
            assert_eq!(pair.wheel().len(), 1);
            pair.advance(deadline);
            assert_eq!(pair.wheel().len(), 0);
        }
    }
}

#[test]
fn an_entry_that_is_due_already_fires_at_the_next_advance() {
    let mut pair = Pair::default();
    pair.advance(100);
    pair.insert(40);
    pair.insert(100);
    assert_eq!(pair.wheel().next_expiration(), Some(100));
    pair.advance(0);
    assert_eq!(pair.wheel().len(), 0);
    assert_eq!(pair.wheel().elapsed(), 100);
}

#[test]
fn entries_of_one_tick_fire_in_the_order_of_insertion_across_levels() {
    let mut pair = Pair::default();
    for now in [0, 1, 63, 64, 4_000, 4_096, 8_000, 8_190] {
        pair.advance(now);
        pair.insert(8_191);
        pair.insert(8_191);
    }
    pair.run_out();
}

#[test]
fn a_long_timer_costs_one_wake_up() {
    let mut wheel = Wheel::new();
    wheel.insert(1 << 40, ());
    assert_eq!(wheel.next_expiration(), Some(1 << 40));
}

#[test]
fn removing_the_earliest_leaves_an_early_expiration_that_heals() {
    let mut wheel = Wheel::new();
    let earliest = wheel.insert(5_000, 1);
    wheel.insert(6_000, 2);
    wheel.remove(earliest);
    assert_eq!(wheel.next_expiration(), Some(5_000));
    wheel.advance(5_000, &mut |value| panic!("{value} fired"));
    assert_eq!(wheel.next_expiration(), Some(6_000));
}

#[test]
fn a_panic_in_fire_leaves_the_rest_in_the_wheel() {
    let mut wheel = Wheel::new();
    for value in 1..=3 {
        wheel.insert(7, value);
    }
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wheel.advance(10, &mut |_| panic!("a waker that panics"));
    }));
    assert!(caught.is_err());
    let mut fired = Vec::new();
    wheel.advance(10, &mut |value| fired.push(value));
    assert_eq!(fired, [2, 3]);
}

#[test]
#[should_panic(expected = "the timer is in no wheel")]
fn removing_twice_panics() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(1, ());
    wheel.remove(key);
    wheel.remove(key);
}

//! Pseudo-random numbers from a printed seed.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// splitmix64: every seed gives its own sequence, and a failing one can be given again.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Takes the seed from `ANNULUS_SEED`, else from the system, and prints it.
    pub fn new(what: &str) -> Self {
        let seed = match std::env::var("ANNULUS_SEED") {
            Ok(text) => text.parse().expect("ANNULUS_SEED is a number"),
            Err(_) => RandomState::new().hash_one(what),
        };
        println!("{what}: ANNULUS_SEED={seed}");
        Self(seed)
    }

    /// Goes on from a number that another sequence gave; prints nothing.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    ///
    /// # Panics
    ///
    /// If `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// One of `things`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len() as u64) as usize]
    }
}

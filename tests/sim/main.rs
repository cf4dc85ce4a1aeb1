//! The promises that a world of its own can test: each has a scenario, which runs under many
//! seeds, in a process for each. Times are asserted, for they are simulated.
//!
//! `ANNULUS_SEED=<seed> cargo test -p annulus-tests --test sim <scenario>` replays one.
#![expect(
    clippy::redundant_closure,
    reason = "`seeds` finds the test by where its closure stands"
)]

mod accepts;
mod closes;
mod drops;
mod durations;
mod enters;
mod failures;
mod guards;
mod homes;
mod panics;
mod queues;
mod reads;
mod rearms;
mod replay;
mod scenario;
mod shares;
mod shortage;
mod shutdowns;
mod writes;

use annulus::sim::Alloc;
use annulus_tests::Quarantine;

annulus::sim_install!();

/// Sees in every scenario what is freed while an operation has it, and writes into what is freed.
#[global_allocator]
static HEAP: Alloc<Quarantine> = Alloc::over(Quarantine::new(4 << 20));

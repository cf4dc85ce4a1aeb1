//! What a NOP costs, alone and in batches, beside the `io-uring` crate in the same run.
//!
//!     cargo bench -p annulus-ring --bench nop
//!
//! First the comparison: rounds of both by turns, so that noise of the machine meets both, and the
//! ratio of each pair of rounds. Then divan's figures of each by itself.

use std::hint::black_box;
use std::time::Instant;

use annulus_ring::{Ring, RingConfig};
use divan::Bencher;
use io_uring::{IoUring, opcode};

const ENTRIES: u32 = 64;
/// NOPs of one round: some milliseconds.
const ROUND_NOPS: u32 = 8192;
/// Pairs of rounds; odd, so that the median is one of them.
const PAIRS: usize = 101;
const BATCHES: [u32; 2] = [1, 32];

/// One of the two ways to run NOPs.
trait Nops {
    /// Submits `batch` NOPs, waits for them, and takes their completions.
    fn round_trip(&mut self, batch: u32);
}

impl Nops for Ring {
    fn round_trip(&mut self, batch: u32) {
        for user_data in 0..batch {
            let sqe = self.get_sqe().expect("room");
            sqe.prep_nop().set_user_data(u64::from(user_data));
        }
        self.submit_and_wait(batch).expect("submitted");
        for _ in 0..batch {
            let cqe = self.pop().expect("waited for");
            black_box(cqe.user_data());
        }
    }
}

impl Nops for IoUring {
    fn round_trip(&mut self, batch: u32) {
        // One view of each queue per batch: the crate synchronises when it is made and dropped.
        let mut submission = self.submission();
        for user_data in 0..batch {
            let entry = opcode::Nop::new().build().user_data(u64::from(user_data));
            // SAFETY: a NOP lends no memory.
            unsafe { submission.push(&entry) }.expect("room");
        }
        drop(submission);
        self.submit_and_wait(batch as usize).expect("submitted");
        let mut completion = self.completion();
        for _ in 0..batch {
            let cqe = completion.next().expect("waited for");
            black_box(cqe.user_data());
        }
    }
}

/// A ring whose thread is its only one, as both are set up here.
fn annulus() -> Ring {
    let config = RingConfig {
        sq_entries: ENTRIES,
        pinned: true,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a ring")
}

fn io_uring_crate() -> IoUring {
    let mut builder = IoUring::builder();
    builder
        .setup_clamp()
        .setup_submit_all()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_single_issuer()
        .setup_defer_taskrun();
    builder.build(ENTRIES).expect("a ring")
}

/// Nanoseconds per NOP of one round.
fn round_ns(nops: &mut impl Nops, batch: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUND_NOPS / batch {
        nops.round_trip(batch);
    }
    start.elapsed().as_nanos() as f64 / f64::from(ROUND_NOPS)
}

/// The value below which a share of the sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn compare(batch: u32) {
    let (mut ours, mut theirs) = (annulus(), io_uring_crate());
    for _ in 0..3 {
        round_ns(&mut ours, batch);
        round_ns(&mut theirs, batch);
    }
    let mut costs = [Vec::new(), Vec::new(), Vec::new()];
    for pair in 0..PAIRS {
        // Whoever goes first changes, so that being first helps neither.
        let (our_ns, their_ns) = if pair % 2 == 0 {
            let our_ns = round_ns(&mut ours, batch);
            (our_ns, round_ns(&mut theirs, batch))
        } else {
            let their_ns = round_ns(&mut theirs, batch);
            (round_ns(&mut ours, batch), their_ns)
        };
        costs[0].push(our_ns);
        costs[1].push(their_ns);
        costs[2].push(our_ns / their_ns);
    }
    let [our_ns, their_ns, ratio] = costs.map(|mut values| {
        values.sort_by(f64::total_cmp);
        [0.5, 0.05, 0.95].map(|share| quantile(&values, share))
    });
    println!(
        "{batch:>5} {:>9.1} ns {:>9.1} ns {:>9.3} ({:.3} to {:.3})",
        our_ns[0], their_ns[0], ratio[0], ratio[1], ratio[2],
    );
}

#[divan::bench(args = BATCHES)]
fn annulus_ring(bencher: Bencher<'_, '_>, batch: u32) {
    let mut ring = annulus();
    bencher.bench_local(|| ring.round_trip(batch));
}

#[divan::bench(args = BATCHES)]
fn io_uring(bencher: Bencher<'_, '_>, batch: u32) {
    let mut ring = io_uring_crate();
    bencher.bench_local(|| ring.round_trip(batch));
}

fn main() {
    println!("a NOP: medians of {PAIRS} rounds by turns, and of their paired ratios (5 to 95 %)");
    println!("batch      annulus     io-uring    paired");
    for batch in BATCHES {
        compare(batch);
    }
    divan::main();
}

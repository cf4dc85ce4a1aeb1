//! What the scenarios share: how many seeds, what varies with them, and what holds at the end of
//! each.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use annulus::runtime::RecvMode;
use annulus::sim::{Fault, Faults, Sim, Totals};
use annulus::task::yield_now;
use annulus_tests::{Random, percent, stress};

/// Scenarios that add their seeds up.
pub(crate) const SCENARIOS: &[&str] = &[
    "accepts",
    "reads",
    "drops",
    "freed memory",
    "shutdowns",
    "writes",
    "queues",
    "enters",
    "lasting errors",
    "panics",
    "shortage",
    "shares",
    "scarce buffers",
    "rearms",
    "durations",
    "closes",
    "homes",
    "failures",
];
/// Seeds of a full run over all scenarios.
const SEEDS: u64 = 10_000;
/// How often each kind of fault has to be injected in a full run.
const INJECTED: u64 = 1_000;
/// Operations that each seed has to run.
const OPERATIONS: u64 = 1_000;
/// How often each op has to be used in a full run.
const USED: u64 = 1_000;

/// A result of software on a host.
pub(crate) type Fallible<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Seeds of one scenario in this run.
pub(crate) fn count() -> u64 {
    stress(SEEDS.div_ceil(SCENARIOS.len() as u64))
}

/// What differs from seed to seed in every scenario: how many workers a host has, and how it
/// receives.
pub(crate) fn vary(sim: &mut Sim) -> Random {
    let mut random = Random::new("scenario");
    let mode = random.pick(&[RecvMode::Base, RecvMode::Hot]);
    sim.workers(random.pick(&[1, 4]));
    sim.runtime(move |builder| {
        builder.recv_mode(mode);
    });
    sim.duration_max(Duration::from_secs(600));
    random
}

/// Faults that a program need not know of: everything it asks for is done all the same.
pub(crate) fn hidden(per_mille: u32) -> Faults {
    let told = [
        Fault::Reset,
        Fault::Partition,
        Fault::ClockJump,
        Fault::FileFull,
        Fault::FileFails,
        Fault::AcceptNoDescriptors,
        Fault::AcceptAborted,
    ];
    let mut faults = Faults::none();
    for fault in Fault::ALL.iter().filter(|fault| !told.contains(fault)) {
        faults.set(*fault, per_mille);
    }
    faults
}

/// Ends the hosts' runtimes, and asserts what holds at the end of every seed.
pub(crate) fn end(sim: &mut Sim, hosts: &[&str]) {
    for host in hosts {
        sim.stop(host);
    }
    annulus_tests::nothing_in_flight("all hosts are stopped");
    operated(sim);
}

/// Asserts that the seed was worth its name, and that nobody wrote into freed memory.
pub(crate) fn operated(sim: &mut Sim) {
    let stats = annulus::stats();
    sim.count("operations", stats.sqes);
    sim.count("stale completions", stats.stale_cqes);
    sim.count("bytes received by operations", stats.hot_recv_bytes);
    assert!(
        stats.sqes >= OPERATIONS,
        "a seed of {} operations",
        stats.sqes
    );
    assert_eq!(
        crate::HEAP.inner().changed(),
        0,
        "freed blocks were written to"
    );
}

/// Polls a future, and then again after each of so many yields; drops it if it waits still.
pub(crate) async fn within<F: Future>(yields: u64, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    for turn in 0..=yields {
        if let std::task::Poll::Ready(output) = futures::poll!(future.as_mut()) {
            return Some(output);
        }
        if turn < yields {
            yield_now().await;
        }
    }
    None
}

/// Adds up what the seeds of a scenario counted, of which each seed has to have given so much on
/// average: below it the hazard hardly occurred. Whoever comes last looks at all of it.
pub(crate) fn add_up(scenario: &'static str, totals: &Totals, least: &[(&str, u64)]) {
    static ALL: Mutex<(BTreeSet<&str>, Totals)> = Mutex::new((BTreeSet::new(), Totals::new()));
    if std::env::var_os("ANNULUS_SEED").is_some() {
        return;
    }
    println!("{scenario}: {} seeds: {totals}", count());
    for (what, least) in least {
        let got = totals.count(what);
        assert!(
            got >= least * count(),
            "only {got} {what}, {least} a seed are wanted"
        );
    }
    assert!(SCENARIOS.contains(&scenario), "{scenario} is not listed");
    let mut all = ALL.lock().expect("a scenario failed while it added up");
    all.0.insert(scenario);
    all.1.add(totals);
    if all.0.len() == SCENARIOS.len() {
        look_at(&all.1);
    }
}

fn look_at(totals: &Totals) {
    println!("all scenarios: {totals}");
    let least = |full: u64| full * percent() / 100;
    let missed: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|&fault| totals.injected(fault) < least(INJECTED))
        .collect();
    let unused: Vec<String> = ops()
        .into_iter()
        .filter(|op| totals.count(op) < least(USED))
        .collect();
    assert!(
        missed.is_empty() && unused.is_empty(),
        "faults that were hardly injected: {missed:?}; ops that were hardly used: {unused:?}"
    );
}

/// The op files there are: those of the folder that implement the trait for a type of theirs.
pub(crate) fn ops() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/src/op");
    let mut ops = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the op folder is there") {
        let path = entry.expect("the folder lists itself").path();
        let name = path.file_stem().expect("an entry has a name");
        let is_op = std::fs::read_to_string(&path).is_ok_and(|text| {
            text.lines()
                .any(|line| line.starts_with("unsafe impl") && line.contains(" Op for "))
        });
        if is_op && name != "tests" {
            ops.insert(name.to_string_lossy().into_owned());
        }
    }
    assert!(ops.len() > 10, "this is not the op folder: {ops:?}");
    ops
}

//! One test under many seeds.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::{Fault, Sim};

/// The variable that names the seed to run.
const SEED: &str = "ANNULUS_SEED";

/// What happened under all seeds together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(BTreeMap<String, u64>);

impl Totals {
    /// How often a fault was injected.
    #[must_use]
    pub fn injected(&self, fault: Fault) -> u64 {
        self.count(&format!("{fault:?}"))
    }

    /// What was [counted](Sim::count) under this name.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Adds those of another test.
    pub fn add(&mut self, other: &Totals) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_insert(0) += count;
        }
    }

    fn of(sim: &Sim) -> Totals {
        let injected = sim.injected();
        let faults = Fault::ALL
            .iter()
            .map(|&fault| (format!("{fault:?}"), injected.injected(fault)));
        let counts = sim.counts.iter().map(|(&what, &by)| (what.to_owned(), by));
        Totals(faults.chain(counts).collect())
    }

    /// Takes in what a child has printed of its seed.
    fn read(&mut self, seed: u64, text: &str) {
        let prefix = format!("seed {seed}: counted ");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
        for (count, what) in lines.filter_map(|line| line.split_once(' ')) {
            let count: u64 = count.parse().expect("a child prints numbers");
            *self.0.entry(what.to_owned()).or_insert(0) += count;
        }
    }

    fn print(&self, seed: u64) {
        for (what, count) in self.0.iter().filter(|(_, count)| **count > 0) {
            println!("seed {seed}: counted {count} {what}");
        }
    }
}

/// Runs `test` in the world of each seed below `count`, each in a process of its own, as many at
/// once as there are processors. With the variable `ANNULUS_SEED` set it runs that seed alone, in
/// this process.
///
/// Answers how often each fault was injected, and what the test has counted.
///
/// `test` builds the world and runs it; it fails by panicking. Call this from a `#[test]` function
/// as the only thing it does: the processes run the test of that name again.
///
/// ```no_run
/// # use annulus::sim::{Sim, seeds};
/// #[test]
/// fn the_chat_delivers_every_message() {
///     seeds(10_000, |sim| {
///         sim.client("client", async { Ok(()) });
///         sim.run().unwrap();
///     });
/// }
/// ```
///
/// # Panics
///
/// When a seed fails: the message names it, shows what its process printed, and how to replay it.
#[track_caller]
pub fn seeds<F>(count: u64, test: F) -> Totals
where
    F: Fn(&mut Sim),
{
    if let Ok(text) = std::env::var(SEED) {
        let seed = text.parse().unwrap_or_else(|_| {
            panic!(
                "{SEED} must be a number from 0 to {}, not {text:?}",
                u64::MAX
            )
        });
        let mut sim = Sim::new(seed);
        test(&mut sim);
        let totals = Totals::of(&sim);
        totals.print(seed);
        println!("seed {seed}: trace {:016x}", sim.trace());
        return totals;
    }
    let name = test_name(std::any::type_name::<F>());
    let at_once = std::thread::available_parallelism().map_or(1, |count| count.get());
    let mut totals = Totals::default();
    let mut running = std::collections::VecDeque::new();
    for seed in 0..count {
        if running.len() == at_once {
            finish(
                &name,
                running.pop_front().expect("there are some"),
                &mut totals,
            );
        }
        running.push_back((seed, start(&name, seed)));
    }
    for child in running {
        finish(&name, child, &mut totals);
    }
    totals
}

fn start(name: &str, seed: u64) -> std::process::Child {
    let program = std::env::current_exe().expect("the test's own program");
    Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test's own program starts")
}

#[track_caller]
fn finish(name: &str, (seed, child): (u64, std::process::Child), totals: &mut Totals) {
    let output = child.wait_with_output().expect("a child is waited for");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let ran = text.contains(&format!("seed {seed}: trace"));
    assert!(
        output.status.success() && ran,
        "seed {seed} failed ({}). To replay it: {SEED}={seed} cargo test {name}\n{text}{errors}",
        output.status,
    );
    totals.read(seed, &text);
}

/// The name of the test whose closure has this type: `program::module::test::{{closure}}`.
fn test_name(closure: &str) -> String {
    let path = closure.split("::{{closure}}").next().unwrap_or(closure);
    let (_program, test) = path.split_once("::").unwrap_or(("", path));
    test.to_owned()
}

#[cfg(test)]
mod tests {
    use super::test_name;

    #[test]
    fn the_closure_names_its_test() {
        assert_eq!(test_name("chat::tests::it::{{closure}}"), "tests::it");
        assert_eq!(test_name("chat::it::{{closure}}::{{closure}}"), "it");
    }
}

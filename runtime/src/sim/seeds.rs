//! One test under many seeds.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, Stdio};

use super::{Fault, Sim};

/// The variable that names the seed to run.
const SEED: &str = "ANNULUS_SEED";

/// What happened under all seeds together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(BTreeMap<String, u64>);

impl Totals {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Totals {
        Totals(BTreeMap::new())
    }

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
        // The first stands behind the name of the test, with which the harness begins a line.
        let lines = text.lines().filter_map(|line| line.split_once(&prefix));
        let lines = lines.map(|(_, counted)| counted);
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

/// Of so many seeds one is run twice, and both runs are compared.
const TWICE_EVERY: u64 = 16;

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (what, count)) in self.0.iter().enumerate() {
            let separator = if place > 0 { ", " } else { "" };
            write!(f, "{separator}{count} {what}")?;
        }
        Ok(())
    }
}

/// Runs `test` in the world of each seed below `count`, each in a process of its own, as many at
/// once as there are processors. Every sixteenth seed, the first among them, is run twice, and
/// both runs must have the same [`trace`](Sim::trace): a program whose runs differ could not be
/// replayed. With the variable `ANNULUS_SEED` set it runs that seed alone, in this process.
///
/// Answers how often each fault was injected, and what the test has counted, each seed once.
///
/// `test` builds the world and runs it; it fails by panicking. Call this as the only thing that a
/// `#[test]` function does, or `main`: the processes run that function again.
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
/// When two runs of a seed differ. When `ANNULUS_SEED` is not a number.
#[track_caller]
pub fn seeds<F>(count: u64, test: F) -> Totals
where
    F: Fn(&mut Sim),
{
    if let Some(seed) = seed_of_variable().unwrap_or_else(|error| panic!("{error}")) {
        let mut sim = Sim::new(seed);
        test(&mut sim);
        let totals = Totals::of(&sim);
        totals.print(seed);
        println!("{}{:016x}", trace_line(seed), sim.trace());
        return totals;
    }
    let again = Again::find(std::any::type_name::<F>());
    let at_once = std::thread::available_parallelism().map_or(1, |count| count.get());
    let mut running = VecDeque::new();
    let mut done = Done::default();
    for seed in 0..count {
        for _ in 0..1 + u64::from(seed % TWICE_EVERY == 0) {
            if running.len() == at_once {
                let (seed, child) = running.pop_front().expect("there are some");
                again.finish(seed, child, &mut done);
            }
            running.push_back((seed, again.start(seed)));
        }
    }
    for (seed, child) in running {
        again.finish(seed, child, &mut done);
    }
    done.totals
}

/// The seed that the variable names.
///
/// # Errors
///
/// `InvalidInput` if it is no number.
pub(super) fn seed_of_variable() -> io::Result<Option<u64>> {
    let Some(text) = std::env::var_os(SEED) else {
        return Ok(None);
    };
    let seed = text.to_str().and_then(|text| text.parse().ok());
    let wrong = || {
        let problem = format!(
            "{SEED} must be a number from 0 to {}, not {text:?}",
            u64::MAX
        );
        io::Error::new(io::ErrorKind::InvalidInput, problem)
    };
    seed.map(Some).ok_or_else(wrong)
}

/// What stands before the trace in what a run prints.
fn trace_line(seed: u64) -> String {
    format!("seed {seed}: trace ")
}

/// What has come of the runs so far.
#[derive(Default)]
struct Done {
    totals: Totals,
    /// The last seed, and the trace of its run.
    last: Option<(u64, String)>,
}

/// How this program is started again, so that it runs the same test and nothing else.
struct Again {
    arguments: Vec<OsString>,
    /// For a person.
    command: String,
}

impl Again {
    /// `closure`: the type of what was given to [`seeds`], which names the function it stands in.
    fn find(closure: &str) -> Again {
        let thread = std::thread::current();
        // The harness names each test's thread after it, unless it runs them on its own.
        let test = match thread.name() {
            Some(name) if name != "main" => name.to_owned(),
            _ => test_name(closure),
        };
        if test == "main" {
            let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
            let shown: Vec<String> = std::env::args().collect();
            return Again {
                arguments,
                command: shown.join(" "),
            };
        }
        let command = format!("cargo test {test} -- --exact --nocapture");
        let mut arguments = vec![OsString::from(test)];
        let options = [
            "--exact",
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ];
        arguments.extend(options.map(OsString::from));
        Again { arguments, command }
    }

    fn start(&self, seed: u64) -> Child {
        let program = std::env::current_exe().expect("the program's own path");
        Command::new(program)
            .args(&self.arguments)
            .env(SEED, seed.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts again")
    }

    /// Waits for a run, and compares it with the one before if that was of the same seed.
    #[track_caller]
    fn finish(&self, seed: u64, child: Child, done: &mut Done) {
        let output = child.wait_with_output().expect("a child is waited for");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let command = &self.command;
        let (_, trace) = text.split_once(&trace_line(seed)).unwrap_or_default();
        assert!(
            output.status.success() && !trace.is_empty(),
            "seed {seed} failed ({}). To replay it: {SEED}={seed} {command}\n{text}{errors}",
            output.status,
        );
        let trace = trace.lines().next().unwrap_or_default().to_owned();
        if let Some((_, other)) = done.last.take().filter(|(other, _)| *other == seed) {
            assert!(
                trace == other,
                "seed {seed} does not replay: one run ended with trace {other}, another with \
                 {trace}. Something in the test asks what the simulation does not decide: threads \
                 of its own, static counters, addresses, the real file system. To run it: \
                 {SEED}={seed} {command}"
            );
        } else {
            done.totals.read(seed, &text);
        }
        done.last = Some((seed, trace));
    }
}

/// The name of the function in which a closure of this type stands: `program::module::test`.
fn test_name(closure: &str) -> String {
    let path = closure.split("::{{closure}}").next().unwrap_or(closure);
    let (_program, test) = path.split_once("::").unwrap_or(("", path));
    test.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Totals, test_name};

    #[test]
    fn what_a_child_has_counted_is_read_behind_the_name_of_its_test_too() {
        let mut totals = Totals::new();
        let text = "\nrunning 1 test\ntest it ... seed 3: counted 2 one\nseed 3: counted 5 other\n";
        totals.read(3, text);
        assert_eq!((totals.count("one"), totals.count("other")), (2, 5));
    }

    #[test]
    fn the_closure_names_its_test() {
        assert_eq!(test_name("chat::tests::it::{{closure}}"), "tests::it");
        assert_eq!(test_name("chat::it::{{closure}}::{{closure}}"), "it");
    }
}

//! Ends a simulation whose one thread does not come back.
//!
//! All hosts run on one thread. A closure that waits for what another host or task has still to do
//! waits for ever, and no simulated clock can tell, for it stands. So a second thread looks at the
//! real one.
#![forbid(unsafe_code)]

use std::io::Write;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Real time after which a step that has not ended is taken for one that never will.
const STEP_MAX: Duration = Duration::from_secs(10);
/// How often the thread looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at one simulation while it lives.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    seed: u64,
    /// Counts two for each: as it begins, and as it ends.
    steps: AtomicU64,
    /// Steps that run, each but the first in the one before.
    running: AtomicU64,
    /// What runs.
    runs: Mutex<Runs>,
    ended: AtomicBool,
}

/// What a step does.
#[derive(Clone, Default)]
struct Runs {
    host: String,
    /// Where a blocking closure was spawned; None while a worker polls its tasks.
    site: Option<&'static Location<'static>>,
}

/// A step that runs.
pub(super) struct Step<'a>(&'a Shared);

impl Watch {
    /// # Panics
    ///
    /// If the system has no thread for it.
    pub(super) fn start(seed: u64) -> Watch {
        let shared = Arc::new(Shared {
            seed,
            steps: AtomicU64::new(0),
            running: AtomicU64::new(0),
            runs: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new().name("annulus-sim-watch".to_owned());
        let thread = thread
            .spawn(move || watched.look())
            .expect("a thread that watches the simulation");
        Watch {
            shared,
            thread: Some(thread),
        }
    }

    /// A step begins: it may take so much real time, and no more.
    pub(super) fn step(&self, host: &str) -> Step<'_> {
        host.clone_into(&mut self.shared.lock().host);
        self.shared.running.fetch_add(1, Ordering::Release);
        self.shared.steps.fetch_add(1, Ordering::Release);
        Step(&self.shared)
    }
}

impl Step<'_> {
    /// It is a closure that was spawned there.
    pub(super) fn runs_closure(&self, site: &'static Location<'static>) {
        self.0.lock().site = Some(site);
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Release);
        self.0.steps.fetch_add(1, Ordering::Release);
        self.0.lock().site = None;
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) {
        // A real clock: this thread does not simulate.
        let mut seen = (self.steps.load(Ordering::Acquire), Instant::now());
        while !self.ended.load(Ordering::Acquire) {
            thread::park_timeout(LOOK_EVERY);
            let steps = self.steps.load(Ordering::Acquire);
            if steps != seen.0 || self.running.load(Ordering::Acquire) == 0 {
                seen = (steps, Instant::now());
            } else if seen.1.elapsed() >= STEP_MAX {
                self.abort();
            }
        }
    }

    fn abort(&self) -> ! {
        let Runs { host, site } = self.lock().clone();
        let what = match site {
            Some(site) => format!("the blocking closure that was spawned at {site}"),
            None => "a task, or what it calls,".to_owned(),
        };
        let seed = self.seed;
        let line = format!(
            "seed {seed}: on host {host:?} {what} has not returned for {STEP_MAX:?} of real time. \
             All hosts run on this one thread, so whatever it waits for cannot happen. To replay \
             it, run the same test with ANNULUS_SEED={seed}\n"
        );
        // Not by a macro of std's: a test's harness would keep what that prints, and end with us.
        let _ = std::io::stderr().write_all(line.as_bytes());
        std::process::abort()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

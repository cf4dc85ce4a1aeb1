//! A world of one host, for programs that know nothing of it: whoever blocks on one of its
//! runtimes steps them all.
//!
//! ```text
//!   Builder::build --> the world of this thread, a new one if it has none
//!   block_on       --> steps: workers, blocking closures, the future itself; else moves the clock
//!   the last of its runtimes goes --> the world ends, the thread is as ever
//! ```
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use annulus_ring::Kernel;
use annulus_ring::kernel::{Faults, Installed, Network, SimulatedWorld};

use super::steps::{Root, Stepped, Steps};
use super::{NO_HOOKS, seeds};
use crate::context;
use crate::runtime::scheduler::{Flavor, Scheduler};
use crate::runtime::{Handle, worker};

/// The host's name.
const NAME: &str = "localhost";
/// What a host may have open: as much as a program that means many connections asks for.
const DESCRIPTORS_MAX: usize = 1 << 20;

/// What a stream takes in at least.
const WINDOW_BYTES_MIN: usize = 4096;

thread_local! {
    /// The world that this thread is in.
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

struct Here {
    alone: Weak<Alone>,
    _installed: Installed,
}

pub(crate) struct Alone {
    seed: u64,
    steps: Steps,
    kernel: Kernel,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    runtimes: Vec<Weak<Scheduler>>,
    /// Who steps.
    driver: Option<ThreadId>,
    /// Runtimes of one thread that somebody blocks on: the innermost last.
    driven: Vec<u64>,
}

impl Alone {
    /// The world of this thread; a new one if it has none.
    ///
    /// # Errors
    ///
    /// Without the hooks, or descriptors; if ANNULUS_SEED is no number.
    pub(crate) fn here_or_new() -> io::Result<Arc<Alone>> {
        match Alone::here() {
            Some(alone) => Ok(alone),
            None => Alone::new(),
        }
    }

    /// The world of this thread.
    pub(crate) fn here() -> Option<Arc<Alone>> {
        let here = HERE.try_with(|here| Some(here.borrow().as_ref()?.alone.upgrade()));
        here.ok().flatten().flatten()
    }

    fn new() -> io::Result<Arc<Alone>> {
        if !Installed::works() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, NO_HOOKS));
        }
        let seed = seeds::seed_of_variable()?.unwrap_or(0);
        // A program that knows nothing of windows need not send its megabytes one by one.
        let network = Network {
            window_bytes_min: WINDOW_BYTES_MIN,
            ..Network::default()
        };
        let world = SimulatedWorld::new(seed, network, Faults::none())?;
        let host = world.add_host(NAME);
        host.set_descriptors_max(DESCRIPTORS_MAX);
        // The clock of the thread that watches is a real one, so this is before the hooks.
        let steps = Steps::new(world, seed);
        let alone = Arc::new(Alone {
            seed,
            steps,
            kernel: Kernel::Simulated(host),
            state: Mutex::default(),
        });
        alone.stay();
        Ok(alone)
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// A runtime of this world was made.
    pub(crate) fn add(&self, scheduler: &Arc<Scheduler>) {
        let mut state = self.state();
        state.runtimes.retain(|known| known.strong_count() > 0);
        state.runtimes.push(Arc::downgrade(scheduler));
    }

    // ---- Threads ------------------------------------------------------------------------

    /// Puts this thread into this world for as long as it lasts: what a program does between one
    /// `block_on` and the next belongs to it as well.
    fn stay(self: &Arc<Alone>) {
        let before = HERE.with(RefCell::take);
        // One whose runtimes ended elsewhere.
        drop(before);
        let here = self.here_from_now();
        HERE.with(|place| place.replace(Some(here)));
    }

    fn here_from_now(self: &Arc<Alone>) -> Here {
        Here {
            alone: Arc::downgrade(self),
            _installed: self.steps.world.visit(self.seed),
        }
    }

    /// Puts this thread into this world until the guard goes.
    pub(crate) fn visit(self: &Arc<Alone>) -> Visit {
        let at_home = Alone::here().is_some_and(|here| Arc::ptr_eq(&here, self));
        Visit {
            before: (!at_home)
                .then(|| HERE.with(|place| place.replace(Some(self.here_from_now())))),
        }
    }

    // ---- Blocking -----------------------------------------------------------------------

    /// Runs a future to its end, and steps everything else meanwhile. `with_core`: as the thread
    /// that drives the only core of its runtime, and is its worker `index` or none.
    #[track_caller]
    pub(crate) fn block_on<F: Future>(
        self: &Arc<Alone>,
        handle: &Handle,
        with_core: bool,
        index: Option<usize>,
        future: F,
    ) -> F::Output {
        assert!(
            context::may_block() && !context::is_turning(),
            "{}",
            context::NESTED
        );
        let site = Location::caller();
        let _visit = self.visit();
        let _driving = Driving::begin(self, handle, with_core);
        let _entered = context::enter(handle.clone());
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut future = pin!(future);
        let mut output = None;
        loop {
            let runtimes = self.runtimes();
            let stepped: Vec<Stepped<'_>> = runtimes.iter().map(Runs::stepped).collect();
            let mut poll = || {
                woken.0.store(false, Ordering::Release);
                let future = future.as_mut();
                let mut ended = None;
                let poll = || {
                    let polled = worker::poll_root(handle.scheduler(), future, &waker);
                    if let Poll::Ready(value) = polled {
                        ended = Some(value);
                    }
                };
                if with_core {
                    worker::poll_with_core(handle, index, poll);
                } else {
                    let _mark = context::forbid_blocking();
                    poll();
                }
                output = ended;
            };
            let root = woken.0.load(Ordering::Acquire).then_some(Root {
                name: NAME,
                poll: &mut poll,
            });
            let went_on = self.steps.go_on(&stepped, root, u64::MAX);
            if let Some(output) = output {
                return output;
            }
            match went_on {
                Ok(true) => {}
                Ok(false) => self.fail(&format!(
                    "nothing is left that could happen, but the future that is blocked on at \
                     {site} waits: no task of the runtime is ready, no operation or packet under \
                     way, no timer set. Other threads, sockets of std, signals and processes are \
                     no part of a simulated world, and nobody waits for them"
                )),
                Err(text) => self.fail(&text),
            }
        }
    }

    #[track_caller]
    fn fail(&self, text: &str) -> ! {
        let seed = self.seed;
        panic!("ANNULUS_KERNEL=simulated, ANNULUS_SEED={seed}: {text}")
    }

    /// What can be stepped now.
    fn runtimes(&self) -> Vec<Runs> {
        let state = self.state();
        let live = state.runtimes.iter().filter_map(Weak::upgrade);
        live.map(|scheduler| {
            let has_threads = scheduler.flavor() == Flavor::MultiThread;
            let is_driven = has_threads || state.driven.contains(&scheduler.id());
            Runs {
                workers: if is_driven { scheduler.workers() } else { 0 },
                handle: Handle::new(scheduler),
            }
        })
        .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.steps.world.end();
        let _ = HERE.try_with(|place| {
            let own = |here: &Here| here.alone.upgrade().is_none();
            let ended = place
                .try_borrow_mut()
                .ok()
                .and_then(|mut here| here.take_if(|here| own(here)));
            drop(ended);
        });
    }
}

/// While it lives this thread is in another world than before, or in the same.
pub(crate) struct Visit {
    before: Option<Option<Here>>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            // The inner guard of the hooks goes before the outer.
            drop(HERE.with(RefCell::take));
            HERE.with(|place| *place.borrow_mut() = before);
        }
    }
}

struct Runs {
    handle: Handle,
    workers: usize,
}

impl Runs {
    fn stepped(&self) -> Stepped<'_> {
        Stepped {
            name: NAME,
            handle: &self.handle,
            workers: self.workers,
        }
    }
}

/// This thread steps, until it goes.
struct Driving<'a> {
    alone: &'a Alone,
    /// The driver is further out on this thread.
    nested: bool,
    with_core: bool,
}

impl Driving<'_> {
    #[track_caller]
    fn begin<'a>(alone: &'a Alone, handle: &Handle, with_core: bool) -> Driving<'a> {
        let me = thread::current().id();
        let nested = {
            let mut state = alone.state();
            let nested = state.driver == Some(me);
            if state.driver.is_none() || nested {
                state.driver = Some(me);
                if with_core {
                    state.driven.push(handle.scheduler().id());
                }
                Some(nested)
            } else {
                None
            }
        };
        let Some(nested) = nested else {
            alone.fail(
                "a second thread blocks on a runtime of this world while another does: one thread \
                 runs all that is simulated. Spawn a task instead of a thread",
            )
        };
        Driving {
            alone,
            nested,
            with_core,
        }
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        let mut state = self.alone.state();
        if self.with_core {
            state.driven.pop();
        }
        if !self.nested {
            state.driver = None;
        }
    }
}

/// Whether the future that is blocked on is to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

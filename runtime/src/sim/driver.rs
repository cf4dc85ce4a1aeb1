//! The hosts of a simulation: how they begin, go on, and end.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use annulus_ring::Kernel;
use annulus_ring::kernel::{Faults, Installed, Network, Simulated, SimulatedWorld};

use super::inside::Mark;
use super::steps::{Stepped, Steps};
use super::{Configure, Outcome, Software};
use crate::runtime::{Builder, Runtime};
use crate::task::JoinHandle;

/// How much simulated time may pass, unless the test says otherwise.
const DURATION_MAX: Duration = Duration::from_secs(3600);
/// Workers of each host, unless the test says otherwise.
const WORKERS: usize = 2;

pub(super) struct Driver {
    pub(super) seed: u64,
    steps: Steps,
    machines: Vec<Machine>,
    /// Of hosts that are added from now on.
    pub(super) settings: Settings,
    started_ns: u64,
    end_ns: u64,
    /// Last: what ends with the machines still asks the world.
    _installed: Installed,
    _mark: Mark,
}

/// How a host is.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) workers: usize,
    /// Of its runtime.
    pub(super) configure: Configure,
    pub(super) descriptors_max: Option<usize>,
}

struct Machine {
    name: String,
    kernel: Simulated,
    software: Software,
    is_client: bool,
    settings: Settings,
    running: Option<Running>,
    /// Its software has ended well.
    done: bool,
}

impl Machine {
    /// Whether the simulation waits for it: not for a host, nor for a client that was
    /// stopped.
    fn is_awaited(&self) -> bool {
        self.is_client && !self.done && self.running.is_some()
    }

    fn stepped(&self) -> Option<Stepped<'_>> {
        let running = self.running.as_ref()?;
        Some(Stepped {
            name: &self.name,
            handle: running.runtime.handle(),
            workers: self.settings.workers,
        })
    }
}

struct Running {
    main: Option<JoinHandle<Outcome>>,
    runtime: Runtime,
}

impl Driver {
    #[track_caller]
    pub(super) fn new(seed: u64) -> Driver {
        assert!(Installed::works(), "{}", super::NO_HOOKS);
        let world = SimulatedWorld::new(seed, Network::default(), Faults::none())
            .expect("a descriptor for the world");
        let steps = Steps::new(world.clone(), seed);
        let installed = world.install(seed);
        let started_ns = world.now_ns();
        Driver {
            seed,
            steps,
            machines: Vec::new(),
            settings: Settings {
                workers: WORKERS,
                configure: Rc::new(|_| ()),
                descriptors_max: None,
            },
            started_ns,
            end_ns: started_ns + DURATION_MAX.as_nanos() as u64,
            _installed: installed,
            _mark: Mark::new(seed),
        }
    }

    pub(super) fn set_network(&mut self, network: Network) {
        self.steps.world.set_network(network);
    }

    pub(super) fn set_faults(&mut self, faults: &Faults) {
        self.steps.world.set_faults(faults);
    }

    pub(super) fn set_duration_max(&mut self, duration: Duration) {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.end_ns = self.started_ns.saturating_add(duration_ns);
    }

    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.steps.world.now_ns() - self.started_ns)
    }

    pub(super) fn faults(&self) -> Faults {
        self.steps.world.faults()
    }

    pub(super) fn trace(&self) -> u64 {
        self.steps.world.trace()
    }

    // ---- Hosts --------------------------------------------------------------------------

    #[track_caller]
    pub(super) fn add(&mut self, name: &str, software: Software, is_client: bool) {
        let taken = self.machines.iter().any(|machine| machine.name == name);
        assert!(!taken, "there is a host {name:?} in this world already");
        let settings = self.settings.clone();
        let kernel = self.steps.world.add_host(name);
        if let Some(descriptors) = settings.descriptors_max {
            kernel.set_descriptors_max(descriptors);
        }
        self.machines.push(Machine {
            name: name.to_owned(),
            kernel,
            software,
            is_client,
            settings,
            running: None,
            done: false,
        });
        self.start(name);
    }

    /// The address of a host.
    #[track_caller]
    pub(super) fn lookup(&mut self, name: &str) -> IpAddr {
        let kernel = Kernel::Simulated(self.machine(name).kernel.clone());
        let found = kernel.getaddrinfo(name, 0).expect("a host knows itself");
        found.first().expect("every host has an address").ip()
    }

    #[track_caller]
    pub(super) fn is_running(&mut self, name: &str) -> bool {
        let running = &self.machine(name).running;
        running
            .as_ref()
            .is_some_and(|running| running.main.is_some())
    }

    #[track_caller]
    fn machine(&mut self, name: &str) -> &mut Machine {
        let known = self
            .machines
            .iter_mut()
            .find(|machine| machine.name == name);
        known.unwrap_or_else(|| panic!("there is no host {name:?} in this world"))
    }

    #[track_caller]
    pub(super) fn set_cut(&mut self, one: &str, other: &str, cut: bool) {
        let [one, other] = [one, other].map(|name| self.machine(name).kernel.clone());
        self.steps.world.set_cut(&one, &other, cut);
    }

    #[track_caller]
    pub(super) fn start(&mut self, name: &str) {
        let machine = self.machine(name);
        machine.kernel.set_up(true);
        machine.done = false;
        let mut builder = Builder::new_multi_thread();
        builder.enable_all();
        (machine.settings.configure)(&mut builder);
        let runtime = builder
            .worker_threads(machine.settings.workers)
            .build_stepped(&Kernel::Simulated(machine.kernel.clone()))
            .unwrap_or_else(|error| {
                panic!(
                    "host {name:?} has no room for a runtime: {error}. Each worker needs two \
                     descriptors, and the runtime one"
                )
            });
        let software = {
            let _entered = runtime.enter();
            (machine.software)()
        };
        let main = runtime.spawn(software);
        machine.running = Some(Running {
            main: Some(main),
            runtime,
        });
    }

    #[track_caller]
    pub(super) fn crash(&mut self, name: &str) {
        let machine = self.machine(name);
        machine.kernel.set_up(false);
        machine.running = None;
    }

    #[track_caller]
    pub(super) fn stop(&mut self, name: &str) {
        self.machine(name).running = None;
        if let Err(error) = self.left_alone(name) {
            panic!("{error}");
        }
    }

    /// # Errors
    ///
    /// If lent memory was not left alone.
    fn left_alone(&self, name: &str) -> Outcome {
        match self.steps.world.take_violation() {
            Some(violation) => Err(self.failure(&format!("on {name}: {violation}"))),
            None => Ok(()),
        }
    }

    // ---- The loop -----------------------------------------------------------------------

    pub(super) fn run(&mut self) -> Outcome {
        while !self.step_or_advance(self.end_ns)? {
            if self.steps.world.now_ns() >= self.end_ns {
                let limit = Duration::from_nanos(self.end_ns - self.started_ns);
                let unfinished = self.unfinished();
                return Err(self.failure(&format!(
                    "{unfinished} did not end within {limit:?} of simulated time"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn run_for(
        &mut self,
        duration: Duration,
    ) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let until_ns = self.steps.world.now_ns().saturating_add(duration_ns);
        while self.steps.world.now_ns() < until_ns {
            if self.step_or_advance(until_ns)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets one actor go on, or moves the clock, not beyond `until_ns`. True when all clients have
    /// ended.
    fn step_or_advance(&mut self, until_ns: u64) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let stepped: Vec<Stepped<'_>> = self.machines.iter().filter_map(Machine::stepped).collect();
        let went_on = self.steps.go_on(&stepped, None, until_ns);
        if !went_on.map_err(|text| self.failure(&text))? {
            let unfinished = self.unfinished();
            return Err(self.failure(&format!(
                "nothing is left that could happen, but {unfinished} waits"
            )));
        }
        self.collect()
    }

    /// Looks at software that has ended.
    fn collect(&mut self) -> Result<bool, Box<dyn Error + Send + Sync>> {
        let mut failed = None;
        for machine in &mut self.machines {
            let Some(running) = &mut machine.running else {
                continue;
            };
            if !running.main.as_ref().is_some_and(JoinHandle::is_finished) {
                continue;
            }
            let main = running.main.take().expect("it was just there");
            let ended = futures_util::FutureExt::now_or_never(main).expect("it has ended");
            let name = &machine.name;
            match ended {
                Ok(Ok(())) => machine.done = true,
                Ok(Err(error)) => failed = Some(format!("{name} failed: {error}")),
                Err(error) => failed = Some(format!("{name} panicked: {error}")),
            }
        }
        if let Some(text) = failed {
            return Err(self.failure(&text));
        }
        Ok(!self.machines.iter().any(Machine::is_awaited))
    }

    fn failure(&self, text: &str) -> Box<dyn Error + Send + Sync> {
        let (seed, elapsed) = (self.seed, self.elapsed());
        io::Error::other(format!("seed {seed}, after {elapsed:?}: {text}")).into()
    }

    fn unfinished(&self) -> String {
        let names: Vec<&str> = self
            .machines
            .iter()
            .filter(|machine| machine.is_awaited())
            .map(|machine| machine.name.as_str())
            .collect();
        names.join(", ")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Each runtime turns until its operations have ended: before the world goes.
        self.machines.clear();
    }
}

//! A world that a seed decides, for tests: several hosts, their network, clock and scheduling.
//!
//! A [`Sim`] runs every host on one thread. Which of their workers runs next, how long a packet
//! takes, how many bytes a read returns and what goes wrong follow from the seed alone: what fails
//! once fails again with the same seed.
//!
//! ```text
//!   Sim --host("server")--> a runtime of its own, with an address: server, 10.0.0.1
//!    |  --client("client")--> another; the simulation ends when all clients have
//!    +-- run: steps a worker that has something to do, in the seed's order;
//!             when none has, moves the clock to what happens next
//! ```
//!
//! [`seeds`] runs a test under many seeds, each in a process of its own, and names the first that
//! fails; `ANNULUS_SEED=<seed> cargo test <test>` replays it.
//!
//! # What is simulated
//!
//! TCP, UDP and Unix sockets, pipes, timers, [`Instant`](crate::time::Instant) and
//! [`std::time::Instant`], the keys of [`std::collections::HashMap`], blocking closures (they run
//! in between, on the same thread). An operation that is not fails with
//! [`Unsupported`](std::io::ErrorKind::Unsupported) and says so.
//!
//! # What a test program needs
//!
//! One line at its top, [`install!`](crate::sim_install), which defines the functions of the C
//! library through which std reads the clock, draws random numbers and closes descriptors:
//!
//! ```
//! annulus::sim_install!();
//! ```
#![forbid(unsafe_code)]

mod driver;
mod seeds;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

pub use annulus_ring::kernel::{Fault, Faults, Network};
pub use seeds::{Totals, seeds};

use crate::runtime::Builder;
use driver::Driver;

/// What software on a host ends with.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

type Configure = Rc<dyn Fn(&mut Builder)>;

type Software = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Outcome> + Send>>>;

/// A world that a seed decides.
///
/// ```
/// use annulus::io::{AsyncReadExt, AsyncWriteExt};
/// use annulus::net::{TcpListener, TcpStream};
/// use annulus::sim::Sim;
///
/// annulus::sim_install!();
///
/// let mut sim = Sim::new(7);
/// sim.host("server", || async {
///     let listener = TcpListener::bind("0.0.0.0:80").await?;
///     loop {
///         let (mut stream, _) = listener.accept().await?;
///         annulus::spawn(async move { stream.write_all(b"hello").await });
///     }
/// });
/// sim.client("client", async {
///     let mut stream = TcpStream::connect("server:80").await?;
///     let mut text = String::new();
///     stream.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     Ok(())
/// });
/// sim.run().unwrap();
/// ```
pub struct Sim {
    driver: Driver,
    counts: BTreeMap<&'static str, u64>,
}

impl Sim {
    /// A world without hosts.
    ///
    /// # Panics
    ///
    /// Without [`install!`](crate::sim_install): what a program draws from the system would not
    /// replay. While this thread simulates another world.
    #[must_use]
    #[track_caller]
    pub fn new(seed: u64) -> Sim {
        Sim {
            driver: Driver::new(seed),
            counts: BTreeMap::new(),
        }
    }

    /// How the network is from now on.
    pub fn network(&mut self, network: Network) -> &mut Sim {
        self.driver.set_network(network);
        self
    }

    /// What goes wrong from now on.
    pub fn faults(&mut self, faults: Faults) -> &mut Sim {
        self.driver.set_faults(&faults);
        self
    }

    /// How many workers the runtimes of hosts that are added from now on have; 2 by default.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn workers(&mut self, workers: usize) -> &mut Sim {
        assert!(workers > 0, "a host needs a worker");
        self.driver.workers = workers;
        self
    }

    /// Settings of the runtimes of hosts that are added from now on: `configure` is called each
    /// time one is built. The number of workers and the kernel are the simulation's.
    ///
    /// ```
    /// use annulus::runtime::RecvMode;
    ///
    /// annulus::sim_install!();
    ///
    /// let mut sim = annulus::sim::Sim::new(7);
    /// sim.runtime(|builder| {
    ///     builder.recv_mode(RecvMode::Hot).ring_entries(8, 16);
    /// });
    /// sim.client("client", async { Ok(()) });
    /// sim.run().unwrap();
    /// ```
    pub fn runtime(&mut self, configure: impl Fn(&mut Builder) + 'static) -> &mut Sim {
        self.driver.configure = Rc::new(configure);
        self
    }

    /// How much simulated time may pass; one hour by default.
    pub fn duration_max(&mut self, duration: Duration) -> &mut Sim {
        self.driver.set_duration_max(duration);
        self
    }

    /// Adds a host that runs `software`, again each time it is [bounced](Sim::bounce). Its name is
    /// resolved to its address. When it ends with an error, so does the simulation.
    pub fn host<F, S>(&mut self, name: &str, software: S) -> &mut Sim
    where
        F: Future<Output = Outcome> + Send + 'static,
        S: Fn() -> F + 'static,
    {
        let software: Software = Box::new(move || Box::pin(software()));
        self.driver.add(name, software, false);
        self
    }

    /// Adds a host that runs `software` once. The simulation ends when all clients have.
    pub fn client<F>(&mut self, name: &str, software: F) -> &mut Sim
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let once = std::cell::Cell::new(Some(software));
        let software: Software = Box::new(move || {
            let software = once.take().expect("a client runs once");
            Box::pin(software)
        });
        self.driver.add(name, software, true);
        self
    }

    /// Cuts the wire between two hosts: streams wait, datagrams are lost.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[track_caller]
    pub fn partition(&mut self, one: &str, other: &str) -> &mut Sim {
        self.driver.set_cut(one, other, true);
        self
    }

    /// Mends the wire between two hosts.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[track_caller]
    pub fn repair(&mut self, one: &str, other: &str) -> &mut Sim {
        self.driver.set_cut(one, other, false);
        self
    }

    /// Stops a host at once, without a word to its peers.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[track_caller]
    pub fn crash(&mut self, host: &str) -> &mut Sim {
        self.driver.crash(host);
        self
    }

    /// Ends a host's runtime, as dropping it does: its tasks are dropped, its operations cancelled
    /// and waited for, its sockets closed.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[track_caller]
    pub fn stop(&mut self, host: &str) -> &mut Sim {
        self.driver.stop(host);
        self
    }

    /// Stops a host, if it runs, and starts it again.
    ///
    /// # Panics
    ///
    /// If there is no such host, or if it is a client.
    #[track_caller]
    pub fn bounce(&mut self, host: &str) -> &mut Sim {
        self.driver.crash(host);
        self.driver.start(host);
        self
    }

    /// Runs until all clients have ended, or one has failed.
    ///
    /// # Errors
    ///
    /// The first error of a host's software, or that nothing is left that could happen although a
    /// client has not ended, or that [`duration_max`](Sim::duration_max) has passed.
    pub fn run(&mut self) -> Outcome {
        self.driver.run()
    }

    /// Runs for so much simulated time, or until all clients have ended: true then.
    ///
    /// # Errors
    ///
    /// As [`run`](Sim::run).
    pub fn run_for(
        &mut self,
        duration: Duration,
    ) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        self.driver.run_for(duration)
    }

    /// Simulated time since the world began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.driver.elapsed()
    }

    /// How often each fault has happened so far.
    #[must_use]
    pub fn injected(&self) -> Faults {
        self.driver.faults()
    }

    /// Adds to a number of the test's own, of which [`seeds`] gives the sum.
    pub fn count(&mut self, what: &'static str, by: u64) -> &mut Sim {
        *self.counts.entry(what).or_insert(0) += by;
        self
    }

    /// A number that stands for everything that has happened: equal for equal runs.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.driver.trace()
    }
}

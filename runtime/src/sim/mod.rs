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
//! # A complete test
//!
//! Two servers, a client that asks one and then the other, a wire that is cut for a while, and
//! everything going wrong now and then:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use annulus::io::{AsyncReadExt, AsyncWriteExt};
//! use annulus::net::{TcpListener, TcpStream};
//! use annulus::sim::{Fault, Faults, Outcome, seeds};
//! use annulus::time::timeout;
//!
//! annulus::sim_install!();
//!
//! async fn server() -> Outcome {
//!     let listener = TcpListener::bind("0.0.0.0:80").await?;
//!     loop {
//!         let (mut stream, _) = listener.accept().await?;
//!         annulus::spawn(async move { stream.write_all(b"bread").await });
//!     }
//! }
//!
//! async fn ask(server: &str) -> std::io::Result<String> {
//!     let mut stream = TcpStream::connect((server, 80)).await?;
//!     let mut text = String::new();
//!     stream.read_to_string(&mut text).await?;
//!     Ok(text)
//! }
//!

//! #[test]
//! fn a_client_finds_the_server_that_it_can_reach() {
//!     seeds(10_000, |sim| {
//!         let mut faults = Faults::none();
//!         sim.faults(faults.set(Fault::ShortRead, 200).set(Fault::EnterBusy, 10).clone());
//!         sim.host("one", server).host("other", server);
//!         sim.client("client", async {
//!             for server in ["one", "other"].into_iter().cycle() {
//!                 if let Ok(Ok(text)) = timeout(Duration::from_secs(1), ask(server)).await {
//!                     assert_eq!(text, "bread");
//!                     return Ok(());
//!                 }
//!             }
//!             Ok(())
//!         });
//!         sim.partition("client", "one");
//!         sim.run().unwrap();
//!     });
//! }
//! ```
//!
//! [`seeds`] runs it under each seed in a process of its own, every sixteenth seed twice, to see
//! that both runs are the same. It names the first that fails, and
//! `ANNULUS_SEED=<seed> cargo test <test>` replays it.
//!
//! # What is simulated
//!
//! - TCP, UDP and Unix sockets and pipes, with latency, small windows, lost and doubled datagrams,
//!   partitions, crashes. Names of hosts are resolved.
//! - Timers, [`Instant`](crate::time::Instant), [`std::time::Instant`] and
//!   [`std::time::SystemTime`]: 1 January 2030, and then what the world's clock says.
//! - Random numbers: the keys of [`std::collections::HashMap`], `select!`, every crate that asks
//!   `getrandom`(2).
//! - Files through [`fs`](crate::fs), in a root directory of each host that is empty but for
//!   `/tmp`, is the host's working directory too, and outlives a crash. A directory lists its
//!   entries by name.
//! - Blocking closures, which run in between on the same thread, as does what
//!   [`block_in_place`](crate::task::block_in_place) is given.
//! - [`Fault`] lists what can go wrong; nothing does unless [`Sim::faults`] says so.
//!
//! # Limits
//!
//! - An operation that is not simulated ends the simulation with an error that names it.
//! - A host of a [`Sim`] has one runtime, which the simulation made: building another fails with
//!   [`Unsupported`](std::io::ErrorKind::Unsupported), and `block_on` panics, for whatever the
//!   future waits for has to run on the same thread. So do not simulate what `#[annulus::main]`
//!   makes, but the future inside.
//! - `signal` and the `from_std` of sockets are `Unsupported`: their descriptors are the system's.
//!   `TcpSocket::from_raw_fd` and its kin cannot say so: every operation on what they make ends
//!   with EBADF.
//! - Nothing may wait by blocking the thread for what the world has still to do: 10 seconds of
//!   real time without a step end the process, and it is told which closure did not return, and
//!   where it was spawned. A mutex that is held across an await is one way to it.
//! - Threads that a program starts itself run by the real clock, outside of the world, and so does
//!   what they do with its handles. So do `std::fs`, `std::net`, and
//!   [`fs::File::from_std`](crate::fs::File::from_std).
//! - Numbers that the system gives to files (inodes, times of change and of access) are the real
//!   ones: a test whose way depends on them does not replay. Nor does one that depends on
//!   addresses in memory, or on static counters unless each seed has a process of its own.
//! - [`stats`](crate::stats) and [`time::pause`](crate::time::pause) are the process' and a
//!   runtime's, as ever: a world's clock needs no pausing.
//!
//! # One host, by a variable
//!
//! A test that knows nothing of this module runs in a simulated world too: with the variable
//! `ANNULUS_KERNEL=simulated`, or [`Builder::kernel`](crate::runtime::Builder::kernel), a runtime
//! gets a host, `localhost`, in a world of its own. The world is that of the thread which built
//! the runtime, is shared by all runtimes that this thread builds while one of them lives, and
//! follows from `ANNULUS_SEED` (0 without it); nothing goes wrong in it by itself.
//!
//! No thread is started. `block_on` steps workers (2, unless the builder or TOKIO_WORKER_THREADS
//! says otherwise) and blocking closures of all these runtimes, and its own future; it may be
//! called in a blocking closure. When nothing is ready it moves the clock, and when nothing is
//! left that could happen it panics, and says so. Besides the limits above:
//!
//! - What only another thread of the program, a socket of `std::net`, a signal or a process could
//!   cause never comes: it is not waited for. One thread at a time may block on the runtimes of a
//!   world; a second one panics. A future that another executor polls waits until somebody blocks
//!   on its runtime.
//! - While a closure blocks on a future, the future in whose `block_on` it runs is not polled.
//! - Hooks of threads (`on_thread_start`, `on_thread_park` and their kin) are not called.
//! - What `std::time` tells is simulated on the thread that built the runtime, while one of them
//!   lives, and in `block_on` on any thread.
//!
//! # What a test program needs
//!
//! One line at its top, [`sim_install!`](crate::sim_install), which defines the functions of the C
//! library through which std reads the clock, draws random numbers and closes descriptors. On
//! threads that do not simulate they ask the system, as ever.

mod alloc;
mod alone;
mod driver;
mod inside;
mod seeds;
mod steps;
mod watch;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

pub use alloc::Alloc;
pub use annulus_ring::kernel::{Fault, Faults, Network};
pub use seeds::{Totals, seeds};

pub(crate) use alone::Alone;
pub(crate) use inside::{BLOCKED, kernel_in_context, left, refuse, seed};

use crate::runtime::Builder;
use driver::Driver;

/// What software on a host ends with.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Why there is no world in this program.
pub(crate) const NO_HOOKS: &str = "a simulation replays only where it decides what the C library \
    says: put `annulus::sim_install!();` at the top of the program";

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
    /// Without [`sim_install!`](crate::sim_install): what a program draws from the system would not
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
        self.driver.settings.workers = workers;
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
    ///     // Queues so small that they overflow.
    ///     builder.recv_mode(RecvMode::Hot).ring_entries(8, 16);
    /// });
    /// sim.client("client", async { Ok(()) });
    /// sim.run().unwrap();
    /// ```
    pub fn runtime(&mut self, configure: impl Fn(&mut Builder) + 'static) -> &mut Sim {
        self.driver.settings.configure = Rc::new(configure);
        self
    }

    /// How many descriptors that are not files a host that is added from now on may have open at
    /// once; 1024 by default. Its runtime takes two for each worker, and one. Beyond it sockets
    /// fail with EMFILE.
    pub fn descriptors_max(&mut self, descriptors: usize) -> &mut Sim {
        self.driver.settings.descriptors_max = Some(descriptors);
        self
    }

    /// How much simulated time may pass; one hour by default.
    pub fn duration_max(&mut self, duration: Duration) -> &mut Sim {
        self.driver.set_duration_max(duration);
        self
    }

    /// Adds a host that runs `software`, again each time it is [bounced](Sim::bounce). Its name is
    /// resolved to its address. When it ends with an error or a panic, so does the simulation.
    ///
    /// # Panics
    ///
    /// If there is a host of that name; if [`descriptors_max`](Sim::descriptors_max) leaves no
    /// room for its runtime.
    #[track_caller]
    pub fn host<F, S>(&mut self, name: &str, software: S) -> &mut Sim
    where
        F: Future<Output = Outcome> + Send + 'static,
        S: Fn() -> F + 'static,
    {
        let software: Software = Box::new(move || Box::pin(software()));
        self.driver.add(name, software, false);
        self
    }

    /// Adds a host that runs `software` once. The simulation ends when all clients have; one that
    /// was [crashed](Sim::crash) or [stopped](Sim::stop) is not waited for.
    ///
    /// # Panics
    ///
    /// As [`host`](Sim::host).
    #[track_caller]
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

    /// The address of a host, as its name is resolved inside the world.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[track_caller]
    pub fn lookup(&mut self, host: &str) -> IpAddr {
        self.driver.lookup(host)
    }

    /// Whether a host's software runs: it has neither ended nor crashed.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[track_caller]
    pub fn is_host_running(&mut self, host: &str) -> bool {
        self.driver.is_running(host)
    }

    /// Stops a host at once, without a word to its peers. Its files stay.
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
    /// If there is no such host, or if memory was not left alone that its operations had until now.
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

    /// The seed that decides this world.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.driver.seed
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

//! How a runtime is made.
#![forbid(unsafe_code)]

mod drivers;
mod pace;
mod threads;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use annulus_ring::{Kernel, Mask, Ring, RingConfig, SetupError};
use crossbeam_deque::Worker;

use super::blocking::{BlockingConfig, BlockingPool, Callback, KEEP_ALIVE, THREADS_MAX};
use super::kernel::{Chosen, KernelKind, mask_from_variable};
use super::scheduler::{Flavor, Scheduler, SchedulerConfig};
use super::{Handle, LocalOptions, LocalRuntime, Runtime, worker};
use crate::op::allowed;
use crate::op::pool::{BUFFERS, BUFFERS_MAX};
use crate::reactor::{Core, Home, HomeConfig, RecvMode, SEND_MSG_RING_SINCE};
use crate::sim::{self, Alone};
use crate::task::budget;
use crate::time::clock::Clock;

pub(crate) use drivers::{Driver, Drivers};
pub(crate) use pace::Pace;

/// How long the end of a runtime waits for operations that it has cancelled.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);
/// Submission queue entries of each ring.
const SQ_ENTRIES: u32 = 256;
/// Completion queue entries of each ring.
const CQ_ENTRIES: u32 = 4096;

/// Workers where the kernel is simulated: machines differ, and runs should not.
const SIMULATED_WORKERS: usize = 2;

type ThreadName = Arc<dyn Fn() -> String + Send + Sync>;

/// What the threads of a runtime call when they sleep for want of tasks.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_park: Option<Callback>,
    pub(crate) on_unpark: Option<Callback>,
}

/// Who drives the cores.
enum Drive {
    /// Threads of the runtime, or whoever blocks on it.
    Threads,
    /// A simulation of several hosts.
    Stepped,
    /// Whoever blocks on it, as far as that steps all that is in this world.
    Alone(Arc<Alone>),
}

/// Builds a [`Runtime`] with other than the default settings.
///
/// ```
/// use annulus::runtime::Builder;
///
/// let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
/// assert_eq!(runtime.block_on(async { 6 * 7 }), 42);
/// # std::io::Result::Ok(())
/// ```
pub struct Builder {
    flavor: Flavor,
    name: Option<String>,
    drivers: Drivers,
    worker_threads: Option<usize>,
    blocking_threads_max: usize,
    thread_name: ThreadName,
    thread_stack_size_bytes: Option<usize>,
    thread_keep_alive: Duration,
    on_thread_start: Option<Callback>,
    on_thread_stop: Option<Callback>,
    hooks: Hooks,
    pace: Pace,
    start_paused: bool,
    coop_wrap: Option<bool>,
    recv_mode: RecvMode,
    recv_buffers: u16,
    sq_entries: u32,
    cq_entries: u32,
    shutdown_deadline: Duration,
    kernel: KernelKind,
    mask: Mask,
    restricted: bool,
}

impl Builder {
    /// A runtime whose tasks run on the thread that blocks on it.
    #[must_use]
    pub fn new_current_thread() -> Builder {
        Builder::new(Flavor::CurrentThread)
    }

    /// A runtime with worker threads, a ring for each, that steal tasks from one another.
    #[must_use]
    pub fn new_multi_thread() -> Builder {
        Builder::new(Flavor::MultiThread)
    }

    fn new(flavor: Flavor) -> Builder {
        Builder {
            flavor,
            name: None,
            drivers: Drivers::default(),
            worker_threads: None,
            blocking_threads_max: THREADS_MAX,
            thread_name: Arc::new(|| "annulus-worker".to_owned()),
            thread_stack_size_bytes: None,
            thread_keep_alive: KEEP_ALIVE,
            on_thread_start: None,
            on_thread_stop: None,
            hooks: Hooks::default(),
            pace: Pace::default(),
            start_paused: false,
            coop_wrap: None,
            recv_mode: RecvMode::default(),
            recv_buffers: BUFFERS,
            sq_entries: SQ_ENTRIES,
            cq_entries: CQ_ENTRIES,
            shutdown_deadline: SHUTDOWN_DEADLINE,
            kernel: KernelKind::Auto,
            mask: Mask::NONE,
            restricted: false,
        }
    }

    /// Sets the number of worker threads; by default TOKIO_WORKER_THREADS, else the number of
    /// processors that the process may use.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn worker_threads(&mut self, threads: usize) -> &mut Builder {
        assert!(threads > 0, "Worker threads cannot be set to 0");
        self.worker_threads = Some(threads);
        self
    }

    /// Sets the largest number of threads for blocking closures; 512 by default.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Builder {
        assert!(threads > 0, "Max blocking threads cannot be set to 0");
        self.blocking_threads_max = threads;
        self
    }

    /// Names the runtime: [`Handle::name`] answers it. By default it has no name.
    ///
    /// # Panics
    ///
    /// If the name is empty, or blank.
    ///
    /// ```
    /// use annulus::runtime::Builder;
    ///
    /// let runtime = Builder::new_current_thread().name("ingest").build()?;
    /// assert_eq!(runtime.handle().name(), Some("ingest"));
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn name(&mut self, name: impl Into<String>) -> &mut Builder {
        let name = name.into();
        assert!(!name.trim().is_empty(), "runtime name shouldn't be empty");
        self.name = Some(name);
        self
    }

    /// Starts with the clock paused, for tests. Only for a current-thread runtime.
    pub fn start_paused(&mut self, paused: bool) -> &mut Builder {
        self.start_paused = paused;
        self
    }

    /// Gives each poll of a task, and of the future of `block_on`, tokio's cooperative budget too.
    ///
    /// What annulus has of its own (sockets, timers, join handles) always spends a budget of 128
    /// units and then gives way. What it takes from tokio (`sync`, `io`, the macros) counts by
    /// tokio's own, which is on only in a context of tokio's: without it a channel that always has
    /// a message never makes its task give way. With this setting each poll runs in such a context,
    /// of a tokio runtime that drives nothing and has ended before it is used, and everything
    /// spends the one budget of 128 units.
    ///
    /// It costs about 120 ns for each poll of a task (84 become 190 to 215), which a server of HTTP
    /// does not notice. It also makes what blocks a thread panic in tasks, as under tokio:
    /// `blocking_recv`, `blocking_lock`, a `block_on` of tokio's own
    /// ([`block_in_place`](crate::task::block_in_place) and
    /// [`spawn_blocking`](crate::task::spawn_blocking) allow them). A `spawn` of tokio itself, by a
    /// crate that is not annulus' user, finds the ended runtime and yields "cancelled", where it
    /// would else panic for want of one.
    ///
    /// By default what the variable ANNULUS_COOP_WRAP says, 0 or 1. Without that it is off, and on
    /// in package `tokio` of `[patch.crates-io]`, whose users expect each crate to behave as it does
    /// under tokio.
    ///
    /// ```
    /// use annulus::runtime::Builder;
    /// use annulus::sync::mpsc;
    ///
    /// let runtime = Builder::new_current_thread().coop_wrap(true).build()?;
    /// runtime.block_on(async {
    ///     let (tx, mut rx) = mpsc::unbounded_channel();
    ///     (0..1000).for_each(|n| tx.send(n).unwrap());
    ///     let others = annulus::spawn(async move { drop(tx) });
    ///     // Gives way every 128 messages, so that the other task runs meanwhile.
    ///     for _ in 0..500 {
    ///         rx.recv().await;
    ///     }
    ///     assert!(others.is_finished());
    /// });
    /// # std::io::Result::Ok(())
    /// ```
    pub fn coop_wrap(&mut self, wrap: bool) -> &mut Builder {
        self.coop_wrap = Some(wrap);
        self
    }

    /// Sets how streams get their bytes: by default by [`RecvMode::Base`].
    pub fn recv_mode(&mut self, mode: RecvMode) -> &mut Builder {
        self.recv_mode = mode;
        self
    }

    /// Sets how many buffers of 4 KiB each worker has for streams that receive by themselves
    /// ([`RecvMode::Hot`]); 256 by default, rounded up to a power of two. A stream that finds none
    /// free polls, and loses nothing. The memory is taken when a stream first wants it.
    ///
    /// # Panics
    ///
    /// If it is 0, or above 32,768.
    #[track_caller]
    pub fn recv_buffers(&mut self, buffers: u16) -> &mut Builder {
        assert!(
            (1..=BUFFERS_MAX).contains(&buffers),
            "a worker can have 1 to {BUFFERS_MAX} receive buffers, not {buffers}"
        );
        self.recv_buffers = buffers.next_power_of_two();
        self
    }

    /// Sets the size of each ring: entries of its submission queue (256 by default) and of its
    /// completion queue (4096). Both are rounded up to a power of two, and clamped to what the
    /// kernel allows (32768, 65536). Smaller queues cost more system calls, and lose nothing.
    ///
    /// # Panics
    ///
    /// If one is 0.
    #[track_caller]
    pub fn ring_entries(&mut self, submission: u32, completion: u32) -> &mut Builder {
        assert!(
            submission > 0 && completion > 0,
            "a queue needs at least one entry"
        );
        self.sq_entries = submission;
        self.cq_entries = completion.max(submission);
        self
    }

    /// Sets how long the end of the runtime waits for operations that it has cancelled; 5 s by
    /// default. What the kernel still has then is leaked, counted in [`stats`](crate::stats) and
    /// named, never freed.
    pub fn shutdown_deadline(&mut self, deadline: Duration) -> &mut Builder {
        self.shutdown_deadline = deadline;
        self
    }

    /// Sets what performs the operations: by default io_uring where it is to be had, and else its
    /// emulation. One `tracing` event says what was chosen and why: at level INFO, or WARN where
    /// io_uring was refused. It comes when the runtime is built or, where nobody listens yet, after
    /// a poll of a future that the runtime blocks on.
    ///
    /// ```
    /// use annulus::runtime::{Builder, KernelKind};
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .kernel(KernelKind::Emulated)
    ///     .build()?;
    /// assert_eq!(runtime.block_on(async { 6 * 7 }), 42);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn kernel(&mut self, kind: KernelKind) -> &mut Builder {
        self.kernel = kind;
        self
    }

    /// Makes the kernel look like an older one, for tests of what a runtime does there. Where
    /// nothing is hidden here, the variable ANNULUS_MASK may name a release (`6.1`): what is newer
    /// is hidden then.
    pub fn kernel_mask(&mut self, mask: Mask) -> &mut Builder {
        self.mask = mask;
        self
    }

    /// Allows the rings only the operations, the flags of these and the registrations that this
    /// build of annulus uses, for good: whoever gets hold of a ring's descriptor, or of its memory,
    /// can do no more by it. Anything else completes, or fails, with EACCES: also what the program
    /// itself would do on the ring past annulus. It costs nothing afterwards.
    ///
    /// On a kernel that is emulated there is no ring to get hold of, and nothing is restricted: a
    /// filter of system calls (seccomp) is what helps there.
    ///
    /// ```
    /// use annulus::runtime::Builder;
    ///
    /// let runtime = Builder::new_current_thread().restrict().build()?;
    /// let text = runtime.block_on(annulus::fs::read("/proc/self/comm"))?;
    /// assert!(!text.is_empty());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn restrict(&mut self) -> &mut Builder {
        self.restricted = true;
        self
    }

    /// Builds the runtime, and starts its workers.
    ///
    /// # Errors
    ///
    /// Where it has to be io_uring ([`KernelKind::Uring`], or the variable ANNULUS_KERNEL) and the
    /// kernel has none, or refuses it, the error's text names the cause and what to do about it:
    /// [`Unsupported`](io::ErrorKind::Unsupported) without io_uring or before
    /// Linux 5.19, [`PermissionDenied`](io::ErrorKind::PermissionDenied) for a seccomp filter or
    /// the sysctl `kernel.io_uring_disabled`, [`OutOfMemory`](io::ErrorKind::OutOfMemory) for the
    /// limit of locked memory. [`InvalidInput`](io::ErrorKind::InvalidInput) for an unknown name in
    /// that variable. Else what descriptors (EMFILE) or threads (EAGAIN) met. `Unsupported` on a
    /// thread that simulates (see [`sim`](crate::sim#limits)), and for
    /// [`KernelKind::Simulated`] in a program without [`sim_install!`](crate::sim_install).
    pub fn build(&mut self) -> io::Result<Runtime> {
        Ok(Runtime::new_with(self.build_handle()?))
    }

    /// Builds a runtime that stays on this thread, with the cheapest ring there is.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    ///
    /// # Panics
    ///
    /// If this builder was made by [`Builder::new_multi_thread`].
    #[track_caller]
    pub fn build_local(&mut self, _options: LocalOptions) -> io::Result<LocalRuntime> {
        assert!(
            self.flavor != Flavor::MultiThread,
            "multi_thread is not supported for LocalRuntime"
        );
        self.flavor = Flavor::Local;
        let handle = self.build_handle();
        self.flavor = Flavor::CurrentThread;
        Ok(LocalRuntime::new_with(Runtime::new_with(handle?)))
    }

    /// A runtime over `kernel` whose cores nobody drives but who calls
    /// [`worker::step`](super::worker::step).
    pub(crate) fn build_stepped(&mut self, kernel: &Kernel) -> io::Result<Runtime> {
        let rings = self.rings(kernel, self.workers()?)?;
        let handle = self.assemble(kernel, rings, Drive::Stepped)?;
        Ok(Runtime::new_with(handle))
    }

    fn build_handle(&mut self) -> io::Result<Handle> {
        if sim::seed().is_some() {
            return Err(sim::left(
                "Builder::build",
                "a simulated host has a runtime already, whose tasks annulus::spawn starts; \
                 another one would run beside the simulation, by the real clock",
            ));
        }
        let single = self.flavor != Flavor::MultiThread;
        assert!(
            single || !self.start_paused,
            "`start_paused` requires the `current_thread` runtime"
        );
        let (kind, why) = self.kernel.resolve()?;
        if kind == KernelKind::Simulated {
            let workers = if single {
                1
            } else {
                self.workers_or(SIMULATED_WORKERS)?
            };
            let alone = Alone::here_or_new()?;
            let kernel = alone.kernel().clone();
            let rings = self.rings(&kernel, workers)?;
            let handle = self.assemble(&kernel, rings, Drive::Alone(alone.clone()))?;
            alone.add(handle.scheduler());
            handle.scheduler().news.are(&Chosen { kernel, why });
            return Ok(handle);
        }
        let workers = if single { 1 } else { self.workers()? };
        let (chosen, rings) = self.open_rings(workers)?;
        let handle = self.assemble(&chosen.kernel, rings, Drive::Threads)?;
        handle.scheduler().news.are(&chosen);
        Ok(handle)
    }

    /// A runtime with a worker for each ring.
    fn assemble(&self, kernel: &Kernel, rings: Vec<Ring>, drive: Drive) -> io::Result<Handle> {
        let stepped = !matches!(drive, Drive::Threads);
        let single = self.flavor != Flavor::MultiThread;
        let workers = rings.len();
        let id = super::Id::next().0;
        let clock = Arc::new(if self.start_paused {
            Clock::new_paused()
        } else {
            Clock::new(single)
        });
        let placeholder = kernel.placeholder()?;
        let mut homes = Vec::with_capacity(workers);
        let mut cores = Vec::with_capacity(workers);
        let mut stealers = Vec::with_capacity(workers);
        for ring in rings {
            let home = Arc::new(Home::new(HomeConfig {
                runtime: id,
                kernel: kernel.clone(),
                clock: clock.clone(),
                recv_mode: self.recv_mode,
                recv_buffers: self.recv_buffers,
                ring: ring.ring_ref(),
                origin: ring.origin(),
                event: kernel.eventfd()?,
                messages: kernel.version() >= SEND_MSG_RING_SINCE,
                placeholder: placeholder.try_clone()?,
                pinned: self.flavor == Flavor::Local,
            }));
            let queue = Worker::new_fifo();
            stealers.push(queue.stealer());
            cores.push(Box::new(Core::new(home.clone(), ring, queue)));
            homes.push(home);
        }
        // Not before all are made: a core in its home's slot and its home hold each other.
        for core in cores {
            let home = core.home().clone();
            home.put_core(core);
        }
        let first = single.then(|| Arc::downgrade(&homes[0]));
        let on_idle = first.map(|home| {
            Arc::new(move || home.upgrade().into_iter().for_each(|home| home.unpark())) as Callback
        });
        let threads_max = if stepped {
            0
        } else {
            self.blocking_threads_max
        };
        let blocking = self.blocking_pool(threads_max, on_idle);
        let handle = Handle::new(Arc::new(Scheduler::new(SchedulerConfig {
            id,
            name: self.name.clone(),
            flavor: self.flavor,
            drivers: self.drivers,
            pace: self.pace,
            coop_wrap: self.coop_wrap.map_or_else(budget::is_default, Ok)?,
            stepped,
            alone: match drive {
                Drive::Alone(alone) => Some(alone),
                Drive::Threads | Drive::Stepped => None,
            },
            clock,
            homes,
            stealers,
            blocking,
            hooks: self.hooks.clone(),
            shutdown_deadline: self.shutdown_deadline,
        })));
        if !single && !stepped {
            for index in 0..workers {
                if let Err(error) = worker::start(&handle, index) {
                    // Those that started end what there is.
                    handle.scheduler().give_up(&handle, workers - index);
                    return Err(error);
                }
            }
        }
        Ok(handle)
    }

    /// The kernel, and a ring of it for each worker.
    fn open_rings(&self, workers: usize) -> io::Result<(Chosen, Vec<Ring>)> {
        let mask = if self.mask.hides_anything() {
            self.mask
        } else {
            mask_from_variable()?
        };
        let chosen = self.kernel.choose(mask)?;
        match self.rings(&chosen.kernel, workers) {
            Ok(rings) => Ok((chosen, rings)),
            // The ring that was made to try was smaller than these.
            Err(error) if chosen.is_open() && error.kind() == io::ErrorKind::OutOfMemory => {
                let refused = error.downcast::<SetupError>()?;
                let chosen = Chosen::instead(mask, refused)?;
                let rings = self.rings(&chosen.kernel, workers)?;
                Ok((chosen, rings))
            }
            Err(error) => Err(error),
        }
    }

    fn rings(&self, kernel: &Kernel, workers: usize) -> io::Result<Vec<Ring>> {
        let config = RingConfig {
            sq_entries: self.sq_entries,
            cq_entries: self.cq_entries,
            pinned: self.flavor == Flavor::Local,
            disabled: self.restricted && matches!(kernel, Kernel::Uring(_)),
            ..RingConfig::default()
        };
        let open = |_| {
            let mut ring = kernel.open(&config)?;
            if config.disabled {
                allowed::confine(&mut ring, kernel)?;
            }
            Ok(ring)
        };
        (0..workers).map(open).collect()
    }

    fn blocking_pool(&self, threads_max: usize, on_idle: Option<Callback>) -> BlockingPool {
        BlockingPool::new(BlockingConfig {
            threads_max,
            keep_alive: self.thread_keep_alive,
            thread_name: self.thread_name.clone(),
            stack_size: self.thread_stack_size_bytes,
            on_thread_start: self.on_thread_start.clone(),
            on_thread_stop: self.on_thread_stop.clone(),
            on_idle,
        })
    }

    fn workers(&self) -> io::Result<usize> {
        self.workers_or(std::thread::available_parallelism().map_or(1, |threads| threads.get()))
    }

    /// How many are asked for, else `default`.
    fn workers_or(&self, default: usize) -> io::Result<usize> {
        if let Some(workers) = self.worker_threads {
            return Ok(workers);
        }
        match std::env::var("TOKIO_WORKER_THREADS") {
            Ok(text) => match text.parse() {
                Ok(0) | Err(_) => Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("TOKIO_WORKER_THREADS must be a number above 0, not {text:?}"),
                )),
                Ok(workers) => Ok(workers),
            },
            Err(_) => Ok(default),
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("flavor", &self.flavor)
            .field("name", &self.name)
            .field("worker_threads", &self.worker_threads)
            .field("max_blocking_threads", &self.blocking_threads_max)
            .field("kernel", &self.kernel)
            .field("recv_mode", &self.recv_mode)
            .field("ring_entries", &(self.sq_entries, self.cq_entries))
            .field("shutdown_deadline", &self.shutdown_deadline)
            .finish_non_exhaustive()
    }
}

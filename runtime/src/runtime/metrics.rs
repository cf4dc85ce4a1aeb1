//! What a runtime counts about its workers.
#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::Handle;

/// What a runtime tells of itself; made by [`Handle::metrics`]. Clones look at the same runtime.
///
/// [`annulus::stats`](crate::stats()) has what the rings of all runtimes did.
///
/// ```
/// use annulus::runtime::Builder;
///
/// let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
/// let metrics = runtime.metrics();
/// runtime.block_on(runtime.spawn(async {}))?;
/// drop(runtime);
/// assert_eq!((metrics.num_workers(), metrics.num_alive_tasks()), (2, 0));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct RuntimeMetrics {
    handle: Handle,
}

impl RuntimeMetrics {
    pub(super) fn new(handle: Handle) -> RuntimeMetrics {
        RuntimeMetrics { handle }
    }

    /// The number of workers; 1 for a current-thread runtime.
    #[must_use]
    pub fn num_workers(&self) -> usize {
        self.handle.scheduler().homes.len()
    }

    /// The number of tasks that have been spawned and have not ended. A task leaves this count
    /// before its join handle is ready. Blocking closures are not counted.
    #[must_use]
    pub fn num_alive_tasks(&self) -> usize {
        self.handle.scheduler().owned.len()
    }

    /// The number of tasks in the queue that all workers share: those spawned, or woken, by a
    /// thread that is no worker of this runtime.
    #[must_use]
    pub fn global_queue_depth(&self) -> usize {
        self.handle.scheduler().injected()
    }

    /// How long a worker has been awake: it runs tasks then, and looks at its ring. The time since
    /// it woke last is added when it sleeps; that before it gave its ring up in
    /// [`block_in_place`](crate::task::block_in_place) is not counted.
    ///
    /// # Panics
    ///
    /// If there is no worker of this number; they are counted from 0 to
    /// [`num_workers`](Self::num_workers).
    #[must_use]
    #[track_caller]
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        Duration::from_nanos(self.worker(worker).busy_ns.load(Relaxed))
    }

    /// How often a worker has found nothing to run and slept, or would have slept had its ring had
    /// nothing for it.
    ///
    /// # Panics
    ///
    /// If there is no worker of this number.
    #[must_use]
    #[track_caller]
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.worker(worker).changes().div_ceil(2)
    }

    /// How often a worker has gone to sleep or woken: odd while it sleeps.
    ///
    /// # Panics
    ///
    /// If there is no worker of this number.
    #[must_use]
    #[track_caller]
    pub fn worker_park_unpark_count(&self, worker: usize) -> u64 {
        self.worker(worker).changes()
    }

    #[track_caller]
    fn worker(&self, index: usize) -> &WorkerCounters {
        let counters = &self.handle.scheduler().counters;
        match counters.get(index) {
            Some(counters) => counters,
            None => panic!(
                "there is no worker {index}: the runtime has {} of them",
                counters.len()
            ),
        }
    }
}

impl fmt::Debug for RuntimeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMetrics")
            .field("handle", &self.handle)
            .finish()
    }
}

/// What one worker counts; only the thread that drives its core does.
#[derive(Debug, Default)]
pub(super) struct WorkerCounters {
    busy_ns: AtomicU64,
    /// From awake to asleep, and back.
    changes: AtomicU64,
}

impl WorkerCounters {
    /// The worker has been awake since then.
    pub(super) fn add_busy(&self, since: Instant) {
        let busy_ns = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.busy_ns.fetch_add(busy_ns, Relaxed);
    }

    /// How often the worker has gone to sleep or woken.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Relaxed)
    }

    /// The worker goes to sleep, or has woken.
    pub(super) fn change(&self) {
        self.changes.fetch_add(1, Relaxed);
    }
}

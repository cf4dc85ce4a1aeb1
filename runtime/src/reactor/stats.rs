//! What the runtime can prove about itself.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use annulus_ring::Opcode;

/// What all runtimes of this process have done, and hold, by now.
///
/// The counters of events only grow. Those of things held (`ops_in_flight`, `timers`) return to
/// zero when nothing is under way; after every runtime is gone they must be zero, unless
/// `cells_leaked` says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Operations that are queued, or that the kernel has.
    pub ops_in_flight: u64,
    /// Timers that run.
    pub timers: u64,
    /// Operations whose memory was given up, because the kernel still had it when a runtime's
    /// shutdown deadline passed or when its ring failed.
    pub cells_leaked: u64,
    /// The same, by operation and by the place that submitted it.
    pub leaks: Vec<Leak>,
    /// `io_uring_enter` calls.
    pub enters: u64,
    /// Submission queue entries that the kernel took.
    pub sqes: u64,
    /// Completions seen.
    pub cqes: u64,
    /// Completions of an operation that had ended before: counted, and ignored.
    pub stale_cqes: u64,
    /// Turns in which the kernel had to keep completions because the queue was full.
    pub cq_overflows: u64,
    /// Receives that found no provided buffer.
    pub enobufs: u64,
    /// Bytes that receive completions brought, not inline calls.
    pub hot_recv_bytes: u64,
    /// Bytes of buffers lent to the kernel by operations in flight; those that it selects itself
    /// are not counted.
    pub bytes_lent: u64,
    /// Times a sleeping core was woken from another thread.
    pub remote_wakes: u64,
    /// Connections that were accepted ahead and closed because nobody took them.
    pub connections_dropped: u64,
}

/// Operations that were given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// The kernel's name of the operation.
    pub operation: &'static str,
    /// Where it was submitted.
    pub site: &'static Location<'static>,
    /// How many.
    pub count: u64,
}

/// What all runtimes of this process have done, and hold, by now.
///
/// Cheap enough for a metrics endpoint: it reads counters, and takes a lock that no operation
/// takes.
///
/// ```
/// let before = annulus::stats();
/// annulus::runtime::Runtime::new()?.block_on(annulus::task::yield_now());
/// assert_eq!(annulus::stats().ops_in_flight, before.ops_in_flight);
/// # std::io::Result::Ok(())
/// ```
pub fn stats() -> Stats {
    let registry = registry();
    let mut sum = registry.ended.clone();
    for home in registry.homes.iter().filter_map(Weak::upgrade) {
        home.add_to(&mut sum);
    }
    sum.leaks = registry
        .leaks
        .iter()
        .map(|(&(operation, site), &count)| Leak {
            operation,
            site,
            count,
        })
        .collect();
    sum
}

/// A counter that only the home's thread adds to, and that anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! home_stats {
    ($($name:ident),* $(,)?) => {
        /// The counters of one home.
        #[derive(Debug, Default)]
        pub(crate) struct HomeStats {
            $(pub(crate) $name: Counter,)*
        }

        impl HomeStats {
            fn add_to(&self, sum: &mut Stats) {
                $(sum.$name += self.$name.get();)*
            }
        }
    };
}

home_stats!(
    ops_in_flight,
    timers,
    cells_leaked,
    enters,
    sqes,
    cqes,
    stale_cqes,
    cq_overflows,
    enobufs,
    hot_recv_bytes,
    bytes_lent,
    remote_wakes,
    connections_dropped,
);

#[derive(Default)]
struct Registry {
    homes: Vec<Weak<HomeStats>>,
    /// The sum of the homes that are gone.
    ended: Stats,
    leaks: BTreeMap<(&'static str, &'static Location<'static>), u64>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

fn registry() -> impl std::ops::DerefMut<Target = Registry> {
    struct Guard(MutexGuard<'static, Option<Registry>>);
    impl std::ops::Deref for Guard {
        type Target = Registry;
        fn deref(&self) -> &Registry {
            self.0.as_ref().expect("filled when the guard was made")
        }
    }
    impl std::ops::DerefMut for Guard {
        fn deref_mut(&mut self) -> &mut Registry {
            self.0.as_mut().expect("filled when the guard was made")
        }
    }
    let mut guard = REGISTRY
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    guard.get_or_insert_default();
    Guard(guard)
}

impl HomeStats {
    /// Counters that [`stats`] includes from now on.
    pub(crate) fn register() -> Arc<HomeStats> {
        let stats = Arc::new(HomeStats::default());
        let mut registry = registry();
        registry.homes.retain(|home| home.strong_count() > 0);
        registry.homes.push(Arc::downgrade(&stats));
        stats
    }

    /// Counts an operation that was given up.
    pub(crate) fn leak(&self, operation: Opcode, site: &'static Location<'static>) {
        self.cells_leaked.add(1);
        *registry()
            .leaks
            .entry((operation.name(), site))
            .or_insert(0) += 1;
    }
}

impl Drop for HomeStats {
    fn drop(&mut self) {
        self.add_to(&mut registry().ended);
    }
}

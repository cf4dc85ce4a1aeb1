//! What all threads of a runtime share: where ready tasks wait, who sleeps, how it ends.
//!
//! A task that becomes ready goes into the queue of the core whose thread woke it, else into the
//! injector. A core without tasks takes from the injector, then from the others' queues, then
//! sleeps in its ring. The rule against a lost wake: whoever adds a task looks for sleepers after,
//! whoever goes to sleep says so first and looks for tasks after.
#![forbid(unsafe_code)]

use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use annulus_ring::{Errno, Kernel};
use crossbeam_deque::{Injector, Steal, Stealer, Worker};
use crossbeam_utils::CachePadded;

use super::Handle;
use super::blocking::BlockingPool;
use super::builder::{Driver, Drivers, Hooks, Pace};
use super::kernel::News;
use super::metrics::WorkerCounters;
use crate::context::{self, ThreadId};
use crate::reactor::{Core, Home};
use crate::sim::Alone;
use crate::task::{Id, JoinHandle, OwnedTasks, Schedule, Task, quietly};
use crate::time::clock::Clock;

/// How the runtime's tasks find a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
    /// The ring belongs to one thread, and so do the tasks.
    Local,
}

pub(crate) struct Scheduler {
    pub(super) id: u64,
    pub(super) name: Option<String>,
    pub(super) flavor: Flavor,
    drivers: Drivers,
    pub(super) pace: Pace,
    /// Polls have the budget of tokio's own types.
    pub(super) coop_wrap: bool,
    /// Nobody drives the cores but who calls [`worker::step`](super::worker::step).
    pub(super) stepped: bool,
    /// The world whose `block_on` does, if that is this runtime's.
    alone: Option<Arc<Alone>>,
    /// The thread of a local runtime.
    pub(super) local_thread: Option<ThreadId>,
    pub(super) clock: Arc<Clock>,
    pub(super) homes: Box<[Arc<Home>]>,
    stealers: Box<[Stealer<Task>]>,
    injector: Injector<Task>,
    sleepers: Sleepers,
    /// Cores that look for tasks elsewhere.
    searching: AtomicUsize,
    /// Whose turn it is to be home to something made outside of the workers.
    turn: AtomicUsize,
    pub(super) owned: OwnedTasks,
    pub(crate) blocking: BlockingPool,
    pub(super) hooks: Hooks,
    /// One for each core.
    pub(super) counters: Box<[CachePadded<WorkerCounters>]>,
    pub(super) news: News,
    /// No more turns: workers put their cores back.
    stopping: AtomicBool,
    shutdown: Mutex<Shutdown>,
    shutdown_done: Condvar,
}

#[expect(
    clippy::vec_box,
    reason = "a core passes between threads as one pointer"
)]
struct Shutdown {
    /// Cores that no worker has given up yet.
    driven: usize,
    /// Cores that workers have given up for good.
    given_up: Vec<Box<Core>>,
    deadline: Duration,
    done: bool,
}

/// What a scheduler is made of.
pub(super) struct SchedulerConfig {
    pub(super) id: u64,
    pub(super) name: Option<String>,
    pub(super) flavor: Flavor,
    pub(super) drivers: Drivers,
    pub(super) pace: Pace,
    pub(super) coop_wrap: bool,
    pub(super) stepped: bool,
    pub(super) alone: Option<Arc<Alone>>,
    pub(super) clock: Arc<Clock>,
    pub(super) homes: Vec<Arc<Home>>,
    pub(super) stealers: Vec<Stealer<Task>>,
    pub(crate) blocking: BlockingPool,
    pub(super) hooks: Hooks,
    pub(super) shutdown_deadline: Duration,
}

/// No code of the user runs while the queues are being changed, so a panic leaves them whole.
impl RefUnwindSafe for Scheduler {}

impl Scheduler {
    pub(super) fn new(config: SchedulerConfig) -> Scheduler {
        let workers = config.homes.len();
        let has_threads = config.flavor == Flavor::MultiThread && !config.stepped;
        Scheduler {
            id: config.id,
            name: config.name,
            flavor: config.flavor,
            drivers: config.drivers,
            pace: config.pace,
            coop_wrap: config.coop_wrap,
            stepped: config.stepped,
            alone: config.alone,
            local_thread: match config.flavor {
                Flavor::Local => context::thread_id(),
                Flavor::CurrentThread | Flavor::MultiThread => None,
            },
            clock: config.clock,
            stealers: config.stealers.into(),
            injector: Injector::new(),
            sleepers: Sleepers::new(workers),
            searching: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            owned: OwnedTasks::new(workers),
            blocking: config.blocking,
            hooks: config.hooks,
            counters: (0..workers).map(|_| CachePadded::default()).collect(),
            news: News::default(),
            stopping: AtomicBool::new(false),
            shutdown: Mutex::new(Shutdown {
                driven: if has_threads { workers } else { 0 },
                given_up: Vec::new(),
                deadline: config.shutdown_deadline,
                done: false,
            }),
            shutdown_done: Condvar::new(),
            homes: config.homes.into(),
        }
    }

    /// Whether each core has a thread that drives it.
    fn has_threads(&self) -> bool {
        self.flavor == Flavor::MultiThread && !self.stepped
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn flavor(&self) -> Flavor {
        self.flavor
    }

    pub(crate) fn workers(&self) -> usize {
        self.homes.len()
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        self.homes[0].kernel()
    }

    /// The simulated world that this runtime is alone in.
    pub(crate) fn alone(&self) -> Option<&Arc<Alone>> {
        self.alone.as_ref()
    }

    /// The home of an object that is made outside of the workers.
    pub(crate) fn next_home(&self) -> Arc<Home> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.homes[turn % self.homes.len()].clone()
    }

    pub(crate) fn has_home(&self, home: &Home) -> bool {
        home.runtime() == self.id
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Whether its builder enabled this.
    pub(crate) fn has_driver(&self, driver: Driver) -> bool {
        self.drivers.has(driver)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    // ---- Ready tasks --------------------------------------------------------------------

    fn push(&self, task: Task) {
        let mut task = Some(task);
        let here = context::with_core(|core| {
            if self.has_home(core.home()) {
                core.queue().push(task.take().expect("pushed once"));
            }
        });
        match (task, here) {
            (None, _) => self.wake_sleeper_for_more(),
            (Some(task), _) => {
                self.injector.push(task);
                fence(Ordering::SeqCst);
                match self.flavor {
                    Flavor::MultiThread => self.wake_sleeper(),
                    Flavor::CurrentThread | Flavor::Local => self.homes[0].unpark(),
                }
            }
        }
    }

    /// A task was added to a queue that has a thread: others may take it sooner.
    fn wake_sleeper_for_more(&self) {
        if self.homes.len() > 1 {
            fence(Ordering::SeqCst);
            if self.searching.load(Ordering::SeqCst) == 0 {
                self.wake_sleeper();
            }
        }
    }

    fn wake_sleeper(&self) {
        if let Some(worker) = self.sleepers.take() {
            self.homes[worker].unpark();
        }
    }

    /// The next task for a core: its own, else from the injector, else another core's.
    pub(super) fn next_task(&self, core: &Core, injector_first: bool) -> Option<Task> {
        if injector_first && let Some(task) = self.pop_injector(core.queue()) {
            return Some(task);
        }
        core.queue()
            .pop()
            .or_else(|| self.pop_injector(core.queue()))
    }

    fn pop_injector(&self, queue: &Worker<Task>) -> Option<Task> {
        loop {
            match self.injector.steal_batch_with_limit_and_pop(queue, 16) {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Takes a task from another core's queue.
    pub(super) fn steal(&self, core: &Core, index: usize) -> Option<Task> {
        let others = self.homes.len();
        if others == 1 || self.searching.load(Ordering::SeqCst) * 2 >= others {
            return None;
        }
        self.searching.fetch_add(1, Ordering::SeqCst);
        let task = (1..others)
            .map(|step| (index + step) % others)
            .find_map(|other| {
                loop {
                    match self.stealers[other].steal_batch_and_pop(core.queue()) {
                        Steal::Success(task) => break Some(task),
                        Steal::Empty => break None,
                        Steal::Retry => {}
                    }
                }
            });
        let last = self.searching.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && task.is_some() {
            // Whoever added a task meanwhile saw a searcher, and woke nobody.
            self.wake_sleeper();
        }
        task
    }

    /// Whether any core could take a task now.
    pub(super) fn has_tasks(&self) -> bool {
        !self.injector.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    pub(super) fn has_injected(&self) -> bool {
        !self.injector.is_empty()
    }

    /// Tasks that wait for any core.
    pub(super) fn injected(&self) -> usize {
        self.injector.len()
    }

    /// Says that a core goes to sleep; it looks for tasks once more after this.
    pub(super) fn fall_asleep(&self, index: usize) {
        self.sleepers.add(index);
    }

    pub(super) fn wake_up(&self, index: usize) {
        self.sleepers.remove(index);
    }

    // ---- The end ------------------------------------------------------------------------

    /// Ends the runtime: no more turns, then tasks dropped, operations cancelled and reaped.
    /// Waits for that for as long as `wait` says, or without limit.
    pub(super) fn shutdown(
        &self,
        handle: &Handle,
        deadline: Option<Duration>,
        wait: Option<Duration>,
    ) {
        if let Some(deadline) = deadline {
            self.shutdown_guard().deadline = deadline;
        }
        self.stopping.store(true, Ordering::SeqCst);
        if self.has_threads() {
            for home in &self.homes {
                home.unpark();
            }
            let guard = self.shutdown_guard();
            let unfinished = |state: &mut Shutdown| !state.done;
            match wait {
                Some(limit) => {
                    drop(
                        self.shutdown_done
                            .wait_timeout_while(guard, limit, unfinished),
                    );
                }
                None => drop(self.shutdown_done.wait_while(guard, unfinished)),
            }
        } else {
            self.finish(handle);
        }
    }

    /// A worker gives its core up for good. The last one ends the runtime.
    ///
    /// The core does not go through its home's slot: a closure that ends in `block_in_place`, or
    /// a thread that comes late for the core of one, would take it from there.
    pub(super) fn worker_stopped(&self, handle: &Handle, core: Option<Box<Core>>) {
        let last = {
            let mut state = self.shutdown_guard();
            state.given_up.extend(core);
            state.driven -= 1;
            state.driven == 0
        };
        if last {
            self.finish(handle);
            self.shutdown_guard().done = true;
            self.shutdown_done.notify_all();
        }
    }

    /// Not all workers could be started: ends what there is, without those that are missing.
    pub(super) fn give_up(&self, handle: &Handle, missing: usize) {
        for _ in 0..missing {
            self.worker_stopped(handle, None);
        }
        self.shutdown(handle, None, None);
        self.blocking.shutdown(None);
    }

    /// Ends a single-thread runtime whose owner let go while this thread drove it.
    pub(super) fn finish_if_stopping(&self, handle: &Handle) {
        if !self.has_threads() && self.is_stopping() {
            self.finish(handle);
        }
    }

    fn finish(&self, handle: &Handle) {
        if context::is_turning() {
            // A waker, or a drop, that another core's turn runs: this thread has no place for ours.
            let elsewhere =
                || std::thread::scope(|scope| drop(scope.spawn(|| self.finish(handle))));
            return quietly(elsewhere);
        }
        let _visit = self.alone.as_ref().map(Alone::visit);
        let _entered = context::enter(handle.clone());
        let (deadline, mut cores) = {
            let mut state = self.shutdown_guard();
            (state.deadline, std::mem::take(&mut state.given_up))
        };
        let deadline = Instant::now().checked_add(deadline);
        cores.extend(self.homes.iter().filter_map(|home| home.take_core()));
        self.drop_tasks(&mut cores);
        while let Some(task) = self.pop_injector(&Worker::new_fifo()) {
            drop(task);
        }
        for core in cores {
            while let Some(task) = core.queue().pop() {
                drop(task);
            }
            finish_core(core, deadline);
        }
    }

    /// Drops every task. With a single core it is in context meanwhile, so that what the tasks
    /// own is given up at its home.
    #[expect(
        clippy::vec_box,
        reason = "a core passes between threads as one pointer"
    )]
    fn drop_tasks(&self, cores: &mut Vec<Box<Core>>) {
        let outside = context::take_core();
        if cores.len() == 1 {
            context::put_core(cores.remove(0));
        }
        self.owned.close_and_shutdown_all();
        cores.extend(context::take_core());
        if let Some(outside) = outside {
            context::put_core(outside);
        }
    }

    fn shutdown_guard(&self) -> MutexGuard<'_, Shutdown> {
        self.shutdown
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Ends a core: what the kernel has is cancelled and reaped until the deadline, and leaked after.
fn finish_core(core: Box<Core>, deadline: Option<Instant>) {
    let home = core.home().clone();
    home.set_shutdown();
    // In context, so that what a late result drops is closed here.
    let outside = context::take_core();
    context::put_core(core);
    context::with_core(|core| {
        core.table().cancel_all();
        core.table().close_inbox(&home, Errno::ECANCELED);
        core.table().end_timers();
    });
    loop {
        let left = deadline.map_or(Duration::from_secs(1), |at| {
            at.saturating_duration_since(Instant::now())
        });
        let (in_flight, submitted) = context::with_core(|core| {
            core.turn();
            (core.table().in_flight(), core.is_submitted())
        })
        .expect("put there above");
        // What enter has not taken closes descriptors: they would stay open.
        let done = in_flight == 0 && submitted;
        if done || left.is_zero() || home.is_dead() {
            break;
        }
        if in_flight > 0 {
            context::with_core(|core| core.reap_for(left));
        }
    }
    let core = context::take_core().expect("put there above");
    core.table().fail_waiting(&home, Errno::ECANCELED);
    let leaked = core.leak();
    home.set_ended();
    drop(home.take_closes());
    if let Some(outside) = outside {
        context::put_core(outside);
    }
    let ring = core.into_table().into_ring();
    if leaked > 0 {
        trace::error!(
            "{leaked} operations did not end within the shutdown deadline: their memory is leaked"
        );
        // The kernel may still write through both.
        std::mem::forget(ring);
        std::mem::forget(home);
    }
}

impl Schedule for Handle {
    fn schedule(&self, task: Task) {
        self.scheduler().push(task);
    }
}

impl Handle {
    pub(crate) fn spawn_task<F>(&self, future: F, id: Id) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (join, task) = self.scheduler().owned.bind(future, self.clone(), id);
        if let Some(task) = task {
            self.scheduler().push(task);
        }
        join
    }

    /// The thread on which a local runtime was made, and its tasks stay.
    pub(crate) fn local_thread(&self) -> Option<ThreadId> {
        self.scheduler().local_thread
    }

    pub(crate) fn spawn_local_task<F>(&self, future: F, id: Id) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let (join, task) = self.scheduler().owned.bind_local(future, self.clone(), id);
        if let Some(task) = task {
            self.scheduler().push(task);
        }
        join
    }
}

/// The cores that sleep, one bit each.
struct Sleepers {
    words: Box<[AtomicU64]>,
}

impl Sleepers {
    fn new(cores: usize) -> Sleepers {
        Sleepers {
            words: (0..cores.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn add(&self, core: usize) {
        self.words[core / 64].fetch_or(1 << (core % 64), Ordering::SeqCst);
    }

    fn remove(&self, core: usize) {
        self.words[core / 64].fetch_and(!(1 << (core % 64)), Ordering::SeqCst);
    }

    /// Takes one out, whose sleep the caller ends.
    fn take(&self) -> Option<usize> {
        for (index, word) in self.words.iter().enumerate() {
            let mut bits = word.load(Ordering::SeqCst);
            while bits != 0 {
                let bit = bits.trailing_zeros();
                let before = word.fetch_and(!(1 << bit), Ordering::SeqCst);
                if before & (1 << bit) != 0 {
                    return Some(index * 64 + bit as usize);
                }
                bits = before & !(1 << bit);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sleeper_is_taken_once() {
        let sleepers = Sleepers::new(130);
        for core in [0, 63, 64, 129] {
            sleepers.add(core);
        }
        sleepers.remove(63);
        let taken: Vec<_> = std::iter::from_fn(|| sleepers.take()).collect();
        assert_eq!(taken, [0, 64, 129]);
    }
}

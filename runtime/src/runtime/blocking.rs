//! The threads on which blocking closures run.
//!
//! ```text
//!   spawn_blocking --> jobs  --+                         +--> run, FIFO
//!                              +--> an idle thread, or --+
//!   run_loop --------> loops --+    a new one            +--> run, before any job
//! ```
//!
//! A thread is started only if none is idle and fewer than `threads_max` are
//! there for jobs; it ends after `keep_alive` without work. A loop (a worker
//! whose core was handed over) does not count against that limit, and never
//! waits for a closure to end: nobody else would drive its core.
//!
//! At shutdown jobs that have not begun are dropped, so that their join handles
//! yield "cancelled"; mandatory ones, whose success was promised, are run.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::task::{self, Id, JoinHandle, Schedule, Task, coop};

/// How long a thread waits for work before it ends, unless the builder says
/// otherwise.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Threads for closures, unless the builder says otherwise.
pub(crate) const THREADS_MAX: usize = 512;

const NO_THREAD: &str = "OS can't spawn worker thread";

/// A function of the user or of the runtime that any thread may call.
pub(crate) type Callback = Arc<dyn Fn() + Send + Sync>;

/// Runs a thread's body, which it is given, inside the runtime's context. Made
/// by the spawner, once for each thread that is started.
pub(crate) type ThreadScope = Box<dyn FnOnce(&mut dyn FnMut()) + Send>;

/// What runs on a thread until it ends by itself.
pub(crate) type Loop = Box<dyn FnOnce() + Send>;

/// How the threads are to be.
pub(crate) struct BlockingConfig {
    /// Threads for closures. 0: whoever has the pool calls [`BlockingPool::run_one`].
    pub(crate) threads_max: usize,
    /// How long a thread waits for work before it ends.
    pub(crate) keep_alive: Duration,
    /// The name of the next thread.
    pub(crate) thread_name: Arc<dyn Fn() -> String + Send + Sync>,
    /// In bytes; None is std's default.
    pub(crate) stack_size: Option<usize>,
    /// Called by each thread when it begins, and before it ends.
    pub(crate) on_thread_start: Option<Callback>,
    pub(crate) on_thread_stop: Option<Callback>,
    /// Called when the last closure has ended and its awaiter been woken. It
    /// must not own the pool: a cycle would keep both for ever.
    pub(crate) on_idle: Option<Callback>,
}

/// The pool. Clones are the same pool.
#[derive(Clone)]
pub(crate) struct BlockingPool {
    shared: Arc<Shared>,
}

struct Shared {
    config: BlockingConfig,
    /// Jobs queued or running.
    busy: AtomicUsize,
    state: Mutex<State>,
    /// An idle thread has been given work, or shutdown has begun.
    work: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    loops: VecDeque<Loop>,
    /// Threads that wait and have not been notified.
    idle: usize,
    /// Notifications that no thread has taken yet: a condition variable may
    /// wake a thread for nothing.
    notified: usize,
    /// Threads started that have not looked for work yet.
    starting: usize,
    /// Threads alive, and how many of them run a loop.
    threads: usize,
    looping: usize,
    handles: Slab<thread::JoinHandle<()>>,
    shutdown: bool,
}

impl State {
    /// Threads that do not run a loop, and will take none of those that wait:
    /// each of these was given a thread of its own.
    fn threads_for_jobs(&self) -> usize {
        self.threads - self.looping - self.loops.len()
    }
}

/// A closure that waits for a thread.
struct Job {
    task: Task,
    /// Where it was spawned.
    site: &'static Location<'static>,
    /// Runs at shutdown too.
    is_mandatory: bool,
}

/// Why a closure found no thread.
enum Refusal {
    Shutdown,
    NoThread(io::Error),
}

impl BlockingPool {
    /// A pool without threads.
    pub(crate) fn new(config: BlockingConfig) -> BlockingPool {
        BlockingPool {
            shared: Arc::new(Shared {
                config,
                busy: AtomicUsize::new(0),
                state: Mutex::default(),
                work: Condvar::new(),
                ended: Condvar::new(),
            }),
        }
    }

    /// Runs `func` on a thread of the pool. `scope` is called if a thread has
    /// to be started. After shutdown `func` is dropped, and the handle yields
    /// "cancelled".
    ///
    /// # Panics
    ///
    /// If there is no thread for closures and the system refuses one.
    #[track_caller]
    pub(crate) fn spawn_blocking<F, R>(
        &self,
        func: F,
        scope: impl FnOnce() -> ThreadScope,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (join, task) = blocking_task(func);
        let job = Job {
            task,
            site: Location::caller(),
            is_mandatory: false,
        };
        match self.submit(job, scope) {
            Ok(()) | Err(Refusal::Shutdown) => join,
            Err(Refusal::NoThread(error)) => panic!("{NO_THREAD}: {error}"),
        }
    }

    /// As [`spawn_blocking`](BlockingPool::spawn_blocking), for what shutdown
    /// must not drop: it is run before the threads end. `None` if the pool is
    /// shut down already.
    ///
    /// # Panics
    ///
    /// If there is no thread for closures and the system refuses one.
    #[track_caller]
    pub(crate) fn spawn_mandatory<F, R>(
        &self,
        func: F,
        scope: impl FnOnce() -> ThreadScope,
    ) -> Option<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (join, task) = blocking_task(func);
        let job = Job {
            task,
            site: Location::caller(),
            is_mandatory: true,
        };
        match self.submit(job, scope) {
            Ok(()) => Some(join),
            Err(Refusal::Shutdown) => None,
            Err(Refusal::NoThread(error)) => panic!("{NO_THREAD}: {error}"),
        }
    }

    /// Runs `work` on a thread at once. It is not a closure: it does not count
    /// as busy, and shutdown waits for its end.
    ///
    /// # Errors
    ///
    /// With `work` given back: the system refuses a thread, or the pool is
    /// shut down.
    pub(crate) fn run_loop(
        &self,
        work: Loop,
        scope: impl FnOnce() -> ThreadScope,
    ) -> Result<(), (io::Error, Loop)> {
        let mut state = self.shared.lock();
        if state.shutdown {
            let error = io::Error::other("the runtime is shutting down");
            return Err((error, work));
        }
        if state.idle > 0 {
            self.shared.notify(&mut state);
        } else if let Err(error) = self.start_thread(&mut state, scope()) {
            return Err((error, work));
        }
        state.loops.push_back(work);
        Ok(())
    }

    /// Closures queued or running. While it is not zero a paused clock must
    /// not advance by itself; `on_idle` tells when it becomes zero.
    pub(crate) fn busy(&self) -> usize {
        self.shared.busy.load(Acquire)
    }

    /// Whether a closure waits for a thread.
    pub(crate) fn has_queued(&self) -> bool {
        !self.shared.lock().jobs.is_empty()
    }

    /// Runs a closure that waits, on this thread, and says first where it was spawned.
    pub(crate) fn run_one(&self, about_to_run: impl FnOnce(&'static Location<'static>)) {
        let job = self.shared.lock().jobs.pop_front();
        if let Some(job) = job {
            about_to_run(job.site);
            self.shared.run(job);
        }
    }

    /// Threads alive, those that run a loop aside.
    #[cfg(test)]
    fn threads(&self) -> usize {
        let state = self.shared.lock();
        state.threads - state.looping
    }

    /// Closures that wait for a thread.
    #[cfg(test)]
    fn queued(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Ends the pool: closures that have no thread yet are dropped, on this thread,
    /// but for mandatory ones, and those that run are waited for, up to `timeout`, or without limit. A
    /// call from one of the pool's threads does not wait for that one. False
    /// if some still run; they end by themselves. Only the first call waits.
    pub(crate) fn shutdown(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let Some(dropped) = self.begin_shutdown() else {
            return true;
        };
        for job in dropped {
            job.task.shutdown();
            self.shared.job_ended();
        }
        if self.shared.config.threads_max == 0 {
            // What is left is mandatory, and no thread will come to it.
            while self.has_queued() {
                self.run_one(|_| {});
            }
        }
        if timeout == Some(Duration::ZERO) {
            return false;
        }
        let me = thread::current().id();
        let mut state = self.shared.lock();
        let own = state.handles.iter().any(|(_, it)| it.thread().id() == me);
        while state.threads > usize::from(own) {
            state = match deadline {
                None => self.shared.ended.wait(state).unwrap_or_else(recover),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.shared.ended.wait_timeout(state, left);
                    waited.unwrap_or_else(recover).0
                }
            };
        }
        let handles = mem::take(&mut state.handles);
        drop(state);
        for (_, handle) in handles {
            if handle.thread().id() != me {
                // The body has ended; what is left is the thread's destructors.
                let _ = handle.join();
            }
        }
        true
    }

    /// The jobs to drop, on the first call.
    fn begin_shutdown(&self) -> Option<VecDeque<Job>> {
        let mut state = self.shared.lock();
        if mem::replace(&mut state.shutdown, true) {
            return None;
        }
        // Those that found a thread at once have begun, as far as who spawned them can tell.
        let mut begun = state.starting + state.notified;
        let jobs = mem::take(&mut state.jobs).into_iter();
        let (kept, dropped) = jobs.partition(|job| {
            let has_thread = begun > 0;
            begun = begun.saturating_sub(1);
            has_thread || job.is_mandatory
        });
        state.jobs = kept;
        self.shared.work.notify_all();
        Some(dropped)
    }

    fn submit(&self, job: Job, scope: impl FnOnce() -> ThreadScope) -> Result<(), Refusal> {
        let mut state = self.shared.lock();
        if state.shutdown {
            drop(state);
            job.task.shutdown();
            return Err(Refusal::Shutdown);
        }
        if state.idle > 0 {
            self.shared.notify(&mut state);
        } else if state.threads_for_jobs() < self.shared.config.threads_max
            && let Err(error) = self.start_thread(&mut state, scope())
            // Out of threads for now: those that are busy will come to it.
            && !(error.kind() == io::ErrorKind::WouldBlock && state.threads > state.looping)
        {
            drop(state);
            job.task.shutdown();
            return Err(Refusal::NoThread(error));
        }
        self.shared.busy.fetch_add(1, AcqRel);
        state.jobs.push_back(job);
        Ok(())
    }

    fn start_thread(&self, state: &mut State, scope: ThreadScope) -> io::Result<()> {
        let config = &self.shared.config;
        let mut builder = thread::Builder::new().name((config.thread_name)());
        if let Some(stack_size) = config.stack_size {
            builder = builder.stack_size(stack_size);
        }
        let shared = self.shared.clone();
        let entry = state.handles.vacant_entry();
        let key = entry.key();
        let handle = builder.spawn(move || scope(&mut || shared.serve(key)))?;
        entry.insert(handle);
        state.threads += 1;
        state.starting += 1;
        Ok(())
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingPool").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(recover)
    }

    fn notify(&self, state: &mut State) {
        state.idle -= 1;
        state.notified += 1;
        self.work.notify_one();
    }

    /// A thread's life.
    fn serve(&self, key: usize) {
        if let Some(hook) = &self.config.on_thread_start {
            task::quietly(|| hook());
        }
        self.work_until_idle();
        if let Some(hook) = &self.config.on_thread_stop {
            task::quietly(|| hook());
        }
        let mut state = self.lock();
        if !state.shutdown {
            // Nobody will join this thread.
            state.handles.try_remove(key);
        }
        state.threads -= 1;
        self.ended.notify_all();
    }

    fn work_until_idle(&self) {
        let mut state = self.lock();
        state.starting -= 1;
        loop {
            if let Some(work) = state.loops.pop_front() {
                state.looping += 1;
                drop(state);
                task::quietly(work);
                state = self.lock();
                state.looping -= 1;
                if state.threads - state.looping > self.config.threads_max && !state.shutdown {
                    return;
                }
            } else if let Some(job) = state.jobs.pop_front() {
                drop(state);
                self.run(job);
                state = self.lock();
            } else if state.shutdown {
                return;
            } else {
                let notified;
                (state, notified) = self.wait(state);
                if !notified && !state.shutdown {
                    return;
                }
            }
        }
    }

    /// Waits for work. False if none came for as long as `keep_alive`, or if
    /// shutdown began.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        state.idle += 1;
        let deadline = Instant::now().checked_add(self.config.keep_alive);
        loop {
            let left = deadline.map_or(KEEP_ALIVE, |deadline| {
                deadline.saturating_duration_since(Instant::now())
            });
            if state.notified > 0 {
                state.notified -= 1;
                return (state, true);
            }
            if state.shutdown || left.is_zero() {
                state.idle -= 1;
                return (state, false);
            }
            let waited = self.work.wait_timeout(state, left);
            state = waited.unwrap_or_else(recover).0;
        }
    }

    fn run(&self, job: Job) {
        job.task.run();
        self.job_ended();
    }

    /// After the job's awaiter has been woken: a paused clock that advances
    /// once nothing is busy finds it ready.
    fn job_ended(&self) {
        if self.busy.fetch_sub(1, AcqRel) == 1
            && let Some(hook) = &self.config.on_idle
        {
            task::quietly(|| hook());
        }
    }
}

/// The guard of a mutex whose holder panicked: only a hook or a name function
/// of the user does, before it has changed anything.
fn recover<G>(poisoned: PoisonError<G>) -> G {
    poisoned.into_inner()
}

/// A closure as a task: ready at its first poll.
struct BlockingTask<F>(Option<F>);

// The closure is moved out before it is called.
impl<F> Unpin for BlockingTask<F> {}

impl<F: FnOnce() -> R, R> Future for BlockingTask<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        let func = self.0.take().expect("a closure runs once");
        let _free = coop::stop();
        Poll::Ready(func())
    }
}

/// The scheduler of tasks that are run once, by who queued them.
struct Once;

impl Schedule for Once {
    fn schedule(&self, _: Task) {}
}

fn blocking_task<F, R>(func: F) -> (JoinHandle<R>, Task)
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    task::unowned(BlockingTask(Some(func)), Once, Id::next())
}

#[cfg(test)]
mod tests;

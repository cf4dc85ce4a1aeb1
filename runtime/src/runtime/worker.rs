//! The loop: run ready tasks, look at the ring, sleep in it.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use super::Handle;
use super::blocking::Callback;
use super::metrics::WorkerCounters;
use super::scheduler::{Flavor, Scheduler};
use crate::context;
use crate::reactor::{Core, Home};
use crate::task::{Task, budget, coop, quietly};

/// Starts a thread that drives one core of a multi-thread runtime.
///
/// # Errors
///
/// The system's, when it has no thread to give.
pub(super) fn start(handle: &Handle, index: usize) -> io::Result<()> {
    let worker = handle.clone();
    let work = Box::new(move || run(worker, index));
    let started = handle
        .scheduler()
        .blocking
        .run_loop(work, || handle.thread_scope());
    started.map_err(|(error, _)| error)
}

/// Drives one core of a multi-thread runtime until the runtime stops, or until the core has been
/// handed to another thread.
pub(super) fn run(handle: Handle, index: usize) {
    let scheduler = handle.scheduler();
    let home = &scheduler.homes[index];
    // Whoever handed it over may have taken it back.
    let Some(core) = home.take_core() else { return };
    let _entered = context::enter(handle.clone());
    let _mark = context::forbid_blocking();
    let _worker = context::be_worker(Some(index));
    let driving = Driving::begin(core);
    let mut looper = Loop::new(scheduler, index);
    while !scheduler.is_stopping() {
        match looper.run_tasks() {
            Ran::Some => looper.turn(),
            Ran::None => looper.idle(|| scheduler.has_tasks() || scheduler.is_stopping()),
            Ran::LostCore => return,
        }
    }
    // However short the runtime lives, each worker has parked.
    if looper.counters().changes() == 0 {
        looper.sleep(|| true);
    }
    looper.end();
    scheduler.worker_stopped(&handle, driving.give_up());
}

/// Drives one core for a moment, on a thread that drives several by turns: at most `polls_max`
/// tasks are polled, then the ring is looked at, and nothing waits.
pub(crate) fn step(handle: &Handle, index: usize, polls_max: u32) {
    let scheduler = handle.scheduler();
    let Some(core) = scheduler.homes[index].take_core() else {
        return;
    };
    let _entered = context::enter(handle.clone());
    let _mark = context::forbid_blocking();
    let _worker = context::be_worker(Some(index));
    let driving = Driving::begin(core);
    let mut looper = Loop::new(scheduler, index);
    if matches!(looper.run_up_to(polls_max), Ran::None)
        && let Some(task) = looper.stolen()
    {
        looper.run(task);
    }
    looper.turn();
    looper.end();
    driving.end();
}

/// Whether a step of this core would do anything.
pub(crate) fn has_work(handle: &Handle, index: usize) -> bool {
    let scheduler = handle.scheduler();
    scheduler.has_tasks() || ask_core(handle, index, Core::has_work).unwrap_or(false)
}

/// How long until the next timer of this core is due.
pub(crate) fn next_timer(handle: &Handle, index: usize) -> Option<std::time::Duration> {
    let tick = ask_core(handle, index, |core| core.table().next_timer())??;
    handle.scheduler().clock().time_until(tick)
}

/// Moves the clock of this core, if it stands, to the next timer. False if it runs, or there is
/// none.
pub(crate) fn advance_paused(handle: &Handle, index: usize) -> bool {
    let clock = handle.scheduler().clock();
    let advance = |core: &Core| {
        let next = core.table().next_timer();
        next.is_some_and(|tick| clock.auto_advance_to(tick))
    };
    clock.is_paused() && ask_core(handle, index, advance).unwrap_or(false)
}

/// Calls `poll` as a task of the only core of a runtime would be, if no other thread has that, and
/// looks at the ring after. The thread is worker `index` meanwhile, or none.
pub(crate) fn poll_with_core(handle: &Handle, index: Option<usize>, poll: impl FnOnce()) {
    let scheduler = handle.scheduler();
    let _entered = context::enter(handle.clone());
    let _mark = context::forbid_blocking();
    let _worker = context::be_worker(index);
    let driving = scheduler.homes[0].take_core().map(Driving::begin);
    poll();
    Loop::new(scheduler, 0).turn();
    driving.into_iter().for_each(Driving::end);
}

fn ask_core<R>(handle: &Handle, index: usize, ask: impl FnOnce(&Core) -> R) -> Option<R> {
    let home = &handle.scheduler().homes[index];
    let core = home.take_core()?;
    let answer = ask(&core);
    home.put_core(core);
    Some(answer)
}

/// Runs a future to its end on this thread, driving the core of a single-thread runtime whenever
/// nobody else does; it is worker `index` meanwhile, or none.
pub(super) fn block_on_current<F: Future>(
    handle: &Handle,
    index: Option<usize>,
    future: F,
) -> F::Output {
    let scheduler = handle.scheduler();
    let home = scheduler.homes[0].clone();
    assert!(!context::is_turning(), "{}", context::NESTED);
    let mut future = pin!(future);
    let root = Root::new(home.clone());
    let waker = Waker::from(root.clone());
    loop {
        if let Some(core) = home.take_core() {
            root.driving.store(true, Ordering::SeqCst);
            let _worker = context::be_worker(index);
            let driving = Driving::begin(core);
            let mut looper = Loop::new(scheduler, 0);
            let output = looper.block_on(future.as_mut(), &root, &waker);
            looper.end();
            driving.end();
            if let Some(output) = output {
                return output;
            }
            // The future gave the core to somebody else, who may have been woken for it.
            root.driving.store(false, Ordering::SeqCst);
            root.woken.store(true, Ordering::SeqCst);
        }
        if root.take_woken()
            && let Poll::Ready(output) = poll_root(scheduler, future.as_mut(), &waker)
        {
            return output;
        }
        // Either the core, which goes back for the loop to take, or a wake.
        if let Some(core) = home.wait_for_core(|| root.woken.load(Ordering::SeqCst)) {
            home.put_core(core);
        }
    }
}

/// Runs a future to its end on a thread that drives no core.
pub(super) fn block_on_outside<F: Future>(handle: &Handle, future: F) -> F::Output {
    struct Unpark {
        thread: std::thread::Thread,
        /// The thread's token is not enough: the future may park the thread too, and take it.
        woken: AtomicBool,
    }

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.woken.store(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    let root = Arc::new(Unpark {
        thread: std::thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(root.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll_root(handle.scheduler(), future.as_mut(), &waker) {
            return output;
        }
        while !root.woken.swap(false, Ordering::Acquire) {
            std::thread::park();
        }
    }
}

pub(crate) fn poll_root<F: Future>(
    scheduler: &Scheduler,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    let poll = || coop::with_budget(|| future.poll(&mut Context::from_waker(waker)));
    budget::grant_if(scheduler.coop_wrap, poll)
}

/// The future of a `block_on` that drives a core, or waits for it.
struct Root {
    woken: AtomicBool,
    driving: AtomicBool,
    home: Arc<Home>,
}

impl Root {
    fn new(home: Arc<Home>) -> Arc<Root> {
        Arc::new(Root {
            woken: AtomicBool::new(true),
            driving: AtomicBool::new(false),
            home,
        })
    }

    fn take_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst) && self.woken.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.swap(true, Ordering::SeqCst) {
            return;
        }
        if !self.driving.load(Ordering::SeqCst) {
            self.home.ring_bell();
        }
        self.home.unpark();
    }
}

/// This thread drives a core, until `end`, an unwind, or until the core was handed on.
struct Driving;

impl Driving {
    fn begin(core: Box<Core>) -> Driving {
        core.settle();
        context::put_core(core);
        Driving
    }

    /// Puts the core back for whoever takes it next.
    fn end(self) {}

    /// Takes the core out for good.
    fn give_up(self) -> Option<Box<Core>> {
        let core = context::take_core();
        core.iter().for_each(|core| core.leave());
        core
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        if let Some(core) = context::take_core() {
            core.leave();
            let home = core.home().clone();
            home.leave_core(core);
            if let Some(handle) = context::handle() {
                handle.scheduler().finish_if_stopping(&handle);
            }
        }
    }
}

enum Ran {
    /// There may be more.
    Some,
    None,
    /// A task has handed the core on.
    LostCore,
}

struct Loop<'a> {
    scheduler: &'a Scheduler,
    index: usize,
    polls: u32,
    /// Since when it is awake.
    awake_since: Instant,
}

impl Loop<'_> {
    fn new(scheduler: &Scheduler, index: usize) -> Loop<'_> {
        Loop {
            scheduler,
            index,
            polls: 0,
            awake_since: Instant::now(),
        }
    }

    fn block_on<F: Future>(
        &mut self,
        mut future: Pin<&mut F>,
        root: &Arc<Root>,
        waker: &Waker,
    ) -> Option<F::Output> {
        // A wake that came before `driving` was set may have missed the core.
        root.woken.store(true, Ordering::SeqCst);
        loop {
            if root.take_woken()
                && let Poll::Ready(output) = poll_root(self.scheduler, future.as_mut(), waker)
            {
                return Some(output);
            }
            match self.run_tasks() {
                Ran::Some => self.turn(),
                Ran::None => {
                    let scheduler = self.scheduler;
                    self.idle(|| root.woken.load(Ordering::SeqCst) || scheduler.has_injected());
                    self.assert_wakeable(root);
                }
                // In a closure of `block_in_place` the core is there for whoever blocks.
                Ran::LostCore => return None,
            }
        }
    }

    /// Runs tasks until there are none, or until the ring wants to be looked at. At least one runs
    /// first: TASKRUN may stay set for work that only another thread can do.
    fn run_tasks(&mut self) -> Ran {
        self.run_up_to(self.scheduler.pace.turn_polls)
    }

    fn run_up_to(&mut self, polls_max: u32) -> Ran {
        for polls in 0..polls_max {
            self.polls = self.polls.wrapping_add(1);
            let injector_first = self
                .polls
                .is_multiple_of(self.scheduler.pace.injector_polls);
            let next = context::with_core(|core| {
                let wants_turn = polls > 0 && core.wants_turn();
                (!wants_turn).then(|| self.scheduler.next_task(core, injector_first))
            });
            match next {
                None => return Ran::LostCore,
                Some(None) => return Ran::Some,
                Some(Some(None)) => return Ran::None,
                Some(Some(Some(task))) => self.run(task),
            }
        }
        Ran::Some
    }

    fn run(&self, task: Task) {
        budget::grant_if(self.scheduler.coop_wrap, || task.run());
    }

    fn turn(&self) {
        context::with_core(Core::turn);
    }

    /// A task of another core.
    fn stolen(&self) -> Option<Task> {
        context::with_core(|core| self.scheduler.steal(core, self.index)).flatten()
    }

    /// Nothing is runnable here: steals, else sleeps.
    fn idle(&mut self, has_work: impl Fn() -> bool) {
        match self.stolen() {
            Some(task) => self.run(task),
            None => self.sleep(has_work),
        }
    }

    /// Moves a paused clock, or else sleeps until there is work.
    fn sleep(&mut self, has_work: impl Fn() -> bool) {
        let Self {
            scheduler, index, ..
        } = *self;
        let call = |hook: &Option<Callback>| hook.iter().for_each(|hook| quietly(|| hook()));
        call(&scheduler.hooks.on_park);
        self.counters().add_busy(self.awake_since);
        self.counters().change();
        if scheduler.clock().is_paused() {
            self.auto_advance(&has_work);
        } else {
            scheduler.fall_asleep(index);
            // The hook may have spawned.
            context::with_core(|core| core.park(|| has_work() || !core.queue().is_empty()));
            scheduler.wake_up(index);
        }
        self.counters().change();
        self.awake_since = Instant::now();
        call(&scheduler.hooks.on_unpark);
    }

    /// The loop ends, and has its core still.
    fn end(self) {
        self.counters().add_busy(self.awake_since);
    }

    fn counters(&self) -> &WorkerCounters {
        &self.scheduler.counters[self.index]
    }

    /// A clock that stands moves to the next timer when there is nothing else to do.
    fn auto_advance(&self, has_work: &impl Fn() -> bool) {
        context::with_core(|core| {
            // Before the last look for work: a closure that ends meanwhile has woken its task.
            let busy = self.scheduler.blocking.busy() > 0;
            core.turn();
            let has_work = || has_work() || !core.queue().is_empty();
            if has_work() || core.has_deferred() {
                return;
            }
            let still = busy || core.table().works_on_files();
            let next = core.table().next_timer().filter(|_| !still);
            if next.is_some_and(|tick| self.scheduler.clock().auto_advance_to(tick)) {
                core.turn();
            } else {
                core.park(has_work);
            }
        });
    }

    /// A ring that has failed wakes nobody. If nobody else can either, waiting is for ever.
    fn assert_wakeable(&self, root: &Arc<Root>) {
        let home = &root.home;
        if !home.is_dead() || root.woken.load(Ordering::SeqCst) || self.scheduler.has_injected() {
            return;
        }
        let timers = context::with_core(|core| core.table().timers_running()).unwrap_or(0);
        // The second count is the waker of this very loop.
        let nobody = Arc::strong_count(root) <= 2 && self.scheduler.owned.len() == 0;
        if nobody && timers == 0 && self.scheduler.blocking.busy() == 0 {
            let errno = home
                .refusal()
                .map_or_else(String::new, |errno| errno.to_string());
            panic!(
                "io_uring_enter failed for good with {errno}, and nothing is left that could wake \
                 this future. Look for a seccomp filter or a sandbox that was installed after the \
                 runtime was built: it must allow io_uring_enter."
            );
        }
    }
}

/// Runs a closure that blocks on a thread that polls tasks: its core goes to another thread.
#[track_caller]
pub(crate) fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    if context::may_block() {
        return f();
    }
    let Some(handle) = context::handle() else {
        return f();
    };
    // Another runtime may have been entered since: its workers have no use for this core.
    let own = context::with_core(|core| handle.scheduler().has_home(core.home()));
    // Of a single thread's runtime only the future of `Handle::block_on` may, as under tokio: it
    // does not count as one of its tasks, nor its thread as the worker.
    let may_leave = match handle.scheduler().flavor {
        Flavor::MultiThread => true,
        Flavor::CurrentThread | Flavor::Local => {
            context::worker_index().is_none() && context::task_id().is_none()
        }
    };
    assert!(
        may_leave && own != Some(false),
        "can call blocking only when running on the multi-threaded runtime"
    );
    // The closure may wait for one of them, and no other thread may come for the core.
    context::with_core(|core| core.wake_deferred());
    let Some(core) = context::take_core() else {
        // The task was in such a closure before: its core has gone.
        return call_blocking(f);
    };
    let home = core.home().clone();
    let index = handle
        .scheduler()
        .homes
        .iter()
        .position(|known| Arc::ptr_eq(known, &home))
        .expect("a worker drives a core of its own runtime");
    core.leave();
    home.put_core(core);
    let _back = TakeBack { home };
    // Whoever steps the cores by turns needs no thread for this one.
    let has_threads = handle.scheduler().flavor == Flavor::MultiThread;
    if has_threads
        && !handle.scheduler().stepped
        && let Err(error) = start(&handle, index)
    {
        trace::warn!(
            "block_in_place found no thread for its core, whose tasks and operations wait: {error}"
        );
    }
    call_blocking(f)
}

/// Calls what may block, and has no budget: it would wait for ever for another one.
fn call_blocking<R>(f: impl FnOnce() -> R) -> R {
    let _allowed = context::allow_blocking();
    let _free = coop::stop();
    budget::leave(f)
}

/// Takes the core back after the closure, if no other thread has come for it.
struct TakeBack {
    home: Arc<Home>,
}

impl Drop for TakeBack {
    fn drop(&mut self) {
        if let Some(core) = self.home.take_core() {
            core.settle();
            context::put_core(core);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use real::sync::Notify;

    use crate::runtime::Builder;

    #[test]
    fn a_task_that_the_park_hook_spawns_runs_before_the_thread_sleeps() {
        let notify = Arc::new(Notify::new());
        let (waker, spawned) = (notify.clone(), AtomicBool::new(false));
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || {
                if !spawned.swap(true, Ordering::SeqCst) {
                    let waker = waker.clone();
                    crate::spawn(async move { waker.notify_one() });
                }
            })
            .build()
            .unwrap();
        runtime.block_on(notify.notified());
    }
}

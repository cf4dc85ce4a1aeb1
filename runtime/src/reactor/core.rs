//! What one thread at a time drives.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use annulus_ring::{Errno, Ring};
use crossbeam_deque::Worker;

use super::Home;
use crate::op::pool::PoolRing;
use crate::op::table::Table;
use crate::task::{Task, quietly};

/// Inline data after which a core enters, however many tasks are runnable: 256 KiB.
const INLINE_BYTES_MAX: usize = 256 * 1024;
/// How often in a row a passing error of enter is met with another try.
const TRANSIENT_ERRORS_MAX: u32 = 1000;
/// How often a close enters the kernel: once, unless enter is interrupted or the SQ is small. What
/// is left then goes with the next turn.
const CLOSE_ENTERS_MAX: u32 = 16;
/// After so many of them the retries are a pause apart.
const TRANSIENT_ERRORS_BUSY: u32 = 16;
const TRANSIENT_ERROR_PAUSE: Duration = Duration::from_millis(1);
/// After so many waits in a row that a signal ended, it is asked whether it was signals.
const INTERRUPTIONS_MAX: u32 = 16;

/// Tasks that may give way in one turn before memory for them is needed.
const DEFERRED_MIN: usize = 16;

/// Ring, operations, timers and run queue.
pub(crate) struct Core {
    home: Arc<Home>,
    /// Before the table, whose ring it is registered with.
    buffers: RefCell<PoolRing>,
    table: Table,
    queue: Worker<Task>,
    /// Bytes moved by inline calls since the last enter.
    inline_bytes: Cell<usize>,
    transient_errors: Cell<u32>,
    interruptions: Cell<u32>,
    /// Tasks that gave way until the next turn.
    deferred: RefCell<Vec<Waker>>,
}

impl Core {
    pub(crate) fn new(home: Arc<Home>, ring: Ring, queue: Worker<Task>) -> Core {
        Core {
            home,
            buffers: RefCell::default(),
            table: Table::new(ring),
            queue,
            inline_bytes: Cell::new(0),
            transient_errors: Cell::new(0),
            interruptions: Cell::new(0),
            deferred: RefCell::new(Vec::with_capacity(DEFERRED_MIN)),
        }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn queue(&self) -> &Worker<Task> {
        &self.queue
    }

    pub(crate) fn spent_bytes(&self, n: usize) {
        self.inline_bytes
            .set(self.inline_bytes.get().saturating_add(n));
    }

    /// This thread drives the core from now on: the ring is registered with it.
    pub(crate) fn settle(&self) {
        // Refused where the thread has no room for it: the plain descriptor does the same.
        let _ = self.table.ring().borrow_mut().register_ring_fd();
    }

    /// This thread is about to give the core up: a registered ring is its own alone.
    pub(crate) fn leave(&self) {
        let _ = self.table.ring().borrow_mut().unregister_ring_fd();
    }

    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.borrow().is_empty()
    }

    /// Wakes a task after the next turn.
    pub(crate) fn defer(&self, waker: Waker) {
        self.deferred.borrow_mut().push(waker);
    }

    /// Whether the kernel has something for us, or we have enough for it, that tasks should wait.
    pub(crate) fn wants_turn(&self) -> bool {
        let ring = self.table.ring().borrow();
        self.inline_bytes.get() >= INLINE_BYTES_MAX
            || ring.taskrun()
            || ring.cq_overflowed()
            || ring.sq_space_left() * 2 <= ring.sq_capacity()
    }

    /// Whether a turn, or a task, has anything to do here.
    pub(crate) fn has_work(&self) -> bool {
        let ring = self.table.ring().borrow();
        let in_ring = ring.cq_ready() > 0
            || ring.sq_queued() > 0
            || ring.taskrun()
            || ring.cq_overflowed()
            || !self.table.is_flushed();
        let timer_is_due = || {
            let next = self.table.next_timer();
            next.is_some_and(|tick| self.home.clock().time_until(tick) == Some(Duration::ZERO))
        };
        in_ring
            || !self.queue.is_empty()
            || self.has_deferred()
            || self.home.inbox().has_mail()
            || self.home.has_closes()
            || timer_is_due()
    }

    /// Submits and reaps without waiting.
    pub(crate) fn turn(&self) {
        self.prepare();
        let idle = {
            let ring = self.table.ring().borrow();
            let announced = self.home.kernel().announces_work();
            announced && ring.sq_queued() == 0 && !ring.taskrun() && !ring.cq_overflowed()
        };
        if !idle {
            self.enter(0, None);
        }
        self.finish_turn();
    }

    /// Submits, waits until there is something to do, and reaps. `has_work` is asked once more
    /// after everybody can see that this core is about to sleep.
    pub(crate) fn park(&self, has_work: impl FnOnce() -> bool) {
        self.prepare();
        let timeout = match self.table.next_timer() {
            Some(tick) => self.home.clock().time_until(tick),
            None => None,
        };
        let ready = timeout == Some(Duration::ZERO)
            || self.table.ring().borrow().cq_ready() > 0
            || !self.deferred.borrow().is_empty();
        if ready || !self.home.begin_park() {
            self.home.end_park();
            return self.turn();
        }
        if self.home.inbox().has_mail() || has_work() {
            self.home.end_park();
            return self.turn();
        }
        // What others read while this core sleeps is what it sleeps with.
        self.note();
        if self.home.is_dead() {
            self.home.wait_dead(timeout);
        } else {
            self.enter(1, timeout);
        }
        self.home.end_park();
        self.finish_turn();
    }

    /// Does what other threads asked for while nobody drives the core: no task is run.
    pub(crate) fn turn_alone(&self) {
        self.prepare();
        self.enter(0, None);
    }

    /// Whether the kernel has everything that is queued, closes among them.
    pub(crate) fn is_submitted(&self) -> bool {
        self.table.is_flushed() && self.table.ring().borrow().sq_queued() == 0
    }

    /// Waits for completions only, as shutdown does.
    pub(crate) fn reap_for(&self, timeout: Duration) {
        self.prepare();
        if self.table.ring().borrow().cq_ready() == 0 {
            self.enter(1, Some(timeout));
        }
        self.table.reap(&self.home);
        self.note();
    }

    /// Takes in what others want and moves everything queued into the SQ, entering as often as it
    /// takes where the SQ is too small.
    fn prepare(&self) {
        self.buffers
            .borrow_mut()
            .turn(self.home.pool(), &self.table.ring().borrow());
        // Before the inbox: who gives a descriptor up has put the cancels of its operations there
        // first, and behind a close that was taken without them nobody might come again.
        let closes = self.home.take_closes();
        self.table.drain_inbox(&self.home);
        for fd in closes {
            self.table.close_behind(fd);
        }
        while !self.table.flush(&self.home) {
            self.enter(0, None);
            if self.home.is_dead() {
                return self.bury();
            }
            self.reap();
        }
    }

    fn finish_turn(&self) {
        self.reap();
        if self.home.is_dead() {
            self.bury();
        }
        if self.table.next_timer().is_some() {
            self.table.fire_timers(self.home.clock().tick_now());
        }
        self.inline_bytes.set(0);
        self.wake_deferred();
        self.note();
    }

    /// Wakes the tasks that gave way: at the end of a turn, or before this thread blocks.
    pub(crate) fn wake_deferred(&self) {
        let mut deferred = self.deferred.take();
        for waker in deferred.drain(..) {
            quietly(|| waker.wake());
        }
        // The memory is kept; what was deferred meanwhile waits for the next turn.
        deferred.append(&mut self.deferred.borrow_mut());
        self.deferred.replace(deferred);
    }

    fn reap(&self) {
        let cqes = self.table.reap(&self.home);
        self.home.stats().cqes.add(cqes as u64);
    }

    fn note(&self) {
        let stats = self.home.stats();
        stats.ops_in_flight.set(self.table.in_flight() as u64);
        stats.bytes_lent.set(self.table.lent_bytes());
        stats.timers.set(self.table.timers_running() as u64);
    }

    /// Closes a descriptor behind the cancels of its operations, in one enter.
    pub(crate) fn close(&self, fd: OwnedFd) {
        self.table.drain_inbox(&self.home);
        if self.is_submitted() || self.home.is_dead() {
            return drop(fd);
        }
        self.table.close_behind(fd);
        self.enter_what_is_queued();
    }

    /// Cancels what was abandoned, in one enter: the kernel then holds its files no more.
    pub(crate) fn cancel_abandoned(&self) {
        self.table.drain_inbox(&self.home);
        if !self.is_submitted() && !self.home.is_dead() {
            self.enter_what_is_queued();
        }
    }

    fn enter_what_is_queued(&self) {
        for _ in 0..CLOSE_ENTERS_MAX {
            let flushed = self.table.flush(&self.home);
            self.enter(0, None);
            let done = flushed && self.table.ring().borrow().sq_queued() == 0;
            if done || self.home.is_dead() {
                break;
            }
        }
    }

    fn enter(&self, min_complete: u32, timeout: Option<Duration>) {
        let stats = self.home.stats();
        if self.home.is_dead() {
            return;
        }
        let result = {
            let mut ring = self.table.ring().borrow_mut();
            if ring.cq_overflowed() {
                stats.cq_overflows.add(1);
            }
            self.home.kernel().enter(&mut ring, min_complete, timeout)
        };
        stats.enters.add(1);
        match result {
            Ok(submitted) => {
                stats.sqes.add(u64::from(submitted));
                self.transient_errors.set(0);
                self.interruptions.set(0);
            }
            // A signal came.
            Err(Errno::EINTR) if min_complete > 0 => self.note_interruption(),
            // Out of memory, or of room in the CQ: the caller reaps, which makes room. A signal
            // ends no call that does not wait.
            Err(Errno::EINTR | Errno::EAGAIN | Errno::EBUSY | Errno::ENOMEM)
                if self.transient_errors.get() < TRANSIENT_ERRORS_MAX =>
            {
                self.transient_errors.set(self.transient_errors.get() + 1);
                if self.transient_errors.get() > TRANSIENT_ERRORS_BUSY {
                    self.home.kernel().sleep(TRANSIENT_ERROR_PAUSE);
                }
            }
            Err(errno) => {
                trace::error!(
                    "io_uring_enter failed for good with {errno}: operations on this ring end \
                     with that error. Look for a seccomp filter or a sandbox that was installed \
                     after the runtime was built."
                );
                // Whoever is told EINTR tries again, as is the custom.
                self.home.set_dead(match errno {
                    Errno::EINTR => Errno::EIO,
                    errno => errno,
                });
            }
        }
    }

    /// A wait was interrupted. Signals may do that for ever, but they interrupt only waits: what
    /// else says EINTR is no signal, and has to end like any other error.
    fn note_interruption(&self) {
        let interruptions = self.interruptions.get() + 1;
        self.interruptions.set(interruptions % INTERRUPTIONS_MAX);
        if interruptions == INTERRUPTIONS_MAX {
            self.enter(0, None);
        }
    }

    /// Ends, with the ring's error, everything that the kernel does not have; gives up the rest.
    fn bury(&self) {
        let errno = self.home.refusal().unwrap_or(Errno::EBADF);
        self.table.fail_waiting(&self.home, errno);
        self.leak();
    }

    /// Gives up what the kernel has, counted and named.
    pub(crate) fn leak(&self) -> usize {
        let stats = self.home.stats();
        let errno = self.home.refusal().unwrap_or(Errno::ECANCELED);
        self.table
            .leak(errno, |operation, site| stats.leak(operation, site))
    }

    pub(crate) fn into_table(self) -> Table {
        self.table
    }
}

//! The shared part of a core.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use annulus_ring::{Errno, Kernel, Origin, RingRef, Version};
use crossbeam_utils::atomic::AtomicCell;

use super::Core;
use super::park::Park;
use super::stats::HomeStats;
use crate::context;
use crate::op::Pages;
use crate::op::header::Tag;
use crate::op::inbox::Inbox;
use crate::op::pool::Pool;
use crate::runtime::Driver;
use crate::time::clock::Clock;

/// What an operation yields when its runtime is gone; tokio's words, which programs match on.
pub(crate) const SHUTDOWN: &str = "A Tokio 1.x context was found, but it is being shutdown.";

/// The first kernel that cancels an operation for any thread, without an SQE.
pub(crate) const SYNC_CANCEL_SINCE: Version = Version::new(6, 0);
/// The first kernel that posts a message to a ring for a thread that has none.
pub(crate) const SEND_MSG_RING_SINCE: Version = Version::new(6, 13);

/// How a stream gets its bytes.
///
/// The default is what costs least where it was measured (an echo of 128 bytes on Linux 6.18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecvMode {
    /// Readiness by a standing poll, data by an inline call.
    #[default]
    Base,
    /// A receive on the ring for each read that waits, into a provided buffer.
    Hot,
    /// Each stream decides by what its reads have met so far.
    Auto,
}

/// What a core is like to everybody who is not driving it.
///
/// Objects, operations and timers hold it in an `Arc`. It outlives the core: what comes late finds
/// the inbox closed.
pub(crate) struct Home {
    runtime: u64,
    kernel: Kernel,
    clock: Arc<Clock>,
    recv_mode: RecvMode,
    ring: RingRef,
    /// The process that the ring belongs to.
    origin: Origin,
    /// The core while nobody drives it.
    slot: AtomicCell<Option<Box<Core>>>,
    /// Held by a thread that has the core for a moment only: see [`Home::visit`].
    visit: Mutex<()>,
    /// Signalled when the core comes back into the slot, or when a lasting error has made the
    /// ring unable to wake anybody.
    bell: Condvar,
    bell_mutex: Mutex<()>,
    waiters: AtomicUsize,
    park: Park,
    inbox: Inbox,
    pages: Pages,
    pool: Pool,
    /// Wakes the ring where it takes no message: before 6.13, and from a thread that may not send.
    event: OwnedFd,
    /// The ring takes messages of any thread.
    messages: bool,
    /// Descriptors that other threads gave up, each a placeholder by now.
    closes: Mutex<Vec<OwnedFd>>,
    has_closes: AtomicBool,
    /// Stands in for a descriptor until the home has closed its number.
    placeholder: OwnedFd,
    pinned: bool,
    /// The lasting error of `io_uring_enter`, or 0.
    dead: AtomicI32,
    shutdown: AtomicBool,
    /// The ring is gone.
    ended: AtomicBool,
    stats: Arc<HomeStats>,
}

/// What a home is made of.
pub(crate) struct HomeConfig {
    /// The number of the runtime it belongs to.
    pub(crate) runtime: u64,
    pub(crate) kernel: Kernel,
    pub(crate) clock: Arc<Clock>,
    pub(crate) recv_mode: RecvMode,
    /// How many buffers streams receive into by themselves.
    pub(crate) recv_buffers: u16,
    pub(crate) ring: RingRef,
    /// The process that the ring belongs to.
    pub(crate) origin: Origin,
    pub(crate) event: OwnedFd,
    pub(crate) messages: bool,
    pub(crate) placeholder: OwnedFd,
    /// The ring belongs to one thread.
    pub(crate) pinned: bool,
}

/// No code of the user runs while a home is being changed, so a panic leaves it whole.
impl RefUnwindSafe for Home {}

impl Home {
    pub(crate) fn new(config: HomeConfig) -> Home {
        Home {
            runtime: config.runtime,
            kernel: config.kernel,
            clock: config.clock,
            recv_mode: config.recv_mode,
            ring: config.ring,
            origin: config.origin,
            slot: AtomicCell::new(None),
            visit: Mutex::new(()),
            bell: Condvar::new(),
            bell_mutex: Mutex::new(()),
            waiters: AtomicUsize::new(0),
            park: Park::new(),
            inbox: Inbox::new(),
            pages: Pages::new(),
            pool: Pool::new(config.recv_buffers),
            event: config.event,
            messages: config.messages,
            closes: Mutex::new(Vec::new()),
            has_closes: AtomicBool::new(false),
            placeholder: config.placeholder,
            pinned: config.pinned,
            dead: AtomicI32::new(0),
            shutdown: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            stats: HomeStats::register(),
        }
    }

    /// The home for what is made here and now: the core that this thread drives, else one of the
    /// runtime in context, in turn.
    ///
    /// # Panics
    ///
    /// Outside of any runtime.
    #[track_caller]
    pub(crate) fn current() -> Arc<Home> {
        match context::home() {
            Some(home) => home,
            None => panic!("{}", context::NO_REACTOR),
        }
    }

    /// As [`current`](Home::current), for what needs a driver.
    ///
    /// # Panics
    ///
    /// Outside of any runtime, and in one whose builder did not enable the driver.
    #[track_caller]
    pub(crate) fn current_with(driver: Driver) -> Arc<Home> {
        let enabled = context::with_handle(|handle| handle.scheduler().has_driver(driver));
        assert!(enabled != Some(false), "{}", driver.is_disabled());
        Home::current()
    }

    /// The number of the runtime it belongs to.
    pub(crate) fn runtime(&self) -> u64 {
        self.runtime
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    pub(crate) fn recv_mode(&self) -> RecvMode {
        self.recv_mode
    }

    pub(crate) fn stats(&self) -> &HomeStats {
        &self.stats
    }

    /// The buffers that streams receive into by themselves.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn event(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// Whether this thread drives this home's core now.
    pub(crate) fn is_here(&self) -> bool {
        self.with_core(|_| ()).is_some()
    }

    /// Calls `f` with the core if this thread drives it.
    pub(crate) fn with_core<R>(&self, f: impl FnOnce(&Core) -> R) -> Option<R> {
        context::with_core(|core| std::ptr::eq(&**core.home(), self).then(|| f(core))).flatten()
    }

    /// Why this home takes on nothing more, if so.
    pub(crate) fn refusal(&self) -> Option<Errno> {
        match self.dead.load(Ordering::Acquire) {
            0 if self.is_forked() => Some(Errno::EBADF),
            0 => self.is_shutdown().then_some(Errno::ECANCELED),
            errno => Some(Errno::from_raw(errno)),
        }
    }

    pub(crate) fn is_shutdown(&self) -> bool {
        self.shutdown.load(Ordering::Acquire)
    }

    pub(crate) fn set_shutdown(&self) {
        self.shutdown.store(true, Ordering::Release);
    }

    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether the ring can be entered no more: a lasting error, or a forked child.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire) != 0 || self.is_forked()
    }

    /// Whether this is a child of the process that the runtime belongs to: it has no ring here,
    /// and no thread but its own.
    pub(crate) fn is_forked(&self) -> bool {
        self.origin.is_forked()
    }

    pub(crate) fn set_dead(&self, errno: Errno) {
        self.dead.store(errno.raw(), Ordering::Release);
    }

    /// The error of an operation whose runtime is gone.
    pub(crate) fn shutdown_error() -> io::Error {
        io::Error::other(SHUTDOWN)
    }

    /// What an operation that this home refuses, or that its end cancelled, yields.
    pub(crate) fn error(&self, errno: Errno) -> io::Error {
        if errno == Errno::ECANCELED && self.is_shutdown() {
            Home::shutdown_error()
        } else {
            errno.into()
        }
    }

    // ---- Waiting and waking -------------------------------------------------------------

    /// Makes the core look at its inbox and queues, whatever it does now.
    pub(crate) fn unpark(&self) {
        if self.park.call() {
            self.stats.remote_wakes.add(1);
            self.signal();
        }
    }

    /// Says that the core is about to wait. False if it was called meanwhile and must not.
    pub(crate) fn begin_park(&self) -> bool {
        self.park.begin()
    }

    pub(crate) fn end_park(&self) {
        self.park.end();
    }

    fn signal(&self) {
        if self.is_dead() {
            let _guard = self.bell_guard();
            return self.bell.notify_all();
        }
        if self.messages && self.send_message() {
            return;
        }
        // The counter is far from full: each wake adds one.
        let sent = self.kernel.write(self.event.as_fd(), &1u64.to_ne_bytes());
        debug_assert_eq!(sent, Ok(8));
    }

    /// False where this thread may not, under a filter of its own for instance.
    fn send_message(&self) -> bool {
        loop {
            match self.ring.send_msg_ring(Tag::MESSAGE.pack(), 0) {
                Ok(()) => return true,
                // The kernel is out of memory for it, which passes.
                Err(Errno::ENOMEM | Errno::EAGAIN | Errno::EINTR | Errno::EOVERFLOW)
                    if self.park.is_called() && !self.is_dead() =>
                {
                    std::thread::yield_now();
                }
                Err(_) => return false,
            }
        }
    }

    /// Waits where the ring cannot be waited on any more.
    pub(crate) fn wait_dead(&self, timeout: Option<Duration>) {
        let guard = self.bell_guard();
        if self.park.is_parked() {
            let timeout = timeout.unwrap_or(Duration::from_secs(1));
            drop(self.bell.wait_timeout(guard, timeout));
        }
    }

    fn bell_guard(&self) -> MutexGuard<'_, ()> {
        lock(&self.bell_mutex)
    }

    // ---- The core when nobody drives it -------------------------------------------------

    /// Takes the core, if nobody has it, or a visitor only.
    pub(crate) fn take_core(&self) -> Option<Box<Core>> {
        self.slot.take().or_else(|| {
            let _no_visitor = lock(&self.visit);
            self.slot.take()
        })
    }

    /// Turns the core, if nobody has it, on a thread that is not to drive it, until what was to be
    /// closed is. Whoever comes to drive or to end the core meanwhile waits: it would not come
    /// again. A second visitor does not, for it may be a drop that the first one's turn runs.
    fn visit(&self) {
        while let Ok(visitor) = self.visit.try_lock() {
            if !self.visit_as(visitor) {
                return;
            }
        }
    }

    /// Whether to come again, because somebody has given up more meanwhile.
    fn visit_as(&self, visitor: MutexGuard<'_, ()>) -> bool {
        let Some(core) = self.slot.take() else {
            return false;
        };
        core.turn_alone();
        self.put_core(core);
        drop(visitor);
        // Whoever found the door shut had set the flag before.
        fence(Ordering::SeqCst);
        self.has_closes.load(Ordering::SeqCst)
    }

    /// Puts the core back after this thread has driven it, perhaps for good: what others gave up
    /// meanwhile, and left to it, is closed now.
    pub(crate) fn leave_core(&self, core: Box<Core>) {
        self.put_core(core);
        // Who gives up sets the flag, and then looks whether the core is here.
        fence(Ordering::SeqCst);
        while !self.pinned && self.has_closes.load(Ordering::SeqCst) {
            // Not tried: a visitor that came too early for the core may be at the door still.
            if !self.visit_as(lock(&self.visit)) {
                return;
            }
        }
    }

    /// Puts the core back for whoever takes it next.
    pub(crate) fn put_core(&self, core: Box<Core>) {
        let before = self.slot.swap(Some(core));
        debug_assert!(before.is_none(), "there is one core to a home");
        if self.waiters.load(Ordering::SeqCst) > 0 {
            let _guard = self.bell_guard();
            self.bell.notify_all();
        }
    }

    /// Sleeps until the core may be had or `woken` says so; `ring_bell` ends the sleep early.
    pub(crate) fn wait_for_core(&self, woken: impl Fn() -> bool) -> Option<Box<Core>> {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.bell_guard();
        let core = loop {
            if woken() {
                break None;
            }
            if let Some(core) = self.slot.take() {
                break Some(core);
            }
            guard = self
                .bell
                .wait(guard)
                .unwrap_or_else(PoisonError::into_inner);
        };
        self.waiters.fetch_sub(1, Ordering::SeqCst);
        core
    }

    pub(crate) fn ring_bell(&self) {
        let _guard = self.bell_guard();
        self.bell.notify_all();
    }

    // ---- Prompt close -------------------------------------------------------------------

    /// Closes a socket now: the peer sees FIN and the port is free, although operations on the
    /// descriptor may be in the kernel's hands. Never waits.
    ///
    /// From another thread than the home's the last step is task work of the thread that submitted
    /// the poll: it takes well under a millisecond where that thread sleeps in its ring, some
    /// milliseconds where it computes, and the port stays taken until then.
    ///
    /// `lent` are the user data of those operations, `drop_ops` drops their futures. `touched`
    /// says that the descriptor was ever named in an SQE.
    pub(crate) fn close_socket(
        self: &Arc<Home>,
        fd: OwnedFd,
        touched: bool,
        lent: &[u64],
        drop_ops: impl FnOnce(),
    ) {
        drop_ops();
        let mut fd = Some(fd);
        if !touched {
            return close(&self.kernel, fd.take().expect("not yet closed"));
        }
        let here = self.with_core(|core| core.close(fd.take().expect("not yet closed")));
        if here.is_some() {
            return;
        }
        let fd = fd.expect("not taken by the core");
        if self.ended.load(Ordering::Acquire) || self.is_dead() {
            // The ring is gone, or takes nothing any more.
            return close(&self.kernel, fd);
        }
        // The number stays ours, so that a queued SQE that names it finds nothing (EBADF).
        if self
            .kernel
            .replace(self.placeholder.as_fd(), fd.as_fd())
            .is_err()
        {
            return close(&self.kernel, fd);
        }
        let may_cancel = !self.pinned && self.kernel.version() >= SYNC_CANCEL_SINCE;
        for user_data in lent.iter().filter(|_| may_cancel) {
            // ENOENT: it had ended. Anything else: the home's own cancel does it at its next turn.
            let _ = self.ring.sync_cancel(*user_data, Some(Duration::ZERO));
        }
        lock(&self.closes).push(fd);
        self.has_closes.store(true, Ordering::Release);
        if !may_cancel && !self.pinned {
            fence(Ordering::SeqCst);
            self.visit();
        }
        self.unpark();
    }

    /// Has the kernel let go of a descriptor that its owner keeps, or closes by itself: `drop_ops`
    /// drops the futures of its operations, whose user data are `lent`, and they are cancelled
    /// now. Never waits; from another thread than the home's as prompt as
    /// [`close_socket`](Home::close_socket).
    pub(crate) fn release(self: &Arc<Home>, lent: &[u64], drop_ops: impl FnOnce()) {
        drop_ops();
        if self.with_core(Core::cancel_abandoned).is_some() {
            return;
        }
        if self.ended.load(Ordering::Acquire) || self.is_dead() {
            return;
        }
        if !self.pinned && self.kernel.version() >= SYNC_CANCEL_SINCE {
            for user_data in lent {
                // ENOENT: it had ended. Anything else: the home's own cancel does it soon.
                let _ = self.ring.sync_cancel(*user_data, Some(Duration::ZERO));
            }
        } else if !self.pinned {
            self.visit();
        }
        self.unpark();
    }

    /// Whether other threads have given descriptors up.
    pub(crate) fn has_closes(&self) -> bool {
        self.has_closes.load(Ordering::Acquire)
    }

    /// Descriptors that other threads gave up.
    pub(crate) fn take_closes(&self) -> Vec<OwnedFd> {
        if !self.has_closes.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *lock(&self.closes))
    }
}

/// Nothing under these mutexes is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes a descriptor whose errors nobody can act on any more.
fn close(kernel: &Kernel, fd: OwnedFd) {
    if let Err(errno) = kernel.close(fd) {
        trace::debug!("close(2) of a socket: {errno}");
    }
}

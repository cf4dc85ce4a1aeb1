//! `Shared`: the kernel's side of one ring, and how it is entered.
//!
//! The lock is never held while something blocks. The thread that enters waits in epoll without
//! it; others come in meanwhile to cancel, and leave letters without taking it at all.

use core::ptr::with_exposed_provenance;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::enter::{
    IORING_ENTER_ABS_TIMER, IORING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG_REG, IORING_ENTER_GETEVENTS,
};
use annulus_syscalls::io_uring::register::io_uring_sync_cancel_reg;
use annulus_syscalls::io_uring::setup::IORING_SETUP_R_DISABLED;
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_getevents_arg};

use super::fd::Fd;
use super::files::Files;
use super::mailbox::{Letter, Mailbox};
use super::os::Os;
use super::ready::{Ready, WAKE, control_raw};
use super::rw::Devices;
use super::spans::Spans;
use super::{Facts, last_errno};
use crate::fork::Origin;
use crate::kernel::engine::{Clock, Engine, Flags, Key, Memory, Queues, World, pattern};

/// Events that are taken from epoll at once.
const EVENTS_MAX: usize = 256;
const NS_PER_SECOND: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Shared {
    memory: Arc<Memory>,
    mailbox: Arc<Mailbox>,
    facts: Arc<Facts>,
    /// The number of the epoll instance stands for the ring.
    number: i32,
    epoll: Mutex<Option<Fd>>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) os: Os,
    disabled: bool,
    letters: Vec<Letter>,
    told: Vec<Key>,
}

impl Shared {
    /// The kernel's side of a ring in `memory`.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub(super) fn new(
        memory: &Arc<Memory>,
        facts: &Arc<Facts>,
        origin: Origin,
    ) -> Result<Shared, Errno> {
        // SAFETY: takes a number only.
        let epoll = match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
            -1 => return Err(last_errno()),
            epoll => Fd::new(epoll, origin),
        };
        let mailbox = Arc::new(Mailbox::new(Flags::new(memory), origin)?);
        let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
        let (change, event) = (libc::EPOLL_CTL_ADD, mailbox.event().unwrap_or(-1));
        control_raw(epoll.number(), change, event, events, WAKE)?;
        facts
            .rings()
            .insert(epoll.number(), Arc::downgrade(&mailbox));
        // SAFETY: the memory is new: this is the one kernel's side.
        let queues = unsafe { Queues::new(Arc::clone(memory)) };
        let state = State {
            engine: Engine::new(queues),
            os: Os {
                facts: Arc::clone(facts),
                ready: Ready::new(epoll.number()),
                mailbox: Arc::clone(&mailbox),
                devices: Devices::default(),
                files: Files::new(origin, facts, &mailbox),
                spans: Spans::new(&mailbox),
            },
            disabled: memory.params.flags & IORING_SETUP_R_DISABLED != 0,
            letters: Vec::new(),
            told: Vec::new(),
        };
        Ok(Shared {
            memory: Arc::clone(memory),
            mailbox,
            facts: Arc::clone(facts),
            number: epoll.number(),
            epoll: Mutex::new(Some(epoll)),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn fd(&self) -> i32 {
        self.number
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Nothing in there is left half changed: no foreign code runs under the lock.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enable(&self) -> Result<(), Errno> {
        match std::mem::replace(&mut self.lock().disabled, false) {
            true => Ok(()),
            false => Err(Errno::EBADFD),
        }
    }

    /// `io_uring_enter`(2).
    ///
    /// # Safety
    /// As the system call: entries are what their `prep_*` methods promise, and `arg` is what
    /// `flags` say.
    pub(crate) unsafe fn enter(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        arg: usize,
        arg_size: usize,
    ) -> Result<u32, Errno> {
        // SAFETY: promised by the caller.
        let wait = unsafe { Wait::of(flags, arg, arg_size) }?;
        let mut state = self.lock();
        if state.disabled {
            return Err(Errno::EBADFD);
        }
        let submitted = state.submit(to_submit);
        if state.os.ready.take_fresh() {
            self.harvest(&mut state)?;
        }
        if flags & IORING_ENTER_GETEVENTS == 0 || submitted < to_submit {
            return Ok(submitted);
        }
        match self.wait(state, min_complete, &wait) {
            // What was submitted is told, and why the wait ended is found out by the next.
            Err(Errno::EINTR | Errno::ETIME) if submitted > 0 => Ok(submitted),
            waited => waited.map(|()| submitted),
        }
    }

    /// Waits until there are `min_complete` completions, after a look at what is ready.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        min_complete: u32,
        wait: &Wait,
    ) -> Result<(), Errno> {
        let wanted = min_complete.min(state.engine.queues.cq_entries());
        let deadline_ns = wait.deadline_ns(&state.os);
        let mut looked = false;
        loop {
            state.settle();
            let enough = state.engine.queues.ready() >= wanted;
            if enough && (looked || !state.os.ready.is_waiting()) {
                return Ok(());
            }
            if enough {
                looked = true;
                self.harvest(&mut state)?;
                continue;
            }
            let now_ns = state.os.now_ns(Clock::Monotonic);
            let left_ns = deadline_ns.map(|deadline_ns| deadline_ns.saturating_sub(now_ns));
            if looked && left_ns == Some(0) {
                return state.unless_some(Errno::ETIME);
            }
            let timer_ns = state.engine.next_timeout_ns(|clock| state.os.now_ns(clock));
            let span_ns = left_ns.into_iter().chain(timer_ns).min();
            if !self.mailbox.begin_wait() {
                continue;
            }
            drop(state);
            let mut events = Events::new();
            let woken = events.wait(self.number, span_ns, wait.signals());
            self.mailbox.end_wait();
            looked = true;
            state = self.lock();
            match woken {
                Ok(()) => state.tell(&events),
                Err(Errno::EINTR) => {
                    state.settle();
                    return state.unless_some(Errno::EINTR);
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Tries again what epoll says is ready, without waiting.
    ///
    /// # Errors
    /// What forbids to ask, such as a seccomp filter. No signal does.
    fn harvest(&self, state: &mut State) -> Result<(), Errno> {
        let mut events = Events::new();
        events.wait(self.number, Some(0), None)?;
        state.os.ready.take_fresh();
        state.tell(&events);
        Ok(())
    }

    /// `IORING_REGISTER_SYNC_CANCEL`: cancels, and waits until what runs is done.
    pub(super) fn sync_cancel(&self, request: &io_uring_sync_cancel_reg) -> Result<(), Errno> {
        let io_uring_sync_cancel_reg {
            addr,
            fd,
            opcode,
            flags,
            ..
        } = *request;
        let pattern = pattern(addr, fd, opcode, flags, &mut self.lock().os)?;
        let now_ns = || self.lock().os.now_ns(Clock::Monotonic);
        let span_ns = match request.timeout {
            __kernel_timespec {
                tv_sec: -1,
                tv_nsec: -1,
            } => None,
            time => Some(nanoseconds(&time)),
        };
        let deadline_ns = span_ns.map(|span_ns| now_ns().saturating_add(span_ns));
        let mut first = true;
        loop {
            let res = {
                let mut state = self.lock();
                let State { engine, os, .. } = &mut *state;
                let res = engine.cancel(pattern, os);
                engine.run(os);
                res
            };
            self.mailbox.nudge();
            if res != -Errno::EALREADY.raw() {
                return match res {
                    res if res == -Errno::ENOENT.raw() && !first => Ok(()),
                    res if res < 0 => Err(Errno::from_raw(-res)),
                    _ => Ok(()),
                };
            }
            first = false;
            let left_ns = match deadline_ns {
                Some(deadline_ns) => deadline_ns.saturating_sub(now_ns()),
                None => NS_PER_SECOND,
            };
            if left_ns == 0 {
                return Err(Errno::ETIME);
            }
            self.mailbox.wait_for_letters(Duration::from_nanos(left_ns));
            self.lock().settle();
        }
    }

    /// The ring is gone: nothing of it starts any more, nobody finds it, and its descriptors are
    /// closed. Called once, while nobody else is in a call.
    pub(crate) fn close(&self) {
        self.facts.pool.forget(&self.mailbox);
        self.facts.rings().remove(&self.number);
        self.mailbox.close();
        *self.epoll.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl State {
    fn submit(&mut self, count: u32) -> u32 {
        let submitted = self.engine.submit(count, &mut self.os);
        self.settle();
        submitted
    }

    /// Takes letters in, ends timeouts that ran out, and moves what overflowed.
    pub(super) fn settle(&mut self) {
        let mut letters = std::mem::take(&mut self.letters);
        self.os.mailbox.take(&mut letters);
        for letter in letters.drain(..) {
            match letter {
                Letter::Done { key, res } => self.engine.arrive(key, res, 0, &mut self.os),
                Letter::Message {
                    user_data,
                    res,
                    flags,
                } => self.engine.receive(user_data, res, flags),
            }
        }
        self.letters = letters;
        // Runs what became work, too.
        self.engine.expire(&mut self.os);
        self.engine.queues.flush();
    }

    /// Tries again what waits for these events.
    fn tell(&mut self, events: &Events) {
        let mut told = std::mem::take(&mut self.told);
        for event in events.as_slice() {
            if event.u64 == WAKE {
                continue;
            }
            told.clear();
            self.os.ready.told(event, &mut told);
            for key in &told {
                self.engine.ready(*key, event.events, &mut self.os);
            }
        }
        self.told = told;
        self.engine.run(&mut self.os);
    }

    /// An error of waiting, which counts only if there is no completion.
    fn unless_some(&self, errno: Errno) -> Result<(), Errno> {
        match self.engine.queues.ready() {
            0 => Err(errno),
            _ => Ok(()),
        }
    }
}

/// How long an enter waits, and under which signal mask.
#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    time: Option<__kernel_timespec>,
    absolute: bool,
    signals: u64,
}

impl Wait {
    /// # Safety
    /// `arg` is what `flags` say.
    unsafe fn of(flags: u32, arg: usize, arg_size: usize) -> Result<Wait, Errno> {
        if flags & IORING_ENTER_EXT_ARG_REG != 0 {
            return Err(Errno::EINVAL);
        }
        if flags & IORING_ENTER_EXT_ARG == 0 {
            return Ok(Wait {
                signals: arg as u64,
                ..Wait::default()
            });
        }
        if arg_size != size_of::<io_uring_getevents_arg>() {
            return Err(Errno::EINVAL);
        }
        // SAFETY: promised by the caller.
        let arg = unsafe { with_exposed_provenance::<io_uring_getevents_arg>(arg).read() };
        let time = with_exposed_provenance::<__kernel_timespec>(arg.ts as usize);
        Ok(Wait {
            // SAFETY: as above: null, or a timespec.
            time: unsafe { time.as_ref() }.copied(),
            absolute: flags & IORING_ENTER_ABS_TIMER != 0,
            signals: arg.sigmask,
        })
    }

    fn deadline_ns(&self, os: &Os) -> Option<u64> {
        let span_ns = nanoseconds(self.time.as_ref()?);
        if self.absolute {
            return Some(span_ns);
        }
        Some(os.now_ns(Clock::Monotonic).saturating_add(span_ns))
    }

    /// The signals that are blocked while waiting, if the caller's are not to be.
    fn signals(&self) -> Option<*const libc::sigset_t> {
        (self.signals != 0).then(|| with_exposed_provenance(self.signals as usize))
    }
}

fn nanoseconds(time: &__kernel_timespec) -> u64 {
    let seconds = (time.tv_sec.max(0) as u64).saturating_mul(NS_PER_SECOND);
    seconds.saturating_add(time.tv_nsec.max(0) as u64)
}

/// What epoll has told.
struct Events {
    events: [libc::epoll_event; EVENTS_MAX],
    count: usize,
}

impl Events {
    fn new() -> Events {
        Events {
            events: [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX],
            count: 0,
        }
    }

    fn as_slice(&self) -> &[libc::epoll_event] {
        &self.events[..self.count]
    }

    /// Waits up to `span_ns` (`None`: without limit).
    ///
    /// # Errors
    /// EINTR; what a seccomp filter says.
    fn wait(
        &mut self,
        epoll: i32,
        span_ns: Option<u64>,
        signals: Option<*const libc::sigset_t>,
    ) -> Result<(), Errno> {
        let count = match span_ns {
            Some(span_ns) if span_ns > 0 => self.wait_ns(epoll, span_ns, signals),
            Some(_) => self.wait_ms(epoll, 0, signals),
            None => self.wait_ms(epoll, -1, signals),
        };
        match count {
            -1 => Err(last_errno()),
            count => {
                self.count = count as usize;
                Ok(())
            }
        }
    }

    /// `epoll_pwait2`(2); where that is missing, in whole milliseconds, never too few.
    fn wait_ns(&mut self, epoll: i32, span_ns: u64, signals: Option<*const libc::sigset_t>) -> i64 {
        let time = __kernel_timespec {
            tv_sec: (span_ns / NS_PER_SECOND) as i64,
            tv_nsec: (span_ns % NS_PER_SECOND) as i64,
        };
        // SAFETY: the events are valid for writes of as many, the time for reads; the signals are
        // those that the caller of enter has lent.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                epoll,
                self.events.as_mut_ptr(),
                EVENTS_MAX,
                &raw const time,
                signals.unwrap_or_default(),
                SIGSET_BYTES,
            )
        };
        let missing = count == -1 && matches!(last_errno(), Errno::ENOSYS | Errno::EPERM);
        if !missing {
            return count as i64;
        }
        let span_ms = span_ns.div_ceil(1_000_000);
        self.wait_ms(epoll, i32::try_from(span_ms).unwrap_or(i32::MAX), signals)
    }

    fn wait_ms(&mut self, epoll: i32, span_ms: i32, signals: Option<*const libc::sigset_t>) -> i64 {
        let events = self.events.as_mut_ptr();
        let signals = signals.unwrap_or_default();
        // SAFETY: the events are valid for writes of as many; the signals are those that the
        // caller of enter has lent, or null.
        let count =
            unsafe { libc::epoll_pwait(epoll, events, EVENTS_MAX as i32, span_ms, signals) };
        i64::from(count)
    }
}

/// The kernel's signal set, which is smaller than the C library's.
const SIGSET_BYTES: usize = 8;

//! Timeouts: TIMEOUT, TIMEOUT_REMOVE and LINK_TIMEOUT.

use std::collections::BTreeMap;
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::timeout::{
    IORING_LINK_TIMEOUT_UPDATE, IORING_TIMEOUT_ABS, IORING_TIMEOUT_BOOTTIME,
    IORING_TIMEOUT_CLOCK_MASK, IORING_TIMEOUT_ETIME_SUCCESS, IORING_TIMEOUT_MULTISHOT,
    IORING_TIMEOUT_REALTIME, IORING_TIMEOUT_UPDATE,
};
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_sqe, op};

use super::args::Args;
use super::request::{Key, Request, State};
use super::world::{Clock, World};
use super::{Engine, Work};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// A timeout that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    clock: Clock,
    deadline_ns: u64,
    /// Completions of others after which it ends early.
    target: Option<u64>,
    /// How long each round of a multishot timeout takes, and how many are left (0: any number).
    period_ns: u64,
    rounds: u64,
    /// The request that it limits.
    limits: Option<Key>,
}

/// All timeouts that run.
#[derive(Debug, Default)]
pub(super) struct Timeouts {
    /// By deadline, for each clock.
    queues: [BTreeMap<(u64, u64), Key>; 3],
    /// Those that count completions.
    counted: Vec<Key>,
}

impl Timeouts {
    fn add(&mut self, key: Key, timer: &Timer) {
        self.queues[timer.clock as usize].insert((timer.deadline_ns, key.sequence), key);
        if timer.target.is_some() {
            self.counted.push(key);
        }
    }

    pub(super) fn remove(&mut self, key: Key, timer: &Timer) {
        self.queues[timer.clock as usize].remove(&(timer.deadline_ns, key.sequence));
        if timer.target.is_some() {
            self.counted.retain(|counted| *counted != key);
        }
    }

    /// The one that ran out first.
    fn due(&self, world: &impl World) -> Option<Key> {
        Clock::ALL.into_iter().find_map(|clock| {
            let (&(deadline_ns, _), &key) = self.queues[clock as usize].first_key_value()?;
            (deadline_ns <= world.now_ns(clock)).then_some(key)
        })
    }

    /// How long until the first runs out.
    fn next_ns(&self, now_ns: impl Fn(Clock) -> u64) -> Option<u64> {
        let left = |clock: Clock| {
            let (&(deadline_ns, _), _) = self.queues[clock as usize].first_key_value()?;
            Some(deadline_ns.saturating_sub(now_ns(clock)))
        };
        Clock::ALL.into_iter().filter_map(left).min()
    }
}

impl Engine {
    pub(super) fn start_timeout(&mut self, key: Key, world: &mut impl World) {
        let Some(request) = self.get(key) else {
            return;
        };
        let sqe = request.op.sqe;
        let timer = match timer(&sqe, &request.op.args, world) {
            Ok(timer) => timer,
            Err(errno) => return self.finish(key, -errno.raw(), 0, world),
        };
        let mut timer = timer;
        if sqe.op_flags & IORING_TIMEOUT_MULTISHOT != 0 {
            timer.rounds = sqe.off;
        } else if sqe.off != 0 {
            timer.target = Some(self.completions + sqe.off);
        }
        self.set_timer(key, timer);
    }

    /// Starts the LINK_TIMEOUT `key` of a request that did not end at once.
    pub(super) fn arm_limit(&mut self, key: Key, limited: Key, world: &impl World) {
        let Some(request) = self.get(key) else {
            return;
        };
        // What cannot be was refused when the entry was taken in.
        if let Ok(mut timer) = timer(&request.op.sqe, &request.op.args, world) {
            timer.limits = Some(limited);
            self.set_timer(key, timer);
        }
    }

    fn set_timer(&mut self, key: Key, timer: Timer) {
        self.timeouts.add(key, &timer);
        if let Some(request) = self.get(key) {
            request.state = State::Timed(timer);
        }
        self.index(key);
    }

    /// How long until the next timeout runs out.
    pub(crate) fn next_timeout_ns(&self, now_ns: impl Fn(Clock) -> u64) -> Option<u64> {
        self.timeouts.next_ns(now_ns)
    }

    /// Ends what has run out.
    pub(crate) fn expire(&mut self, world: &mut impl World) {
        while let Some(key) = self.timeouts.due(world) {
            let Some(request) = self.get(key) else {
                return;
            };
            let State::Timed(timer) = request.state else {
                return;
            };
            let user_data = request.user_data();
            self.timeouts.remove(key, &timer);
            match timer.limits {
                Some(limited) => self.limit_ran_out(key, limited, world),
                None if timer.period_ns > 0
                    && timer.rounds != 1
                    && self.post_more(user_data, -Errno::ETIME.raw(), 0) =>
                {
                    self.completions -= 1;
                    self.set_timer(
                        key,
                        Timer {
                            deadline_ns: timer.deadline_ns + timer.period_ns,
                            rounds: timer.rounds.saturating_sub(1),
                            ..timer
                        },
                    );
                }
                None => self.finish(key, -Errno::ETIME.raw(), 0, world),
            }
        }
        self.run(world);
    }

    fn limit_ran_out(&mut self, key: Key, limited: Key, world: &mut impl World) {
        if let Some(request) = self.get(limited) {
            request.limit = None;
        }
        let res = match self.try_cancel(limited, world) {
            Ok(()) => -Errno::ETIME.raw(),
            Err(errno) => -errno.raw(),
        };
        self.finish(key, res, 0, world);
    }

    /// Ends those that have counted enough completions.
    pub(super) fn end_counted(&mut self, world: &mut impl World) -> bool {
        let completions = self.completions;
        let counted = self.timeouts.counted.iter().copied();
        let reached = counted.filter(|key| match self.peek(*key).map(|request| &request.state) {
            Some(State::Timed(timer)) => timer.target.is_some_and(|target| target <= completions),
            _ => false,
        });
        let Some(key) = reached.min_by_key(|key| key.sequence) else {
            return false;
        };
        self.end_timer(key);
        self.finish(key, 0, 0, world);
        true
    }

    /// Stops a timer, without a CQE.
    pub(super) fn end_timer(&mut self, key: Key) {
        let Some(request) = self.get(key) else {
            return;
        };
        if let State::Timed(timer) = request.state {
            request.state = State::Ended;
            self.timeouts.remove(key, &timer);
        }
    }

    /// TIMEOUT_REMOVE, which also changes timeouts.
    pub(super) fn remove_timeout(
        &mut self,
        sqe: &io_uring_sqe,
        args: &Args,
        world: &mut impl World,
    ) -> i32 {
        let limits = sqe.op_flags & IORING_LINK_TIMEOUT_UPDATE != 0;
        let wanted = if limits {
            op::IORING_OP_LINK_TIMEOUT
        } else {
            op::IORING_OP_TIMEOUT
        };
        let is_wanted = |request: &Request| {
            request.opcode() == wanted && matches!(request.state, State::Timed(_))
        };
        let Some(key) = self.find(sqe.addr, is_wanted) else {
            return -Errno::ENOENT.raw();
        };
        if sqe.op_flags & (IORING_TIMEOUT_UPDATE | IORING_LINK_TIMEOUT_UPDATE) == 0 {
            self.end_timer(key);
            self.work
                .push_back(Work::Finish(key, -Errno::ECANCELED.raw()));
            return 0;
        }
        let fresh = match timer(sqe, args, world) {
            Ok(timer) => timer,
            Err(errno) => return -errno.raw(),
        };
        let Some(Request {
            state: State::Timed(old),
            ..
        }) = self.get(key)
        else {
            return -Errno::ENOENT.raw();
        };
        let old = *old;
        self.timeouts.remove(key, &old);
        self.set_timer(
            key,
            Timer {
                clock: fresh.clock,
                deadline_ns: fresh.deadline_ns,
                ..old
            },
        );
        0
    }
}

/// Whether a timeout that ran out counts as a success, for chains and for skipped CQEs.
pub(super) fn is_success(sqe: &io_uring_sqe, res: i32) -> bool {
    let may = matches!(
        sqe.opcode,
        op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT
    );
    may && sqe.op_flags & IORING_TIMEOUT_ETIME_SUCCESS != 0 && res == -Errno::ETIME.raw()
}

/// # Errors
/// EINVAL for flags that are not known, or do not go together.
pub(super) fn check(sqe: &io_uring_sqe) -> Result<(), Errno> {
    let flags = sqe.op_flags;
    let known = match sqe.opcode {
        op::IORING_OP_TIMEOUT_REMOVE => {
            IORING_TIMEOUT_ABS
                | IORING_TIMEOUT_CLOCK_MASK
                | IORING_TIMEOUT_UPDATE
                | IORING_LINK_TIMEOUT_UPDATE
        }
        op::IORING_OP_TIMEOUT => {
            IORING_TIMEOUT_ABS
                | IORING_TIMEOUT_CLOCK_MASK
                | IORING_TIMEOUT_ETIME_SUCCESS
                | IORING_TIMEOUT_MULTISHOT
        }
        _ => IORING_TIMEOUT_ABS | IORING_TIMEOUT_CLOCK_MASK | IORING_TIMEOUT_ETIME_SUCCESS,
    };
    let both = IORING_TIMEOUT_MULTISHOT | IORING_TIMEOUT_ABS;
    if flags & !known != 0
        || flags & IORING_TIMEOUT_CLOCK_MASK == IORING_TIMEOUT_CLOCK_MASK
        || flags & both == both
    {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// # Errors
/// EINVAL for times before 0.
pub(super) fn check_time(args: &Args) -> Result<(), Errno> {
    match args {
        Args::Time(time) if time.tv_sec < 0 || time.tv_nsec < 0 => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

fn timer(sqe: &io_uring_sqe, args: &Args, world: &impl World) -> Result<Timer, Errno> {
    let Args::Time(time) = args else {
        return Err(Errno::EFAULT);
    };
    let flags = sqe.op_flags;
    let clock = if flags & IORING_TIMEOUT_BOOTTIME != 0 {
        Clock::Boottime
    } else if flags & IORING_TIMEOUT_REALTIME != 0 {
        Clock::Realtime
    } else {
        Clock::Monotonic
    };
    let span_ns = nanoseconds(time);
    let deadline_ns = if flags & IORING_TIMEOUT_ABS != 0 {
        span_ns
    } else {
        world.now_ns(clock).saturating_add(span_ns)
    };
    let multishot = flags & IORING_TIMEOUT_MULTISHOT != 0;
    Ok(Timer {
        clock,
        deadline_ns,
        target: None,
        period_ns: if multishot { span_ns.max(1) } else { 0 },
        rounds: 0,
        limits: None,
    })
}

fn nanoseconds(time: &__kernel_timespec) -> u64 {
    let seconds = (time.tv_sec as u64).saturating_mul(NS_PER_SECOND);
    seconds.saturating_add(time.tv_nsec as u64)
}

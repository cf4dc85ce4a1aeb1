//! Cancelling: which requests are meant, and what becomes of them.
//!
//! A request that waits ends with ECANCELED. One that a thread has not begun is taken back; one
//! that runs there is left alone, and the answer is EALREADY.

use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::cancel::{
    IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD,
    IORING_ASYNC_CANCEL_OP, IORING_ASYNC_CANCEL_USERDATA,
};
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::fixed::meant_by;
use super::request::{Key, Request, State};
use super::world::World;
use super::{Engine, Work};
use crate::kernel::Fault;

/// Which requests are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    user_data: Option<u64>,
    fd: Option<i32>,
    opcode: Option<u8>,
    all: bool,
}

impl Pattern {
    /// What the fields of an ASYNC_CANCEL, or of a synchronous cancel, mean.
    ///
    /// # Errors
    /// EINVAL for flags that are not known, or say both any and which.
    pub(crate) fn of(user_data: u64, fd: i32, opcode: u8, flags: u32) -> Result<Pattern, Errno> {
        const KNOWN: u32 = IORING_ASYNC_CANCEL_ALL
            | IORING_ASYNC_CANCEL_FD
            | IORING_ASYNC_CANCEL_ANY
            | IORING_ASYNC_CANCEL_OP
            | IORING_ASYNC_CANCEL_USERDATA;
        const BY: u32 = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_OP;
        if flags & !KNOWN != 0 || (flags & IORING_ASYNC_CANCEL_ANY != 0 && flags & BY != 0) {
            return Err(Errno::EINVAL);
        }
        let by_user_data = flags & (BY | IORING_ASYNC_CANCEL_ANY) == 0
            || flags & IORING_ASYNC_CANCEL_USERDATA != 0;
        Ok(Pattern {
            user_data: by_user_data.then_some(user_data),
            fd: (flags & IORING_ASYNC_CANCEL_FD != 0).then_some(fd),
            opcode: (flags & IORING_ASYNC_CANCEL_OP != 0).then_some(opcode),
            all: flags & (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY) != 0,
        })
    }

    fn matches(&self, request: &Request) -> bool {
        let can_end = match &request.state {
            State::Waiting { .. } | State::Offloaded => true,
            State::Timed(_) => request.opcode() == op::IORING_OP_TIMEOUT && self.fd.is_none(),
            State::Held | State::Late | State::Ended => false,
        };
        can_end
            && self
                .user_data
                .is_none_or(|wanted| request.user_data() == wanted)
            && self.fd.is_none_or(|wanted| request.op.sqe.fd == wanted)
            && self.opcode.is_none_or(|wanted| request.opcode() == wanted)
    }
}

/// What a fault does to a cancel.
pub(super) enum Misled {
    Told(Errno),
    Late,
}

impl Engine {
    /// Cancels what is meant: 0 or, for all, how many; ENOENT if there is none, EALREADY if it
    /// runs on a thread.
    pub(crate) fn cancel(&mut self, pattern: Pattern, world: &mut impl World) -> i32 {
        if !pattern.all {
            let key = match pattern.user_data {
                Some(user_data) => self.find(user_data, |request| pattern.matches(request)),
                None => self.meant(&pattern).first().copied(),
            };
            let done = key
                .ok_or(Errno::ENOENT)
                .and_then(|key| self.try_cancel(key, world));
            return done.map_or_else(|errno| -errno.raw(), |()| 0);
        }
        let meant = self.meant(&pattern);
        for key in &meant {
            // What runs counts, and ends by itself.
            let _ = self.try_cancel(*key, world);
        }
        meant.len() as i32
    }

    /// The result, or none if a fault delays it.
    pub(super) fn async_cancel(
        &mut self,
        key: Key,
        sqe: &io_uring_sqe,
        world: &mut impl World,
    ) -> Option<i32> {
        match meant_by(sqe, world) {
            Ok(pattern) => match self.misled(key, &pattern, world) {
                Some(Misled::Told(errno)) => Some(-errno.raw()),
                Some(Misled::Late) => None,
                None => Some(self.cancel(pattern, world)),
            },
            Err(errno) => Some(-errno.raw()),
        }
    }

    /// A cancel of one request, where a fault strikes it: what it is told, or nothing as long as
    /// it is late. The target ends nevertheless: by itself, or cancelled after a while.
    pub(super) fn misled(
        &mut self,
        key: Key,
        pattern: &Pattern,
        world: &mut impl World,
    ) -> Option<Misled> {
        let user_data = pattern.user_data.filter(|_| !pattern.all)?;
        let target = self.find(user_data, |request| pattern.matches(request))?;
        for (fault, errno) in [
            (Fault::CancelRunning, Errno::EALREADY),
            (Fault::CancelNothing, Errno::ENOENT),
        ] {
            if world.strikes(fault) {
                world.call_later(target);
                return Some(Misled::Told(errno));
            }
        }
        // Whether it comes too late depends on its target.
        if world.might_strike(Fault::CancelTooLate) {
            world.call_later(key);
            return Some(Misled::Late);
        }
        None
    }

    /// Every request that is meant, oldest first.
    fn meant(&self, pattern: &Pattern) -> Vec<Key> {
        let matching = self.requests.iter().filter(|(_, one)| pattern.matches(one));
        let mut keys: Vec<Key> = matching
            .map(|(index, request)| Key {
                index,
                sequence: request.sequence,
            })
            .collect();
        keys.sort_by_key(|key| key.sequence);
        keys
    }

    /// Cancels one request; its CQE follows that of whoever asked.
    pub(super) fn try_cancel(&mut self, key: Key, world: &mut impl World) -> Result<(), Errno> {
        let request = self.get(key).ok_or(Errno::ENOENT)?;
        match request.state {
            State::Held | State::Late | State::Ended => return Err(Errno::ENOENT),
            State::Waiting { fd, .. } => world.disarm(key, fd),
            State::Offloaded => {
                if !world.recall(key) {
                    return Err(Errno::EALREADY);
                }
            }
            State::Timed(_) => self.end_timer(key),
        }
        if let Some(request) = self.get(key) {
            request.state = State::Ended;
        }
        self.work
            .push_back(Work::Finish(key, -Errno::ECANCELED.raw()));
        Ok(())
    }

    /// Makes a request known by its user data.
    pub(super) fn index(&mut self, key: Key) {
        let Some(request) = self.peek(key) else {
            return;
        };
        if request.indexed {
            return;
        }
        let namesake = self.by_user_data.insert(request.user_data(), key);
        if let Some(request) = self.get(key) {
            request.indexed = true;
            request.namesake = namesake;
        }
    }

    /// Makes it unknown again.
    pub(super) fn unindex(&mut self, key: Key) {
        let Some(request) = self.get(key) else {
            return;
        };
        if !std::mem::take(&mut request.indexed) {
            return;
        }
        let (user_data, after) = (request.user_data(), request.namesake.take());
        let Some(first) = self.by_user_data.get_mut(&user_data) else {
            return;
        };
        if *first == key {
            match after {
                Some(namesake) => *first = namesake,
                None => drop(self.by_user_data.remove(&user_data)),
            }
            return;
        }
        let mut at = Some(*first);
        while let Some(one) = at.and_then(|key| self.get(key)) {
            if one.namesake == Some(key) {
                one.namesake = after;
                return;
            }
            at = one.namesake;
        }
    }

    /// The newest request with this user data that is wanted.
    pub(super) fn find(&self, user_data: u64, wanted: impl Fn(&Request) -> bool) -> Option<Key> {
        let mut at = self.by_user_data.get(&user_data).copied();
        while let Some(key) = at {
            let request = self.peek(key)?;
            if wanted(request) {
                return Some(key);
            }
            at = request.namesake;
        }
        None
    }
}

//! What a kernel does with SQEs, but for the operations themselves: those a [`World`] performs.
//!
//! ```text
//!   SQ --consume--> Request --place--> chain, or behind a drain
//!                                         | start
//!                                         v
//!                     attempt: Done --------------------> finish --> CQE, and the rest of the chain
//!                              Wait ----> armed --ready--> attempt
//!                              Offload -> thread --arrive--> finish
//! ```
//!
//! Nothing here blocks or calls a system. What one request causes for another (the next of a
//! chain, the end of a cancelled one) is work that runs when the entry at hand is done with, so
//! completions come in io_uring's order.

mod args;
mod buffers;
mod cancel;
mod chain;
mod check;
mod poll;
mod queues;
mod request;
#[cfg(test)]
mod tests;
mod timeout;
mod world;

pub(crate) use args::Args;
pub(crate) use buffers::Groups;
pub(crate) use cancel::Pattern;
pub(crate) use queues::{Flags, Memory, Queues};
pub(crate) use request::{Key, Operation};
pub(crate) use world::{Attempt, Clock, World};

use std::collections::{HashMap, VecDeque};

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::cqe_flags::{IORING_CQE_F_MORE, IORING_CQE_F_NOTIF};
use annulus_syscalls::io_uring::flags::cancel::{
    IORING_ASYNC_CANCEL_FD, IORING_ASYNC_CANCEL_FD_FIXED,
};
use annulus_syscalls::io_uring::flags::msg_ring::{
    IORING_MSG_DATA, IORING_MSG_RING_CQE_SKIP, IORING_MSG_RING_FLAGS_PASS,
};
use annulus_syscalls::io_uring::flags::net::{
    IORING_NOTIF_USAGE_ZC_COPIED, IORING_SEND_ZC_REPORT_USAGE,
};
use annulus_syscalls::io_uring::flags::rw::{IORING_NOP_FILE, IORING_NOP_INJECT_RESULT};
use annulus_syscalls::io_uring::sqe_flags::{
    IOSQE_ASYNC, IOSQE_BUFFER_SELECT, IOSQE_CQE_SKIP_SUCCESS, IOSQE_FIXED_FILE,
};
use annulus_syscalls::io_uring::{io_uring_cqe, io_uring_sqe, op};
use slab::Slab;

use self::cancel::Misled;
use self::chain::Chain;
use self::request::{Request, State};
use self::timeout::Timeouts;
use crate::kernel::Fault;

/// Completions of one multishot request in a row, before others have a turn
/// (`MULTISHOT_MAX_RETRY` of the kernel).
const MULTISHOT_MAX: u32 = 32;

/// The kernel's side of one ring.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) queues: Queues,
    pub(crate) groups: Groups,
    requests: Slab<Request>,
    /// Entries taken in so far.
    sequence: u64,
    /// The newest request that can be cancelled, by its user data.
    by_user_data: HashMap<u64, Key>,
    work: VecDeque<Work>,
    chain: Option<Chain>,
    /// Chains behind a drain: the head, whether it waits for all before it, its length.
    held: VecDeque<(Key, bool, usize)>,
    held_count: usize,
    /// What comes next waits for all before it.
    drain_next: bool,
    timeouts: Timeouts,
    /// CQEs, but for those of timeouts.
    completions: u64,
}

/// What remains to be done about a request.
#[derive(Debug)]
enum Work {
    Start(Key),
    Again(Key),
    Finish(Key, i32),
    /// The rest of a chain ends, without a CQE if so said.
    Break(Key, bool),
}

impl Engine {
    pub(crate) fn new(queues: Queues) -> Engine {
        Engine {
            queues,
            groups: Groups::default(),
            requests: Slab::new(),
            sequence: 0,
            by_user_data: HashMap::new(),
            work: VecDeque::new(),
            chain: None,
            held: VecDeque::new(),
            held_count: 0,
            drain_next: false,
            timeouts: Timeouts::default(),
            completions: 0,
        }
    }

    /// Takes up to `count` entries from the SQ and starts them. Returns how many there were.
    pub(crate) fn submit(&mut self, count: u32, world: &mut impl World) -> u32 {
        let mut consumed = 0;
        while consumed < count
            && let Some(sqe) = self.queues.consume()
        {
            consumed += 1;
            if let Some(key) = self.take_in(sqe, world) {
                self.start(key, world);
            }
        }
        if let Some(key) = self.close_chain() {
            self.start(key, world);
        }
        self.run(world);
        consumed
    }

    /// A descriptor that a request waits for became ready.
    pub(crate) fn ready(&mut self, key: Key, events: u32, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let State::Waiting { mask, .. } = request.state else {
            return;
        };
        let always = (libc::POLLERR | libc::POLLHUP) as u32;
        let events = events & (mask | always);
        if events == 0 {
            return;
        }
        if request.opcode() == op::IORING_OP_POLL_ADD {
            self.poll_ready(key, events, world);
        } else {
            self.attempt(key, true, world);
        }
    }

    /// A thread has done what was offloaded.
    pub(crate) fn arrive(&mut self, key: Key, res: i32, flags: u32, world: &mut impl World) {
        self.complete(key, res, flags, world);
    }

    /// Posts a CQE that no request of this ring caused.
    pub(crate) fn receive(&mut self, user_data: u64, res: i32, flags: u32) {
        self.post(user_data, res, flags);
    }

    /// Does what is left to do about requests, until nothing is.
    pub(crate) fn run(&mut self, world: &mut impl World) {
        loop {
            while let Some(key) = world.take_evicted() {
                if let Some(request) = self.get(key)
                    && let State::Waiting { .. } = request.state
                {
                    request.state = State::Ended;
                    self.work.push_back(Work::Finish(key, -Errno::EBADF.raw()));
                }
            }
            match self.work.pop_front() {
                Some(Work::Start(key)) => self.start(key, world),
                Some(Work::Again(key)) => self.attempt(key, true, world),
                Some(Work::Break(key, quiet)) => self.break_chain(key, quiet, world),
                Some(Work::Finish(key, res)) => self.finish(key, res, 0, world),
                None if self.end_counted(world) || self.release_held() => {}
                None => return,
            }
        }
    }

    /// Makes a request of an entry. Returns what can start.
    fn take_in(&mut self, sqe: io_uring_sqe, world: &mut impl World) -> Option<Key> {
        let args = self.check(&sqe).and_then(|()| {
            let args = Args::of(&sqe)?;
            check_args(&sqe, &args).map(|()| args)
        });
        self.sequence += 1;
        let sequence = self.sequence;
        let mut request = Request::new(sqe, Args::None, sequence);
        let is_valid = args.is_ok();
        match args {
            Ok(args) => {
                request.whole = args.iov_bytes() as i32;
                request.op.args = args;
            }
            Err(errno) => request.preset = Some(-errno.raw()),
        }
        let lends = is_valid && !request.op.selects();
        let index = self.requests.insert(request);
        let key = Key { index, sequence };
        if lends {
            world.lend(key, &sqe);
        }
        self.place(key)
    }

    /// # Errors
    /// EINVAL for what io_uring does not know, EBADF for a registered file where there is none.
    fn check(&self, sqe: &io_uring_sqe) -> Result<(), Errno> {
        const KNOWN: u8 = IOSQE_CQE_SKIP_SUCCESS | (IOSQE_CQE_SKIP_SUCCESS - 1);
        if sqe.flags & !KNOWN != 0 || !is_known(sqe.opcode) {
            return Err(Errno::EINVAL);
        }
        if sqe.flags & IOSQE_BUFFER_SELECT != 0 && !may_select(sqe.opcode) {
            return Err(Errno::EOPNOTSUPP);
        }
        if sqe.flags & IOSQE_FIXED_FILE != 0 {
            return Err(Errno::EBADF);
        }
        if sqe.personality != 0 {
            return Err(Errno::EINVAL);
        }
        match sqe.opcode {
            op::IORING_OP_LINK_TIMEOUT if !self.may_limit() => Err(Errno::EINVAL),
            op::IORING_OP_POLL_ADD | op::IORING_OP_POLL_REMOVE => poll::check(sqe),
            op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT | op::IORING_OP_TIMEOUT_REMOVE => {
                timeout::check(sqe)
            }
            _ => check::check(sqe),
        }
    }

    /// Begins an operation.
    fn issue(&mut self, key: Key, world: &mut impl World) {
        let Some(request) = self.get(key) else {
            return;
        };
        let sqe = request.op.sqe;
        let res = match sqe.opcode {
            op::IORING_OP_NOP if sqe.op_flags & IORING_NOP_FILE != 0 && !world.is_open(sqe.fd) => {
                -Errno::EBADF.raw()
            }
            op::IORING_OP_NOP if sqe.op_flags & IORING_NOP_INJECT_RESULT != 0 => sqe.len as i32,
            op::IORING_OP_NOP => 0,
            op::IORING_OP_TIMEOUT => return self.start_timeout(key, world),
            op::IORING_OP_POLL_ADD => return self.start_poll(key, &sqe, world),
            op::IORING_OP_TIMEOUT_REMOVE => {
                let args = std::mem::replace(&mut request.op.args, Args::None);
                self.remove_timeout(&sqe, &args, world)
            }
            op::IORING_OP_POLL_REMOVE => self.remove_poll(&sqe, world),
            op::IORING_OP_ASYNC_CANCEL => match self.async_cancel(key, &sqe, world) {
                Some(res) => res,
                None => return self.delay(key),
            },
            op::IORING_OP_MSG_RING => message(&sqe, world),
            op::IORING_OP_PROVIDE_BUFFERS => result(self.groups.provide(&sqe)),
            op::IORING_OP_REMOVE_BUFFERS => result(self.groups.remove(&sqe)),
            _ => return self.attempt(key, false, world),
        };
        self.finish(key, res, 0, world);
    }

    /// The result, or none if a fault delays it.
    fn async_cancel(
        &mut self,
        key: Key,
        sqe: &io_uring_sqe,
        world: &mut impl World,
    ) -> Option<i32> {
        let by_fd = sqe.op_flags & IORING_ASYNC_CANCEL_FD != 0;
        match meant_by(sqe) {
            Ok(_) if by_fd && !world.is_open(sqe.fd) => Some(-Errno::EBADF.raw()),
            Ok(pattern) => match self.misled(key, &pattern, world) {
                Some(Misled::Told(errno)) => Some(-errno.raw()),
                Some(Misled::Late) => None,
                None => Some(self.cancel(pattern, world)),
            },
            Err(errno) => Some(-errno.raw()),
        }
    }

    fn delay(&mut self, key: Key) {
        if let Some(request) = self.get(key) {
            request.state = State::Late;
        }
    }

    /// The time has come for what a fault delayed, or lied about.
    pub(crate) fn late(&mut self, key: Key, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let sqe = request.op.sqe;
        if !matches!(request.state, State::Late) {
            // A target whose cancel was told that it would not be cancelled.
            let _ = self.try_cancel(key, world);
        } else if sqe.opcode == op::IORING_OP_ASYNC_CANCEL {
            let res = result(meant_by(&sqe).map(|pattern| self.cancel(pattern, world)));
            if res == -Errno::ENOENT.raw() {
                world.count(Fault::CancelTooLate);
            }
            self.finish(key, res, 0, world);
        } else {
            self.notify(key, false, world);
        }
        self.run(world);
    }

    /// Tries an operation until it is done, waits, or runs on a thread.
    fn attempt(&mut self, key: Key, ready: bool, world: &mut impl World) {
        for _ in 0..MULTISHOT_MAX {
            let Some(request) = self.requests.get_mut(key.index) else {
                return;
            };
            if request.sequence != key.sequence || matches!(request.state, State::Ended) {
                return;
            }
            let operation = &mut request.op;
            let untouched = operation.done == 0 && !operation.begun;
            if untouched
                && may_be_lost(operation.sqe.opcode)
                && world.strikes(Fault::CanceledByNobody)
            {
                return self.finish(key, -Errno::ECANCELED.raw(), 0, world);
            }
            if operation.selects() {
                // The length of a message is in its header.
                let is_message = operation.sqe.opcode == op::IORING_OP_RECVMSG;
                let len_max = if is_message { 0 } else { operation.sqe.len };
                operation.selected = self.groups.select(operation.sqe.buf_index, len_max);
                if operation.selected.is_none() || world.strikes(Fault::NoBuffers) {
                    operation.selected = None;
                    return self.finish(key, -Errno::ENOBUFS.raw(), 0, world);
                }
            }
            match world.attempt(key, operation, ready) {
                Attempt::Wait(mask) => {
                    operation.selected = None;
                    return self.await_readiness(key, mask, world);
                }
                Attempt::Offload => return self.offload(key, world),
                Attempt::Last(res, flags) => return self.complete(key, res, flags, world),
                Attempt::Done(res, flags) => {
                    if !self.goes_on(key, res, flags, world) {
                        return;
                    }
                }
            }
        }
        self.work.push_back(Work::Again(key));
    }

    /// Posts what a multishot request has come to. False if that was the end of it, as it always
    /// is for others.
    fn goes_on(&mut self, key: Key, res: i32, flags: u32, world: &mut impl World) -> bool {
        let Some(request) = self.peek(key) else {
            return false;
        };
        let (user_data, multishot) = (request.user_data(), request.op.is_multishot());
        // A receive of nothing is the end of the stream; an accepted descriptor may be 0.
        let accepts = request.opcode() == op::IORING_OP_ACCEPT;
        let may_go_on = multishot && (res > 0 || (accepts && res == 0));
        if may_go_on && self.queues.has_room() && !world.strikes(Fault::MultishotEnds) {
            let flags = flags | self.take_buffer(key, res);
            self.post(user_data, res, flags | IORING_CQE_F_MORE);
            return true;
        }
        self.complete(key, res, flags, world);
        false
    }

    fn await_readiness(&mut self, key: Key, mask: u32, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        if let State::Waiting { mask: known, .. } = request.state
            && known == mask
        {
            return;
        }
        let fd = request.op.sqe.fd;
        match world.arm(key, fd, mask) {
            Ok(()) => self.wait(key, fd, mask),
            // It cannot be waited for, yet it would block.
            Err(Errno::EPERM) => self.offload(key, world),
            Err(errno) => self.finish(key, -errno.raw(), 0, world),
        }
    }

    fn wait(&mut self, key: Key, fd: i32, mask: u32) {
        if let Some(request) = self.get(key) {
            request.state = State::Waiting { fd, mask };
        }
        self.index(key);
    }

    fn offload(&mut self, key: Key, world: &mut impl World) {
        self.leave_descriptor(key, world);
        let Some(request) = self.requests.get_mut(key.index) else {
            return;
        };
        // Nobody else may have the buffer while the thread runs: all of it is taken.
        if let Some(selected) = request.op.selected {
            let group = request.op.sqe.buf_index;
            request.claimed = Some(self.groups.take(group, selected, selected.len));
        }
        request.state = State::Offloaded;
        let op = Operation {
            sqe: request.op.sqe,
            args: std::mem::replace(&mut request.op.args, Args::None),
            selected: request.op.selected,
            done: request.op.done,
            begun: request.op.begun,
        };
        self.index(key);
        world.offload(key, op);
    }

    /// The operation has come to `res`: its buffer is taken, and it ends.
    fn complete(&mut self, key: Key, res: i32, flags: u32, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let sqe = request.op.sqe;
        let flags = flags | self.take_buffer(key, res);
        if matches!(sqe.opcode, op::IORING_OP_SEND_ZC | op::IORING_OP_SENDMSG_ZC) {
            self.post(sqe.user_data, res, flags | IORING_CQE_F_MORE);
            if world.strikes(Fault::LateNotification) {
                self.leave_descriptor(key, world);
                self.delay(key);
                return world.call_later(key);
            }
            return self.notify(key, res < 0, world);
        }
        self.finish(key, res, flags, world);
    }

    /// Ends a zero-copy send, whose result was posted.
    fn notify(&mut self, key: Key, failed: bool, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let told = request.op.sqe.ioprio & IORING_SEND_ZC_REPORT_USAGE != 0;
        let notif = if told {
            IORING_NOTIF_USAGE_ZC_COPIED
        } else {
            0
        };
        self.end(key, failed, Some((notif, IORING_CQE_F_NOTIF)), world);
    }

    /// Takes the buffer that was selected, if data went there, and says so in flags.
    fn take_buffer(&mut self, key: Key, res: i32) -> u32 {
        let Some(request) = self.get(key) else {
            return 0;
        };
        let group = request.op.sqe.buf_index;
        let selected = request.op.selected.take();
        if let Some(flags) = request.claimed {
            return flags;
        }
        // A worker of io_uring takes all of a buffer.
        let by_worker = request.op.sqe.flags & IOSQE_ASYNC != 0;
        match selected {
            Some(selected) if res > 0 => {
                let used = if by_worker { selected.len } else { res as u32 };
                self.groups.take(group, selected, used)
            }
            _ => 0,
        }
    }

    /// Ends a request with its last CQE.
    fn finish(&mut self, key: Key, res: i32, flags: u32, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let failed = request.fails_with(res) && !timeout::is_success(&request.op.sqe, res);
        self.end(key, failed, Some((res, flags)), world);
    }

    fn end(&mut self, key: Key, failed: bool, cqe: Option<(i32, u32)>, world: &mut impl World) {
        self.leave_descriptor(key, world);
        self.end_timer(key);
        world.give_back(key);
        let Some(request) = self.remove(key) else {
            return;
        };
        let timed = matches!(
            request.opcode(),
            op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT
        );
        if let Some((res, flags)) = cqe
            && (failed || !request.quiet)
        {
            self.post(request.user_data(), res, flags);
            let cqe = io_uring_cqe {
                user_data: request.user_data(),
                res,
                flags,
            };
            if world.ended(&cqe) {
                self.queues.post(cqe);
            }
            // The kernel counts without those of timeouts.
            self.completions -= u64::from(timed);
        }
        if let Some(limit) = request.limit {
            self.finish(limit, -Errno::ECANCELED.raw(), 0, world);
        }
        self.go_on(&request, failed);
    }

    fn leave_descriptor(&mut self, key: Key, world: &mut impl World) {
        if let Some(Request {
            state: State::Waiting { fd, .. },
            ..
        }) = self.peek(key)
        {
            world.disarm(key, *fd);
        }
    }

    fn post(&mut self, user_data: u64, res: i32, flags: u32) {
        self.completions += 1;
        self.queues.post(io_uring_cqe {
            user_data,
            res,
            flags,
        });
    }

    /// Posts a CQE after which more follow. False if there is no room: then the request ends, for
    /// what goes on must not fill memory.
    fn post_more(&mut self, user_data: u64, res: i32, flags: u32) -> bool {
        if !self.queues.has_room() {
            return false;
        }
        self.post(user_data, res, flags | IORING_CQE_F_MORE);
        true
    }

    fn peek(&self, key: Key) -> Option<&Request> {
        let request = self.requests.get(key.index)?;
        (request.sequence == key.sequence).then_some(request)
    }

    fn get(&mut self, key: Key) -> Option<&mut Request> {
        let request = self.requests.get_mut(key.index)?;
        (request.sequence == key.sequence).then_some(request)
    }

    fn remove(&mut self, key: Key) -> Option<Request> {
        self.unindex(key);
        self.peek(key)?;
        self.requests.try_remove(key.index)
    }
}

/// Opcodes that are here, whatever the world.
pub(crate) fn is_known(opcode: u8) -> bool {
    !matches!(
        opcode,
        op::IORING_OP_FUTEX_WAIT
            | op::IORING_OP_FUTEX_WAKE
            | op::IORING_OP_FUTEX_WAITV
            | op::IORING_OP_RECV_ZC
            | op::IORING_OP_READV_FIXED
            | op::IORING_OP_WRITEV_FIXED
            | op::IORING_OP_NOP128..
    )
}

/// Operations that io_uring may end with ECANCELED though nobody asked: those that can wait, or
/// run on a thread.
fn may_be_lost(opcode: u8) -> bool {
    matches!(
        opcode,
        op::IORING_OP_ACCEPT
            | op::IORING_OP_CONNECT
            | op::IORING_OP_RECV
            | op::IORING_OP_SEND
            | op::IORING_OP_SEND_ZC
            | op::IORING_OP_READ
            | op::IORING_OP_WRITE
            | op::IORING_OP_FSYNC
            | op::IORING_OP_OPENAT
    )
}

/// # Errors
/// EBADF for a registered file, as there are none; EINVAL for flags that are not known.
fn meant_by(sqe: &io_uring_sqe) -> Result<Pattern, Errno> {
    let flags = sqe.op_flags;
    if flags & IORING_ASYNC_CANCEL_FD_FIXED != 0 {
        return Err(Errno::EBADF);
    }
    Pattern::of(sqe.addr, sqe.fd, sqe.len as u8, flags)
}

fn may_select(opcode: u8) -> bool {
    matches!(
        opcode,
        op::IORING_OP_READ
            | op::IORING_OP_READ_MULTISHOT
            | op::IORING_OP_RECV
            | op::IORING_OP_RECVMSG
            | op::IORING_OP_SEND
    )
}

fn check_args(sqe: &io_uring_sqe, args: &Args) -> Result<(), Errno> {
    match sqe.opcode {
        op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT | op::IORING_OP_TIMEOUT_REMOVE => {
            timeout::check_time(args)
        }
        _ => Ok(()),
    }
}

fn message(sqe: &io_uring_sqe, world: &mut impl World) -> i32 {
    const KNOWN: u32 = IORING_MSG_RING_CQE_SKIP | IORING_MSG_RING_FLAGS_PASS;
    // There are no registered files to send.
    if sqe.addr != IORING_MSG_DATA || sqe.op_flags & !KNOWN != 0 {
        return -Errno::EINVAL.raw();
    }
    let passes = sqe.op_flags & IORING_MSG_RING_FLAGS_PASS != 0;
    if !passes && sqe.file_index != 0 {
        return -Errno::EINVAL.raw();
    }
    let flags = if passes { sqe.file_index } else { 0 };
    let sent = world.message(sqe.fd, sqe.off, sqe.len as i32, flags);
    result(sent.map(|()| 0))
}

fn result(done: Result<i32, Errno>) -> i32 {
    done.unwrap_or_else(|errno| -errno.raw())
}

//! Trying operations: at once, when a descriptor is ready, and on a thread.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::cqe_flags::IORING_CQE_F_MORE;
use annulus_syscalls::io_uring::op;
use annulus_syscalls::io_uring::sqe_flags::IOSQE_ASYNC;

use super::args::Args;
use super::request::{Key, Operation, State};
use super::world::{Attempt, World};
use super::{Engine, Work};
use crate::kernel::Fault;

/// Completions of one multishot request in a row, before others have a turn
/// (`MULTISHOT_MAX_RETRY` of the kernel).
const MULTISHOT_MAX: u32 = 32;

impl Engine {
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
        let res = self.installed(key, res, world);
        self.complete(key, res, flags, world);
    }

    /// Tries an operation until it is done, waits, or runs on a thread.
    pub(super) fn attempt(&mut self, key: Key, ready: bool, world: &mut impl World) {
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
                self.groups.look(world);
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
                    let res = self.installed(key, res, world);
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
            let flags = flags | self.take_buffer(key, res, world);
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

    pub(super) fn wait(&mut self, key: Key, fd: i32, mask: u32) {
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
            let flags = self.groups.take(group, selected, selected.len, world);
            request.claimed = Some(flags);
            world.lend(key, &request.op);
        }
        request.state = State::Offloaded;
        let op = Operation {
            sqe: request.op.sqe,
            args: std::mem::replace(&mut request.op.args, Args::None),
            selected: request.op.selected,
            done: request.op.done,
            begun: request.op.begun,
            leases: request.op.leases.clone(),
        };
        self.index(key);
        world.offload(key, op);
    }

    /// Takes the buffer that was selected, if data went there, and says so in flags.
    pub(super) fn take_buffer(&mut self, key: Key, res: i32, world: &mut impl World) -> u32 {
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
                self.groups.take(group, selected, used, world)
            }
            _ => 0,
        }
    }
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

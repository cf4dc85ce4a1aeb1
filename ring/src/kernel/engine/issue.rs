//! Beginning operations: those that the engine does itself, and what it leaves to the world.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::msg_ring::{
    IORING_MSG_DATA, IORING_MSG_RING_CQE_SKIP, IORING_MSG_RING_FLAGS_PASS,
};
use annulus_syscalls::io_uring::flags::rw::{IORING_NOP_FILE, IORING_NOP_INJECT_RESULT};
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::args::Args;
use super::fixed::meant_by;
use super::request::{Key, State};
use super::world::World;
use super::{Engine, result};
use crate::kernel::Fault;

impl Engine {
    /// Begins an operation.
    pub(super) fn issue(&mut self, key: Key, world: &mut impl World) {
        if let Err(errno) = self.look_up(key, world) {
            return self.complete(key, -errno.raw(), 0, world);
        }
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

    pub(super) fn delay(&mut self, key: Key) {
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
            let meant = meant_by(&sqe, world);
            let res = result(meant.map(|pattern| self.cancel(pattern, world)));
            if res == -Errno::ENOENT.raw() {
                world.count(Fault::CancelTooLate);
            }
            self.finish(key, res, 0, world);
        } else {
            self.notify(key, false, world);
        }
        self.run(world);
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

//! The end of a request: its last CQE, and what follows from it.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::cqe_flags::{IORING_CQE_F_MORE, IORING_CQE_F_NOTIF};
use annulus_syscalls::io_uring::flags::net::{
    IORING_NOTIF_USAGE_ZC_COPIED, IORING_SEND_ZC_REPORT_USAGE,
};
use annulus_syscalls::io_uring::{io_uring_cqe, op};

use super::request::{Key, Request, State};
use super::world::World;
use super::{Engine, timeout};
use crate::kernel::Fault;

impl Engine {
    /// The operation has come to `res`: its buffer is taken, and it ends.
    pub(super) fn complete(&mut self, key: Key, res: i32, flags: u32, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let sqe = request.op.sqe;
        let flags = flags | self.take_buffer(key, res, world);
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
    pub(super) fn notify(&mut self, key: Key, failed: bool, world: &mut impl World) {
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

    /// Ends a request with its last CQE.
    pub(super) fn finish(&mut self, key: Key, res: i32, flags: u32, world: &mut impl World) {
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

    pub(super) fn leave_descriptor(&mut self, key: Key, world: &mut impl World) {
        if let Some(Request {
            state: State::Waiting { fd, .. },
            ..
        }) = self.peek(key)
        {
            world.disarm(key, *fd);
        }
    }

    pub(super) fn post(&mut self, user_data: u64, res: i32, flags: u32) {
        self.completions += 1;
        self.queues.post(io_uring_cqe {
            user_data,
            res,
            flags,
        });
    }

    /// Posts a CQE after which more follow. False if there is no room: then the request ends, for
    /// what goes on must not fill memory.
    pub(super) fn post_more(&mut self, user_data: u64, res: i32, flags: u32) -> bool {
        if !self.queues.has_room() {
            return false;
        }
        self.post(user_data, res, flags | IORING_CQE_F_MORE);
        true
    }
}

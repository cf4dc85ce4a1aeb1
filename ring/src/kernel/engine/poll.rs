//! POLL_ADD and POLL_REMOVE.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::poll::{
    IORING_POLL_ADD_LEVEL, IORING_POLL_ADD_MULTI, IORING_POLL_UPDATE_EVENTS,
    IORING_POLL_UPDATE_USER_DATA,
};
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::request::{Key, State};
use super::world::World;
use super::{Engine, Work};
use crate::kernel::Fault;

/// What a poll is always told.
const ALWAYS: u32 = (libc::POLLERR | libc::POLLHUP) as u32;
/// What a file that cannot be waited for is ready for.
const FILE: u32 = (libc::POLLIN | libc::POLLOUT | libc::POLLRDNORM | libc::POLLWRNORM) as u32;
/// The bits of a mask: others are flags of epoll.
const MASK: u32 = 0xffff;

/// # Errors
/// EINVAL for flags that are not known.
pub(super) fn check(sqe: &io_uring_sqe) -> Result<(), Errno> {
    let known = match sqe.opcode {
        op::IORING_OP_POLL_ADD => IORING_POLL_ADD_MULTI | IORING_POLL_ADD_LEVEL,
        _ => IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA | IORING_POLL_ADD_MULTI,
    };
    let unwanted = if sqe.opcode == op::IORING_OP_POLL_ADD {
        sqe.buf_index != 0 || sqe.off != 0 || sqe.addr != 0
    } else {
        let (renames, changes) = (
            sqe.len & IORING_POLL_UPDATE_USER_DATA != 0,
            sqe.len & IORING_POLL_UPDATE_EVENTS != 0,
        );
        let multishot = sqe.len & IORING_POLL_ADD_MULTI != 0;
        (!renames && sqe.off != 0) || (!changes && (sqe.op_flags != 0 || multishot))
    };
    if sqe.len & !known != 0 || unwanted {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

impl Engine {
    pub(super) fn start_poll(&mut self, key: Key, sqe: &io_uring_sqe, world: &mut impl World) {
        let mask = mask(sqe) | ALWAYS;
        // One that is ready is done at once, and no cancel that follows can meet it.
        if sqe.len & (IORING_POLL_ADD_MULTI | IORING_POLL_ADD_LEVEL) == 0 {
            let ready = world.readiness(sqe.fd, mask) & mask;
            if ready != 0 {
                return self.finish(key, ready as i32, 0, world);
            }
        }
        match world.arm(key, sqe.fd, mask) {
            Ok(()) => self.wait(key, sqe.fd, mask),
            Err(Errno::EPERM) => self.finish(key, (mask & FILE) as i32, 0, world),
            Err(errno) => self.finish(key, -errno.raw(), 0, world),
        }
    }

    /// The descriptor of a poll became ready for `events`.
    pub(super) fn poll_ready(&mut self, key: Key, events: u32, world: &mut impl World) {
        let Some(request) = self.peek(key) else {
            return;
        };
        let user_data = request.user_data();
        let multishot = request.op.sqe.len & IORING_POLL_ADD_MULTI != 0;
        let goes_on = multishot && !world.strikes(Fault::MultishotEnds);
        if !goes_on || !self.post_more(user_data, events as i32, 0) {
            self.finish(key, events as i32, 0, world);
        }
    }

    /// POLL_REMOVE, which also changes polls.
    pub(super) fn remove_poll(&mut self, sqe: &io_uring_sqe, world: &mut impl World) -> i32 {
        let poll = self.find(sqe.addr, |request| {
            let waits = matches!(request.state, State::Waiting { .. });
            waits && request.opcode() == op::IORING_OP_POLL_ADD
        });
        let Some(key) = poll else {
            return -Errno::ENOENT.raw();
        };
        if sqe.len & (IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA) == 0 {
            let done = self.try_cancel(key, world);
            return done.map_or_else(|errno| -errno.raw(), |()| 0);
        }
        if sqe.len & IORING_POLL_UPDATE_USER_DATA != 0 {
            self.rename(key, sqe.off);
        }
        if sqe.len & IORING_POLL_UPDATE_EVENTS != 0
            && let Err(errno) = self.change_mask(key, mask(sqe) | ALWAYS, world)
        {
            self.work.push_back(Work::Finish(key, -errno.raw()));
        }
        0
    }

    fn rename(&mut self, key: Key, user_data: u64) {
        self.unindex(key);
        if let Some(request) = self.get(key) {
            request.op.sqe.user_data = user_data;
        }
        self.index(key);
    }

    fn change_mask(&mut self, key: Key, mask: u32, world: &mut impl World) -> Result<(), Errno> {
        let Some(request) = self.get(key) else {
            return Ok(());
        };
        let fd = request.op.sqe.fd;
        request.state = State::Waiting { fd, mask };
        world.disarm(key, fd);
        world.arm(key, fd, mask)
    }
}

/// The mask of a poll, whose halves an SQE has swapped on big endian.
fn mask(sqe: &io_uring_sqe) -> u32 {
    let bits = if cfg!(target_endian = "big") {
        sqe.op_flags.rotate_left(16)
    } else {
        sqe.op_flags
    };
    bits & MASK
}

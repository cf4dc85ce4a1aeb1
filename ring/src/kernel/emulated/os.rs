//! `Os`: the operating system as a world for operations.

use std::sync::Arc;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::op;

use super::files::Files;
use super::mailbox::{Letter, Mailbox};
use super::ready::{self, Ready};
use super::spans::Spans;
use super::{Facts, at_once, net, rw};
use crate::kernel::engine::{Attempt, Clock, Key, Lease, Operation, World};

#[derive(Debug)]
pub(super) struct Os {
    pub(super) facts: Arc<Facts>,
    pub(super) ready: Ready,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) devices: rw::Devices,
    pub(super) files: Files,
    pub(super) spans: Spans,
}

impl World for Os {
    fn attempt(&mut self, _key: Key, op: &mut Operation, ready: bool) -> Attempt {
        match op.sqe.opcode {
            op::IORING_OP_RECV => net::recv(op, ready),
            op::IORING_OP_RECVMSG => net::recvmsg(op, ready),
            op::IORING_OP_SEND | op::IORING_OP_SEND_ZC => net::send(op, ready),
            op::IORING_OP_SENDMSG | op::IORING_OP_SENDMSG_ZC => net::sendmsg(op, ready),
            op::IORING_OP_ACCEPT => net::accept(op, ready),
            op::IORING_OP_CONNECT => net::connect(op),
            op::IORING_OP_READ
            | op::IORING_OP_READV
            | op::IORING_OP_READ_FIXED
            | op::IORING_OP_READ_MULTISHOT
            | op::IORING_OP_WRITE
            | op::IORING_OP_WRITEV
            | op::IORING_OP_WRITE_FIXED => rw::attempt(op, &mut self.devices),
            op::IORING_OP_FILES_UPDATE => {
                let updated = self.files.update_by(&op.sqe);
                Attempt::Done(
                    updated.map_or_else(|errno| -errno.raw(), |count| count as i32),
                    0,
                )
            }
            op::IORING_OP_CLOSE if op.sqe.file_index != 0 => {
                let closed = self.files.close(op.sqe.file_index);
                Attempt::Done(closed.map_or_else(|errno| -errno.raw(), |()| 0), 0)
            }
            // Rings are not closed by rings.
            op::IORING_OP_CLOSE if self.facts.ring(op.sqe.fd).is_some() => {
                Attempt::Done(-Errno::EBADF.raw(), 0)
            }
            op::IORING_OP_CLOSE => {
                self.ready.close(op.sqe.fd);
                Attempt::Done(at_once::close(&op.sqe), 0)
            }
            op::IORING_OP_EPOLL_WAIT => at_once::epoll_wait(&op.sqe),
            _ => at_once::attempt(op),
        }
    }

    fn arm(&mut self, key: Key, fd: i32, mask: u32) -> Result<(), Errno> {
        self.ready.arm(key, fd, mask)
    }

    fn readiness(&mut self, fd: i32, mask: u32) -> u32 {
        self.ready.look(fd);
        ready::readiness(fd, mask)
    }

    fn is_open(&self, fd: i32) -> bool {
        ready::is_open(fd)
    }

    fn disarm(&mut self, key: Key, fd: i32) {
        self.ready.disarm(key, fd);
    }

    fn offload(&mut self, key: Key, op: Operation) {
        self.facts.pool.run(key, op, &self.mailbox);
    }

    fn recall(&mut self, key: Key) -> bool {
        self.facts.pool.recall(key, &self.mailbox)
    }

    fn take_evicted(&mut self) -> Option<Key> {
        self.ready.take_evicted()
    }

    fn message(&mut self, fd: i32, user_data: u64, res: i32, flags: u32) -> Result<(), Errno> {
        let target = self.facts.ring(fd).ok_or(Errno::EBADFD)?;
        target.post(Letter::Message {
            user_data,
            res,
            flags,
        });
        Ok(())
    }

    fn file(&mut self, slot: i32) -> Option<(i32, Lease)> {
        let file = self.files.get(slot)?;
        Some((file.item.number(), file))
    }

    fn memory(&mut self, slot: u16, bytes: &[(u64, u64)]) -> Option<Lease> {
        Some(self.spans.get(slot, bytes)?)
    }

    fn install(&mut self, file_index: u32, fd: i32) -> i32 {
        self.files.install(file_index, fd)
    }

    fn now_ns(&self, clock: Clock) -> u64 {
        let id = match clock {
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
            Clock::Boottime => libc::CLOCK_BOOTTIME,
            Clock::Realtime => libc::CLOCK_REALTIME,
        };
        let mut now = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `now` is valid for writes.
        let done = unsafe { libc::clock_gettime(id, &raw mut now) };
        assert_eq!(done, 0, "these clocks are always there");
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    }
}

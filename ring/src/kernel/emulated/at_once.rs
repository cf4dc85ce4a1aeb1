//! Operations that are quick and do not wait: done when they are submitted.

use core::ptr::with_exposed_provenance_mut;

use annulus_syscalls::io_uring::flags::file::IORING_FIXED_FD_NO_CLOEXEC;
use annulus_syscalls::io_uring::flags::net::{
    SOCKET_URING_OP_GETSOCKOPT, SOCKET_URING_OP_SETSOCKOPT, SOCKET_URING_OP_SIOCINQ,
    SOCKET_URING_OP_SIOCOUTQ,
};
use annulus_syscalls::io_uring::{io_uring_sqe, op};
use annulus_syscalls::{Errno, calls};

use super::result;
use crate::kernel::engine::{Args, Attempt, Operation};

/// Tries what no other file does; what may block goes to a thread.
pub(super) fn attempt(op: &Operation) -> Attempt {
    let sqe = &op.sqe;
    let res = match sqe.opcode {
        op::IORING_OP_SHUTDOWN => done(calls::shutdown(sqe.fd, sqe.len as i32)),
        op::IORING_OP_LISTEN => done(calls::listen(sqe.fd, sqe.len as i32)),
        op::IORING_OP_SOCKET => {
            let kind = sqe.off as i32 | direct(sqe, libc::SOCK_CLOEXEC);
            descriptor(calls::socket(sqe.fd, kind, sqe.len as i32))
        }
        op::IORING_OP_BIND => bind(op),
        op::IORING_OP_PIPE if sqe.file_index == 0 => pipe(sqe),
        op::IORING_OP_EPOLL_CTL => epoll_ctl(sqe),
        op::IORING_OP_URING_CMD => command(sqe),
        // Both ends into slots: not emulated.
        op::IORING_OP_PIPE => -Errno::EINVAL.raw(),
        op::IORING_OP_FIXED_FD_INSTALL => fd_install(sqe),
        _ => return Attempt::Offload,
    };
    Attempt::Done(res, 0)
}

/// A flag that the descriptor of a direct operation has, whoever asks.
pub(super) fn direct(sqe: &io_uring_sqe, flag: i32) -> i32 {
    if sqe.file_index != 0 { flag } else { 0 }
}

/// A descriptor of the registered file, which the entry has by now.
fn fd_install(sqe: &io_uring_sqe) -> i32 {
    let command = if sqe.op_flags & IORING_FIXED_FD_NO_CLOEXEC == 0 {
        libc::F_DUPFD_CLOEXEC
    } else {
        libc::F_DUPFD
    };
    // SAFETY: both commands take a number only.
    result(i64::from(unsafe { libc::fcntl(sqe.fd, command, 0) }))
}

pub(super) fn close(sqe: &io_uring_sqe) -> i32 {
    // SAFETY: who submitted it answers for the descriptor being theirs to close.
    done(unsafe { calls::close(sqe.fd) })
}

/// Events of another epoll instance; as many as are there, or when there are some.
pub(super) fn epoll_wait(sqe: &io_uring_sqe) -> Attempt {
    let events = with_exposed_provenance_mut::<libc::epoll_event>(sqe.addr as usize);
    // SAFETY: the events are lent to this operation until its last CQE.
    let count = unsafe { libc::epoll_wait(sqe.fd, events, sqe.len as i32, 0) };
    match result(i64::from(count)) {
        0 => Attempt::Wait(libc::POLLIN as u32),
        res => Attempt::Done(res, 0),
    }
}

fn bind(op: &Operation) -> i32 {
    let Args::Address(address, len) = &op.args else {
        return -Errno::EFAULT.raw();
    };
    // SAFETY: the copy has `len` bytes.
    done(unsafe { calls::bind(op.sqe.fd, address.as_ptr(), *len) })
}

fn pipe(sqe: &io_uring_sqe) -> i32 {
    let ends = with_exposed_provenance_mut::<i32>(sqe.addr as usize);
    // SAFETY: valid for writes of two descriptors, lent until the last CQE.
    result(i64::from(unsafe { libc::pipe2(ends, sqe.op_flags as i32) }))
}

fn epoll_ctl(sqe: &io_uring_sqe) -> i32 {
    let event = with_exposed_provenance_mut::<libc::epoll_event>(sqe.addr as usize);
    let (change, fd) = (sqe.len as i32, sqe.off as i32);
    // SAFETY: who submitted it lends the event.
    result(i64::from(unsafe {
        libc::epoll_ctl(sqe.fd, change, fd, event)
    }))
}

/// Commands of sockets.
fn command(sqe: &io_uring_sqe) -> i32 {
    let [command, _] = halves(sqe.off);
    let [level, name] = halves(sqe.addr).map(|half| half as i32);
    let value = with_exposed_provenance_mut::<u8>(sqe.addr3 as usize);
    let len = sqe.file_index as usize;
    match command {
        SOCKET_URING_OP_SIOCINQ => queued(sqe.fd, libc::FIONREAD),
        SOCKET_URING_OP_SIOCOUTQ => queued(sqe.fd, libc::TIOCOUTQ),
        SOCKET_URING_OP_SETSOCKOPT => {
            // SAFETY: the value has `len` bytes, lent until the last CQE.
            let value = unsafe { core::slice::from_raw_parts(value, len) };
            // SAFETY: if it holds addresses, who submitted it answers for them.
            done(unsafe { calls::setsockopt(sqe.fd, level, name, value) })
        }
        SOCKET_URING_OP_GETSOCKOPT => {
            // SAFETY: the value has `len` bytes, lent until the last CQE.
            let value = unsafe { core::slice::from_raw_parts_mut(value, len) };
            // SAFETY: as for setting.
            let told = unsafe { calls::getsockopt(sqe.fd, level, name, value) };
            told.map_or_else(|errno| -errno.raw(), |len| len as i32)
        }
        _ => -Errno::EOPNOTSUPP.raw(),
    }
}

fn queued(fd: i32, request: libc::Ioctl) -> i32 {
    let mut count = 0_i32;
    // SAFETY: both requests write one int.
    match result(i64::from(unsafe {
        libc::ioctl(fd, request, &raw mut count)
    })) {
        0 => count,
        error => error,
    }
}

/// The two 32-bit places that lie where a 64-bit one is.
fn halves(word: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    [
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
    ]
}

fn done(outcome: Result<(), Errno>) -> i32 {
    outcome.map_or_else(|errno| -errno.raw(), |()| 0)
}

fn descriptor(outcome: Result<i32, Errno>) -> i32 {
    outcome.unwrap_or_else(|errno| -errno.raw())
}

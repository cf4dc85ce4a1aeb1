//! Reads and writes, each tried without blocking first: what can become ready is waited for, and
//! what a file does not have in memory goes to a thread.

use core::ptr::with_exposed_provenance_mut;
use std::borrow::Cow;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::rw::RWF_NOWAIT;
use annulus_syscalls::io_uring::sqe_flags::IOSQE_ASYNC;
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::net::{is_nonblocking, is_ready};
use super::{last_errno, rest_of};
use crate::kernel::engine::{Args, Attempt, Operation};

/// The current position of a file.
const CURRENT: u64 = u64::MAX;

/// More is copied by a thread, for the ring would be held up for longer than that one costs.
const AT_ONCE_MAX: usize = 1 << 20;

/// What was learned of devices: on most file systems a write cannot be asked not to block.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// The last one that has refused to.
    refuses: Option<libc::dev_t>,
}

/// Tries a read or a write.
pub(super) fn attempt(op: &mut Operation, devices: &mut Devices) -> Attempt {
    if !op.begun {
        match kind(op.sqe.fd) {
            Ok(Kind::File(_)) if op.sqe.opcode == op::IORING_OP_READ_MULTISHOT => {
                return Attempt::Done(-Errno::EBADFD.raw(), 0);
            }
            Ok(Kind::File(device)) => return attempt_file(op, device, devices),
            Ok(Kind::Socket) if !matches!(op.sqe.off, 0 | CURRENT) => {
                return Attempt::Done(-Errno::ESPIPE.raw(), 0);
            }
            Ok(_) => op.begun = true,
            Err(errno) => return Attempt::Done(-errno.raw(), 0),
        }
    }
    let flags = op.sqe.op_flags;
    let mask = if reads(&op.sqe) {
        libc::POLLIN
    } else {
        libc::POLLOUT
    };
    let wait = if flags & RWF_NOWAIT == 0 {
        Attempt::Wait(mask as u32)
    } else {
        Attempt::Done(-Errno::EAGAIN.raw(), 0)
    };
    match transfer(op, CURRENT, flags | RWF_NOWAIT) {
        Err(Errno::EAGAIN) => wait,
        // It cannot be asked not to block this once.
        Err(errno) if is_unknown(errno) && flags & RWF_NOWAIT == 0 => {
            match is_nonblocking(op.sqe.fd) {
                Ok(true) => match transfer(op, CURRENT, flags) {
                    Err(Errno::EAGAIN) => wait,
                    done => finished(op, done),
                },
                Ok(false) if is_ready(op.sqe.fd, mask) => {
                    if op.sqe.opcode == op::IORING_OP_READ_MULTISHOT {
                        return finished(op, transfer(op, CURRENT, flags));
                    }
                    Attempt::Offload
                }
                Ok(false) => wait,
                Err(errno) => Attempt::Done(-errno.raw(), 0),
            }
        }
        done => finished(op, done),
    }
}

/// What the page cache has is read at once, as io_uring does it, and what it takes is written.
fn attempt_file(op: &mut Operation, device: libc::dev_t, devices: &mut Devices) -> Attempt {
    let flags = op.sqe.op_flags;
    let asked = flags & RWF_NOWAIT != 0;
    let reads = reads(&op.sqe);
    let whole = op.bytes();
    let refused = whole > AT_ONCE_MAX || (!reads && devices.refuses == Some(device));
    if !asked && (refused || op.sqe.flags & IOSQE_ASYNC != 0 || is_direct(op.sqe.fd)) {
        return Attempt::Offload;
    }
    loop {
        match transfer(op, offset(op), flags | RWF_NOWAIT) {
            // What was moved is told only when the rest has been tried, too.
            Ok(count) if count > 0 && !asked && op.done as usize + count < whole => {
                op.done += count as u32;
            }
            Err(Errno::EAGAIN) if !asked => return Attempt::Offload,
            Err(errno) if is_unknown(errno) && !asked => {
                if !reads {
                    devices.refuses = Some(device);
                }
                return Attempt::Offload;
            }
            done => return finished(op, done),
        }
    }
}

/// Does a read or a write, or what an attempt has left of it, however long it takes.
pub(super) fn perform(op: &Operation) -> i32 {
    let flags = op.sqe.op_flags;
    let done = match transfer(op, offset(op), flags) {
        // Terminals and their like have no positions.
        Err(Errno::ESPIPE) if op.sqe.off != CURRENT => transfer(op, CURRENT, flags),
        done => done,
    };
    result(op, done)
}

/// Whether the call does not know the flag, here or at all.
fn is_unknown(errno: Errno) -> bool {
    matches!(errno, Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL)
}

/// Where an operation goes on.
fn offset(op: &Operation) -> u64 {
    match op.sqe.off {
        // What was moved has moved the position, too.
        CURRENT => CURRENT,
        first => first.wrapping_add(u64::from(op.done)),
    }
}

fn result(op: &Operation, done: Result<usize, Errno>) -> i32 {
    match done {
        Ok(count) => op.done as i32 + count as i32,
        Err(_) if op.done > 0 => op.done as i32,
        Err(errno) => -errno.raw(),
    }
}

fn finished(op: &Operation, done: Result<usize, Errno>) -> Attempt {
    Attempt::Done(result(op, done), 0)
}

/// `preadv2`(2) or `pwritev2`(2) of what is not done yet.
fn transfer(op: &Operation, offset: u64, flags: u32) -> Result<usize, Errno> {
    let (address, len) = op.buffer();
    let done = op.done as usize;
    let one = [libc::iovec {
        iov_base: with_exposed_provenance_mut(address as usize + done),
        iov_len: len.saturating_sub(done),
    }];
    let parts = match &op.args {
        Args::Iov(parts) if done > 0 => Cow::Owned(rest_of(parts, done)),
        Args::Iov(parts) => Cow::Borrowed(parts.as_slice()),
        _ => Cow::Borrowed(one.as_slice()),
    };
    let number = if reads(&op.sqe) {
        libc::SYS_preadv2
    } else {
        libc::SYS_pwritev2
    };
    // The kernel puts the halves together where a word has not all of it.
    let (low, high) = (offset as libc::c_long, (offset >> 32) as libc::c_long);
    loop {
        // SAFETY: the parts are lent to this operation until its last CQE, or are the buffer that
        // was selected for it.
        let moved = unsafe {
            libc::syscall(
                number,
                op.sqe.fd,
                parts.as_ptr(),
                parts.len(),
                low,
                high,
                flags,
            )
        };
        match usize::try_from(moved).map_err(|_negative| last_errno()) {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

fn reads(sqe: &io_uring_sqe) -> bool {
    !matches!(
        sqe.opcode,
        op::IORING_OP_WRITE | op::IORING_OP_WRITEV | op::IORING_OP_WRITE_FIXED
    )
}

/// Whether the file goes past the page cache: there a call waits for the device whatever it is
/// asked.
fn is_direct(fd: i32) -> bool {
    // SAFETY: this command takes no argument.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags == -1 || flags & libc::O_DIRECT != 0
}

enum Kind {
    /// Of a size, with positions, on this device: never "not ready".
    File(libc::dev_t),
    Socket,
    Other,
}

fn kind(fd: i32) -> Result<Kind, Errno> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` is valid for writes.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return Err(last_errno());
    }
    // SAFETY: the call has filled it.
    let status = unsafe { status.assume_init() };
    Ok(match status.st_mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFBLK | libc::S_IFDIR => Kind::File(status.st_dev),
        libc::S_IFSOCK => Kind::Socket,
        _ => Kind::Other,
    })
}

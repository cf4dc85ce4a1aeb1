//! Reads and writes. What can become ready is tried without blocking; files go to a thread.

use core::ptr::with_exposed_provenance_mut;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::rw::RWF_NOWAIT;
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::last_errno;
use super::net::{is_nonblocking, is_ready};
use crate::kernel::engine::{Args, Attempt, Operation};

/// The current position of a file.
const CURRENT: u64 = u64::MAX;

/// Tries a read or a write.
pub(super) fn attempt(op: &mut Operation) -> Attempt {
    if !op.begun {
        match kind(op.sqe.fd) {
            Ok(Kind::File) if op.sqe.opcode == op::IORING_OP_READ_MULTISHOT => {
                return Attempt::Done(-Errno::EBADFD.raw(), 0);
            }
            Ok(Kind::File) => return Attempt::Offload,
            Ok(Kind::Socket) if !matches!(op.sqe.off, 0 | CURRENT) => {
                return Attempt::Done(-Errno::ESPIPE.raw(), 0);
            }
            Ok(_) => op.begun = true,
            Err(errno) => return Attempt::Done(-errno.raw(), 0),
        }
    }
    let flags = rw_flags(&op.sqe);
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
    let unknown = |errno| matches!(errno, Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EINVAL);
    match transfer(op, CURRENT, flags | RWF_NOWAIT) {
        Err(Errno::EAGAIN) => wait,
        // It cannot be asked not to block this once.
        Err(errno) if unknown(errno) && flags & RWF_NOWAIT == 0 => {
            match is_nonblocking(op.sqe.fd) {
                Ok(true) => match transfer(op, CURRENT, flags) {
                    Err(Errno::EAGAIN) => wait,
                    done => finished(done),
                },
                Ok(false) if is_ready(op.sqe.fd, mask) => {
                    if op.sqe.opcode == op::IORING_OP_READ_MULTISHOT {
                        return finished(transfer(op, CURRENT, flags));
                    }
                    Attempt::Offload
                }
                Ok(false) => wait,
                Err(errno) => Attempt::Done(-errno.raw(), 0),
            }
        }
        done => finished(done),
    }
}

/// Does a read or a write that may block.
pub(super) fn perform(op: &Operation) -> i32 {
    let flags = rw_flags(&op.sqe);
    loop {
        return match transfer(op, op.sqe.off, flags) {
            Err(Errno::EINTR) => continue,
            // Terminals and their like have no positions.
            Err(Errno::ESPIPE) if op.sqe.off != CURRENT => match transfer(op, CURRENT, flags) {
                Err(errno) => -errno.raw(),
                Ok(count) => count as i32,
            },
            Err(errno) => -errno.raw(),
            Ok(count) => count as i32,
        };
    }
}

fn finished(done: Result<usize, Errno>) -> Attempt {
    match done {
        Ok(count) => Attempt::Done(count as i32, 0),
        Err(errno) => Attempt::Done(-errno.raw(), 0),
    }
}

/// `preadv2`(2) or `pwritev2`(2).
fn transfer(op: &Operation, offset: u64, flags: u32) -> Result<usize, Errno> {
    let (address, len) = op.buffer();
    let one = [libc::iovec {
        iov_base: with_exposed_provenance_mut(address as usize),
        iov_len: len,
    }];
    let parts = match &op.args {
        Args::Iov(parts) => parts.as_slice(),
        _ => &one,
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
    !matches!(sqe.opcode, op::IORING_OP_WRITE | op::IORING_OP_WRITEV)
}

fn rw_flags(sqe: &io_uring_sqe) -> u32 {
    sqe.op_flags
}

enum Kind {
    /// Of a size, with positions: never "not ready".
    File,
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
    let mode = unsafe { status.assume_init() }.st_mode;
    Ok(match mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFBLK | libc::S_IFDIR => Kind::File,
        libc::S_IFSOCK => Kind::Socket,
        _ => Kind::Other,
    })
}

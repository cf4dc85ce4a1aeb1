//! Registered files and buffers, in the place of descriptors and memory.
//!
//! Both are looked up when an operation begins, as io_uring does it, and leased until its end.

use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::cancel::{
    IORING_ASYNC_CANCEL_FD, IORING_ASYNC_CANCEL_FD_FIXED,
};
use annulus_syscalls::io_uring::flags::file::{
    IORING_FILE_INDEX_ALLOC, IORING_FIXED_FD_NO_CLOEXEC, SPLICE_F_FD_IN_FIXED,
};
use annulus_syscalls::io_uring::flags::net::{IORING_ACCEPT_MULTISHOT, IORING_RECVSEND_FIXED_BUF};
use annulus_syscalls::io_uring::flags::rw::{IORING_NOP_FIXED_BUFFER, IORING_NOP_FIXED_FILE};
use annulus_syscalls::io_uring::sqe_flags::IOSQE_FIXED_FILE;
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::Engine;
use super::args::Args;
use super::cancel::Pattern;
use super::request::{Key, Operation};
use super::world::World;

/// # Errors
/// EBADF where a registered file cannot stand, EINVAL for a direct descriptor that would be closed
/// on exec, or one slot for many.
pub(super) fn check(sqe: &io_uring_sqe) -> Result<(), Errno> {
    let fixed = sqe.flags & IOSQE_FIXED_FILE != 0;
    let refused = match sqe.opcode {
        op::IORING_OP_OPENAT
        | op::IORING_OP_OPENAT2
        | op::IORING_OP_CLOSE
        | op::IORING_OP_STATX
        | op::IORING_OP_RENAMEAT
        | op::IORING_OP_UNLINKAT
        | op::IORING_OP_MKDIRAT
        | op::IORING_OP_SYMLINKAT
        | op::IORING_OP_LINKAT
        | op::IORING_OP_GETXATTR
        | op::IORING_OP_SETXATTR => fixed,
        op::IORING_OP_FIXED_FD_INSTALL => !fixed,
        _ => false,
    };
    if refused {
        return Err(Errno::EBADF);
    }
    let direct = sqe.file_index != 0;
    let closes_on_exec = sqe.op_flags & libc::O_CLOEXEC as u32 != 0;
    let impossible = match sqe.opcode {
        op::IORING_OP_OPENAT => direct && closes_on_exec,
        op::IORING_OP_SOCKET => direct && sqe.off & libc::SOCK_CLOEXEC as u64 != 0,
        op::IORING_OP_ACCEPT => {
            let many = sqe.ioprio & IORING_ACCEPT_MULTISHOT != 0;
            direct && (closes_on_exec || (many && sqe.file_index != IORING_FILE_INDEX_ALLOC))
        }
        op::IORING_OP_CLOSE => direct && sqe.fd != 0,
        op::IORING_OP_FIXED_FD_INSTALL => sqe.op_flags & !IORING_FIXED_FD_NO_CLOEXEC != 0,
        op::IORING_OP_FILES_UPDATE => fixed,
        _ => false,
    };
    if impossible {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// As [`check`], of what the entry only points to.
///
/// # Errors
/// EINVAL.
pub(super) fn check_args(sqe: &io_uring_sqe, args: &Args) -> Result<(), Errno> {
    match args {
        Args::OpenHow(_, how) if sqe.file_index != 0 && how.flags & libc::O_CLOEXEC as u64 != 0 => {
            Err(Errno::EINVAL)
        }
        _ => Ok(()),
    }
}

impl Engine {
    /// Puts what is registered where the entry says in its place.
    ///
    /// # Errors
    /// EBADF for an empty slot, EFAULT for memory outside of its slot's.
    pub(super) fn look_up(&mut self, key: Key, world: &mut impl World) -> Result<(), Errno> {
        let Some(request) = self.get(key) else {
            return Ok(());
        };
        let op = &mut request.op;
        if op.sqe.flags & IOSQE_FIXED_FILE != 0 && needs_file(op.sqe.opcode) {
            let (fd, lease) = world.file(op.sqe.fd).ok_or(Errno::EBADF)?;
            op.sqe.fd = fd;
            op.leases.push(lease);
        }
        match op.sqe.opcode {
            op::IORING_OP_SPLICE | op::IORING_OP_TEE
                if op.sqe.op_flags & SPLICE_F_FD_IN_FIXED != 0 =>
            {
                let slot = op.sqe.file_index as i32;
                let (fd, lease) = world.file(slot).ok_or(Errno::EBADF)?;
                op.sqe.file_index = fd as u32;
                op.sqe.op_flags &= !SPLICE_F_FD_IN_FIXED;
                op.leases.push(lease);
            }
            op::IORING_OP_NOP if op.sqe.op_flags & IORING_NOP_FIXED_FILE != 0 => {
                world.file(op.sqe.fd).ok_or(Errno::EBADF)?;
            }
            _ => {}
        }
        if let Some(bytes) = registered_bytes(op) {
            let slot = op.sqe.buf_index;
            op.leases
                .push(world.memory(slot, &bytes).ok_or(Errno::EFAULT)?);
        }
        Ok(())
    }

    /// What the CQE of an operation says that has come to `res`: a direct one's descriptor goes
    /// into its slot.
    pub(super) fn installed(&self, key: Key, res: i32, world: &mut impl World) -> i32 {
        let Some(request) = self.peek(key) else {
            return res;
        };
        let makes_file = matches!(
            request.opcode(),
            op::IORING_OP_ACCEPT
                | op::IORING_OP_SOCKET
                | op::IORING_OP_OPENAT
                | op::IORING_OP_OPENAT2
        );
        match request.op.sqe.file_index {
            index if makes_file && index != 0 && res >= 0 => world.install(index, res),
            _ => res,
        }
    }
}

/// The memory that has to be registered, as addresses and lengths.
fn registered_bytes(op: &Operation) -> Option<Vec<(u64, u64)>> {
    let sqe = &op.sqe;
    let by_flag = sqe.ioprio & IORING_RECVSEND_FIXED_BUF != 0;
    match sqe.opcode {
        op::IORING_OP_READ_FIXED | op::IORING_OP_WRITE_FIXED => {}
        op::IORING_OP_SEND_ZC | op::IORING_OP_SENDMSG_ZC if by_flag => {}
        op::IORING_OP_NOP if sqe.op_flags & IORING_NOP_FIXED_BUFFER != 0 => {
            return Some(Vec::new());
        }
        _ => return None,
    }
    let of_part = |part: &libc::iovec| (part.iov_base.addr() as u64, part.iov_len as u64);
    Some(match &op.args {
        Args::Message(_, parts) => parts.iter().map(of_part).collect(),
        _ => [(sqe.addr, u64::from(sqe.len))].into(),
    })
}

/// What an ASYNC_CANCEL means.
///
/// # Errors
/// EBADF for an empty slot; EINVAL for flags that are not known.
pub(super) fn meant_by(sqe: &io_uring_sqe, world: &mut impl World) -> Result<Pattern, Errno> {
    pattern(sqe.addr, sqe.fd, sqe.len as u8, sqe.op_flags, world)
}

/// As [`meant_by`], of the fields of a synchronous cancel.
///
/// # Errors
/// As [`meant_by`].
pub(crate) fn pattern(
    user_data: u64,
    fd: i32,
    opcode: u8,
    flags: u32,
    world: &mut impl World,
) -> Result<Pattern, Errno> {
    const BY_SLOT: u32 = IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_FD_FIXED;
    let known = flags & !IORING_ASYNC_CANCEL_FD_FIXED;
    // What cannot be is said before what is not there.
    Pattern::of(user_data, fd, opcode, known)?;
    let fd = match flags & BY_SLOT {
        BY_SLOT => world.file(fd).ok_or(Errno::EBADF)?.0,
        IORING_ASYNC_CANCEL_FD if !world.is_open(fd) => return Err(Errno::EBADF),
        _ => fd,
    };
    Pattern::of(user_data, fd, opcode, known)
}

/// Operations on an open file (`needs_file` of the kernel): others take the flag for nothing.
fn needs_file(opcode: u8) -> bool {
    matches!(
        opcode,
        op::IORING_OP_READ
            | op::IORING_OP_READV
            | op::IORING_OP_READ_FIXED
            | op::IORING_OP_READ_MULTISHOT
            | op::IORING_OP_WRITE
            | op::IORING_OP_WRITEV
            | op::IORING_OP_WRITE_FIXED
            | op::IORING_OP_FSYNC
            | op::IORING_OP_SYNC_FILE_RANGE
            | op::IORING_OP_FALLOCATE
            | op::IORING_OP_FADVISE
            | op::IORING_OP_FTRUNCATE
            | op::IORING_OP_FSETXATTR
            | op::IORING_OP_FGETXATTR
            | op::IORING_OP_POLL_ADD
            | op::IORING_OP_SEND
            | op::IORING_OP_SEND_ZC
            | op::IORING_OP_SENDMSG
            | op::IORING_OP_SENDMSG_ZC
            | op::IORING_OP_RECV
            | op::IORING_OP_RECVMSG
            | op::IORING_OP_ACCEPT
            | op::IORING_OP_CONNECT
            | op::IORING_OP_BIND
            | op::IORING_OP_LISTEN
            | op::IORING_OP_SHUTDOWN
            | op::IORING_OP_SPLICE
            | op::IORING_OP_TEE
            | op::IORING_OP_URING_CMD
            | op::IORING_OP_MSG_RING
            | op::IORING_OP_EPOLL_WAIT
            | op::IORING_OP_FIXED_FD_INSTALL
    )
}

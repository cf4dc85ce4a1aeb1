//! What io_uring refuses in an entry before it begins.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::flags::net::{
    IORING_ACCEPT_DONTWAIT, IORING_ACCEPT_MULTISHOT, IORING_ACCEPT_POLL_FIRST,
    IORING_RECV_MULTISHOT, IORING_RECVSEND_BUNDLE, IORING_RECVSEND_FIXED_BUF,
    IORING_RECVSEND_POLL_FIRST, IORING_SEND_VECTORIZED, IORING_SEND_ZC_REPORT_USAGE,
};
use annulus_syscalls::io_uring::flags::rw::{
    IORING_NOP_FILE, IORING_NOP_FIXED_BUFFER, IORING_NOP_FIXED_FILE, IORING_NOP_INJECT_RESULT,
    IORING_NOP_TW,
};
use annulus_syscalls::io_uring::sqe_flags::{IOSQE_BUFFER_SELECT, IOSQE_CQE_SKIP_SUCCESS};
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::args::Args;
use super::{Engine, fixed, poll, timeout};

impl Engine {
    /// # Errors
    /// EINVAL for what io_uring does not know, EBADF for a registered file where none can be.
    pub(super) fn check(&self, sqe: &io_uring_sqe) -> Result<(), Errno> {
        const KNOWN: u8 = IOSQE_CQE_SKIP_SUCCESS | (IOSQE_CQE_SKIP_SUCCESS - 1);
        if sqe.flags & !KNOWN != 0 || !is_known(sqe.opcode) {
            return Err(Errno::EINVAL);
        }
        if sqe.flags & IOSQE_BUFFER_SELECT != 0 && !may_select(sqe.opcode) {
            return Err(Errno::EOPNOTSUPP);
        }
        fixed::check(sqe)?;
        if sqe.personality != 0 {
            return Err(Errno::EINVAL);
        }
        match sqe.opcode {
            op::IORING_OP_LINK_TIMEOUT if !self.may_limit() => Err(Errno::EINVAL),
            op::IORING_OP_POLL_ADD | op::IORING_OP_POLL_REMOVE => poll::check(sqe),
            op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT | op::IORING_OP_TIMEOUT_REMOVE => {
                timeout::check(sqe)
            }
            _ => of_opcode(sqe),
        }
    }
}

/// # Errors
/// EINVAL for flags and lengths that cannot be.
fn of_opcode(sqe: &io_uring_sqe) -> Result<(), Errno> {
    match sqe.opcode {
        op::IORING_OP_NOP => nop(sqe),
        op::IORING_OP_ASYNC_CANCEL => none_of(sqe.off != 0 || sqe.file_index != 0),
        op::IORING_OP_ACCEPT => {
            let known = IORING_ACCEPT_MULTISHOT | IORING_ACCEPT_DONTWAIT | IORING_ACCEPT_POLL_FIRST;
            let flags = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u32;
            none_of(sqe.ioprio & !known != 0 || sqe.op_flags & !flags != 0)
        }
        op::IORING_OP_RECV | op::IORING_OP_RECVMSG => receive(sqe),
        op::IORING_OP_SEND | op::IORING_OP_SENDMSG => {
            let known = IORING_RECVSEND_POLL_FIRST
                | IORING_RECVSEND_BUNDLE
                | IORING_RECVSEND_FIXED_BUF
                | IORING_SEND_VECTORIZED;
            none_of(sqe.ioprio & !known != 0)?;
            length(sqe, op::IORING_OP_SEND)
        }
        op::IORING_OP_SEND_ZC | op::IORING_OP_SENDMSG_ZC => {
            let known = IORING_RECVSEND_POLL_FIRST
                | IORING_RECVSEND_FIXED_BUF
                | IORING_SEND_ZC_REPORT_USAGE
                | IORING_SEND_VECTORIZED;
            none_of(sqe.ioprio & !known != 0)?;
            // A notification is always told.
            none_of(sqe.flags & IOSQE_CQE_SKIP_SUCCESS != 0)?;
            length(sqe, op::IORING_OP_SEND_ZC)
        }
        _ => Ok(()),
    }
}

fn nop(sqe: &io_uring_sqe) -> Result<(), Errno> {
    let known = IORING_NOP_INJECT_RESULT
        | IORING_NOP_FILE
        | IORING_NOP_FIXED_FILE
        | IORING_NOP_FIXED_BUFFER
        | IORING_NOP_TW;
    none_of(sqe.op_flags & !known != 0)
}

fn receive(sqe: &io_uring_sqe) -> Result<(), Errno> {
    let known = IORING_RECVSEND_POLL_FIRST | IORING_RECV_MULTISHOT | IORING_RECVSEND_BUNDLE;
    none_of(sqe.ioprio & !known != 0)?;
    if sqe.ioprio & IORING_RECV_MULTISHOT != 0 {
        // Each receive needs a buffer of its own, and ends with what there is.
        none_of(sqe.flags & IOSQE_BUFFER_SELECT == 0)?;
        none_of(sqe.op_flags & libc::MSG_WAITALL as u32 != 0)?;
    }
    length(sqe, op::IORING_OP_RECV)
}

/// The kernel takes lengths of sockets as signed numbers.
fn length(sqe: &io_uring_sqe, plain: u8) -> Result<(), Errno> {
    none_of(sqe.opcode == plain && sqe.len > i32::MAX as u32)
}

fn none_of(refused: bool) -> Result<(), Errno> {
    if refused {
        return Err(Errno::EINVAL);
    }
    Ok(())
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

pub(super) fn check_args(sqe: &io_uring_sqe, args: &Args) -> Result<(), Errno> {
    match sqe.opcode {
        op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT | op::IORING_OP_TIMEOUT_REMOVE => {
            timeout::check_time(args)
        }
        _ => fixed::check_args(sqe, args),
    }
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

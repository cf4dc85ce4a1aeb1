//! Sockets: receiving, sending, accepting, connecting, each tried without blocking.

use core::ptr::with_exposed_provenance_mut;
use std::vec::Vec;

use annulus_syscalls::io_uring::cqe_flags::IORING_CQE_F_SOCK_NONEMPTY;
use annulus_syscalls::io_uring::flags::net::{
    IORING_ACCEPT_DONTWAIT, IORING_ACCEPT_POLL_FIRST, IORING_RECVSEND_BUNDLE,
    IORING_RECVSEND_FIXED_BUF, IORING_RECVSEND_POLL_FIRST, IORING_SEND_VECTORIZED,
};
use annulus_syscalls::io_uring::{io_uring_recvmsg_out, io_uring_sqe, op};
use annulus_syscalls::{Errno, calls};

use super::at_once::direct;
use super::{last_errno, rest_of};
use crate::kernel::engine::{Args, Attempt, Operation};

const POLLIN: u32 = libc::POLLIN as u32;
const POLLOUT: u32 = libc::POLLOUT as u32;

fn failed(errno: Errno) -> Attempt {
    Attempt::Done(-errno.raw(), 0)
}

/// Memory that an SQE names.
fn pointer<T>(address: u64) -> *mut T {
    with_exposed_provenance_mut(address as usize)
}

/// Repeats what a signal interrupted.
fn retry(mut call: impl FnMut() -> Result<usize, Errno>) -> Result<usize, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

/// What a transfer of up to `len` bytes has come to, where earlier attempts moved `op.done`.
fn transferred(op: &mut Operation, moved: Result<usize, Errno>, len: usize, mask: u32) -> Attempt {
    let flags = op.sqe.op_flags as i32;
    match moved {
        Ok(count) => {
            let short = count > 0 && count < len;
            let whole = short && flags & libc::MSG_WAITALL != 0 && joins(op.sqe.fd);
            op.done += count as u32;
            // What a buffer of a group got belongs to the user now.
            if whole && op.selected.is_none() {
                return Attempt::Wait(mask);
            }
            Attempt::Done(op.done as i32, 0)
        }
        Err(Errno::EAGAIN) if flags & libc::MSG_DONTWAIT == 0 => Attempt::Wait(mask),
        Err(_) if op.done > 0 => Attempt::Done(op.done as i32, 0),
        Err(errno) => failed(errno),
    }
}

fn waits_first(op: &Operation, ready: bool) -> bool {
    op.sqe.ioprio & IORING_RECVSEND_POLL_FIRST != 0 && !ready && op.done == 0
}

pub(super) fn recv(op: &mut Operation, ready: bool) -> Attempt {
    if op.sqe.ioprio & IORING_RECVSEND_BUNDLE != 0 {
        return failed(Errno::EINVAL);
    }
    if waits_first(op, ready) {
        return Attempt::Wait(POLLIN);
    }
    if op.is_multishot() {
        op.done = 0;
    }
    let (address, len) = op.buffer();
    let (address, len) = (address + u64::from(op.done), len - op.done as usize);
    let flags = op.sqe.op_flags as i32 | libc::MSG_DONTWAIT;
    let (no_address, no_len) = (core::ptr::null_mut(), core::ptr::null_mut());
    let moved = retry(|| {
        // SAFETY: the memory is lent to this operation until its last CQE, or is the buffer that
        // was selected for it.
        unsafe { calls::recvfrom(op.sqe.fd, pointer(address), len, flags, no_address, no_len) }
    });
    let nonempty = match moved {
        Ok(0) => len > 0 && option(op.sqe.fd, libc::SO_PROTOCOL) == Some(libc::IPPROTO_TCP),
        Ok(count) => count == len && has_more(op.sqe.fd),
        Err(_) => false,
    };
    match transferred(op, moved, len, POLLIN) {
        // TCP says so of its end, too.
        Attempt::Done(res, 0) if nonempty => Attempt::Done(res, IORING_CQE_F_SOCK_NONEMPTY),
        attempt => attempt,
    }
}

/// Whether a stream has more to read after a receive that filled its buffer.
fn has_more(fd: i32) -> bool {
    let mut count = 0_i32;
    // SAFETY: this request writes one int.
    let asked = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut count) };
    if asked != 0 || count <= 0 {
        return false;
    }
    is_stream(fd)
}

/// Whether a transfer may go on with what comes next.
fn joins(fd: i32) -> bool {
    let kinds = [Some(libc::SOCK_STREAM), Some(libc::SOCK_SEQPACKET)];
    kinds.contains(&option(fd, libc::SO_TYPE))
}

fn is_stream(fd: i32) -> bool {
    option(fd, libc::SO_TYPE) == Some(libc::SOCK_STREAM)
}

/// An option of the socket that is a number.
fn option(fd: i32, name: i32) -> Option<i32> {
    let mut value = [0; 4];
    // SAFETY: options that are numbers are written to `value` alone.
    let told = unsafe { calls::getsockopt(fd, libc::SOL_SOCKET, name, &mut value) };
    told.ok().map(|_len| i32::from_ne_bytes(value))
}

pub(super) fn send(op: &mut Operation, ready: bool) -> Attempt {
    match op.sqe.ioprio & !IORING_RECVSEND_POLL_FIRST {
        bits if bits & (IORING_RECVSEND_BUNDLE | IORING_SEND_VECTORIZED) != 0 => {
            return failed(Errno::EINVAL);
        }
        bits if bits & IORING_RECVSEND_FIXED_BUF != 0 && op.sqe.opcode == op::IORING_OP_SEND => {
            return failed(Errno::EFAULT);
        }
        _ => {}
    }
    if op.sqe.opcode == op::IORING_OP_SEND_ZC && lacks_zero_copy(op.sqe.fd) {
        return failed(Errno::EOPNOTSUPP);
    }
    if waits_first(op, ready) {
        return Attempt::Wait(POLLOUT);
    }
    let (address, len) = op.buffer();
    let (address, len) = (address + u64::from(op.done), len - op.done as usize);
    let flags = op.sqe.op_flags as i32 | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let (to, to_len) = (pointer::<u8>(op.sqe.off), destination_len(&op.sqe));
    let moved = retry(|| {
        let start = pointer::<libc::c_void>(address);
        // SAFETY: data and destination are lent to this operation until its last CQE.
        let sent = unsafe { libc::sendto(op.sqe.fd, start, len, flags, to.cast(), to_len) };
        usize::try_from(sent).map_err(|_negative| last_errno())
    });
    transferred(op, moved, len, POLLOUT)
}

/// Whether io_uring would refuse to send from such a socket without a copy.
fn lacks_zero_copy(fd: i32) -> bool {
    let with = [libc::AF_INET, libc::AF_INET6, libc::AF_VSOCK];
    option(fd, libc::SO_DOMAIN).is_some_and(|domain| !with.contains(&domain))
}

/// The 16-bit `addr_len` at the start of its 32-bit place; 0 without an address.
fn destination_len(sqe: &io_uring_sqe) -> u32 {
    let [low, high, ..] = sqe.file_index.to_ne_bytes();
    if sqe.off == 0 {
        return 0;
    }
    u32::from(u16::from_ne_bytes([low, high]))
}

pub(super) fn sendmsg(op: &mut Operation, ready: bool) -> Attempt {
    let registered = op.sqe.ioprio & IORING_RECVSEND_FIXED_BUF != 0;
    if registered && op.sqe.opcode == op::IORING_OP_SENDMSG {
        return failed(Errno::EFAULT);
    }
    if op.sqe.opcode == op::IORING_OP_SENDMSG_ZC && lacks_zero_copy(op.sqe.fd) {
        return failed(Errno::EOPNOTSUPP);
    }
    if waits_first(op, ready) {
        return Attempt::Wait(POLLOUT);
    }
    let flags = op.sqe.op_flags as i32 | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let Some((message, parts)) = rest(op) else {
        return failed(Errno::EFAULT);
    };
    let moved = retry(|| {
        // SAFETY: the message names `parts`, and what is lent to this operation.
        unsafe { calls::sendmsg(op.sqe.fd, (&raw const message).cast(), flags) }
    });
    transferred(op, moved, bytes(&parts), POLLOUT)
}

/// The message without what earlier attempts moved, and the buffers that it names.
fn rest(op: &Operation) -> Option<(libc::msghdr, Vec<libc::iovec>)> {
    let Args::Message(header, parts) = &op.args else {
        return None;
    };
    let mut parts = rest_of(parts, op.done as usize);
    let mut message = **header;
    message.msg_iov = parts.as_mut_ptr();
    Some((message, parts))
}

fn bytes(parts: &[libc::iovec]) -> usize {
    parts.iter().map(|part| part.iov_len).sum()
}

/// Tells the user how much of a message's name and control data was filled.
fn tell(op: &Operation, message: &libc::msghdr) {
    let theirs = pointer::<libc::msghdr>(op.sqe.addr);
    // SAFETY: the message is lent to this operation until its last CQE.
    let len = unsafe { &raw mut (*theirs).msg_namelen };
    // SAFETY: as above.
    let control_len = unsafe { &raw mut (*theirs).msg_controllen };
    // SAFETY: as above.
    let flags = unsafe { &raw mut (*theirs).msg_flags };
    // SAFETY: as above.
    unsafe { len.write_unaligned(message.msg_namelen) };
    // SAFETY: as above.
    unsafe { control_len.write_unaligned(message.msg_controllen) };
    // SAFETY: as above.
    unsafe { flags.write_unaligned(message.msg_flags) };
}

pub(super) fn recvmsg(op: &mut Operation, ready: bool) -> Attempt {
    if waits_first(op, ready) {
        return Attempt::Wait(POLLIN);
    }
    let flags = op.sqe.op_flags as i32 | libc::MSG_DONTWAIT;
    if op.selects() {
        return recvmsg_selected(op, flags);
    }
    let Some((mut message, parts)) = rest(op) else {
        return failed(Errno::EFAULT);
    };
    let moved = retry(|| {
        // SAFETY: the message names `parts`, and what is lent to this operation.
        unsafe { calls::recvmsg(op.sqe.fd, (&raw mut message).cast(), flags) }
    });
    if moved.is_ok() {
        tell(op, &message);
    }
    transferred(op, moved, bytes(&parts), POLLIN)
}

/// Into the buffer that was selected; a multishot one starts with a header, name and control data.
fn recvmsg_selected(op: &mut Operation, flags: i32) -> Attempt {
    const HEAD: usize = size_of::<io_uring_recvmsg_out>();
    let Args::Message(header, parts) = &op.args else {
        return failed(Errno::EFAULT);
    };
    let (mut message, len_max) = (**header, parts.first().map_or(0, |part| part.iov_len));
    let (address, room) = op.buffer();
    let multishot = op.is_multishot();
    let name_room = message.msg_namelen as usize;
    #[allow(clippy::unnecessary_cast, reason = "its type is another in musl")]
    let control_room = message.msg_controllen as usize;
    let before = if multishot {
        HEAD + name_room + control_room
    } else {
        0
    };
    if room < before {
        return failed(Errno::EFAULT);
    }
    let mut part = libc::iovec {
        iov_base: pointer(address + before as u64),
        iov_len: room - before,
    };
    if multishot {
        message.msg_name = pointer(address + HEAD as u64);
        message.msg_control = pointer(address + (HEAD + name_room) as u64);
    } else if len_max != 0 {
        part.iov_len = part.iov_len.min(len_max);
    }
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let moved = retry(|| {
        // SAFETY: the message names the selected buffer, and else what is lent to the operation.
        unsafe { calls::recvmsg(op.sqe.fd, (&raw mut message).cast(), flags) }
    });
    let count = match moved {
        Ok(count) => count,
        moved => return transferred(op, moved, 0, POLLIN),
    };
    if multishot {
        let head = io_uring_recvmsg_out {
            namelen: message.msg_namelen,
            controllen: message.msg_controllen as u32,
            payloadlen: count as u32,
            flags: message.msg_flags as u32,
        };
        // SAFETY: the buffer has room for the header, and is this operation's.
        unsafe { pointer::<io_uring_recvmsg_out>(address).write_unaligned(head) };
        let total = (before + count.min(part.iov_len)) as i32;
        return if count == 0 {
            Attempt::Last(total, 0)
        } else {
            Attempt::Done(total, 0)
        };
    }
    tell(op, &message);
    Attempt::Done(count as i32, 0)
}

pub(super) fn accept(op: &mut Operation, ready: bool) -> Attempt {
    let sqe = &op.sqe;
    let flags = sqe.op_flags as i32 | direct(sqe, libc::SOCK_CLOEXEC);
    if sqe.ioprio & IORING_ACCEPT_POLL_FIRST != 0 && !ready {
        return Attempt::Wait(POLLIN);
    }
    let waits = sqe.ioprio & IORING_ACCEPT_DONTWAIT == 0;
    if !op.begun {
        // Without O_NONBLOCK the call would wait.
        match is_nonblocking(sqe.fd) {
            Ok(nonblocking) => op.begun = nonblocking,
            Err(errno) => return failed(errno),
        }
    }
    // What does not listen is refused at once.
    let listens = || option(sqe.fd, libc::SO_ACCEPTCONN) == Some(1);
    if !op.begun && !is_ready(sqe.fd, libc::POLLIN) && listens() {
        return if waits {
            Attempt::Wait(POLLIN)
        } else {
            failed(Errno::EAGAIN)
        };
    }
    let accepted = retry(|| {
        let (address, len) = (pointer(sqe.addr), pointer(sqe.off));
        // SAFETY: both are null, or lent to this operation until its last CQE.
        let fd = unsafe { calls::accept4(sqe.fd, address, len, flags) };
        fd.map(|fd| fd as usize)
    });
    match accepted {
        Ok(fd) => Attempt::Done(fd as i32, 0),
        Err(Errno::EAGAIN) if waits => Attempt::Wait(POLLIN),
        Err(errno) => failed(errno),
    }
}

pub(super) fn connect(op: &mut Operation) -> Attempt {
    let Args::Address(address, len) = &op.args else {
        return failed(Errno::EFAULT);
    };
    match connect_now(op.sqe.fd, address.as_ptr(), *len) {
        Ok(()) => Attempt::Done(0, 0),
        Err(Errno::EINPROGRESS | Errno::EINTR | Errno::EALREADY) => {
            op.begun = true;
            Attempt::Wait(POLLOUT)
        }
        // What was begun has come to its end.
        Err(Errno::EISCONN) if op.begun => Attempt::Done(0, 0),
        Err(errno) => failed(errno),
    }
}

/// `connect`(2) that does not wait, on sockets of both kinds.
fn connect_now(fd: i32, address: *const u8, len: u32) -> Result<(), Errno> {
    // SAFETY: this command takes no argument.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags == -1 {
        return Err(last_errno());
    }
    let waits = flags & libc::O_NONBLOCK == 0;
    if waits {
        // SAFETY: takes a number only. The socket is not in use before it is connected.
        unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
    }
    // SAFETY: the caller's copy has `len` bytes.
    let connected = unsafe { calls::connect(fd, address, len) };
    if waits {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETFL, flags) };
    }
    connected
}

/// Whether the file has O_NONBLOCK.
///
/// # Errors
/// EBADF.
pub(super) fn is_nonblocking(fd: i32) -> Result<bool, Errno> {
    // SAFETY: this command takes no argument.
    match unsafe { libc::fcntl(fd, libc::F_GETFL) } {
        -1 => Err(last_errno()),
        flags => Ok(flags & libc::O_NONBLOCK != 0),
    }
}

/// `poll`(2) that does not wait.
pub(super) fn is_ready(fd: i32, events: i16) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: `poll` is one entry, valid for reads and writes.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
    ready != 0
}

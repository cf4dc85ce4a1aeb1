//! What may block, done by a thread of the pool: the calls behind the operations on files.

use core::ffi::c_void;
use core::ptr::{null_mut, with_exposed_provenance_mut};

use annulus_syscalls::io_uring::flags::rw::IORING_FSYNC_DATASYNC;
use annulus_syscalls::io_uring::{io_uring_sqe, op};
use annulus_syscalls::{Errno, calls};

use super::at_once::direct;
use super::{result, rw};
use crate::kernel::engine::{Args, Operation};

/// Does `op`, waiting as long as it takes.
pub(in crate::kernel) fn perform(op: &mut Operation) -> i32 {
    loop {
        let res = call(op);
        if res != -Errno::EINTR.raw() {
            return res;
        }
    }
}

fn call(op: &Operation) -> i32 {
    let sqe = &op.sqe;
    match sqe.opcode {
        op::IORING_OP_READ
        | op::IORING_OP_READV
        | op::IORING_OP_READ_FIXED
        | op::IORING_OP_WRITE
        | op::IORING_OP_WRITEV
        | op::IORING_OP_WRITE_FIXED => rw::perform(op),
        op::IORING_OP_FSYNC => fsync(sqe),
        op::IORING_OP_SYNC_FILE_RANGE => sync_file_range(sqe),
        op::IORING_OP_FALLOCATE => fallocate(sqe),
        op::IORING_OP_FTRUNCATE => {
            // SAFETY: takes numbers only.
            result(i64::from(unsafe {
                libc::ftruncate64(sqe.fd, sqe.off as i64)
            }))
        }
        op::IORING_OP_FADVISE => fadvise(sqe),
        op::IORING_OP_MADVISE => madvise(sqe),
        op::IORING_OP_SPLICE => splice(sqe),
        op::IORING_OP_TEE => tee(sqe),
        op::IORING_OP_WAITID => waitid(sqe),
        _ => named(op),
    }
}

/// Operations on names.
fn named(op: &Operation) -> i32 {
    let sqe = &op.sqe;
    let flags = sqe.op_flags as i32;
    match &op.args {
        Args::Path(path) => match sqe.opcode {
            op::IORING_OP_OPENAT => {
                let flags = (flags | libc::O_LARGEFILE | direct(sqe, libc::O_CLOEXEC)) as u32;
                let opened = calls::openat(sqe.fd, path, flags, sqe.len);
                opened.unwrap_or_else(|errno| -errno.raw())
            }
            op::IORING_OP_STATX => {
                let out = with_exposed_provenance_mut::<c_void>(sqe.off as usize);
                let (number, mask) = (libc::SYS_statx, sqe.len);
                // SAFETY: the path is ours, and `out` is lent to this operation until its CQE.
                result(
                    unsafe { libc::syscall(number, sqe.fd, path.as_ptr(), flags, mask, out) }
                        as i64,
                )
            }
            op::IORING_OP_UNLINKAT => {
                // SAFETY: the path is ours.
                result(i64::from(unsafe {
                    libc::unlinkat(sqe.fd, path.as_ptr(), flags)
                }))
            }
            op::IORING_OP_MKDIRAT => {
                // SAFETY: the path is ours.
                result(i64::from(unsafe {
                    libc::mkdirat(sqe.fd, path.as_ptr(), sqe.len)
                }))
            }
            _ => -Errno::EINVAL.raw(),
        },
        Args::OpenHow(path, how) => {
            let mut how = *how;
            how.flags |= direct(sqe, libc::O_CLOEXEC) as u64;
            let (number, size) = (libc::SYS_openat2, size_of_val(&how));
            // SAFETY: path and how are ours.
            result(
                unsafe { libc::syscall(number, sqe.fd, path.as_ptr(), &raw const how, size) }
                    as i64,
            )
        }
        Args::Paths(old, new) => {
            let (old, new, new_dirfd) = (old.as_ptr(), new.as_ptr(), sqe.len as i32);
            match sqe.opcode {
                op::IORING_OP_RENAMEAT => {
                    let number = libc::SYS_renameat2;
                    // SAFETY: both paths are ours.
                    result(unsafe {
                        libc::syscall(number, sqe.fd, old, new_dirfd, new, sqe.op_flags)
                    } as i64)
                }
                op::IORING_OP_LINKAT => {
                    // SAFETY: both paths are ours.
                    result(i64::from(unsafe {
                        libc::linkat(sqe.fd, old, new_dirfd, new, flags)
                    }))
                }
                op::IORING_OP_SYMLINKAT => {
                    // SAFETY: both paths are ours.
                    result(i64::from(unsafe { libc::symlinkat(old, sqe.fd, new) }))
                }
                _ => -Errno::EINVAL.raw(),
            }
        }
        Args::Xattr(path, name, value) => {
            let path = path.as_ref().map(|path| path.as_ptr());
            xattr(sqe, path, name.as_ptr(), value)
        }
        _ => -Errno::EINVAL.raw(),
    }
}

fn xattr(
    sqe: &io_uring_sqe,
    path: Option<*const libc::c_char>,
    name: *const libc::c_char,
    value: &[u8],
) -> i32 {
    let sets = matches!(sqe.opcode, op::IORING_OP_SETXATTR | op::IORING_OP_FSETXATTR);
    let room = with_exposed_provenance_mut::<c_void>(sqe.off as usize);
    let (value, value_len, flags) = (value.as_ptr().cast(), value.len(), sqe.op_flags as i32);
    let len = sqe.len as usize;
    let done = match (path, sets) {
        (Some(path), true) => {
            // SAFETY: path, name and value are ours.
            i64::from(unsafe { libc::setxattr(path, name, value, value_len, flags) })
        }
        (None, true) => {
            // SAFETY: name and value are ours.
            i64::from(unsafe { libc::fsetxattr(sqe.fd, name, value, value_len, flags) })
        }
        (Some(path), false) => {
            // SAFETY: path and name are ours; the room is lent until the CQE.
            unsafe { libc::getxattr(path, name, room, len) as i64 }
        }
        (None, false) => {
            // SAFETY: the name is ours; the room is lent until the CQE.
            unsafe { libc::fgetxattr(sqe.fd, name, room, len) as i64 }
        }
    };
    result(done)
}

fn fsync(sqe: &io_uring_sqe) -> i32 {
    if sqe.op_flags & !IORING_FSYNC_DATASYNC != 0 {
        return -Errno::EINVAL.raw();
    }
    let done = if sqe.op_flags & IORING_FSYNC_DATASYNC != 0 {
        // SAFETY: takes a number only.
        unsafe { libc::fdatasync(sqe.fd) }
    } else {
        // SAFETY: takes a number only.
        unsafe { libc::fsync(sqe.fd) }
    };
    result(i64::from(done))
}

fn sync_file_range(sqe: &io_uring_sqe) -> i32 {
    let (offset, len) = (sqe.off as i64, i64::from(sqe.len));
    // SAFETY: takes numbers only.
    result(i64::from(unsafe {
        libc::sync_file_range(sqe.fd, offset, len, sqe.op_flags)
    }))
}

fn fallocate(sqe: &io_uring_sqe) -> i32 {
    let (mode, offset, len) = (sqe.len as i32, sqe.off as i64, sqe.addr as i64);
    // SAFETY: takes numbers only.
    result(i64::from(unsafe {
        libc::fallocate64(sqe.fd, mode, offset, len)
    }))
}

fn fadvise(sqe: &io_uring_sqe) -> i32 {
    let len = if sqe.addr != 0 {
        sqe.addr as i64
    } else {
        i64::from(sqe.len)
    };
    // SAFETY: takes numbers only.
    -unsafe { libc::posix_fadvise64(sqe.fd, sqe.off as i64, len, sqe.op_flags as i32) }
}

fn madvise(sqe: &io_uring_sqe) -> i32 {
    let len = if sqe.off != 0 {
        sqe.off as usize
    } else {
        sqe.len as usize
    };
    let start = with_exposed_provenance_mut::<c_void>(sqe.addr as usize);
    // SAFETY: who submitted it answers for what the advice does to the range.
    result(i64::from(unsafe {
        libc::madvise(start, len, sqe.op_flags as i32)
    }))
}

fn splice(sqe: &io_uring_sqe) -> i32 {
    let (mut from, mut to) = (sqe.addr as i64, sqe.off as i64);
    // -1 stands for no offset.
    let from = if from == -1 {
        null_mut()
    } else {
        &raw mut from
    };
    let to = if to == -1 { null_mut() } else { &raw mut to };
    let (len, flags) = (sqe.len as usize, sqe.op_flags);
    // SAFETY: the offsets are null or ours.
    result(unsafe { libc::splice(sqe.file_index as i32, from, sqe.fd, to, len, flags) } as i64)
}

fn tee(sqe: &io_uring_sqe) -> i32 {
    let (fd_in, len) = (sqe.file_index as i32, sqe.len as usize);
    // SAFETY: takes numbers only.
    result(unsafe { libc::tee(fd_in, sqe.fd, len, sqe.op_flags) } as i64)
}

fn waitid(sqe: &io_uring_sqe) -> i32 {
    let info = with_exposed_provenance_mut::<libc::siginfo_t>(sqe.off as usize);
    let options = sqe.file_index as i32;
    // SAFETY: the info is null, or lent to this operation until its CQE.
    result(i64::from(unsafe {
        libc::waitid(sqe.len, sqe.fd as libc::id_t, info, options)
    }))
}

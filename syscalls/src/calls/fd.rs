//! Descriptors: reading, writing, making, closing.
//!
//! A call that only looks at a descriptor is safe: a wrong number is EBADF. A call that takes one
//! away or replaces it is not: somebody else may own it.

use core::ffi::CStr;

use super::wide;
use crate::{Errno, nr, syscall1, syscall2, syscall3, syscall4};

/// `read`(2) into `len` bytes at `buf`; returns how many were read, 0 at the end.
///
/// # Errors
/// EAGAIN, EINTR, EBADF, EIO, EISDIR, EFAULT and those of the file.
///
/// # Safety
/// `buf` is valid for writes of `len` bytes.
#[inline]
pub unsafe fn read(fd: i32, buf: *mut u8, len: usize) -> Result<usize, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::READ, fd as usize, buf.expose_provenance(), len) };
    Errno::check(ret)
}

/// `readv`(2) into `count` buffers (`struct iovec`) at `iov`.
///
/// # Errors
/// As [`read`]; EINVAL for more than 1,024 buffers.
///
/// # Safety
/// `iov` is valid for reads of `count` entries, and each entry is valid for writes of its length.
#[inline]
pub unsafe fn readv(fd: i32, iov: *const u8, count: usize) -> Result<usize, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::READV, fd as usize, iov.expose_provenance(), count) };
    Errno::check(ret)
}

/// `write`(2) of `buf`; returns how many bytes were written.
///
/// # Errors
/// EAGAIN, EINTR, EBADF, EPIPE (with SIGPIPE), EIO, ENOSPC and those of the file.
#[inline]
pub fn write(fd: i32, buf: &[u8]) -> Result<usize, Errno> {
    let address = buf.as_ptr().expose_provenance();
    // SAFETY: `buf` is borrowed for the call, which only reads it.
    let ret = unsafe { syscall3(nr::WRITE, fd as usize, address, buf.len()) };
    Errno::check(ret)
}

/// `writev`(2) of `count` buffers (`struct iovec`) at `iov`.
///
/// # Errors
/// As [`write()`]; EINVAL for more than 1,024 buffers.
///
/// # Safety
/// `iov` is valid for reads of `count` entries, and each entry is valid for reads of its length.
#[inline]
pub unsafe fn writev(fd: i32, iov: *const u8, count: usize) -> Result<usize, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::WRITEV, fd as usize, iov.expose_provenance(), count) };
    Errno::check(ret)
}

/// `pread`(2) of `len` bytes at `offset` into `buf`; the file's position stays.
///
/// # Errors
/// As [`read`]; ESPIPE where there is no position.
///
/// # Safety
/// `buf` is valid for writes of `len` bytes.
pub unsafe fn pread64(fd: i32, buf: *mut u8, len: usize, offset: u64) -> Result<usize, Errno> {
    let address = buf.expose_provenance();
    // SAFETY: promised by the caller.
    let ret = unsafe { wide::pread64(fd, address, len, offset) };
    Errno::check(ret)
}

/// `lseek`(2): moves the file's position by `offset` from `whence` (`SEEK_*`); returns it.
///
/// # Errors
/// EINVAL for a position before the start, ESPIPE, ENXIO, EBADF, EOVERFLOW.
pub fn lseek(fd: i32, offset: i64, whence: u32) -> Result<u64, Errno> {
    wide::lseek(fd, offset, whence)
}

/// `openat`(2): opens `path`, relative to `dirfd` (or `AT_FDCWD`), with `O_*` flags and, for a new
/// file, `mode`.
///
/// # Errors
/// ENOENT, EACCES, EEXIST, EMFILE and the others of the manual page.
pub fn openat(dirfd: i32, path: &CStr, flags: u32, mode: u32) -> Result<i32, Errno> {
    let path = path.as_ptr().expose_provenance();
    // SAFETY: `path` ends in a NUL and is borrowed for the call.
    let ret = unsafe {
        syscall4(
            nr::OPENAT,
            dirfd as usize,
            path,
            flags as usize,
            mode as usize,
        )
    };
    Errno::check(ret).map(|fd| fd as i32)
}

/// `eventfd2`(2): makes an event counter that starts at `count`; `flags` are `EFD_*`.
///
/// # Errors
/// EINVAL, EMFILE, ENFILE, ENOMEM.
pub fn eventfd2(count: u32, flags: u32) -> Result<i32, Errno> {
    // SAFETY: the call touches no memory of this process.
    let ret = unsafe { syscall2(nr::EVENTFD2, count as usize, flags as usize) };
    Errno::check(ret).map(|fd| fd as i32)
}

/// `pipe2`(2): makes a pipe and returns its reading and its writing end; `flags` are `O_*`.
///
/// # Errors
/// EINVAL, EMFILE, ENFILE.
pub fn pipe2(flags: u32) -> Result<[i32; 2], Errno> {
    let mut ends = [-1_i32; 2];
    let address = ends.as_mut_ptr().expose_provenance();
    // SAFETY: `ends` has room for the two descriptors.
    let ret = unsafe { syscall2(nr::PIPE2, address, flags as usize) };
    Errno::check(ret).map(|_| ends)
}

/// `fcntl`(2) with an integer argument: `command` is `F_*`.
///
/// # Errors
/// EBADF, EINVAL, EMFILE.
///
/// # Safety
/// `command` takes an integer, not a pointer.
pub unsafe fn fcntl(fd: i32, command: u32, arg: usize) -> Result<usize, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { wide::fcntl(fd, command, arg) };
    Errno::check(ret)
}

/// `dup3`(2): makes `new` a duplicate of `old`, closing what it was; `flags` is 0 or `O_CLOEXEC`.
///
/// # Errors
/// EBADF, EINVAL for `old == new`, EBUSY, EMFILE.
///
/// # Safety
/// `new` is the caller's to replace.
pub unsafe fn dup3(old: i32, new: i32, flags: u32) -> Result<i32, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::DUP3, old as usize, new as usize, flags as usize) };
    Errno::check(ret).map(|fd| fd as i32)
}

/// `close`(2). The number is free afterwards, whatever is returned: never repeat it.
///
/// # Errors
/// EBADF; EIO, ENOSPC, EDQUOT for writes that failed late; EINTR.
///
/// # Safety
/// The descriptor is the caller's, and nobody uses it afterwards.
pub unsafe fn close(fd: i32) -> Result<(), Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall1(nr::CLOSE, fd as usize) };
    Errno::check(ret).map(drop)
}

//! One operation each, waited for: safe, as nothing stays lent when they return.

use std::ffi::CStr;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;

use annulus_ring::{Errno, Ring, SockAddr};
use annulus_syscalls::io_uring::register::io_uring_rsrc_update;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_BUFFERS, IORING_REGISTER_FILES, IORING_REGISTER_FILES_UPDATE,
    IORING_UNREGISTER_FILES,
};

use super::run::result;

/// `READ` at `offset`.
pub(crate) fn read(ring: &mut Ring, fd: RawFd, buf: &mut [u8], offset: u64) -> Result<u32, Errno> {
    let (start, len) = (buf.as_mut_ptr(), buf.len() as u32);
    // SAFETY: `buf` is borrowed until the completion was seen.
    result(ring, |sqe| unsafe { sqe.prep_read(fd, start, len, offset) })
}

/// `WRITE` at `offset`.
pub(crate) fn write(ring: &mut Ring, fd: RawFd, buf: &[u8], offset: u64) -> Result<u32, Errno> {
    let (start, len) = (buf.as_ptr(), buf.len() as u32);
    // SAFETY: `buf` is borrowed until the completion was seen.
    result(ring, |sqe| unsafe {
        sqe.prep_write(fd, start, len, offset)
    })
}

/// `READV` at `offset`.
pub(crate) fn readv(
    ring: &mut Ring,
    fd: RawFd,
    bufs: &mut [IoSliceMut<'_>],
    offset: u64,
    flags: u32,
) -> Result<u32, Errno> {
    let (start, count) = (bufs.as_mut_ptr().cast(), bufs.len() as u32);
    // SAFETY: `bufs` is an array of iovec, borrowed until the completion was seen.
    result(ring, |sqe| unsafe {
        sqe.prep_readv(fd, start, count, offset, flags)
    })
}

/// `WRITEV` at `offset`.
pub(crate) fn writev(
    ring: &mut Ring,
    fd: RawFd,
    bufs: &[IoSlice<'_>],
    offset: u64,
    flags: u32,
) -> Result<u32, Errno> {
    let (start, count) = (bufs.as_ptr().cast(), bufs.len() as u32);
    // SAFETY: `bufs` is an array of iovec, borrowed until the completion was seen.
    result(ring, |sqe| unsafe {
        sqe.prep_writev(fd, start, count, offset, flags)
    })
}

/// `RECV` with `MSG_*` flags.
pub(crate) fn recv(ring: &mut Ring, fd: RawFd, buf: &mut [u8], flags: i32) -> Result<u32, Errno> {
    let (start, len) = (buf.as_mut_ptr(), buf.len() as u32);
    // SAFETY: `buf` is borrowed until the completion was seen.
    result(ring, |sqe| unsafe { sqe.prep_recv(fd, start, len, flags) })
}

/// `SEND` with `MSG_*` flags.
pub(crate) fn send(ring: &mut Ring, fd: RawFd, buf: &[u8], flags: i32) -> Result<u32, Errno> {
    let (start, len) = (buf.as_ptr(), buf.len() as u32);
    // SAFETY: `buf` is borrowed until the completion was seen.
    result(ring, |sqe| unsafe { sqe.prep_send(fd, start, len, flags) })
}

/// `OPENAT` with close-on-exec added to `flags`.
pub(crate) fn openat(
    ring: &mut Ring,
    dirfd: RawFd,
    path: &CStr,
    flags: i32,
    mode: u32,
) -> Result<OwnedFd, Errno> {
    let (path, flags) = (path.as_ptr(), flags | libc::O_CLOEXEC);
    // SAFETY: `path` is borrowed until the completion was seen.
    owned(result(ring, |sqe| unsafe {
        sqe.prep_openat(dirfd, path, flags, mode)
    }))
}

/// `SOCKET`.
pub(crate) fn socket(ring: &mut Ring, domain: i32, kind: i32) -> Result<OwnedFd, Errno> {
    owned(result(ring, |sqe| {
        sqe.prep_socket(domain, kind | libc::SOCK_CLOEXEC, 0)
    }))
}

/// `CONNECT`.
pub(crate) fn connect(ring: &mut Ring, fd: RawFd, address: &SockAddr) -> Result<u32, Errno> {
    let (start, len) = (address.as_ptr().cast(), address.len());
    // SAFETY: `address` is borrowed until the completion was seen.
    result(ring, |sqe| unsafe { sqe.prep_connect(fd, start, len) })
}

/// `ACCEPT` without the peer's address.
pub(crate) fn accept(ring: &mut Ring, fd: RawFd) -> Result<OwnedFd, Errno> {
    let flags = libc::SOCK_CLOEXEC;
    // SAFETY: there is no memory.
    owned(result(ring, |sqe| unsafe {
        sqe.prep_accept(fd, null_mut(), null_mut(), flags)
    }))
}

/// `CLOSE` of a descriptor that is given away.
pub(crate) fn close(ring: &mut Ring, fd: RawFd) -> Result<u32, Errno> {
    result(ring, |sqe| sqe.prep_close(fd))
}

/// The descriptor that an operation made.
pub(crate) fn owned(result: Result<u32, Errno>) -> Result<OwnedFd, Errno> {
    let fd = result? as RawFd;
    assert!(fd > 2, "{fd} is one of the standard three");
    // SAFETY: the kernel just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Registers `fds` as the file table; -1 leaves a slot empty.
pub(crate) fn register_files(ring: &Ring, fds: &[RawFd]) -> Result<(), Errno> {
    let arg = fds.as_ptr().expose_provenance();
    // SAFETY: `arg` is as many descriptors as are counted, read during the call.
    unsafe { ring.register(IORING_REGISTER_FILES, arg, fds.len() as u32) }.map(drop)
}

/// Registers a file table of `count` empty slots.
pub(crate) fn register_empty_files(ring: &Ring, count: u32) -> Result<(), Errno> {
    register_files(ring, &vec![-1; count as usize])
}

/// Changes the slots from `offset` on; the result is how many.
pub(crate) fn update_files(ring: &Ring, offset: u32, fds: &[RawFd]) -> Result<u32, Errno> {
    let update = io_uring_rsrc_update {
        offset,
        data: fds.as_ptr().expose_provenance() as u64,
        ..io_uring_rsrc_update::default()
    };
    let arg = (&raw const update).expose_provenance();
    // SAFETY: the update names as many descriptors as are counted, read during the call.
    unsafe { ring.register(IORING_REGISTER_FILES_UPDATE, arg, fds.len() as u32) }
}

/// Gives the file table up.
pub(crate) fn unregister_files(ring: &Ring) -> Result<(), Errno> {
    // SAFETY: there is no argument.
    unsafe { ring.register(IORING_UNREGISTER_FILES, 0, 0) }.map(drop)
}

/// Registers `bufs`, which must outlive the ring or be unregistered.
///
/// # Safety
/// The memory of every buffer stays valid until it is unregistered or the ring is gone.
pub(crate) unsafe fn register_buffers(
    ring: &Ring,
    bufs: &mut [IoSliceMut<'_>],
) -> Result<(), Errno> {
    let arg = bufs.as_mut_ptr().expose_provenance();
    // SAFETY: `arg` is an array of iovec; the rest is promised by the caller.
    unsafe { ring.register(IORING_REGISTER_BUFFERS, arg, bufs.len() as u32) }.map(drop)
}

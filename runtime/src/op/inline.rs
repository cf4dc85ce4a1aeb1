//! Non-blocking calls into tokio's buffers, and the accounting of what they move.
//!
//! [`ReadBuf`] and [`BufMut`] hand out memory that is not initialised; here is where it counts
//! as initialised once the kernel says how much of it was written.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use annulus_ring::{Kernel, SockAddr};
use buffers::BufMut;

use crate::context;
use crate::io::ReadBuf;

/// Receives into the free part of `buf` without blocking.
pub(crate) fn recv(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    buf: &mut ReadBuf<'_>,
    flags: i32,
) -> io::Result<usize> {
    // SAFETY: nothing de-initialises the part: the kernel only writes to it.
    let free = unsafe { buf.unfilled_mut() };
    let len = kernel.recv(fd, free, flags)?;
    // SAFETY: the kernel wrote `len` bytes from the start of the free part.
    unsafe { advance(buf, len) };
    Ok(len)
}

/// Receives a datagram into the free part of `buf` without blocking; also whose it is.
pub(crate) fn recv_from(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    buf: &mut ReadBuf<'_>,
    flags: i32,
) -> io::Result<(usize, SockAddr)> {
    // SAFETY: nothing de-initialises the part: the kernel only writes to it.
    let free = unsafe { buf.unfilled_mut() };
    let (len, sender) = kernel.recv_from(fd, free, flags)?;
    // SAFETY: the kernel wrote `len` bytes from the start of the free part.
    unsafe { advance(buf, len) };
    Ok((len, sender))
}

/// Reads from a descriptor that does not block into the free part of `buf`.
pub(crate) fn read(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    buf: &mut ReadBuf<'_>,
) -> io::Result<usize> {
    // SAFETY: nothing de-initialises the part: the kernel only writes to it.
    let free = unsafe { buf.unfilled_mut() };
    let len = kernel.read(fd, free)?;
    // SAFETY: the kernel wrote `len` bytes from the start of the free part.
    unsafe { advance(buf, len) };
    Ok(len)
}

/// Reads from a descriptor that does not block into several buffers.
pub(crate) fn read_vectored(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> io::Result<usize> {
    let len = kernel.read_vectored(fd, bufs)?;
    context::spent_bytes(len);
    Ok(len)
}

/// Writes to a descriptor that does not block.
pub(crate) fn write(kernel: &Kernel, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let len = kernel.write(fd, buf)?;
    context::spent_bytes(len);
    Ok(len)
}

/// Writes several buffers to a descriptor that does not block.
pub(crate) fn write_vectored(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    let len = kernel.write_vectored(fd, bufs)?;
    context::spent_bytes(len);
    Ok(len)
}

/// Sends without blocking.
pub(crate) fn send(kernel: &Kernel, fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    let len = kernel.send(fd, buf, os::MSG_NOSIGNAL)?;
    context::spent_bytes(len);
    Ok(len)
}

/// Sends several buffers without blocking.
pub(crate) fn send_vectored(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    let len = kernel.send_vectored(fd, bufs, os::MSG_NOSIGNAL)?;
    context::spent_bytes(len);
    Ok(len)
}

/// Sends a datagram without blocking.
pub(crate) fn send_to(
    kernel: &Kernel,
    fd: BorrowedFd<'_>,
    buf: &[u8],
    target: &SockAddr,
) -> io::Result<usize> {
    let len = kernel.send_to(fd, buf, target, os::MSG_NOSIGNAL)?;
    context::spent_bytes(len);
    Ok(len)
}

/// Lets `read` fill the next chunk of `buf`, as a [`ReadBuf`], and advances `buf` by as much.
///
/// # Panics
///
/// If `read` puts another buffer in the place of the one that it was given.
pub(crate) fn with_read_buf<B: BufMut + ?Sized, R>(
    buf: &mut B,
    read: impl FnOnce(&mut ReadBuf<'_>) -> io::Result<R>,
) -> io::Result<R> {
    let chunk = buf.chunk_mut();
    // SAFETY: a ReadBuf never writes uninitialised bytes to its memory.
    let chunk = unsafe { chunk.as_uninit_slice_mut() };
    let mut part = ReadBuf::uninit(chunk);
    let start = part.filled().as_ptr();
    let result = read(&mut part)?;
    assert_eq!(start, part.filled().as_ptr(), "the buffer was replaced");
    let len = part.filled().len();
    // SAFETY: the ReadBuf over the chunk says that its first `len` bytes are initialised.
    unsafe { buf.advance_mut(len) };
    Ok(result)
}

/// # Safety
///
/// The first `len` bytes of the free part of `buf` are initialised.
unsafe fn advance(buf: &mut ReadBuf<'_>, len: usize) {
    // SAFETY: the caller's.
    unsafe { buf.assume_init(len) };
    buf.advance(len);
    context::spent_bytes(len);
}

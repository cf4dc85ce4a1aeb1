//! Inline calls: data that moves now, or EAGAIN. They never block and never answer EINTR.
//!
//! Sends and receives carry MSG_DONTWAIT, so they do not block on a blocking socket either;
//! `accept`, `read` and `write` have no such flag and need O_NONBLOCK.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use annulus_syscalls::calls;
use socket2::{SockAddr, SockAddrStorage};

use super::Kernel;
use crate::Errno;

/// `IOV_MAX`: the kernel refuses more buffers in one call.
const IOV_MAX: usize = 1024;

impl Kernel {
    /// `recv`(2) into `buf` with `MSG_*` flags; returns how many bytes were written to its start,
    /// 0 when the peer has closed.
    ///
    /// # Errors
    /// EAGAIN if there is nothing; ECONNRESET, ENOTCONN, ENOTSOCK and the others.
    #[inline]
    pub fn recv(
        &self,
        fd: BorrowedFd<'_>,
        buf: &mut [MaybeUninit<u8>],
        flags: i32,
    ) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_DONTWAIT;
        let start = buf.as_mut_ptr().cast::<u8>();
        let (no_address, no_len) = (std::ptr::null_mut(), std::ptr::null_mut());
        match self {
            Kernel::Simulated(simulated) => simulated.recv(fd, buf, flags),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: `buf` is exclusively borrowed for the call; no address is asked for.
                unsafe {
                    calls::recvfrom(fd.as_raw_fd(), start, buf.len(), flags, no_address, no_len)
                }
            }),
        }
    }

    /// `recv`(2) into several buffers, up to 1,024, one after the other.
    ///
    /// # Errors
    /// As [`recv`](Kernel::recv).
    pub fn recv_vectored(
        &self,
        fd: BorrowedFd<'_>,
        bufs: &mut [IoSliceMut<'_>],
        flags: i32,
    ) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_DONTWAIT;
        let mut message = message(bufs.as_mut_ptr().cast(), bufs.len());
        let message = (&raw mut message).cast::<u8>();
        match self {
            Kernel::Simulated(simulated) => simulated.recv_vectored(fd, bufs, flags),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: the message names only `bufs`, which have the layout of iovec and are
                // exclusively borrowed for the call.
                unsafe { calls::recvmsg(fd.as_raw_fd(), message, flags) }
            }),
        }
    }

    /// `recvfrom`(2): as [`recv`](Kernel::recv), with the sender's address.
    ///
    /// # Errors
    /// As [`recv`](Kernel::recv); ECONNREFUSED for an earlier datagram of ours.
    pub fn recv_from(
        &self,
        fd: BorrowedFd<'_>,
        buf: &mut [MaybeUninit<u8>],
        flags: i32,
    ) -> Result<(usize, SockAddr), Errno> {
        let flags = flags | libc::MSG_DONTWAIT;
        let start = buf.as_mut_ptr().cast::<u8>();
        match self {
            Kernel::Simulated(simulated) => simulated.recv_from(fd, buf, flags),
            Kernel::Uring(_) | Kernel::Emulated(_) => address_of(|address, len| {
                // SAFETY: `buf` is exclusively borrowed for the call, and `address` has `*len`
                // bytes.
                unsafe { calls::recvfrom(fd.as_raw_fd(), start, buf.len(), flags, address, len) }
            }),
        }
    }

    /// `send`(2) of `buf` with `MSG_*` flags and MSG_NOSIGNAL; returns how many bytes went.
    ///
    /// # Errors
    /// EAGAIN if there is no room; EPIPE, ECONNRESET, ENOTCONN and the others.
    #[inline]
    pub fn send(&self, fd: BorrowedFd<'_>, buf: &[u8], flags: i32) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        match self {
            Kernel::Simulated(simulated) => simulated.send(fd, buf, flags),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: there is no address.
                unsafe { calls::sendto(fd.as_raw_fd(), buf, flags, std::ptr::null(), 0) }
            }),
        }
    }

    /// `sendmsg`(2) of several buffers, up to 1,024; what is beyond is left for the next call.
    ///
    /// # Errors
    /// As [`send`](Kernel::send).
    pub fn send_vectored(
        &self,
        fd: BorrowedFd<'_>,
        bufs: &[IoSlice<'_>],
        flags: i32,
    ) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let message = message(bufs.as_ptr().cast_mut().cast(), bufs.len());
        let message = (&raw const message).cast::<u8>();
        match self {
            Kernel::Simulated(simulated) => simulated.send_vectored(fd, bufs, flags),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: the message names only `bufs`, which have the layout of iovec, are
                // borrowed for the call, and are only read.
                unsafe { calls::sendmsg(fd.as_raw_fd(), message, flags) }
            }),
        }
    }

    /// `sendto`(2) of `buf` to `to`, with `MSG_*` flags and MSG_NOSIGNAL.
    ///
    /// # Errors
    /// As [`send`](Kernel::send); EMSGSIZE, ENETUNREACH, EAFNOSUPPORT.
    pub fn send_to(
        &self,
        fd: BorrowedFd<'_>,
        buf: &[u8],
        to: &SockAddr,
        flags: i32,
    ) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        match self {
            Kernel::Simulated(simulated) => simulated.send_to(fd, buf, to, flags),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: the pointer and the length describe `to`.
                unsafe { calls::sendto(fd.as_raw_fd(), buf, flags, to.as_ptr().cast(), to.len()) }
            }),
        }
    }

    /// `accept4`(2) with SOCK_CLOEXEC and SOCK_NONBLOCK. The listener is O_NONBLOCK.
    ///
    /// # Errors
    /// EAGAIN if nobody waits; ECONNABORTED and network errors of that one connection; EMFILE,
    /// ENFILE, ENOBUFS, ENOMEM.
    pub fn accept(&self, fd: BorrowedFd<'_>) -> Result<(OwnedFd, SockAddr), Errno> {
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        match self {
            Kernel::Simulated(simulated) => simulated.accept(fd),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let (accepted, address) = address_of(|address, len| {
                    // SAFETY: `address` has `*len` bytes.
                    unsafe { calls::accept4(fd.as_raw_fd(), address, len, flags) }
                })?;
                // SAFETY: the kernel just made this descriptor for us.
                Ok((unsafe { OwnedFd::from_raw_fd(accepted) }, address))
            }
        }
    }

    /// `read`(2) into `buf`, of a descriptor that is O_NONBLOCK.
    ///
    /// # Errors
    /// EAGAIN if there is nothing; EIO, EBADF and those of the file.
    #[inline]
    pub fn read(&self, fd: BorrowedFd<'_>, buf: &mut [MaybeUninit<u8>]) -> Result<usize, Errno> {
        let start = buf.as_mut_ptr().cast::<u8>();
        match self {
            Kernel::Simulated(simulated) => simulated.read(fd, buf),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: `buf` is exclusively borrowed for the call.
                unsafe { calls::read(fd.as_raw_fd(), start, buf.len()) }
            }),
        }
    }

    /// `readv`(2): reads into one buffer after the other; of a descriptor that is O_NONBLOCK.
    ///
    /// # Errors
    /// As [`Kernel::read`].
    pub fn read_vectored(
        &self,
        fd: BorrowedFd<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Result<usize, Errno> {
        let count = bufs.len().min(IOV_MAX);
        match self {
            Kernel::Simulated(simulated) => simulated.recv_vectored(fd, bufs, 0),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: slices of `IoSliceMut` have the layout of iovec arrays, and are
                // exclusively borrowed for the call.
                unsafe { calls::readv(fd.as_raw_fd(), bufs.as_mut_ptr().cast(), count) }
            }),
        }
    }

    /// `write`(2) of `buf`, to a descriptor that is O_NONBLOCK.
    ///
    /// # Errors
    /// EAGAIN if there is no room; EPIPE (with SIGPIPE, which Rust programs ignore), EIO and
    /// those of the file.
    #[inline]
    pub fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize, Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.write(fd, buf),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| calls::write(fd.as_raw_fd(), buf)),
        }
    }

    /// `writev`(2) of several buffers, up to 1,024; what is beyond is left for the next call.
    ///
    /// # Errors
    /// As [`write`](Kernel::write).
    pub fn write_vectored(&self, fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> Result<usize, Errno> {
        let count = bufs.len().min(IOV_MAX);
        match self {
            Kernel::Simulated(simulated) => simulated.send_vectored(fd, bufs, 0),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: slices of `IoSlice` have the layout of iovec arrays, and are borrowed
                // for the call.
                unsafe { calls::writev(fd.as_raw_fd(), bufs.as_ptr().cast(), count) }
            }),
        }
    }
}

/// Repeats a call that a signal interrupted before it did anything.
#[inline]
pub(super) fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

/// Runs a call that writes an address, with room for any, and returns both.
pub(super) fn address_of<T>(
    mut call: impl FnMut(*mut u8, *mut u32) -> Result<T, Errno>,
) -> Result<(T, SockAddr), Errno> {
    let mut storage = SockAddrStorage::zeroed();
    let room = storage.size_of();
    let mut len = room;
    let done = retry(|| {
        len = room;
        call((&raw mut storage).cast(), &raw mut len)
    })?;
    // SAFETY: zeroed, and then written by the kernel, which gave the family and the length.
    let address = unsafe { SockAddr::new(storage, len.min(room)) };
    Ok((done, address))
}

/// A message of `count` buffers, without a name or control data.
fn message(iov: *mut libc::iovec, count: usize) -> libc::msghdr {
    // SAFETY: zeros are a valid msghdr: null pointers with zero lengths.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = iov;
    message.msg_iovlen = count.min(IOV_MAX) as _;
    message
}

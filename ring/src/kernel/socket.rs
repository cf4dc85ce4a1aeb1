//! Synchronous calls: making, naming and closing descriptors. They are quick and do not wait.

use std::io::SeekFrom;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use annulus_syscalls::calls;
use socket2::SockAddr;

use super::Kernel;
use super::inline::address_of;
use crate::Errno;

impl Kernel {
    /// `socket`(2), with SOCK_CLOEXEC and SOCK_NONBLOCK added to `kind`.
    ///
    /// # Errors
    /// EAFNOSUPPORT, EPROTONOSUPPORT, EMFILE, ENFILE, EACCES.
    pub fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
        let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        match self {
            Kernel::Simulated(simulated) => simulated.socket(domain, kind, protocol),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let fd = calls::socket(domain, kind, protocol)?;
                // SAFETY: the kernel just made this descriptor for us.
                Ok(unsafe { OwnedFd::from_raw_fd(fd) })
            }
        }
    }

    /// `socketpair`(2), with SOCK_CLOEXEC and SOCK_NONBLOCK added to `kind`.
    ///
    /// # Errors
    /// As [`socket`](Kernel::socket); EOPNOTSUPP.
    pub fn socketpair(
        &self,
        domain: i32,
        kind: i32,
        protocol: i32,
    ) -> Result<(OwnedFd, OwnedFd), Errno> {
        let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        match self {
            Kernel::Simulated(simulated) => simulated.socketpair(domain, kind, protocol),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let ends = calls::socketpair(domain, kind, protocol)?;
                // SAFETY: the kernel just made these descriptors for us; each is taken once.
                let [one, other] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                Ok((one, other))
            }
        }
    }

    /// Whether a socket from elsewhere is one of this kernel's: a simulated world has only its own.
    #[must_use]
    pub fn knows(&self, fd: BorrowedFd<'_>) -> bool {
        match self {
            Kernel::Simulated(simulated) => simulated.knows(fd),
            Kernel::Uring(_) | Kernel::Emulated(_) => true,
        }
    }

    /// `pipe2`(2) with O_CLOEXEC and O_NONBLOCK: the reading end, then the writing end.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn pipe(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.pipe(),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let ends = calls::pipe2((libc::O_CLOEXEC | libc::O_NONBLOCK) as u32)?;
                // SAFETY: the kernel just made these descriptors for us; each is taken once.
                let [reading, writing] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                Ok((reading, writing))
            }
        }
    }

    /// `eventfd2`(2) with EFD_CLOEXEC and EFD_NONBLOCK, starting at 0.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub fn eventfd(&self) -> Result<OwnedFd, Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.eventfd(),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let fd = calls::eventfd2(0, (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as u32)?;
                // SAFETY: the kernel just made this descriptor for us.
                Ok(unsafe { OwnedFd::from_raw_fd(fd) })
            }
        }
    }

    /// `bind`(2).
    ///
    /// # Errors
    /// EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL, ENOTSOCK.
    pub fn bind(&self, fd: BorrowedFd<'_>, address: &SockAddr) -> Result<(), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.bind(fd, address),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                // SAFETY: the pointer and the length describe `address`.
                unsafe { calls::bind(fd.as_raw_fd(), address.as_ptr().cast(), address.len()) }
            }
        }
    }

    /// `listen`(2).
    ///
    /// # Errors
    /// EADDRINUSE, EOPNOTSUPP, ENOTSOCK.
    pub fn listen(&self, fd: BorrowedFd<'_>, backlog: i32) -> Result<(), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.listen(fd, backlog),
            Kernel::Uring(_) | Kernel::Emulated(_) => calls::listen(fd.as_raw_fd(), backlog),
        }
    }

    /// `connect`(2). On a non-blocking stream socket it goes on after EINPROGRESS; EINTR means the
    /// same, so it is not repeated.
    ///
    /// # Errors
    /// EINPROGRESS, ECONNREFUSED, ENETUNREACH, EAGAIN (a full backlog of a Unix socket), ENOENT
    /// and the others.
    pub fn connect(&self, fd: BorrowedFd<'_>, address: &SockAddr) -> Result<(), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.connect(fd, address),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                // SAFETY: the pointer and the length describe `address`.
                unsafe { calls::connect(fd.as_raw_fd(), address.as_ptr().cast(), address.len()) }
            }
        }
    }

    /// `setsockopt`(2): `value` as the option lays it out.
    ///
    /// # Errors
    /// ENOPROTOOPT, EINVAL, EPERM, ENOTSOCK.
    pub fn setsockopt(
        &self,
        fd: BorrowedFd<'_>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.setsockopt(fd, level, name, value),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                // SAFETY: if the value holds addresses, the kernel only reads there, and answers
                // EFAULT where there is nothing.
                unsafe { calls::setsockopt(fd.as_raw_fd(), level, name, value) }
            }
        }
    }

    /// `getsockopt`(2): returns how many bytes of `value` were written.
    ///
    /// # Errors
    /// ENOPROTOOPT, EINVAL, ENOTSOCK; EOPNOTSUPP for TCP_ZEROCOPY_RECEIVE, which would change
    /// mappings at an address in `value`.
    pub fn getsockopt(
        &self,
        fd: BorrowedFd<'_>,
        level: i32,
        name: i32,
        value: &mut [u8],
    ) -> Result<usize, Errno> {
        if (level, name) == (libc::IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE) {
            return Err(Errno::EOPNOTSUPP);
        }
        match self {
            Kernel::Simulated(simulated) => simulated.getsockopt(fd, level, name, value),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                // SAFETY: the one option that writes elsewhere than to `value` was excluded.
                unsafe { calls::getsockopt(fd.as_raw_fd(), level, name, value) }
            }
        }
    }

    /// `getsockname`(2).
    ///
    /// # Errors
    /// ENOTSOCK, ENOBUFS.
    pub fn getsockname(&self, fd: BorrowedFd<'_>) -> Result<SockAddr, Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.getsockname(fd),
            Kernel::Uring(_) | Kernel::Emulated(_) => address_of(|address, len| {
                // SAFETY: `address` has `*len` bytes.
                unsafe { calls::getsockname(fd.as_raw_fd(), address, len) }
            })
            .map(|((), address)| address),
        }
    }

    /// `getpeername`(2).
    ///
    /// # Errors
    /// ENOTCONN, ENOTSOCK, ENOBUFS.
    pub fn getpeername(&self, fd: BorrowedFd<'_>) -> Result<SockAddr, Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.getpeername(fd),
            Kernel::Uring(_) | Kernel::Emulated(_) => address_of(|address, len| {
                // SAFETY: `address` has `*len` bytes.
                unsafe { calls::getpeername(fd.as_raw_fd(), address, len) }
            })
            .map(|((), address)| address),
        }
    }

    /// `shutdown`(2): `how` is `SHUT_*`.
    ///
    /// # Errors
    /// ENOTCONN, ENOTSOCK.
    pub fn shutdown(&self, fd: BorrowedFd<'_>, how: i32) -> Result<(), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.shutdown(fd, how),
            Kernel::Uring(_) | Kernel::Emulated(_) => calls::shutdown(fd.as_raw_fd(), how),
        }
    }

    /// `lseek`(2): moves the file's position and returns it.
    ///
    /// # Errors
    /// EINVAL for a position before the start or beyond 2^63, ESPIPE.
    pub fn lseek(&self, fd: BorrowedFd<'_>, to: SeekFrom) -> Result<u64, Errno> {
        let (offset, whence) = match to {
            SeekFrom::Start(offset) => (i64::try_from(offset).map_err(|_| Errno::EINVAL)?, 0),
            SeekFrom::Current(offset) => (offset, 1),
            SeekFrom::End(offset) => (offset, 2),
        };
        match self {
            Kernel::Uring(_) | Kernel::Emulated(_) | Kernel::Simulated(_) => {
                calls::lseek(fd.as_raw_fd(), offset, whence)
            }
        }
    }

    /// `close`(2). The descriptor is gone whatever the result, so it is not repeated.
    ///
    /// # Errors
    /// EIO, ENOSPC, EDQUOT for writes that failed late; EINTR.
    pub fn close(&self, fd: OwnedFd) -> Result<(), Errno> {
        match self {
            Kernel::Simulated(simulated) => simulated.close(fd),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                // SAFETY: it was owned, and the number is used nowhere else from here on.
                unsafe { calls::close(fd.into_raw_fd()) }
            }
        }
    }
}

/// `TCP_ZEROCOPY_RECEIVE` of `linux/tcp.h`.
const TCP_ZEROCOPY_RECEIVE: i32 = 35;

//! Sockets.
//!
//! Addresses are pointers to some `struct sockaddr_*` with a length in bytes: their layouts belong
//! to the libraries above.

use crate::{Errno, nr, syscall2, syscall3, syscall4, syscall5, syscall6};

/// `socket`(2).
///
/// # Errors
/// EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, EACCES.
pub fn socket(domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno> {
    // SAFETY: the call touches no memory of this process.
    let ret = unsafe {
        syscall3(
            nr::SOCKET,
            domain as usize,
            kind as usize,
            protocol as usize,
        )
    };
    Errno::check(ret).map(|fd| fd as i32)
}

/// `socketpair`(2): two connected sockets.
///
/// # Errors
/// As [`socket`]; EOPNOTSUPP.
pub fn socketpair(domain: i32, kind: i32, protocol: i32) -> Result<[i32; 2], Errno> {
    let mut ends = [-1_i32; 2];
    let address = ends.as_mut_ptr().expose_provenance();
    // SAFETY: `ends` has room for the two descriptors.
    let ret = unsafe {
        syscall4(
            nr::SOCKETPAIR,
            domain as usize,
            kind as usize,
            protocol as usize,
            address,
        )
    };
    Errno::check(ret).map(|_| ends)
}

/// `bind`(2).
///
/// # Errors
/// EADDRINUSE, EADDRNOTAVAIL, EACCES, EINVAL, EBADF, ENOTSOCK.
///
/// # Safety
/// `address` is valid for reads of `len` bytes.
pub unsafe fn bind(fd: i32, address: *const u8, len: u32) -> Result<(), Errno> {
    let address = address.expose_provenance();
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::BIND, fd as usize, address, len as usize) };
    Errno::check(ret).map(drop)
}

/// `listen`(2).
///
/// # Errors
/// EADDRINUSE, EOPNOTSUPP, EBADF, ENOTSOCK.
pub fn listen(fd: i32, backlog: i32) -> Result<(), Errno> {
    // SAFETY: the call touches no memory of this process.
    let ret = unsafe { syscall2(nr::LISTEN, fd as usize, backlog as usize) };
    Errno::check(ret).map(drop)
}

/// `accept4`(2): the peer's address goes to `address`, which has `*len` bytes, and its size to
/// `*len`. Both may be null.
///
/// # Errors
/// EAGAIN, EINTR, ECONNABORTED, EMFILE, ENFILE, EINVAL, EBADF, ENOTSOCK, and network errors of
/// the new connection.
///
/// # Safety
/// `len` is null, or valid for reads and writes and `address` valid for writes of `*len` bytes.
#[inline]
pub unsafe fn accept4(fd: i32, address: *mut u8, len: *mut u32, flags: i32) -> Result<i32, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe {
        syscall4(
            nr::ACCEPT4,
            fd as usize,
            address.expose_provenance(),
            len.expose_provenance(),
            flags as usize,
        )
    };
    Errno::check(ret).map(|fd| fd as i32)
}

/// `connect`(2).
///
/// # Errors
/// EINPROGRESS on a non-blocking socket, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EISCONN, EALREADY,
/// EINTR and others.
///
/// # Safety
/// `address` is valid for reads of `len` bytes.
pub unsafe fn connect(fd: i32, address: *const u8, len: u32) -> Result<(), Errno> {
    let address = address.expose_provenance();
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::CONNECT, fd as usize, address, len as usize) };
    Errno::check(ret).map(drop)
}

/// `getsockname`(2): the socket's own address, as [`accept4`] returns one.
///
/// # Errors
/// EBADF, ENOTSOCK, EINVAL, ENOBUFS.
///
/// # Safety
/// `len` is valid for reads and writes, and `address` valid for writes of `*len` bytes.
pub unsafe fn getsockname(fd: i32, address: *mut u8, len: *mut u32) -> Result<(), Errno> {
    let (address, len) = (address.expose_provenance(), len.expose_provenance());
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::GETSOCKNAME, fd as usize, address, len) };
    Errno::check(ret).map(drop)
}

/// `getpeername`(2): the peer's address, as [`accept4`] returns one.
///
/// # Errors
/// ENOTCONN, EBADF, ENOTSOCK, EINVAL, ENOBUFS.
///
/// # Safety
/// `len` is valid for reads and writes, and `address` valid for writes of `*len` bytes.
pub unsafe fn getpeername(fd: i32, address: *mut u8, len: *mut u32) -> Result<(), Errno> {
    let (address, len) = (address.expose_provenance(), len.expose_provenance());
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::GETPEERNAME, fd as usize, address, len) };
    Errno::check(ret).map(drop)
}

/// `setsockopt`(2).
///
/// # Errors
/// ENOPROTOOPT, EINVAL, EDOM, EPERM, EBADF, ENOTSOCK.
///
/// # Safety
/// If the option's value holds addresses, they are valid for what the option does with them.
pub unsafe fn setsockopt(fd: i32, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
    // SAFETY: `value` is borrowed for the call; the rest the caller promised.
    let ret = unsafe {
        syscall5(
            nr::SETSOCKOPT,
            fd as usize,
            level as usize,
            name as usize,
            value.as_ptr().expose_provenance(),
            value.len(),
        )
    };
    Errno::check(ret).map(drop)
}

/// `getsockopt`(2): writes the value to `value`; returns its size in bytes.
///
/// # Errors
/// ENOPROTOOPT, EINVAL, EBADF, ENOTSOCK.
///
/// # Safety
/// If the option reads addresses from `value` first, they are valid for what it does with them.
pub unsafe fn getsockopt(fd: i32, level: i32, name: i32, value: &mut [u8]) -> Result<usize, Errno> {
    let mut len = value.len() as u32;
    let value = value.as_mut_ptr().expose_provenance();
    let len_address = (&raw mut len).expose_provenance();
    // SAFETY: `value` is exclusively borrowed for the call and `len` is its size; the rest the
    // caller promised.
    let ret = unsafe {
        syscall5(
            nr::GETSOCKOPT,
            fd as usize,
            level as usize,
            name as usize,
            value,
            len_address,
        )
    };
    Errno::check(ret).map(|_| len as usize)
}

/// `sendto`(2) of `buf` with `MSG_*` flags, to `address` unless that is null.
///
/// # Errors
/// EAGAIN, EINTR, EPIPE (with SIGPIPE unless `MSG_NOSIGNAL`), ECONNRESET, EMSGSIZE, ENOTCONN,
/// EDESTADDRREQ, ENOBUFS and others.
///
/// # Safety
/// `address` is null, or valid for reads of `len` bytes.
#[inline]
pub unsafe fn sendto(
    fd: i32,
    buf: &[u8],
    flags: i32,
    address: *const u8,
    len: u32,
) -> Result<usize, Errno> {
    // SAFETY: `buf` is borrowed for the call; the rest the caller promised.
    let ret = unsafe {
        syscall6(
            nr::SENDTO,
            fd as usize,
            buf.as_ptr().expose_provenance(),
            buf.len(),
            flags as usize,
            address.expose_provenance(),
            len as usize,
        )
    };
    Errno::check(ret)
}

/// `recvfrom`(2) of up to `size` bytes into `buf` with `MSG_*` flags; the sender's address goes to
/// `address` as in [`accept4`].
///
/// # Errors
/// EAGAIN, EINTR, ECONNRESET, ECONNREFUSED, ENOTCONN, EBADF, ENOTSOCK and others.
///
/// # Safety
/// `buf` is valid for writes of `size` bytes; `len` is null, or valid for reads and writes and
/// `address` valid for writes of `*len` bytes.
#[inline]
pub unsafe fn recvfrom(
    fd: i32,
    buf: *mut u8,
    size: usize,
    flags: i32,
    address: *mut u8,
    len: *mut u32,
) -> Result<usize, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe {
        syscall6(
            nr::RECVFROM,
            fd as usize,
            buf.expose_provenance(),
            size,
            flags as usize,
            address.expose_provenance(),
            len.expose_provenance(),
        )
    };
    Errno::check(ret)
}

/// `sendmsg`(2): `message` points to a `struct msghdr`.
///
/// # Errors
/// As [`sendto`].
///
/// # Safety
/// `message` points to a `struct msghdr` whose addresses are valid for reads of their lengths.
#[inline]
pub unsafe fn sendmsg(fd: i32, message: *const u8, flags: i32) -> Result<usize, Errno> {
    let message = message.expose_provenance();
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::SENDMSG, fd as usize, message, flags as usize) };
    Errno::check(ret)
}

/// `recvmsg`(2): `message` points to a `struct msghdr`.
///
/// # Errors
/// As [`recvfrom`].
///
/// # Safety
/// `message` points to a writable `struct msghdr` whose addresses are valid for writes of their
/// lengths.
#[inline]
pub unsafe fn recvmsg(fd: i32, message: *mut u8, flags: i32) -> Result<usize, Errno> {
    let message = message.expose_provenance();
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall3(nr::RECVMSG, fd as usize, message, flags as usize) };
    Errno::check(ret)
}

/// `shutdown`(2): `how` is `SHUT_*`.
///
/// # Errors
/// ENOTCONN, EINVAL, EBADF, ENOTSOCK.
pub fn shutdown(fd: i32, how: i32) -> Result<(), Errno> {
    // SAFETY: the call touches no memory of this process.
    let ret = unsafe { syscall2(nr::SHUTDOWN, fd as usize, how as usize) };
    Errno::check(ret).map(drop)
}

//! Descriptors from raw numbers: every `FromRawFd` of the runtime.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use crate::fs::File;
use crate::net::{TcpSocket, UnixSocket};

impl FromRawFd for TcpSocket {
    /// Takes a TCP socket, which must be non-blocking, by its number.
    unsafe fn from_raw_fd(fd: RawFd) -> TcpSocket {
        // SAFETY: the caller owns the descriptor and gives it away.
        TcpSocket::from_fd(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl FromRawFd for UnixSocket {
    /// Takes a Unix socket, which must be non-blocking, by its number.
    unsafe fn from_raw_fd(fd: RawFd) -> UnixSocket {
        // SAFETY: the caller owns the descriptor and gives it away.
        UnixSocket::from_fd(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

impl FromRawFd for File {
    /// Takes an open file by its number.
    unsafe fn from_raw_fd(fd: RawFd) -> File {
        // SAFETY: the caller owns the descriptor and gives it away.
        File::from(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

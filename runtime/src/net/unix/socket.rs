//! A Unix socket before it is a stream, a listener or a datagram socket.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::path::Path;

use socket_address::{Domain, Type};

use super::SocketAddr;
use super::datagram::UnixDatagram;
use super::listener::UnixListener;
use super::stream::UnixStream;
use crate::net::options::{KIND, Options};
use crate::net::socket::{kernel, open};

/// A Unix socket that can be bound before it connects or listens.
///
/// Making and binding it works outside of a runtime too.
#[derive(Debug)]
pub struct UnixSocket {
    fd: OwnedFd,
}

impl UnixSocket {
    /// A socket for [`datagram`](UnixSocket::datagram).
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_datagram() -> io::Result<UnixSocket> {
        open(&kernel()?, Domain::UNIX, Type::DGRAM).map(UnixSocket::from_fd)
    }

    /// A socket for [`connect`](UnixSocket::connect) or [`listen`](UnixSocket::listen).
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_stream() -> io::Result<UnixSocket> {
        open(&kernel()?, Domain::UNIX, Type::STREAM).map(UnixSocket::from_fd)
    }

    pub(crate) fn from_fd(fd: OwnedFd) -> UnixSocket {
        UnixSocket { fd }
    }

    /// Binds the socket to `path`, or to a name of the abstract namespace if it begins with a
    /// zero byte.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the path exists, `InvalidInput` if it is longer than 107 bytes.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let addr = SocketAddr::from_path(path.as_ref())?.to_raw()?;
        Ok(kernel()?.bind(self.fd.as_fd(), &addr)?)
    }

    /// Listens for connections, up to `backlog` of which may wait to be accepted.
    ///
    /// # Errors
    ///
    /// Those of listen(2); also if this is a datagram socket.
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        self.expect(
            os::SOCK_STREAM,
            "listen cannot be called on a datagram socket",
        )?;
        UnixListener::listen(self.fd, i32::try_from(backlog).unwrap_or(i32::MAX))
    }

    /// Connects to the listener at `path`; see [`UnixStream::connect`].
    ///
    /// # Errors
    ///
    /// Those of [`UnixStream::connect`]; also if this is a datagram socket.
    ///
    /// # Cancel safety
    ///
    /// A connection that was under way is closed.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        self.expect(
            os::SOCK_STREAM,
            "connect cannot be called on a datagram socket",
        )?;
        let addr = SocketAddr::from_path(path.as_ref())?;
        UnixStream::connect_fd(self.fd, &addr).await
    }

    /// Makes it a socket that sends and receives datagrams.
    ///
    /// # Errors
    ///
    /// If this is a stream socket.
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        self.expect(
            os::SOCK_DGRAM,
            "datagram cannot be called on a stream socket",
        )?;
        Ok(UnixDatagram::new(self.fd))
    }

    fn expect(&self, kind: i32, otherwise: &'static str) -> io::Result<()> {
        let options = Options {
            kernel: &kernel()?,
            fd: self.fd.as_fd(),
        };
        if options.int(KIND)? != kind {
            return Err(io::Error::other(otherwise));
        }
        Ok(())
    }
}

impl AsRawFd for UnixSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for UnixSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl IntoRawFd for UnixSocket {
    fn into_raw_fd(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

//! Listening for connections to a Unix socket.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::task::{Context, Poll, ready};

use socket_address::{Domain, Type};

use super::SocketAddr;
use super::stream::UnixStream;
use crate::io::Ready;
use crate::net::listener::Listener;
use crate::net::socket::{self, Socket};

/// How many connections may wait to be accepted, for listeners made by
/// [`UnixListener::bind`]; the system's `net.core.somaxconn` bounds it too.
const BACKLOG: i32 = 1024;

/// A Unix socket that accepts connections. The file at its path stays when it is dropped.
///
/// ```
/// use annulus::net::{UnixListener, UnixStream};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let path = format!("\0annulus-doc-listener-{}", std::process::id());
/// let listener = UnixListener::bind(&path)?;
/// let _client = UnixStream::connect(&path).await?;
/// let (_server, peer) = listener.accept().await?;
/// assert!(peer.is_unnamed());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixListener {
    listener: Listener,
}

impl UnixListener {
    /// Listens at `path`, or at a name of the abstract namespace if it begins with a zero byte.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the path exists, `InvalidInput` if it is longer than 107 bytes.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        UnixListener::bind_addr(&SocketAddr::from_path(path.as_ref())?)
    }

    /// Listens at an address.
    ///
    /// # Errors
    ///
    /// As [`bind`](UnixListener::bind).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixListener> {
        let home = socket::home()?;
        let fd = socket::open(home.kernel(), Domain::UNIX, Type::STREAM)?;
        home.kernel().bind(fd.as_fd(), &socket_addr.to_raw()?)?;
        UnixListener::listen(fd, BACKLOG)
    }

    #[track_caller]
    pub(super) fn listen(fd: OwnedFd, backlog: i32) -> io::Result<UnixListener> {
        socket::home()?.kernel().listen(fd.as_fd(), backlog)?;
        Ok(UnixListener::new(fd))
    }

    #[track_caller]
    fn new(fd: OwnedFd) -> UnixListener {
        UnixListener {
            listener: Listener::new(Socket::new(fd, Ready::EMPTY)),
        }
    }

    /// Takes a listener of std's, which must be non-blocking, into the current runtime.
    ///
    /// # Errors
    ///
    /// If its flags cannot be read.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime; with debug assertions also if the listener blocks.
    #[track_caller]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        socket::expect_ours("UnixListener::from_std", &listener)?;
        Ok(UnixListener::new(listener.into()))
    }

    /// Gives the listener to std; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        Ok(self.listener.socket.into_fd().into())
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::from_raw(&self.listener.socket.local_addr()?)
    }

    /// Takes the error that the socket has to report (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.listener.socket.options().take_error()
    }

    /// Accepts one connection: the stream and its peer's address, which is mostly unnamed.
    ///
    /// # Errors
    ///
    /// Those of accept4(2). Without a free descriptor (`EMFILE`, `ENFILE`) the error is told at
    /// most four times a second, and accept waits in between until one is freed.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost: until the future is ready, all of them stand in the backlog.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (fd, peer) = self.listener.accept().await?;
        Ok((UnixStream::accepted(fd), SocketAddr::from_raw(&peer)?))
    }

    /// As [`accept`](UnixListener::accept); only the last task that polled is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](UnixListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (fd, peer) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((UnixStream::accepted(fd), SocketAddr::from_raw(&peer)?)))
    }
}

impl TryFrom<std::os::unix::net::UnixListener> for UnixListener {
    type Error = io::Error;

    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
        UnixListener::from_std(listener)
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.socket.fd()
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UnixListener");
        if let Ok(addr) = self.local_addr() {
            debug.field("addr", &addr);
        }
        debug.field("fd", &self.as_raw_fd()).finish()
    }
}

//! Listening for TCP connections.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};

use socket_address::{Domain, Type};

use super::stream::TcpStream;
use crate::io::Ready;
use crate::net::ToSocketAddrs;
use crate::net::addr::each_addr;
use crate::net::listener::Listener;
use crate::net::options::{Options, REUSE_ADDR, TTL_V4};
use crate::net::socket::{self, Socket, internet};

/// How many connections may wait to be accepted, for listeners made by
/// [`TcpListener::bind`]; the system's `net.core.somaxconn` bounds it too.
const BACKLOG: i32 = 1024;

/// A TCP socket that accepts connections.
///
/// ```
/// use annulus::net::{TcpListener, TcpStream};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// let (_server, peer) = listener.accept().await?;
/// assert_eq!(peer, client.local_addr()?);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpListener {
    listener: Listener,
}

impl TcpListener {
    /// Listens on the first address of `addr` that can be bound; port 0 lets the system
    /// choose. `SO_REUSEADDR` is set. [`TcpSocket`](super::super::TcpSocket) sets more.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`: of the last address tried.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        each_addr(addr, |addr| {
            let home = socket::home()?;
            let fd = socket::open(home.kernel(), Domain::for_address(addr), Type::STREAM)?;
            let options = Options {
                kernel: home.kernel(),
                fd: fd.as_fd(),
            };
            options.set_flag(REUSE_ADDR, true)?;
            home.kernel().bind(fd.as_fd(), &addr.into())?;
            TcpListener::listen(fd, BACKLOG)
        })
        .await
    }

    #[track_caller]
    pub(super) fn listen(fd: OwnedFd, backlog: i32) -> io::Result<TcpListener> {
        socket::home()?.kernel().listen(fd.as_fd(), backlog)?;
        Ok(TcpListener::new(fd))
    }

    #[track_caller]
    fn new(fd: OwnedFd) -> TcpListener {
        TcpListener {
            listener: Listener::new(Socket::new(fd, Ready::EMPTY)),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.listener.socket
    }

    /// Accepts one connection: the stream and its peer's address.
    ///
    /// # Errors
    ///
    /// Those of accept4(2). Without a free descriptor (`EMFILE`, `ENFILE`) the error is told at
    /// most four times a second, and accept waits in between until one is freed.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost: until the future is ready, all of them stand in the backlog.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, peer) = self.listener.accept().await?;
        Ok((TcpStream::accepted(fd), internet(peer)?))
    }

    /// As [`accept`](TcpListener::accept); only the last task that polled is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](TcpListener::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (fd, peer) = ready!(self.listener.poll_accept(cx))?;
        Poll::Ready(Ok((TcpStream::accepted(fd), internet(peer)?)))
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
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        socket::expect_ours("TcpListener::from_std", &listener)?;
        Ok(TcpListener::new(listener.into()))
    }

    /// Gives the listener to std; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(self.listener.socket.into_fd().into())
    }

    /// The address that the listener is bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        internet(self.listener.socket.local_addr()?)
    }

    /// The time to live of packets sent (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.listener.socket.options().uint(TTL_V4)
    }

    /// Sets the time to live of packets sent (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.listener.socket.options().set_uint(TTL_V4, ttl)
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    fn try_from(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.socket.fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TcpListener");
        if let Ok(addr) = self.local_addr() {
            debug.field("addr", &addr);
        }
        debug.field("fd", &self.as_raw_fd()).finish()
    }
}

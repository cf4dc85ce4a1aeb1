//! A TCP socket before it is a stream or a listener.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use socket_address::{Domain, Type};

use super::listener::TcpListener;
use super::stream::TcpStream;
use crate::net::options::{self, Options};
use crate::net::socket::{internet, kernel, open};

/// A TCP socket whose options can be set before it connects or listens.
///
/// All but [`connect`](TcpSocket::connect) and [`listen`](TcpSocket::listen) work outside of a
/// runtime too.
///
/// ```
/// use annulus::net::TcpSocket;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind(([127, 0, 0, 1], 0).into())?;
/// let listener = socket.listen(128)?;
/// # drop(listener);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpSocket {
    fd: OwnedFd,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v4() -> io::Result<TcpSocket> {
        open(&kernel()?, Domain::IPV4, Type::STREAM).map(TcpSocket::from_fd)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    pub fn new_v6() -> io::Result<TcpSocket> {
        open(&kernel()?, Domain::IPV6, Type::STREAM).map(TcpSocket::from_fd)
    }

    pub(crate) fn from_fd(fd: OwnedFd) -> TcpSocket {
        TcpSocket { fd }
    }

    /// Takes a socket of std's, which must be non-blocking, and need not be connected in spite
    /// of its type.
    pub fn from_std_stream(stream: std::net::TcpStream) -> TcpSocket {
        TcpSocket::from_fd(stream.into())
    }

    /// Binds the socket to an address of ours; port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        Ok(kernel()?.bind(self.fd.as_fd(), &addr.into())?)
    }

    /// Connects to `addr`; see [`TcpStream::connect`].
    ///
    /// # Errors
    ///
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`.
    ///
    /// # Cancel safety
    ///
    /// A connection that was under way is closed.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect_fd(self.fd, addr).await
    }

    /// Listens for connections, up to `backlog` of which may wait to be accepted; the system's
    /// `net.core.somaxconn` bounds it too.
    ///
    /// # Errors
    ///
    /// Those of listen(2).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        TcpListener::listen(self.fd, i32::try_from(backlog).unwrap_or(i32::MAX))
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        internet(kernel()?.getsockname(self.fd.as_fd())?)
    }

    /// Takes the error that the socket has to report (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.with(|options| options.take_error())
    }

    /// Whether probes keep an idle connection alive (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn keepalive(&self) -> io::Result<bool> {
        self.with(|options| options.flag(options::KEEPALIVE))
    }

    /// Sets whether probes keep an idle connection alive (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.with(|options| options.set_flag(options::KEEPALIVE, keepalive))
    }

    /// Whether an address can be bound while old connections linger on it (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn reuseaddr(&self) -> io::Result<bool> {
        self.with(|options| options.flag(options::REUSE_ADDR))
    }

    /// Sets whether an address can be bound while old connections linger on it
    /// (`SO_REUSEADDR`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.with(|options| options.set_flag(options::REUSE_ADDR, reuseaddr))
    }

    /// Whether several sockets can listen on one address (`SO_REUSEPORT`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn reuseport(&self) -> io::Result<bool> {
        self.with(|options| options.flag(options::REUSE_PORT))
    }

    /// Sets whether several sockets can listen on one address (`SO_REUSEPORT`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.with(|options| options.set_flag(options::REUSE_PORT, reuseport))
    }

    /// The size in bytes of the send buffer (`SO_SNDBUF`); the kernel reports twice what was
    /// set.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.with(|options| options.uint(options::SEND_BUFFER))
    }

    /// Sets the size in bytes of the send buffer (`SO_SNDBUF`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_send_buffer_size(&self, size: u32) -> io::Result<()> {
        self.with(|options| options.set_uint(options::SEND_BUFFER, size))
    }

    /// The size in bytes of the receive buffer (`SO_RCVBUF`); the kernel reports twice what
    /// was set.
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.with(|options| options.uint(options::RECV_BUFFER))
    }

    /// Sets the size in bytes of the receive buffer (`SO_RCVBUF`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_recv_buffer_size(&self, size: u32) -> io::Result<()> {
        self.with(|options| options.set_uint(options::RECV_BUFFER, size))
    }

    /// How long closing may wait for unsent data, in whole seconds (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.with(|options| options.linger())
    }

    /// Sets how long closing may wait for unsent data, in whole seconds (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[deprecated = "with a linger time, dropping the stream blocks its worker"]
    pub fn set_linger(&self, wait: Option<Duration>) -> io::Result<()> {
        self.with(|options| options.set_linger(wait))
    }

    /// Makes closing discard unsent data and reset the connection (`SO_LINGER` of zero).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.with(|options| options.set_linger(Some(Duration::ZERO)))
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn nodelay(&self) -> io::Result<bool> {
        self.with(|options| options.flag(options::NODELAY))
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.with(|options| options.set_flag(options::NODELAY, nodelay))
    }

    /// The traffic class of IPv6 packets sent (`IPV6_TCLASS`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.with(|options| options.uint(options::TCLASS_V6))
    }

    /// Sets the traffic class of IPv6 packets sent (`IPV6_TCLASS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        self.with(|options| options.set_uint(options::TCLASS_V6, tclass))
    }

    /// The type of service of IPv4 packets sent (`IP_TOS`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.with(|options| options.uint(options::TOS_V4))
    }

    /// Sets the type of service of IPv4 packets sent (`IP_TOS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.with(|options| options.set_uint(options::TOS_V4, tos))
    }

    /// The older name of [`tos_v4`](TcpSocket::tos_v4).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[doc(hidden)]
    #[deprecated(note = "the option is IPv4's: call `tos_v4`")]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// The older name of [`set_tos_v4`](TcpSocket::set_tos_v4).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[doc(hidden)]
    #[deprecated(note = "the option is IPv4's: call `set_tos_v4`")]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// The interface that the socket is bound to (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.with(|options| options.device())
    }

    /// Binds the socket to an interface by its name, or to none (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without `CAP_NET_RAW`, ENODEV for a name that is not there.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.with(|options| options.bind_device(interface))
    }

    fn with<R>(&self, call: impl FnOnce(Options<'_>) -> io::Result<R>) -> io::Result<R> {
        call(Options {
            kernel: &kernel()?,
            fd: self.fd.as_fd(),
        })
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl IntoRawFd for TcpSocket {
    fn into_raw_fd(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpSocket").field("fd", &self.fd).finish()
    }
}

//! Datagrams over Unix sockets.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::task::{Context, Poll, ready};

use buffers::BufMut;
use socket_address::{Domain, Type};

use super::SocketAddr;
use crate::io::readiness::Side;
use crate::io::{Interest, ReadBuf, Ready};
use crate::net::socket::{self, Socket};
use crate::op::inline::with_read_buf;

/// What a receive waits for.
const RECEIVE: Interest = Interest::READABLE;

/// A Unix socket that sends and receives datagrams.
///
/// All functions take `&self`: tasks share a socket in an `Arc`.
///
/// ```
/// use annulus::net::UnixDatagram;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (ours, theirs) = UnixDatagram::pair()?;
/// ours.send(b"hello").await?;
/// let mut buf = [0; 16];
/// let len = theirs.recv(&mut buf).await?;
/// assert_eq!(&buf[..len], b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    socket: Socket,
}

impl UnixDatagram {
    /// Binds a socket at `path`, or to a name of the abstract namespace if it begins with a
    /// zero byte.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if the path exists, `InvalidInput` if it is longer than 107 bytes.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        let addr = SocketAddr::from_path(path.as_ref())?.to_raw()?;
        let unbound = UnixDatagram::unbound()?;
        unbound.socket.kernel().bind(unbound.socket.fd(), &addr)?;
        Ok(unbound)
    }

    /// Makes a socket without an address.
    ///
    /// # Errors
    ///
    /// Those of socket(2).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn unbound() -> io::Result<UnixDatagram> {
        let home = socket::home()?;
        let fd = socket::open(home.kernel(), Domain::UNIX, Type::DGRAM)?;
        Ok(UnixDatagram::new(fd))
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (one, other) = socket::pair(Type::DGRAM)?;
        Ok((UnixDatagram::new(one), UnixDatagram::new(other)))
    }

    #[track_caller]
    pub(super) fn new(fd: OwnedFd) -> UnixDatagram {
        UnixDatagram {
            socket: Socket::new(fd, Ready::WRITABLE),
        }
    }

    /// Takes a socket of std's, which must be non-blocking, into the current runtime.
    ///
    /// # Errors
    ///
    /// If its flags cannot be read.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime; with debug assertions also if the socket blocks.
    #[track_caller]
    pub fn from_std(datagram: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        socket::expect_ours("UnixDatagram::from_std", &datagram)?;
        Ok(UnixDatagram::new(datagram.into()))
    }

    /// Gives the socket to std; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        Ok(self.socket.into_fd().into())
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::from_raw(&self.socket.local_addr()?)
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        SocketAddr::from_raw(&self.socket.peer_addr()?)
    }

    /// Makes the socket at `path` the one that [`send`](UnixDatagram::send) sends to.
    ///
    /// # Errors
    ///
    /// `NotFound`, `ConnectionRefused`, `PermissionDenied`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let addr = SocketAddr::from_path(path.as_ref())?.to_raw()?;
        Ok(self.socket.kernel().connect(self.socket.fd(), &addr)?)
    }

    /// Ends one direction or both.
    ///
    /// # Errors
    ///
    /// Those of shutdown(2).
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// Waits until something of `interest` is ready, and says what is.
    ///
    /// It may be wrong: be prepared for `WouldBlock` from the call that follows.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        self.socket.ready(interest).await
    }

    /// Waits until there is a datagram; see [`ready`](UnixDatagram::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](UnixDatagram::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to send; see [`ready`](UnixDatagram::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](UnixDatagram::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for a datagram. Of the tasks that polled to receive, only the last is woken.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_ready(cx, Side::Read)
    }

    /// Polls for room to send. Of the tasks that polled to send, only the last is woken.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_ready(cx, Side::Write)
    }

    /// Sends a datagram to the connected peer.
    ///
    /// # Errors
    ///
    /// `NotConnected` without one; `ConnectionRefused` if it is gone; EMSGSIZE.
    ///
    /// # Cancel safety
    ///
    /// If it was dropped while it waited, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let send = || self.socket.send(buf);
        self.socket.io.async_io(Interest::WRITABLE, send).await
    }

    /// As [`send`](UnixDatagram::send); of the tasks that polled to send, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`send`](UnixDatagram::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let send = || self.socket.send(buf);
        self.socket.io.poll_io(cx, Side::Write, send)
    }

    /// Sends a datagram to the connected peer, now or not at all.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; else as [`send`](UnixDatagram::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        let send = || self.socket.send(buf);
        self.socket.io.try_io(Interest::WRITABLE, send)
    }

    /// Receives a datagram; returns its length, cut to the buffer's.
    ///
    /// # Errors
    ///
    /// `ConnectionReset` if the peer closed with datagrams unread.
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let recv = || self.socket.recv(&mut ReadBuf::new(buf));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`recv`](UnixDatagram::recv), into the free part of `buf`, which advances; of the
    /// tasks that polled to receive, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let recv = || self.socket.recv(buf).map(drop);
        self.socket.io.poll_io(cx, Side::Read, recv)
    }

    /// Receives a datagram that is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is; else as [`recv`](UnixDatagram::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let recv = || self.socket.recv(&mut ReadBuf::new(buf));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// As [`recv`](UnixDatagram::recv), into the free part of `buf`, which advances.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let recv = || with_read_buf(buf, |part| self.socket.recv(part));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`try_recv`](UnixDatagram::try_recv), into the free part of `buf`, which advances.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](UnixDatagram::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let recv = || with_read_buf(buf, |part| self.socket.recv(part));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// Receives a datagram; returns its length, cut to the buffer's, and its sender.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv = || self.recv_addr(&mut ReadBuf::new(buf));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`recv_from`](UnixDatagram::recv_from), into the free part of `buf`, which
    /// advances; of the tasks that polled to receive, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let recv = || self.recv_addr(buf);
        let (_, sender) = ready!(self.socket.io.poll_io(cx, Side::Read, recv))?;
        Poll::Ready(Ok(sender))
    }

    /// Receives a datagram that is there, and its sender.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is; else as [`recv`](UnixDatagram::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv = || self.recv_addr(&mut ReadBuf::new(buf));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// As [`recv_from`](UnixDatagram::recv_from), into the free part of `buf`, which
    /// advances.
    ///
    /// # Errors
    ///
    /// As [`recv`](UnixDatagram::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let recv = || with_read_buf(buf, |part| self.recv_addr(part));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`try_recv_from`](UnixDatagram::try_recv_from), into the free part of `buf`, which
    /// advances.
    ///
    /// # Errors
    ///
    /// As [`try_recv_from`](UnixDatagram::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let recv = || with_read_buf(buf, |part| self.recv_addr(part));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// Calls `call`, which does its own non-blocking I/O on the descriptor, if the socket may
    /// be ready; its `WouldBlock` takes the readiness back.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the socket is not ready, and those of `call`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.socket.io.try_io(interest, call)
    }

    /// As [`try_io`](UnixDatagram::try_io), waiting and calling again while it would block.
    ///
    /// # Errors
    ///
    /// Those of `call`, and that of a runtime that has shut down.
    ///
    /// # Cancel safety
    ///
    /// `call` is not called again.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        call: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.socket.io.async_io(interest, call).await
    }

    /// Takes the error that the socket has to report (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.options().take_error()
    }

    /// Sends a datagram to the socket at `target`.
    ///
    /// # Errors
    ///
    /// `NotFound`, `ConnectionRefused`, `PermissionDenied`, EMSGSIZE.
    ///
    /// # Cancel safety
    ///
    /// If it was dropped while it waited, nothing was sent.
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::from_path(target.as_ref())?.to_raw()?;
        let send = || self.socket.send_to(buf, &target);
        self.socket.io.async_io(Interest::WRITABLE, send).await
    }

    /// As [`send_to`](UnixDatagram::send_to); of the tasks that polled to send, only the last
    /// is woken.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UnixDatagram::send_to).
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>> {
        let target = SocketAddr::from_path(target.as_ref())?.to_raw()?;
        let send = || self.socket.send_to(buf, &target);
        self.socket.io.poll_io(cx, Side::Write, send)
    }

    /// Sends a datagram to the socket at `target`, now or not at all.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; else as [`send_to`](UnixDatagram::send_to).
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::from_path(target.as_ref())?.to_raw()?;
        let send = || self.socket.send_to(buf, &target);
        self.socket.io.try_io(Interest::WRITABLE, send)
    }

    fn recv_addr(&self, buf: &mut ReadBuf<'_>) -> io::Result<(usize, SocketAddr)> {
        let (len, sender) = self.socket.recv_from(buf)?;
        Ok((len, SocketAddr::from_raw(&sender)?))
    }
}

impl TryFrom<std::os::unix::net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    fn try_from(socket: std::os::unix::net::UnixDatagram) -> io::Result<UnixDatagram> {
        UnixDatagram::from_std(socket)
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UnixDatagram");
        if let Ok(addr) = self.local_addr() {
            debug.field("addr", &addr);
        }
        debug.field("fd", &self.as_raw_fd()).finish()
    }
}

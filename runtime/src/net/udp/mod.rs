//! Sending and receiving UDP datagrams; `peek` looks at them, `options` has the rest.
#![forbid(unsafe_code)]

mod options;
mod peek;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::task::{Context, Poll, ready};

use buffers::BufMut;
use socket_address::{Domain, Type};

use super::addr::{ToSocketAddrs, each_addr, to_socket_addrs};
use super::socket::{self, Socket, internet};
use crate::io::readiness::Side;
use crate::io::{Interest, ReadBuf, Ready};
use crate::op::inline::with_read_buf;

/// What a receive waits for: an earlier datagram's error ends it too.
const RECEIVE: Interest = Interest::READABLE.add(Interest::ERROR);

/// A UDP socket.
///
/// Datagrams are sent whole or not at all, and what does not fit into the buffer of a receive
/// is discarded. All functions take `&self`: tasks share a socket in an `Arc`.
///
/// ```
/// use annulus::net::UdpSocket;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let ours = UdpSocket::bind("127.0.0.1:0").await?;
/// let theirs = UdpSocket::bind("127.0.0.1:0").await?;
/// ours.send_to(b"hello", theirs.local_addr()?).await?;
/// let mut buf = [0; 16];
/// let (len, sender) = theirs.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..len], sender), (&b"hello"[..], ours.local_addr()?));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    socket: Socket,
}

impl UdpSocket {
    /// Binds the first address of `addr` that can be bound; port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`: of the last address tried.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        each_addr(addr, |addr| {
            let home = socket::home()?;
            let fd = socket::open(home.kernel(), Domain::for_address(addr), Type::DGRAM)?;
            home.kernel().bind(fd.as_fd(), &addr.into())?;
            Ok(UdpSocket::new(fd))
        })
        .await
    }

    #[track_caller]
    fn new(fd: OwnedFd) -> UdpSocket {
        UdpSocket {
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
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        socket::expect_ours("UdpSocket::from_std", &socket)?;
        Ok(UdpSocket::new(socket.into()))
    }

    /// Gives the socket to std; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        Ok(self.socket.into_fd().into())
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        internet(self.socket.local_addr()?)
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// `NotConnected` if it is not.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        internet(self.socket.peer_addr()?)
    }

    /// Makes the first address of `addr` that works the one that [`send`](UdpSocket::send)
    /// sends to and the only one that datagrams are received from. Nothing is sent.
    ///
    /// # Errors
    ///
    /// Those of connect(2), of the last address tried.
    pub async fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        each_addr(addr, |addr| {
            let kernel = self.socket.kernel();
            Ok(kernel.connect(self.socket.fd(), &addr.into())?)
        })
        .await
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

    /// Waits until there is a datagram; see [`ready`](UdpSocket::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](UdpSocket::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to send; see [`ready`](UdpSocket::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](UdpSocket::ready).
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
    /// `NotConnected` (or EDESTADDRREQ) without one; `ConnectionRefused` for an earlier
    /// datagram; EMSGSIZE.
    ///
    /// # Cancel safety
    ///
    /// If it was dropped while it waited, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        let send = || self.socket.send(buf);
        self.socket.io.async_io(Interest::WRITABLE, send).await
    }

    /// As [`send`](UdpSocket::send); of the tasks that polled to send, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`send`](UdpSocket::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let send = || self.socket.send(buf);
        self.socket.io.poll_io(cx, Side::Write, send)
    }

    /// Sends a datagram to the connected peer, now or not at all.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; else as [`send`](UdpSocket::send).
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        let send = || self.socket.send(buf);
        self.socket.io.try_io(Interest::WRITABLE, send)
    }

    /// Receives a datagram; returns its length, cut to the buffer's.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused` for an earlier datagram of ours.
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let recv = || self.socket.recv(&mut ReadBuf::new(buf));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`recv`](UdpSocket::recv), into the free part of `buf`, which advances; of the
    /// tasks that polled to receive, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let recv = || self.socket.recv(buf).map(drop);
        self.socket.io.poll_io(cx, Side::Read, recv)
    }

    /// Receives a datagram that is there.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is; else as [`recv`](UdpSocket::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let recv = || self.socket.recv(&mut ReadBuf::new(buf));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// As [`recv`](UdpSocket::recv), into the free part of `buf`, which advances.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let recv = || with_read_buf(buf, |part| self.socket.recv(part));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`try_recv`](UdpSocket::try_recv), into the free part of `buf`, which advances.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](UdpSocket::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let recv = || with_read_buf(buf, |part| self.socket.recv(part));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// Receives a datagram; returns its length, cut to the buffer's, and its sender.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv = || self.recv_addr(&mut ReadBuf::new(buf));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`recv_from`](UdpSocket::recv_from), into the free part of `buf`, which
    /// advances; of the tasks that polled to receive, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
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
    /// `WouldBlock` if none is; else as [`recv`](UdpSocket::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv = || self.recv_addr(&mut ReadBuf::new(buf));
        self.socket.io.try_io(Interest::READABLE, recv)
    }

    /// As [`recv_from`](UdpSocket::recv_from), into the free part of `buf`, which
    /// advances.
    ///
    /// # Errors
    ///
    /// As [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// No datagram is lost.
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        let recv = || with_read_buf(buf, |part| self.recv_addr(part));
        self.socket.io.async_io(RECEIVE, recv).await
    }

    /// As [`try_recv_from`](UdpSocket::try_recv_from), into the free part of `buf`, which
    /// advances.
    ///
    /// # Errors
    ///
    /// As [`try_recv_from`](UdpSocket::try_recv_from).
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

    /// As [`try_io`](UdpSocket::try_io), waiting and calling again while it would block.
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

    /// Sends a datagram to the first address of `target`.
    ///
    /// # Errors
    ///
    /// EMSGSIZE, `NetworkUnreachable`, `PermissionDenied` for a broadcast address without
    /// [`set_broadcast`](UdpSocket::set_broadcast); `InvalidInput` without an address.
    ///
    /// # Cancel safety
    ///
    /// If it was dropped while it waited, nothing was sent.
    pub async fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], target: A) -> io::Result<usize> {
        let Some(target) = to_socket_addrs(target).await?.next() else {
            let text = "there is no address to send to";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let target = target.into();
        let send = || self.socket.send_to(buf, &target);
        self.socket.io.async_io(Interest::WRITABLE, send).await
    }

    /// As [`send_to`](UdpSocket::send_to); of the tasks that polled to send, only the last is
    /// woken.
    ///
    /// # Errors
    ///
    /// As [`send_to`](UdpSocket::send_to).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let target = target.into();
        let send = || self.socket.send_to(buf, &target);
        self.socket.io.poll_io(cx, Side::Write, send)
    }

    /// Sends a datagram to `target`, now or not at all.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; else as [`send_to`](UdpSocket::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        let target = target.into();
        let send = || self.socket.send_to(buf, &target);
        self.socket.io.try_io(Interest::WRITABLE, send)
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    fn recv_addr(&self, buf: &mut ReadBuf<'_>) -> io::Result<(usize, SocketAddr)> {
        let (len, sender) = self.socket.recv_from(buf)?;
        Ok((len, internet(sender)?))
    }
}

impl TryFrom<std::net::UdpSocket> for UdpSocket {
    type Error = io::Error;

    fn try_from(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::from_std(socket)
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UdpSocket");
        if let Ok(addr) = self.local_addr() {
            debug.field("addr", &addr);
        }
        debug.field("fd", &self.as_raw_fd()).finish()
    }
}

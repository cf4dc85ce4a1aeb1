//! A TCP connection. Its options are in `options`.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use buffers::BufMut;
use socket_address::{Domain, Type};

use super::split_owned;
use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use crate::net::ToSocketAddrs;
use crate::net::addr::{no_address, to_socket_addrs};
use crate::net::socket::{self, Socket, internet};
use crate::net::stream::Stream;
use crate::op::inline::with_read_buf;
use crate::reactor::Home;

/// A TCP connection, read and written by [`AsyncRead`] and [`AsyncWrite`].
///
/// A write is ready once the kernel has its bytes, so nothing has to be flushed. Dropping the
/// stream closes it at once; [`shutdown`](crate::io::AsyncWriteExt::shutdown) ends only the
/// write direction.
///
/// ```
/// use annulus::io::{AsyncReadExt, AsyncWriteExt};
/// use annulus::net::{TcpListener, TcpStream};
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut server, _) = listener.accept().await?;
/// client.write_all(b"hello").await?;
/// let mut word = [0; 5];
/// server.read_exact(&mut word).await?;
/// assert_eq!(&word, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpStream {
    stream: Stream,
}

impl TcpStream {
    /// Connects to the first address of `addr` that answers, by CONNECT operations.
    ///
    /// # Errors
    ///
    /// `ConnectionRefused`, `TimedOut`, `HostUnreachable`: of the last address tried.
    ///
    /// # Cancel safety
    ///
    /// A connection that was under way is closed.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let mut last = no_address();
        for addr in to_socket_addrs(addr).await? {
            match TcpStream::connect_addr(addr).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_addr(addr: SocketAddr) -> io::Result<TcpStream> {
        let home = Home::current();
        let fd = socket::open(home.kernel(), Domain::for_address(addr), Type::STREAM)?;
        TcpStream::connect_fd(fd, addr).await
    }

    pub(super) async fn connect_fd(fd: OwnedFd, addr: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket::connect(fd, addr.into()).await?;
        Ok(TcpStream {
            stream: Stream::new(socket),
        })
    }

    /// A connection that accept took: there is room in its buffer, and mostly a request. Where
    /// there is none yet, the first read finds out.
    #[track_caller]
    pub(crate) fn accepted(fd: OwnedFd) -> TcpStream {
        TcpStream {
            stream: Stream::new(Socket::new(fd, Ready::READABLE | Ready::WRITABLE)),
        }
    }

    /// Takes a stream of std's, which must be non-blocking, into the current runtime.
    ///
    /// # Errors
    ///
    /// If its flags cannot be read.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime; with debug assertions also if the stream blocks.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        socket::expect_ours("TcpStream::from_std", &stream)?;
        Ok(TcpStream {
            stream: Stream::new(Socket::new(stream.into(), Ready::EMPTY)),
        })
    }

    /// Gives the stream to std; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// If a dropped read has left bytes in the stream, or an operation behind that may yet
    /// bring some: std's stream could not have them.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.stream.into_fd()?.into())
    }

    /// Our end's address.
    ///
    /// # Errors
    ///
    /// Those of getsockname(2).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        internet(self.stream.socket.local_addr()?)
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// `NotConnected` once the peer is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        internet(self.stream.socket.peer_addr()?)
    }

    /// Takes the error that the socket has to report (`SO_ERROR`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.stream.socket.options().take_error()
    }

    /// Reads without taking: the next read sees the same bytes. Only the last task that polled
    /// is woken.
    ///
    /// # Errors
    ///
    /// As a read's.
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_peek(cx, buf)
    }

    /// Reads without taking: the next read sees the same bytes. 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// As a read's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.peek(buf).await
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
        self.stream.ready(interest).await
    }

    /// Waits until there is something to read; see [`ready`](TcpStream::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](TcpStream::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to write; see [`ready`](TcpStream::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](TcpStream::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for something to read. The task is kept in the place of
    /// [`AsyncRead::poll_read`]'s: of both, only the last to poll is woken.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    /// Polls for room to write. The task is kept in the place of
    /// [`AsyncWrite::poll_write`]'s: of both, only the last to poll is woken.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    /// Reads what is there. 0 is the end of the stream, or `buf` is empty.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is; also while the receive of a dropped read is in flight.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.try_read(&mut ReadBuf::new(buf))
    }

    /// As [`try_read`](TcpStream::try_read), into several buffers, in order.
    ///
    /// # Errors
    ///
    /// As [`try_read`](TcpStream::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.stream.try_read_vectored(bufs)
    }

    /// As [`try_read`](TcpStream::try_read), into the free part of `buf`, which advances.
    ///
    /// # Errors
    ///
    /// As [`try_read`](TcpStream::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        with_read_buf(buf, |part| self.stream.try_read(part))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.stream.try_write(buf)
    }

    /// As [`try_write`](TcpStream::try_write), from several buffers, in order.
    ///
    /// # Errors
    ///
    /// As [`try_write`](TcpStream::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write_vectored(bufs)
    }

    /// Calls `call`, which does its own non-blocking I/O on the descriptor, if the stream may
    /// be ready; its `WouldBlock` takes the readiness back.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the stream is not ready, and those of `call`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.stream.try_io(interest, call)
    }

    /// As [`try_io`](TcpStream::try_io), waiting and calling again while it would block.
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
        self.stream.async_io(interest, call).await
    }

    /// Borrows the stream as two halves, one to read and one to write.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Takes the stream apart into two halves that can live in different tasks. Dropping the
    /// write half ends the write direction.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split_owned::split(self)
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.stream.socket
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.poll_read(cx, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(Shutdown::Write))
    }
}

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl AsRef<TcpStream> for TcpStream {
    fn as_ref(&self) -> &TcpStream {
        self
    }
}

/// From then on the stream waits by polling, so that whoever has the descriptor finds every
/// byte in the kernel.
impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// From then on the stream waits by polling, so that whoever has the descriptor finds every
/// byte in the kernel.
impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.pinned_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TcpStream");
        if let Ok(addr) = self.local_addr() {
            debug.field("addr", &addr);
        }
        if let Ok(peer) = self.peer_addr() {
            debug.field("peer", &peer);
        }
        let fd = self.stream.socket.fd().as_raw_fd();
        debug.field("fd", &fd).finish()
    }
}

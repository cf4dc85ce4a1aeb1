//! Reading and writing a byte stream: what TCP and Unix streams have in common.
//!
//! A write is a send that the kernel took, or nothing. A read takes, in this order, what an
//! earlier receive has left, what the socket holds, and what it then waits for: by polling, or
//! by a receive of its own ([`Hot`](super::hot::Hot)).
#![forbid(unsafe_code)]

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll, ready};

use super::socket::Socket;
use crate::io::readiness::{Event, Readiness, Side};
use crate::io::{Interest, ReadBuf, Ready};
use crate::op::landing::Taken;
use crate::task::coop;
use crate::uring::lanes::Lanes;

pub(crate) struct Stream {
    pub(super) socket: Socket,
}

impl Stream {
    pub(super) fn new(socket: Socket) -> Stream {
        Stream { socket }
    }

    /// The descriptor, for use from outside: the stream polls from now on.
    pub(super) fn pinned_fd(&self) -> BorrowedFd<'_> {
        self.socket.hot.pin();
        self.socket.fd()
    }

    pub(super) fn into_fd(self) -> io::Result<OwnedFd> {
        self.socket.hot.vacate_now(self.socket.io.any_home())?;
        if let Some(lanes) = self.socket.used_lanes() {
            lanes.settle(self.socket.home())?;
        }
        Ok(self.socket.into_fd())
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_fill(cx, buf, false).map_ok(|_| ())
    }

    pub(super) fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        self.poll_fill(cx, buf, true)
    }

    fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        peek: bool,
    ) -> Poll<io::Result<usize>> {
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            self.socket.io.alive()?;
            match self.fill(buf, peek, Readiness::worth_trying) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    budget.made_progress();
                    return Poll::Ready(result);
                }
            }
            ready!(self.poll_fillable(cx, buf, peek))?;
        }
    }

    /// One attempt: what a receive has left, else what the socket holds, if `worth` thinks it
    /// worth a call; else `WouldBlock`.
    fn fill(
        &self,
        buf: &mut ReadBuf<'_>,
        peek: bool,
        worth: impl FnOnce(&Readiness, Interest) -> Option<Event>,
    ) -> io::Result<usize> {
        let Socket { io, hot, .. } = &self.socket;
        let known = io.readiness().known(Interest::READABLE);
        if let Some(lanes) = self.socket.used_lanes() {
            if lanes.is_receiving() {
                // Its end says so.
                io.readiness().clear(known, Interest::READABLE);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if let len @ 1.. = lanes.read_stash(buf, peek) {
                return Ok(len);
            }
        }
        match hot.take(buf, peek) {
            Taken::Nothing | Taken::Starved => {}
            Taken::Busy => return Err(io::ErrorKind::WouldBlock.into()),
            Taken::Lent => {
                // Whatever comes lands first, and says so.
                io.readiness().clear(known, Interest::READABLE);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Taken::Failed(error) => return Err(error),
            Taken::Bytes { len, drained } => {
                // What a standing poll has told is news from after the receive.
                if drained && !io.readiness().is_armed(Side::Read) {
                    io.readiness().clear(known, Interest::READABLE);
                }
                return Ok(len);
            }
        }
        let Some(event) = worth(io.readiness(), Interest::READABLE) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let room = buf.remaining();
        let result = if peek {
            self.socket.peek(buf)
        } else {
            self.socket.recv(buf)
        };
        match &result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                io.readiness().clear(event, Interest::READABLE);
            }
            Ok(len @ 1..) if !peek => {
                hot.note_inline(*len == room);
                if *len < room {
                    io.readiness().clear(event, Interest::READABLE);
                }
            }
            _ => {}
        }
        result
    }

    /// Waits until [`fill`](Stream::fill) is worth calling.
    fn poll_fillable(
        &self,
        cx: &mut Context<'_>,
        buf: &ReadBuf<'_>,
        peek: bool,
    ) -> Poll<io::Result<()>> {
        let Socket { io, hot, .. } = &self.socket;
        let is_receiving = || self.socket.used_lanes().is_some_and(Lanes::is_receiving);
        if hot.is_lent() || is_receiving() {
            io.readiness().register(Side::Read, cx.waker());
            return if hot.is_lent() || is_receiving() {
                Poll::Pending
            } else {
                Poll::Ready(Ok(()))
            };
        }
        if io.readiness().poll_known(cx, Side::Read).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let fd = self.socket.fd().as_raw_fd();
        if !peek && hot.receive(fd, buf.remaining(), io) {
            if !hot.is_lent() {
                // It landed at once, or another thread is taking the bytes of the last one.
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        hot.note_wait();
        io.watch(Side::Read)?;
        Poll::Pending
    }

    /// As [`poll_peek`](Stream::poll_peek), for any number of tasks at a time.
    pub(super) async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.fill(&mut ReadBuf::new(buf), true, Readiness::worth_trying) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            self.socket.io.ready(Interest::READABLE).await?;
            poll_fn(coop::poll_proceed).await.made_progress();
        }
    }

    pub(super) fn try_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        self.fill(buf, false, Readiness::worth_trying_now)
    }

    /// Reads into several buffers, in order; what a receive has left, into the first alone.
    pub(super) fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let Socket { io, hot, .. } = &self.socket;
        let is_used = |lanes: &Lanes| lanes.is_receiving() || lanes.stash_len() > 0;
        if !hot.is_idle() || self.socket.used_lanes().is_some_and(is_used) {
            let first = bufs.iter_mut().find(|buf| !buf.is_empty());
            return first.map_or(Ok(0), |buf| self.try_read(&mut ReadBuf::new(buf)));
        }
        io.try_io(Interest::READABLE, || self.socket.recv_vectored(bufs))
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf.len(), || self.socket.send(buf))
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.poll_send(cx, len, || self.socket.send_vectored(bufs))
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        mut send: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let budget = ready!(coop::poll_proceed(cx));
        let io = &self.socket.io;
        loop {
            ready!(self.poll_send_turn(cx))?;
            let event = ready!(io.poll_worth_trying(cx, Side::Write))?;
            let result = send();
            match &result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    io.readiness().clear(event, Interest::WRITABLE);
                    continue;
                }
                // What did not fit waits for room without another call to find there is none.
                Ok(sent) if *sent < len => io.readiness().clear(event, Interest::WRITABLE),
                _ => {}
            }
            budget.made_progress();
            return Poll::Ready(result);
        }
    }

    /// Waits for a send with an owned buffer.
    fn poll_send_turn(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(lanes) = self.socket.used_lanes() else {
            return Poll::Ready(Ok(()));
        };
        if lanes.is_sending() {
            self.socket.io.readiness().register(Side::Write, cx.waker());
            if lanes.is_sending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(lanes.check_send())
    }

    /// As [`poll_send_turn`](Stream::poll_send_turn) for a caller who does not wait.
    fn check_send_turn(&self) -> io::Result<()> {
        match self.socket.used_lanes() {
            Some(lanes) if lanes.is_sending() => Err(io::ErrorKind::WouldBlock.into()),
            Some(lanes) => lanes.check_send(),
            None => Ok(()),
        }
    }

    pub(super) fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.check_send_turn()?;
        let send = || self.socket.send(buf);
        self.socket.io.try_io(Interest::WRITABLE, send)
    }

    pub(super) fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.check_send_turn()?;
        let send = || self.socket.send_vectored(bufs);
        self.socket.io.try_io(Interest::WRITABLE, send)
    }

    /// Ends one direction or both; a stream whose peer is gone already counts as ended.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.socket.shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    pub(super) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        if interest != Interest::WRITABLE {
            self.socket.hot.pin();
        }
        self.socket.ready(interest).await
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.hot.pin();
        self.socket.poll_ready(cx, Side::Read)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_ready(cx, Side::Write)
    }

    pub(super) fn try_io<R>(
        &self,
        interest: Interest,
        call: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.socket.io.try_io(interest, || {
            self.vacate_to(interest)?;
            call()
        })
    }

    pub(super) async fn async_io<R>(
        &self,
        interest: Interest,
        mut call: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let call = || {
            self.vacate_to(interest)?;
            call()
        };
        self.socket.io.async_io(interest, call).await
    }

    /// Before a call of the user's on the descriptor: if it may read, no byte is elsewhere.
    fn vacate_to(&self, interest: Interest) -> io::Result<()> {
        if interest == Interest::WRITABLE {
            return Ok(());
        }
        self.socket.hot.vacate()?;
        match self.socket.used_lanes() {
            Some(lanes) if lanes.is_receiving() => Err(io::ErrorKind::WouldBlock.into()),
            Some(lanes) if lanes.stash_len() > 0 => Err(left_behind()),
            _ => Ok(()),
        }
    }
}

/// The error of a use that would overtake bytes of the stream.
pub(super) fn left_behind() -> io::Error {
    io::Error::other("the stream holds bytes of a dropped read: read them first")
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

//! The end of a pipe that is written to.
#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::end::{End, expect_no_simulation};
use crate::io::polled::Polled;
use crate::io::readiness::Side;
use crate::io::told::Caller;
use crate::io::{AsyncWrite, Interest, Ready};
use crate::op::inline;

/// The end of a pipe that is written to; made by [`pipe`](super::pipe), or by
/// [`OpenOptions`](super::OpenOptions) for a FIFO.
///
/// A write is ready once the kernel has its bytes, so nothing has to be flushed. Writes of up to
/// `PIPE_BUF` (4096) bytes are not mixed with those of others, as pipe(7) says. Dropping it
/// closes it at once.
pub struct Sender {
    pipe: Polled,
}

impl Sender {
    /// Whether there is room a write finds out; nobody is told that there is before a poll was.
    #[track_caller]
    pub(super) fn new(fd: OwnedFd) -> Sender {
        Sender {
            pipe: Polled::new(fd, Ready::EMPTY),
        }
    }

    /// Takes a file that is a pipe's end into the current runtime, and makes it non-blocking; so
    /// are then all descriptors that were duplicated from it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no pipe, or not open for writing; `Unsupported` in a
    /// [simulation](crate::sim).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_file(file: File) -> io::Result<Sender> {
        Sender::from_owned_fd(file.into())
    }

    /// As [`from_file`](Sender::from_file), of a descriptor.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Sender::from_file).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<Sender> {
        Ok(Sender::new(End::Sender.adopt(owned_fd)?))
    }

    /// Takes a file that is known to be a pipe's end, open for writing, and non-blocking. Another
    /// may block the thread.
    ///
    /// # Errors
    ///
    /// `Unsupported` in a [simulation](crate::sim).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_file_unchecked(file: File) -> io::Result<Sender> {
        Sender::from_owned_fd_unchecked(file.into())
    }

    /// As [`from_file_unchecked`](Sender::from_file_unchecked), of a descriptor.
    ///
    /// # Errors
    ///
    /// As [`from_file_unchecked`](Sender::from_file_unchecked).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<Sender> {
        expect_no_simulation()?;
        Ok(Sender::new(owned_fd))
    }

    /// Waits until something of `interest` is ready, and says what is. That nobody reads any more
    /// is [`Ready::WRITE_CLOSED`].
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
        let io = self.pipe.io();
        let ready = io.ready(interest).await?.ready;
        // The one error that this end of a pipe has.
        let unread = !io.readiness().known(Interest::ERROR).ready.is_empty();
        Ok(if unread && interest.is_writable() {
            ready | Ready::WRITE_CLOSED
        } else {
            ready
        })
    }

    /// Waits until there is room to write; see [`ready`](Sender::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](Sender::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// As [`writable`](Sender::writable), for hand-written futures. Only the task of the last
    /// call is woken.
    ///
    /// # Errors
    ///
    /// As [`ready`](Sender::ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.io().poll_told(cx, Side::Write).map_ok(drop)
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none, or nobody has seen it yet; `BrokenPipe` if nobody reads any
    /// more.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_call(Caller::Ours, || self.write(buf))
    }

    /// As [`try_write`](Sender::try_write), of several buffers in one call.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Sender::try_write).
    pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_call(Caller::Ours, || self.write_vectored(buf))
    }

    fn try_call<R>(&self, caller: Caller, call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let io = self.pipe.io();
        let worth = io.readiness().worth_trying(Interest::WRITABLE);
        io.try_with(worth, Interest::WRITABLE, caller, call)
    }

    /// Calls `f`, which writes to the pipe, if there is room; the readiness is cleared if it
    /// answers `WouldBlock`.
    ///
    /// # Errors
    ///
    /// That of `f`; `WouldBlock` without calling it if there is no room.
    pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_call(Caller::Theirs, f)
    }

    /// Takes the descriptor out, and makes it blocking: so that another process can have it for
    /// its standard output.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2); `Unsupported` in a [simulation](crate::sim), where nothing blocks.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let kernel = self.pipe.kernel().clone();
        let fd = self.into_nonblocking_fd()?;
        kernel.set_nonblocking(fd.as_fd(), false)?;
        Ok(fd)
    }

    /// Takes the descriptor out; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None.
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        Ok(self.pipe.into_fd())
    }

    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        inline::write(self.pipe.kernel(), self.pipe.fd(), buf)
    }

    fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        inline::write_vectored(self.pipe.kernel(), self.pipe.fd(), bufs)
    }
}

impl AsyncWrite for Sender {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let io = self.pipe.io();
        io.poll_io(cx, Side::Write, || self.write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let io = self.pipe.io();
        io.poll_io(cx, Side::Write, || self.write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: a pipe is closed by dropping its end.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsRawFd for Sender {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.fd()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("fd", &self.as_fd()).finish()
    }
}

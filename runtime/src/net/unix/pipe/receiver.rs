//! The end of a pipe that is read from.
#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use buffers::BufMut;

use super::end::{End, expect_no_simulation};
use crate::io::polled::Polled;
use crate::io::readiness::Side;
use crate::io::told::Caller;
use crate::io::{AsyncRead, Interest, ReadBuf, Ready};
use crate::op::inline;

/// The end of a pipe that is read from; made by [`pipe`](super::pipe), or by
/// [`OpenOptions`](super::OpenOptions) for a FIFO.
///
/// A read yields 0 bytes once the last sender has gone. The receiver of a FIFO can be read from
/// again when another sender comes. Dropping it closes it at once.
pub struct Receiver {
    pipe: Polled,
}

impl Receiver {
    /// Nothing is taken to be there: a read of a FIFO that no sender has opened yet would yield
    /// the end.
    #[track_caller]
    pub(super) fn new(fd: OwnedFd) -> Receiver {
        let pipe = Polled::new(fd, Ready::EMPTY);
        pipe.io().attend(Interest::READABLE);
        Receiver { pipe }
    }

    /// Takes a file that is a pipe's end into the current runtime, and makes it non-blocking; so
    /// are then all descriptors that were duplicated from it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no pipe, or not open for reading; `Unsupported` in a
    /// [simulation](crate::sim).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_file(file: File) -> io::Result<Receiver> {
        Receiver::from_owned_fd(file.into())
    }

    /// As [`from_file`](Receiver::from_file), of a descriptor.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Receiver::from_file).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_owned_fd(owned_fd: OwnedFd) -> io::Result<Receiver> {
        Ok(Receiver::new(End::Receiver.adopt(owned_fd)?))
    }

    /// Takes a file that is known to be a pipe's end, open for reading, and non-blocking. Another
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
    pub fn from_file_unchecked(file: File) -> io::Result<Receiver> {
        Receiver::from_owned_fd_unchecked(file.into())
    }

    /// As [`from_file_unchecked`](Receiver::from_file_unchecked), of a descriptor.
    ///
    /// # Errors
    ///
    /// As [`from_file_unchecked`](Receiver::from_file_unchecked).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_owned_fd_unchecked(owned_fd: OwnedFd) -> io::Result<Receiver> {
        expect_no_simulation()?;
        Ok(Receiver::new(owned_fd))
    }

    /// Waits until something of `interest` is ready, and says what is. That the last sender has
    /// gone is [`Ready::READ_CLOSED`]; there may be bytes left.
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
        Ok(self.pipe.io().ready(interest).await?.ready)
    }

    /// Waits until there is something to read; see [`ready`](Receiver::ready).
    ///
    /// # Errors
    ///
    /// As [`ready`](Receiver::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// As [`readable`](Receiver::readable), for hand-written futures. Only the task of the last
    /// call is woken.
    ///
    /// # Errors
    ///
    /// As [`ready`](Receiver::ready).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.io().poll_told(cx, Side::Read).map_ok(drop)
    }

    /// Reads what is there, without waiting; 0 is the end.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing, or nobody has seen it yet.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        self.try_call(Caller::Ours, || self.read(&mut buf))
    }

    /// As [`try_read`](Receiver::try_read), into several buffers in one call.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Receiver::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.try_call(Caller::Ours, || {
            inline::read_vectored(self.pipe.kernel(), self.pipe.fd(), bufs)
        })
    }

    /// As [`try_read`](Receiver::try_read), to the end of a buffer that grows.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Receiver::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.try_call(Caller::Ours, || {
            inline::with_read_buf(buf, |buf| self.read(buf))
        })
    }

    fn try_call<R>(&self, caller: Caller, call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let io = self.pipe.io();
        let told = io.told(Interest::READABLE);
        io.try_with(told, Interest::READABLE, caller, call)
    }

    /// Calls `f`, which reads from the pipe, if there is something; the readiness is cleared if it
    /// answers `WouldBlock`.
    ///
    /// # Errors
    ///
    /// That of `f`; `WouldBlock` without calling it if there is nothing.
    pub fn try_io<R>(&self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_call(Caller::Theirs, f)
    }

    /// Takes the descriptor out, and makes it blocking: so that another process can have it for
    /// its standard input.
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

    fn read(&self, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        inline::read(self.pipe.kernel(), self.pipe.fd(), buf)
    }
}

impl AsyncRead for Receiver {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let io = self.pipe.io();
        io.poll_told_io(cx, Side::Read, || self.read(buf))
            .map_ok(drop)
    }
}

impl AsRawFd for Receiver {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.fd()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("fd", &self.as_fd())
            .finish()
    }
}

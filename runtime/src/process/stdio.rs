//! The pipes to and from a child.
#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use crate::io::{AsyncRead, AsyncWrite, ReadBuf};
use crate::net::unix::pipe;
use crate::reactor::Home;
use crate::runtime::Driver;

/// The pipe to a child's standard input. Dropping it ends the child's input.
///
/// A write is ready once the kernel has its bytes, so nothing has to be flushed.
#[derive(Debug)]
pub struct ChildStdin {
    pipe: pipe::Sender,
}

/// The pipe from a child's standard output.
#[derive(Debug)]
pub struct ChildStdout {
    pipe: pipe::Receiver,
}

/// The pipe from a child's standard error.
#[derive(Debug)]
pub struct ChildStderr {
    pipe: pipe::Receiver,
}

/// A descriptor of std's, which blocks so far.
#[track_caller]
fn nonblocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    let kernel = Home::current_with(Driver::Io).kernel().clone();
    kernel.set_nonblocking(fd.as_fd(), true)?;
    Ok(fd)
}

impl ChildStdin {
    /// Takes a pipe of std's into the current runtime; it becomes non-blocking.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_std(inner: std::process::ChildStdin) -> io::Result<ChildStdin> {
        let pipe = pipe::Sender::from_owned_fd_unchecked(nonblocking(inner.into())?)?;
        Ok(ChildStdin { pipe })
    }

    /// Takes the descriptor out, and makes it blocking.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2).
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        self.pipe.into_blocking_fd()
    }
}

impl ChildStdout {
    /// Takes a pipe of std's into the current runtime; it becomes non-blocking.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_std(inner: std::process::ChildStdout) -> io::Result<ChildStdout> {
        let pipe = pipe::Receiver::from_owned_fd_unchecked(nonblocking(inner.into())?)?;
        Ok(ChildStdout { pipe })
    }

    /// Takes the descriptor out, and makes it blocking.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2).
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        self.pipe.into_blocking_fd()
    }
}

impl ChildStderr {
    /// Takes a pipe of std's into the current runtime; it becomes non-blocking.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    pub fn from_std(inner: std::process::ChildStderr) -> io::Result<ChildStderr> {
        let pipe = pipe::Receiver::from_owned_fd_unchecked(nonblocking(inner.into())?)?;
        Ok(ChildStderr { pipe })
    }

    /// Takes the descriptor out, and makes it blocking.
    ///
    /// # Errors
    ///
    /// Those of fcntl(2).
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        self.pipe.into_blocking_fd()
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.pipe.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    /// Does nothing: dropping the pipe ends the child's input.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

impl AsyncRead for ChildStdout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncRead for ChildStderr {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

/// So that what one child reads another can write.
impl TryInto<Stdio> for ChildStdin {
    type Error = io::Error;

    fn try_into(self) -> io::Result<Stdio> {
        self.into_owned_fd().map(Stdio::from)
    }
}

/// So that what one child writes another can read.
impl TryInto<Stdio> for ChildStdout {
    type Error = io::Error;

    fn try_into(self) -> io::Result<Stdio> {
        self.into_owned_fd().map(Stdio::from)
    }
}

/// So that what one child writes another can read.
impl TryInto<Stdio> for ChildStderr {
    type Error = io::Error;

    fn try_into(self) -> io::Result<Stdio> {
        self.into_owned_fd().map(Stdio::from)
    }
}

impl AsRawFd for ChildStdin {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}

impl AsFd for ChildStdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl AsRawFd for ChildStdout {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}

impl AsFd for ChildStdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl AsRawFd for ChildStderr {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}

impl AsFd for ChildStderr {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

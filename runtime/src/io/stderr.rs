//! This process' standard error.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::AsyncWrite;
use super::stdio::Stdio;

/// This process' standard error; made by [`stderr`].
///
/// Each write runs on the blocking pool, and is answered once its bytes are copied: an error of it
/// is the next call's, so [`flush`](crate::io::AsyncWriteExt::flush) before you believe it. The
/// end of the runtime waits for a write that was answered.
///
/// One write, of up to 2 MiB, is not mixed with others. Handles know nothing of each other: what
/// is written through two of them may come in any order, so make one and keep it.
#[derive(Debug)]
pub struct Stderr {
    /// Names the descriptor while the other is away.
    std: io::Stderr,
    stream: Stdio<io::Stderr>,
}

/// A new handle to this process' standard error.
///
/// ```
/// use annulus::io::AsyncWriteExt;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut stderr = annulus::io::stderr();
/// stderr.write_all(b"hello\n").await?;
/// stderr.flush().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn stderr() -> Stderr {
    Stderr {
        std: io::stderr(),
        stream: Stdio::new(io::stderr()),
    }
}

impl AsyncWrite for Stderr {
    /// # Panics
    ///
    /// Outside the context of a runtime.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    /// Does nothing: the stream is the process'.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsRawFd for Stderr {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl AsFd for Stderr {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

//! This process' standard output.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::AsyncWrite;
use super::stdio::Stdio;

/// This process' standard output; made by [`stdout`].
///
/// Each write runs on the blocking pool, and is answered once its bytes are copied: an error of it
/// is the next call's, so [`flush`](crate::io::AsyncWriteExt::flush) before you believe it. The
/// end of the runtime waits for a write that was answered.
///
/// One write, of up to 2 MiB, is not mixed with others. Handles know nothing of each other: what
/// is written through two of them may come in any order, so make one and keep it.
///
/// std keeps what follows the last line's end, until it is flushed.
#[derive(Debug)]
pub struct Stdout {
    /// Names the descriptor while the other is away.
    std: io::Stdout,
    stream: Stdio<io::Stdout>,
}

/// A new handle to this process' standard output.
///
/// ```
/// use annulus::io::AsyncWriteExt;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut stdout = annulus::io::stdout();
/// stdout.write_all(b"hello\n").await?;
/// stdout.flush().await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn stdout() -> Stdout {
    Stdout {
        std: io::stdout(),
        stream: Stdio::new(io::stdout()),
    }
}

impl AsyncWrite for Stdout {
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

impl AsRawFd for Stdout {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

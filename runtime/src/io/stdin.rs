//! This process' standard input.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::stdio::Stdio;
use super::{AsyncRead, ReadBuf};
use crate::sim;

/// This process' standard input; made by [`stdin`].
///
/// Each read runs on the blocking pool, and cannot be taken back. So the end of the runtime waits
/// for a read that has begun, until somebody presses enter; unless it is
/// [in the background](crate::runtime::Runtime::shutdown_background). For what a user types, a
/// thread of its own is the better reader.
///
/// What a read brings after its future was dropped is the next read's of the same handle. Two
/// handles share the buffer that std has for all, and a read takes what it finds.
#[derive(Debug)]
pub struct Stdin {
    /// Names the descriptor while the other is away.
    std: io::Stdin,
    stream: Stdio<io::Stdin>,
}

/// A new handle to this process' standard input.
///
/// ```no_run
/// use annulus::io::{AsyncBufReadExt, BufReader};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut lines = BufReader::new(annulus::io::stdin()).lines();
/// while let Some(line) = lines.next_line().await? {
///     println!("{line}");
/// }
/// # Ok(())
/// # }
/// ```
pub fn stdin() -> Stdin {
    Stdin {
        std: io::stdin(),
        stream: Stdio::new(io::stdin()),
    }
}

impl AsyncRead for Stdin {
    /// # Errors
    ///
    /// Those of read(2); `Unsupported` in a [simulation](crate::sim), which nobody types into.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        sim::refuse("reading standard input", "give the program its input")?;
        self.stream.poll_read(cx, buf)
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

//! The standard streams: blocking calls of std's on the blocking pool, one at a time.
//!
//! ```text
//!   Idle ──spawn──► Busy ──the call has ended──► Idle
//!     └─────────────┴── the pool is shut down ──► Gone
//! ```
//!
//! A write is answered once its bytes are copied, and what it met is told by the next call. It is
//! promised then: the pool runs it even at its end.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::ReadBuf;
use crate::reactor::Home;
use crate::runtime::Handle;
use crate::task::{JoinHandle, spawn_blocking};

/// How much one call moves at most: 2 MiB.
const CALL_BYTES_MAX: usize = 2 * 1024 * 1024;

pub(super) struct Stdio<T> {
    state: State<T>,
    /// Something was written since the last flush.
    unflushed: bool,
}

enum State<T> {
    Idle(Stream<T>),
    Busy(JoinHandle<(io::Result<()>, Stream<T>)>),
    /// The pool has dropped a call, and the stream with it.
    Gone,
}

/// What goes to the pool and comes back.
struct Stream<T> {
    std: T,
    bytes: Vec<u8>,
    /// What of them was read, and nobody has taken yet.
    unread: Range<usize>,
}

impl<T: Send + 'static> Stdio<T> {
    pub(super) fn new(std: T) -> Stdio<T> {
        Stdio {
            state: State::Idle(Stream {
                std,
                bytes: Vec::new(),
                unread: 0..0,
            }),
            unflushed: false,
        }
    }

    /// Waits for the call that runs, if one does; what it met.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Busy(call) = &mut self.state else {
            return Poll::Ready(Ok(()));
        };
        let (state, result) = match ready!(Pin::new(call).poll(cx)) {
            Ok((result, stream)) => (State::Idle(stream), result),
            Err(error) => (State::Gone, Err(error.into())),
        };
        self.state = state;
        Poll::Ready(result)
    }

    fn take(&mut self) -> io::Result<Stream<T>> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(stream) => Ok(stream),
            State::Busy(_) => unreachable!("the call that ran was waited for"),
            State::Gone => Err(Home::shutdown_error()),
        }
    }

    /// Starts a call that the end of the runtime must not drop.
    ///
    /// # Errors
    ///
    /// If the runtime is shut down already.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    fn start(
        &mut self,
        mut stream: Stream<T>,
        call: impl FnOnce(&mut Stream<T>) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let call = move || (call(&mut stream), stream);
        let call = Handle::current().spawn_mandatory_blocking(call);
        self.state = State::Busy(call.ok_or_else(Home::shutdown_error)?);
        Ok(())
    }
}

impl<T: Read + Send + 'static> Stdio<T> {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining().min(CALL_BYTES_MAX);
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        let was_busy = matches!(self.state, State::Busy(_));
        ready!(self.poll_idle(cx))?;
        let mut stream = self.take()?;
        if was_busy || !stream.unread.is_empty() {
            // What the call has read, which may be the end.
            let len = stream.unread.len().min(buf.remaining());
            let start = stream.unread.start;
            buf.put_slice(&stream.bytes[start..start + len]);
            stream.unread.start += len;
            self.state = State::Idle(stream);
            return Poll::Ready(Ok(()));
        }
        self.state = State::Busy(spawn_blocking(move || (stream.read(room), stream)));
        self.poll_read(cx, buf)
    }
}

impl<T: Read> Stream<T> {
    fn read(&mut self, room: usize) -> io::Result<()> {
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
        self.unread = 0..0;
        loop {
            match self.std.read(&mut self.bytes[..room]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    self.unread = 0..result?;
                    return Ok(());
                }
            }
        }
    }
}

impl<T: Write + Send + 'static> Stdio<T> {
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_idle(cx))?;
        let mut stream = self.take()?;
        let len = buf.len().min(CALL_BYTES_MAX);
        stream.bytes.clear();
        stream.bytes.extend_from_slice(&buf[..len]);
        self.start(stream, |stream| stream.std.write_all(&stream.bytes))?;
        self.unflushed = true;
        Poll::Ready(Ok(len))
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_idle(cx))?;
            if !self.unflushed {
                return Poll::Ready(Ok(()));
            }
            let stream = self.take()?;
            self.start(stream, |stream| stream.std.flush())?;
            self.unflushed = false;
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Stdio<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Idle(_) => "idle",
            State::Busy(_) => "busy",
            State::Gone => "gone",
        };
        f.debug_struct("Stdio")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

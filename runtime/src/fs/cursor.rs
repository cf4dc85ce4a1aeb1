//! What stands between tokio's traits and a file's cursor: one buffer, one operation at a time.
//!
//! ```text
//!                 poll_read                      poll_write: copied, answers Ready
//!   Idle --------------------> Reading    Idle ------------------------------------> Writing
//!     ^                           |         ^                                           |
//!     +---- result in `buf` ------+         +----- error at the next write or flush ----+
//!
//!                 start_seek
//!   Idle --------------------> Sought --poll_complete--> Idle
//! ```
//!
//! - The operation belongs to the file, not to the future that polls it: a dropped read leaves its
//!   bytes here for the next one.
//! - `buf` holds bytes only while Idle or Sought, and only bytes that were read and not yet taken.
//!   The kernel's cursor is ahead of the reader by as many; whatever moves or uses the cursor
//!   otherwise calls `give_back_unread` first.
//! - A write in flight outlives the file (see `op::write_all`).

#![forbid(unsafe_code)]

use std::cmp;
use std::fs::File;
use std::io::{self, SeekFrom};
use std::mem;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use annulus_ring::CURRENT_POSITION;
use real::io::ReadBuf;

use crate::op::Submit;
use crate::op::read::Read;
use crate::op::write_all::WriteAll;
use crate::reactor::Home;

pub(super) struct Cursor {
    state: State,
    buf: Unread,
    /// Of a write that nobody was told about yet.
    write_error: Option<io::Error>,
    /// Where the last seek ended.
    position: u64,
}

enum State {
    Idle,
    Reading(Submit<Read<Vec<u8>>>),
    Writing(Submit<WriteAll>),
    Sought(io::Result<u64>),
}

/// What became of the operation that was in flight.
enum Landed {
    Nothing,
    Read(io::Result<()>),
    Write(io::Result<()>),
    Seek(io::Result<u64>),
}

impl Cursor {
    pub(super) fn new() -> Cursor {
        Cursor {
            state: State::Idle,
            buf: Unread::default(),
            write_error: None,
            position: 0,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        file: &Arc<File>,
        len_max: usize,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match ready!(self.poll_landed(cx)) {
                Landed::Read(result) => {
                    self.buf.copy_to(dst);
                    return Poll::Ready(result);
                }
                Landed::Write(Err(error)) => self.write_error = Some(error),
                Landed::Write(Ok(())) | Landed::Seek(_) | Landed::Nothing => {}
            }
            if !self.buf.is_empty() || dst.remaining() == 0 {
                self.buf.copy_to(dst);
                return Poll::Ready(Ok(()));
            }
            let len = cmp::min(dst.remaining(), len_max);
            let buf = self.buf.take_empty(len);
            let read = Read::new(Arc::clone(file), buf, len, CURRENT_POSITION);
            self.state = State::Reading(Submit::new(&Home::current(), read));
        }
    }

    /// Answers Ready when `copy` has put bytes into an empty buffer and their write has begun.
    pub(super) fn poll_write(
        &mut self,
        file: &Arc<File>,
        cx: &mut Context<'_>,
        copy: impl FnOnce(&mut Vec<u8>),
    ) -> Poll<io::Result<usize>> {
        if let Some(error) = self.write_error.take() {
            return Poll::Ready(Err(error));
        }
        if let Landed::Write(result) = ready!(self.poll_landed(cx)) {
            result?;
        }
        let home = Home::current();
        if home.is_shutdown() {
            return Poll::Ready(Err(Home::shutdown_error()));
        }
        self.give_back_unread(file)?;
        let mut buf = self.buf.take_empty(0);
        copy(&mut buf);
        let len = buf.len();
        if len == 0 {
            self.buf = Unread {
                bytes: buf,
                taken: 0,
            };
        } else {
            self.state = State::Writing(Submit::start(&home, WriteAll::new(Arc::clone(file), buf)));
        }
        Poll::Ready(Ok(len))
    }

    /// Ready when no write is in flight, with the error of the last one if nobody had it yet.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.write_error.take() {
            return Poll::Ready(Err(error));
        }
        if !matches!(self.state, State::Writing(_)) {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.poll_landed(cx)) {
            Landed::Write(result) => Poll::Ready(result),
            Landed::Read(_) | Landed::Seek(_) | Landed::Nothing => Poll::Ready(Ok(())),
        }
    }

    /// Ready when nothing is in flight; the error of a write is kept for the next write or flush.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Landed::Write(Err(error)) = ready!(self.poll_landed(cx)) {
            self.write_error = Some(error);
        }
        Poll::Ready(())
    }

    pub(super) fn start_seek(&mut self, file: &Arc<File>, to: SeekFrom) -> io::Result<()> {
        if !matches!(self.state, State::Idle) {
            return Err(io::Error::other(
                "other file operation is pending, call poll_complete before start_seek",
            ));
        }
        let sought = self.give_back_unread(file).and_then(|()| seek(file, to));
        self.state = State::Sought(sought);
        Ok(())
    }

    pub(super) fn poll_sought(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match ready!(self.poll_landed(cx)) {
            Landed::Seek(Ok(position)) => self.position = position,
            Landed::Seek(Err(error)) => return Poll::Ready(Err(error)),
            Landed::Write(Err(error)) => self.write_error = Some(error),
            Landed::Write(Ok(())) | Landed::Read(_) | Landed::Nothing => {}
        }
        Poll::Ready(Ok(self.position))
    }

    /// Puts the kernel's cursor back to where the reader is.
    pub(super) fn give_back_unread(&mut self, file: &Arc<File>) -> io::Result<()> {
        let unread = self.buf.len();
        if unread == 0 {
            return Ok(());
        }
        // A buffer holds at most isize::MAX bytes.
        seek(file, SeekFrom::Current(-(unread as i64)))?;
        self.buf.clear();
        Ok(())
    }

    fn poll_landed(&mut self, cx: &mut Context<'_>) -> Poll<Landed> {
        let (landed, bytes) = match &mut self.state {
            State::Idle => return Poll::Ready(Landed::Nothing),
            State::Sought(_) => match mem::replace(&mut self.state, State::Idle) {
                State::Sought(result) => return Poll::Ready(Landed::Seek(result)),
                _ => unreachable!("just matched"),
            },
            State::Reading(read) => {
                let (result, bytes) = ready!(Pin::new(read).poll(cx));
                (Landed::Read(result.map(drop)), bytes)
            }
            State::Writing(write) => {
                let (result, mut bytes) = ready!(Pin::new(write).poll(cx));
                bytes.clear();
                (Landed::Write(result), bytes)
            }
        };
        self.state = State::Idle;
        self.buf = Unread { bytes, taken: 0 };
        Poll::Ready(landed)
    }
}

/// Moves the cursor now: lseek(2) on a file computes, it does not wait for a device.
fn seek(file: &File, to: SeekFrom) -> io::Result<u64> {
    Ok(Home::current().kernel().lseek(file.as_fd(), to)?)
}

/// Bytes that were read from the file and not yet by the file's reader.
#[derive(Default)]
struct Unread {
    bytes: Vec<u8>,
    taken: usize,
}

impl Unread {
    fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.taken = 0;
    }

    /// The memory itself, empty, with room for `len` bytes.
    fn take_empty(&mut self, len: usize) -> Vec<u8> {
        debug_assert!(
            self.is_empty(),
            "bytes that nobody has read yet would be lost"
        );
        self.clear();
        let mut bytes = mem::take(&mut self.bytes);
        bytes.reserve_exact(len);
        bytes
    }

    fn copy_to(&mut self, dst: &mut ReadBuf<'_>) {
        let len = cmp::min(self.len(), dst.remaining());
        dst.put_slice(&self.bytes[self.taken..][..len]);
        self.taken += len;
        if self.is_empty() {
            self.clear();
        }
    }
}

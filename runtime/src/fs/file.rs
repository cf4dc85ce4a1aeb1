//! A file, with tokio's API.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::{File as StdFile, Metadata, Permissions};
use std::future::poll_fn;
use std::io::{self, IoSlice, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use real::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use real::sync::Mutex;

use super::cursor::Cursor;
use super::{FileTimes, OpenOptions, blocking, on_ring};
use crate::op::fsync::Fsync;
use crate::task::coop;

/// The most bytes that one read or write of a [`File`] moves unless
/// [`File::set_max_buf_size`] says otherwise: 2 MiB, as in tokio.
const BUF_SIZE_MAX_DEFAULT: usize = 2 * 1024 * 1024;

/// An open file.
///
/// Reads and writes through [`AsyncRead`] and [`AsyncWrite`] are operations on the ring over a
/// buffer of the file's own, which is reused: in the steady state they allocate nothing. They
/// follow the file's cursor, as read(2) and write(2) do. [`read_at`](File::read_at) and
/// [`write_at`](File::write_at) take a position and an owned buffer instead: no copy, and any
/// number at a time.
///
/// # Writes
///
/// As in tokio, a write is ready once its bytes are copied into the file's buffer. One write is in
/// flight at a time; its error is reported by the next write, flush or shutdown. It reaches the
/// file whatever happens to the `File`: neither dropping the `File` nor dropping the runtime
/// cancels it. To learn that it has, call
/// [`flush`](https://docs.rs/tokio/1/tokio/io/trait.AsyncWriteExt.html#method.flush); to have it
/// on the device, [`sync_all`](File::sync_all).
///
/// # Cancel safety
///
/// A read that is dropped goes on, and its bytes are the next read's. What is read belongs to the
/// `File`; what was answered ready is written.
///
/// # Panics
///
/// Operations panic outside a runtime's context.
///
/// # Examples
///
/// ```no_run
/// use annulus::fs::File;
/// use annulus::io::AsyncWriteExt;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut file = File::create("greeting").await?;
/// file.write_all(b"hello").await?;
/// file.flush().await?;
/// # Ok(())
/// # }
/// ```
pub struct File {
    pub(super) std: Arc<StdFile>,
    cursor: Mutex<Cursor>,
    buf_size_max: usize,
}

impl File {
    /// Opens a file to read it.
    ///
    /// # Errors
    ///
    /// As openat(2): NotFound, PermissionDenied, `EMFILE`, and so on.
    ///
    /// # Cancel safety
    ///
    /// A descriptor that arrives after the future was dropped is closed.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        File::options().read(true).open(path).await
    }

    /// Opens a file to write it, made if it was not there, emptied if it was.
    ///
    /// # Errors
    ///
    /// As openat(2).
    ///
    /// # Cancel safety
    ///
    /// A descriptor that arrives after the future was dropped is closed; the file may have been
    /// made or emptied all the same.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .await
    }

    /// Makes a file that was not there, to read and to write it.
    ///
    /// # Errors
    ///
    /// AlreadyExists, and as openat(2).
    ///
    /// # Cancel safety
    ///
    /// As [`create`](File::create).
    pub async fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .await
    }

    /// The same as [`OpenOptions::new`].
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes over a file of the standard library.
    pub fn from_std(std: StdFile) -> File {
        File {
            std: Arc::new(std),
            cursor: Mutex::new(Cursor::new()),
            buf_size_max: BUF_SIZE_MAX_DEFAULT,
        }
    }

    /// Brings everything about the file to its device, as fsync(2), after the write in flight.
    ///
    /// # Errors
    ///
    /// As fsync(2): `EIO`, `ENOSPC`, `EDQUOT`. The error of the write in flight is kept for the
    /// next write or flush.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not have happened.
    pub async fn sync_all(&self) -> io::Result<()> {
        let mut cursor = self.cursor.lock().await;
        poll_fn(|cx| cursor.poll_settled(cx)).await;
        on_ring(Fsync::all(Arc::clone(&self.std))).await
    }

    /// Brings the file's contents, and what is needed to find them, to its device, as
    /// fdatasync(2), after the write in flight.
    ///
    /// # Errors
    ///
    /// As [`sync_all`](File::sync_all).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not have happened.
    pub async fn sync_data(&self) -> io::Result<()> {
        let mut cursor = self.cursor.lock().await;
        poll_fn(|cx| cursor.poll_settled(cx)).await;
        on_ring(Fsync::data(Arc::clone(&self.std))).await
    }

    /// Cuts the file to `size` bytes, or extends it with zeroes, after the write in flight.
    ///
    /// Bytes that were read ahead are given back first. Runs on the blocking pool.
    ///
    /// # Errors
    ///
    /// As ftruncate(2): InvalidInput if the file is not open for writing, `EFBIG`.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not happen.
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        let mut cursor = self.cursor.lock().await;
        poll_fn(|cx| cursor.poll_settled(cx)).await;
        cursor.give_back_unread(&self.std)?;
        let std = Arc::clone(&self.std);
        blocking(move || std.set_len(size)).await
    }

    /// What the system knows about the file.
    ///
    /// Asked inline: the inode of an open file is in memory.
    ///
    /// # Errors
    ///
    /// As fstat(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: it never waits.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        self.std.metadata()
    }

    /// Another handle to the same open file, with the same cursor, after the write in flight.
    ///
    /// Two handles that read or write through the cursor at the same time may find it in the
    /// same place: on the ring, unlike with read(2) and write(2), the kernel does not lock it.
    /// Use [`read_at`](File::read_at) and [`write_at`](File::write_at), or open for appending.
    ///
    /// # Errors
    ///
    /// As dup(2): `EMFILE`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn try_clone(&self) -> io::Result<File> {
        self.settle().await;
        let mut clone = File::from_std(self.std.try_clone()?);
        clone.buf_size_max = self.buf_size_max;
        Ok(clone)
    }

    /// The file as the standard library's, when nothing is in flight any more.
    ///
    /// The cursor is put back by what was read ahead and not taken, where the file has one.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the file is closed.
    pub async fn into_std(self) -> StdFile {
        let File {
            mut std, cursor, ..
        } = self;
        let mut cursor = cursor.into_inner();
        poll_fn(|cx| cursor.poll_settled(cx)).await;
        // A pipe or a terminal has no cursor: what was read from it ahead ends here, as in tokio.
        let _ = cursor.give_back_unread(&std);
        loop {
            match Arc::try_unwrap(std) {
                Ok(file) => return file,
                Err(shared) => std = shared,
            }
            // An operation whose future was dropped still has the descriptor, until its CQE.
            if let Ok(duplicate) = std.try_clone() {
                return duplicate;
            }
            real::task::yield_now().await;
        }
    }

    /// The file as the standard library's, at once. Its cursor is behind what was read ahead and
    /// not taken, if there is any.
    ///
    /// # Errors
    ///
    /// The file itself while an operation on it is in flight.
    #[allow(clippy::result_large_err)]
    pub fn try_into_std(self) -> Result<StdFile, File> {
        let File {
            std,
            cursor,
            buf_size_max,
        } = self;
        Arc::try_unwrap(std).map_err(|std| File {
            std,
            cursor,
            buf_size_max,
        })
    }

    /// Changes who may do what with the file. Runs on the blocking pool.
    ///
    /// # Errors
    ///
    /// As fchmod(2).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not happen.
    pub async fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        let std = Arc::clone(&self.std);
        blocking(move || std.set_permissions(permissions)).await
    }

    /// Sets the file's times, after the write in flight, which would change them. Runs on the
    /// blocking pool.
    ///
    /// # Errors
    ///
    /// As futimens(2).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not happen.
    pub async fn set_times(&self, times: FileTimes) -> io::Result<()> {
        self.settle().await;
        let std = Arc::clone(&self.std);
        blocking(move || std.set_times(times.into_std())).await
    }

    /// Sets the time of the last change; see [`set_times`](File::set_times).
    ///
    /// # Errors
    ///
    /// As futimens(2).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not happen.
    pub async fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time)).await
    }

    /// Limits how many bytes one read or write through the cursor moves; 2 MiB unless set.
    ///
    /// # Panics
    ///
    /// If `size_bytes` is zero.
    #[track_caller]
    pub fn set_max_buf_size(&mut self, size_bytes: usize) {
        assert!(size_bytes > 0, "`max_buf_size` must be greater than 0");
        self.buf_size_max = size_bytes;
    }

    /// The limit of [`set_max_buf_size`](File::set_max_buf_size), in bytes.
    pub fn max_buf_size(&self) -> usize {
        self.buf_size_max
    }

    async fn settle(&self) {
        let mut cursor = self.cursor.lock().await;
        poll_fn(|cx| cursor.poll_settled(cx)).await;
    }
}

impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let file = self.get_mut();
        let budget = ready!(coop::poll_proceed(cx));
        file.cursor
            .get_mut()
            .poll_read(&file.std, file.buf_size_max, cx, dst)
            .map(|result| {
                budget.made_progress();
                result
            })
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        src: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(src)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        srcs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let file = self.get_mut();
        let budget = ready!(coop::poll_proceed(cx));
        let len_max = file.buf_size_max;
        let copy = |buf: &mut Vec<u8>| copy_from(buf, srcs, len_max);
        file.cursor
            .get_mut()
            .poll_write(&file.std, cx, copy)
            .map(|result| {
                budget.made_progress();
                result
            })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().cursor.get_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Appends the slices one after another until `buf` is `len_max` bytes long.
fn copy_from(buf: &mut Vec<u8>, srcs: &[IoSlice<'_>], len_max: usize) {
    for src in srcs {
        let room = len_max - buf.len();
        buf.extend_from_slice(&src[..src.len().min(room)]);
    }
}

impl AsyncSeek for File {
    fn start_seek(self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let file = self.get_mut();
        file.cursor.get_mut().start_seek(&file.std, to)
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.get_mut().cursor.get_mut().poll_sought(cx)
    }
}

impl From<StdFile> for File {
    fn from(std: StdFile) -> File {
        File::from_std(std)
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> File {
        File::from_std(StdFile::from(fd))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // tokio's name, because programs match on the text.
        f.debug_struct("tokio::fs::File")
            .field("std", &self.std)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vectored_copy_stops_at_the_limit() {
        let srcs = [
            IoSlice::new(b"abc"),
            IoSlice::new(b""),
            IoSlice::new(b"defg"),
        ];
        for (len_max, expected) in [(1, "a"), (3, "abc"), (5, "abcde"), (9, "abcdefg")] {
            let mut buf = Vec::new();
            copy_from(&mut buf, &srcs, len_max);
            assert_eq!(buf, expected.as_bytes());
        }
    }
}

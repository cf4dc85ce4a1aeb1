//! The entries of a directory.
//!
//! The ring has no getdents64(2): entries come from the blocking pool, a chunk at a time.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{DirEntry as StdDirEntry, FileType, Metadata, ReadDir as StdReadDir};
use std::future::poll_fn;
use std::io;
use std::os::unix::fs::DirEntryExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::blocking;
use crate::task::{JoinHandle, spawn_blocking};

/// How many entries one visit to the blocking pool brings.
const CHUNK_ENTRIES: usize = 32;

/// The entries of a directory, without `.` and `..`, in no order. Runs on the blocking pool.
///
/// # Errors
///
/// As opendir(3): NotFound, NotADirectory, PermissionDenied.
///
/// # Cancel safety
///
/// Nothing is lost.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let mut entries = annulus::fs::read_dir(".").await?;
/// while let Some(entry) = entries.next_entry().await? {
///     println!("{}", entry.path().display());
/// }
/// # Ok(())
/// # }
/// ```
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    blocking(move || {
        let mut chunk = Chunk {
            entries: VecDeque::new(),
            rest: std::fs::read_dir(path)?,
            ended: false,
        };
        chunk.fill();
        Ok(ReadDir {
            state: State::Here(chunk),
        })
    })
    .await
}

/// The entries of a directory; made by [`read_dir`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct ReadDir {
    state: State,
}

#[derive(Debug)]
enum State {
    Here(Chunk),
    Away(JoinHandle<Chunk>),
    /// The blocking pool is gone, and the directory with it.
    Lost,
}

#[derive(Debug)]
struct Chunk {
    entries: VecDeque<io::Result<DirEntry>>,
    rest: StdReadDir,
    ended: bool,
}

impl ReadDir {
    /// The next entry; `None` after the last.
    ///
    /// # Errors
    ///
    /// As readdir(3). Entries may follow an error.
    ///
    /// # Cancel safety
    ///
    /// No entry is lost.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// Polls for the next entry; only the last waker is woken.
    ///
    /// # Errors
    ///
    /// As [`next_entry`](ReadDir::next_entry).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Lost) {
                State::Here(mut chunk) => {
                    let next = chunk.entries.pop_front();
                    if next.is_some() || chunk.ended {
                        self.state = State::Here(chunk);
                        return Poll::Ready(next.transpose());
                    }
                    self.state = State::Away(spawn_blocking(move || {
                        chunk.fill();
                        chunk
                    }));
                }
                State::Away(mut filling) => match Pin::new(&mut filling).poll(cx) {
                    Poll::Pending => {
                        self.state = State::Away(filling);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(chunk)) => self.state = State::Here(chunk),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                },
                State::Lost => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl Chunk {
    fn fill(&mut self) {
        while self.entries.len() < CHUNK_ENTRIES {
            let Some(next) = self.rest.next() else {
                self.ended = true;
                return;
            };
            let failed = next.is_err();
            self.entries.push_back(next.map(DirEntry::new));
            if failed {
                return;
            }
        }
    }
}

/// An entry of a directory.
#[derive(Debug)]
pub struct DirEntry {
    /// Most file systems say it along with the name.
    file_type: Option<FileType>,
    std: Arc<StdDirEntry>,
}

impl DirEntry {
    fn new(std: StdDirEntry) -> DirEntry {
        DirEntry {
            file_type: std.file_type().ok(),
            std: Arc::new(std),
        }
    }

    /// The directory's path, as it was given to [`read_dir`], with the name of this entry.
    pub fn path(&self) -> PathBuf {
        self.std.path()
    }

    /// The name without the directory.
    pub fn file_name(&self) -> OsString {
        self.std.file_name()
    }

    /// What the system knows about the entry itself, be it a symbolic link. Runs on the blocking
    /// pool.
    ///
    /// # Errors
    ///
    /// As lstat(2).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        blocking(move || std.metadata()).await
    }

    /// What the entry itself is, be it a symbolic link.
    ///
    /// # Errors
    ///
    /// As lstat(2), where the file system did not say it with the name.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let std = Arc::clone(&self.std);
        blocking(move || std.file_type()).await
    }

    /// The inode number.
    pub fn ino(&self) -> u64 {
        self.std.ino()
    }
}

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

use annulus_ring::kernel::LastName;

use super::blocking;
use crate::reactor::Home;
use crate::task::{JoinHandle, spawn_blocking};

/// How many entries one visit to the blocking pool brings.
const CHUNK_ENTRIES: usize = 32;

/// The entries of a directory, without `.` and `..`, in no order (in a
/// [simulation](crate::sim) by name). Runs on the blocking pool.
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
    let (kernel, path) = (Home::current().kernel().clone(), path.as_ref().to_owned());
    blocking(move || {
        let there = kernel.std_path(&path, LastName::Followed)?;
        let mut chunk = Chunk {
            entries: VecDeque::new(),
            rest: std::fs::read_dir(&there)?,
            ended: false,
            dir: path.into(),
        };
        if kernel.sorts_entries() {
            chunk.fill(usize::MAX);
            let entries = chunk.entries.make_contiguous();
            entries.sort_by_key(|entry| entry.as_ref().ok().map(DirEntry::file_name));
        } else {
            chunk.fill(CHUNK_ENTRIES);
        }
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
    /// The path that was given.
    dir: Arc<Path>,
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
                        chunk.fill(CHUNK_ENTRIES);
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
    fn fill(&mut self, entries_max: usize) {
        while self.entries.len() < entries_max {
            let Some(next) = self.rest.next() else {
                self.ended = true;
                return;
            };
            let failed = next.is_err();
            let dir = &self.dir;
            self.entries
                .push_back(next.map(|entry| DirEntry::new(dir.clone(), entry)));
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
    dir: Arc<Path>,
    std: Arc<StdDirEntry>,
}

impl DirEntry {
    fn new(dir: Arc<Path>, std: StdDirEntry) -> DirEntry {
        DirEntry {
            file_type: std.file_type().ok(),
            dir,
            std: Arc::new(std),
        }
    }

    /// The directory's path, as it was given to [`read_dir`], with the name of this entry.
    pub fn path(&self) -> PathBuf {
        self.dir.join(self.file_name())
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

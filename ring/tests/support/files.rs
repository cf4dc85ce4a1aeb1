//! Files and directories that are gone when the test is over.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A name that nothing else has.
fn fresh_path() -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("annulus-ring-{}-{number}", std::process::id());
    std::env::temp_dir().join(name)
}

/// A path as the kernel takes it.
pub(crate) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL")
}

/// `len` bytes that repeat only after 251 of them, so that a shift by a page is seen.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

/// A directory, removed with all it has when dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> TempDir {
        let path = fresh_path();
        std::fs::create_dir(&path).expect("a directory");
        TempDir(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The path of `name` in it, as the kernel takes it.
    pub(crate) fn c_path(&self, name: &str) -> CString {
        c_path(&self.0.join(name))
    }

    /// The directory itself, open.
    pub(crate) fn open(&self) -> File {
        File::open(&self.0).expect("the directory is there")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Nothing can be done about a directory that stays.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file open for reading and writing, removed when dropped.
pub(crate) struct TempFile {
    file: File,
    path: PathBuf,
}

impl TempFile {
    /// An empty file.
    pub(crate) fn new() -> TempFile {
        let path = fresh_path();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .expect("a file");
        TempFile { file, path }
    }

    /// A file that holds `content`.
    pub(crate) fn with(content: &[u8]) -> TempFile {
        let temp = TempFile::new();
        std::fs::write(&temp.path, content).expect("written");
        temp
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn c_path(&self) -> CString {
        c_path(&self.path)
    }

    /// All that it holds.
    pub(crate) fn content(&self) -> Vec<u8> {
        std::fs::read(&self.path).expect("read")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A test may have removed or renamed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

//! Files and directories, with tokio's API.
//!
//! Opening, reading, writing, syncing, renaming, linking and removing are operations on the ring.
//! What the ring has no operation for (listing a directory, resolving a path, copying, changing
//! permissions, times and lengths) runs on the blocking pool.
//!
//! # Paths
//!
//! Relative paths start at the process's working directory when the operation runs. A path with a
//! NUL byte in it is an error of kind InvalidInput.
//!
//! In a [simulation](crate::sim) every path leads into the host's own root, which is empty but for
//! `/tmp`, and is its working directory too.
//!
//! # Cancel safety
//!
//! A dropped operation on a name (rename, remove, make) may or may not have happened, and is not
//! taken back. Descriptors that arrive late are closed. See [`File`] for reads and writes.

#![forbid(unsafe_code)]

mod contents;
mod cursor;
mod dir_builder;
mod dirs;
mod file;
mod file_times;
mod metadata;
mod names;
mod open_options;
mod positional;
mod read_dir;

pub use self::contents::{read, read_to_string, write};
pub use self::dir_builder::DirBuilder;
pub use self::dirs::{create_dir, create_dir_all, remove_dir, remove_dir_all};
pub use self::file::File;
pub use self::file_times::FileTimes;
pub use self::metadata::{metadata, set_permissions, symlink_metadata, try_exists};
pub use self::names::{canonicalize, copy, hard_link, read_link, remove_file, rename, symlink};
pub use self::open_options::OpenOptions;
pub use self::read_dir::{DirEntry, ReadDir, read_dir};

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use annulus_ring::kernel::LastName;

use crate::op::{Op, Submit};
use crate::reactor::Home;
use crate::task::spawn_blocking;

/// What work on files yields when the runtime has ended: tokio's words.
const POOL_ENDED: &str = "background task failed";

/// Runs an operation on the core at hand.
#[track_caller]
fn on_ring<T: Op>(op: T) -> Submit<T> {
    Submit::new(&Home::current(), op)
}

/// Runs on the blocking pool what the ring cannot do.
async fn blocking<T, F>(work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::other(POOL_ENDED)),
    }
}

/// The same for work on a path, which it is given as the standard library finds it.
async fn blocking_at<T, F>(path: &Path, last: LastName, work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce(&Path) -> io::Result<T> + Send + 'static,
{
    let (kernel, path) = (Home::current().kernel().clone(), path.to_owned());
    blocking(move || work(kernel.std_path(&path, last)?.as_ref())).await
}

/// A path for an operation of the runtime in context.
///
/// # Errors
///
/// Of a runtime that has ended, tokio's error of what its blocking pool refuses; `InvalidInput` for
/// a path with a NUL.
#[track_caller]
fn ring_path(path: &Path) -> io::Result<CString> {
    if Home::current().is_shutdown() {
        return Err(io::Error::other(POOL_ENDED));
    }
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "file name contained an unexpected NUL byte",
        )
    })
}

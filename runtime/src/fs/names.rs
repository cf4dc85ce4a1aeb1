//! What is done with names: renaming, linking, removing, resolving; and copying.

#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

use annulus_ring::kernel::LastName;

use super::{blocking, blocking_at, on_ring, ring_path};
use crate::op::link_at::LinkAt;
use crate::op::rename_at::RenameAt;
use crate::op::symlink_at::SymlinkAt;
use crate::op::unlink_at::UnlinkAt;
use crate::reactor::Home;

/// Gives a file or directory another name on the same file system, in place of what had it.
///
/// # Errors
///
/// As rename(2): NotFound, CrossesDevices, `ENOTEMPTY`.
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    on_ring(RenameAt::new(
        ring_path(from.as_ref())?,
        ring_path(to.as_ref())?,
    ))
    .await
}

/// Removes a file's name; the file goes with its last name and last descriptor.
///
/// # Errors
///
/// As unlink(2): NotFound, IsADirectory, PermissionDenied.
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    on_ring(UnlinkAt::file(ring_path(path.as_ref())?)).await
}

/// Gives a file a second name, `link`, on the same file system.
///
/// # Errors
///
/// As link(2): AlreadyExists, CrossesDevices.
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    on_ring(LinkAt::new(
        ring_path(original.as_ref())?,
        ring_path(link.as_ref())?,
    ))
    .await
}

/// Makes `link` a symbolic link to `original`, which need not be there.
///
/// # Errors
///
/// As symlink(2): AlreadyExists.
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    on_ring(SymlinkAt::new(
        ring_path(original.as_ref())?,
        ring_path(link.as_ref())?,
    ))
    .await
}

/// The path that a symbolic link stands for. Runs on the blocking pool.
///
/// # Errors
///
/// As readlink(2): InvalidInput for what is no link.
///
/// # Cancel safety
///
/// Nothing is lost.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    blocking_at(path.as_ref(), LastName::Itself, |path| {
        std::fs::read_link(path)
    })
    .await
}

/// The absolute path without symbolic links, `.` and `..`. Runs on the blocking pool.
///
/// # Errors
///
/// As realpath(3): NotFound, NotADirectory.
///
/// # Cancel safety
///
/// Nothing is lost.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let (kernel, path) = (Home::current().kernel().clone(), path.as_ref().to_owned());
    blocking(move || kernel.canonicalize(&path)).await
}

/// Copies a file's contents and permissions, and gives the number of bytes; `to` is overwritten.
///
/// Runs on the blocking pool, where the file system may copy without reading.
///
/// # Errors
///
/// As openat(2) and copy_file_range(2); `to` may then hold a part.
///
/// # Cancel safety
///
/// Dropped, a copy that has begun goes on to its end.
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    let kernel = Home::current().kernel().clone();
    blocking(move || {
        let from = kernel.std_path(&from, LastName::Followed)?;
        // What is wrong with the source is said first, as std does.
        match kernel.std_path(&to, LastName::Made) {
            Err(error) if std::fs::metadata(&from)?.is_file() => Err(error),
            Err(_) => std::fs::copy(&from, &from),
            Ok(to) => std::fs::copy(from, to),
        }
    })
    .await
}

//! Directories made and removed.

#![forbid(unsafe_code)]

use std::io;
use std::path::Path;

use annulus_ring::kernel::LastName;

use super::{blocking_at, metadata, on_ring, ring_path};
use crate::op::mkdir_at::MkdirAt;
use crate::op::unlink_at::UnlinkAt;

/// The permission bits of a new directory, less the umask, unless a builder says otherwise.
pub(super) const MODE_DEFAULT: u32 = 0o777;

/// Makes a directory; its parent must be there.
///
/// # Errors
///
/// As mkdir(2): AlreadyExists, NotFound for the parent.
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    make(path.as_ref(), MODE_DEFAULT).await
}

/// Makes a directory and those above it that are missing; one that is there already is no error.
///
/// # Errors
///
/// As mkdir(2); AlreadyExists if the path names something that is no directory.
///
/// # Cancel safety
///
/// Dropped, any number of the directories may have been made.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    make_all(path.as_ref(), MODE_DEFAULT).await
}

/// Removes a directory, which must be empty.
///
/// # Errors
///
/// As rmdir(2): NotFound, NotADirectory, DirectoryNotEmpty.
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    on_ring(UnlinkAt::dir(ring_path(path.as_ref())?)).await
}

/// Removes a directory with everything in it; symbolic links are removed, not followed. Runs on
/// the blocking pool.
///
/// # Errors
///
/// As unlinkat(2); a part may then be gone.
///
/// # Cancel safety
///
/// Dropped, a removal that has begun goes on to its end.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    blocking_at(path.as_ref(), LastName::Itself, |path| {
        std::fs::remove_dir_all(path)
    })
    .await
}

pub(super) async fn make(path: &Path, mode: u32) -> io::Result<()> {
    on_ring(MkdirAt::new(ring_path(path)?, mode)).await
}

/// Climbs until a directory is there or can be made, then makes those below it.
pub(super) async fn make_all(path: &Path, mode: u32) -> io::Result<()> {
    let mut missing = Vec::new();
    // The last ancestor of a relative path is empty: the working directory, which is there.
    for dir in path
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty())
    {
        match make_one(dir, mode).await {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(dir),
            Err(error) => return Err(error),
        }
    }
    for dir in missing.into_iter().rev() {
        make_one(dir, mode).await?;
    }
    Ok(())
}

/// Makes a directory, or finds one there, perhaps made by somebody else a moment ago.
async fn make_one(dir: &Path, mode: u32) -> io::Result<()> {
    match make(dir, mode).await {
        // Other errors too: a mount point may refuse with EROFS what is there all the same.
        Err(error) if error.kind() != io::ErrorKind::NotFound => match metadata(dir).await {
            Ok(found) if found.is_dir() => Ok(()),
            _ => Err(error),
        },
        result => result,
    }
}

//! What the system knows about a path.
//!
//! `std::fs::Metadata` cannot be made from the answer of a STATX on the ring. So the path is
//! opened with O_PATH on the ring, which needs no permission on the file itself and opens no
//! device, and the open file is asked inline, its inode being in memory by then. This is the
//! cheaper way too: the ring gives every STATX to a kernel worker thread, but looks a cached path
//! up at once.

#![forbid(unsafe_code)]

use std::fs::{File, Metadata, Permissions};
use std::io;
use std::path::Path;

use annulus_ring::kernel::LastName;

use super::{blocking_at, on_ring, ring_path};
use crate::op::open_at::OpenAt;

/// What the system knows about the file that a path leads to, following symbolic links.
///
/// # Errors
///
/// As stat(2): NotFound, PermissionDenied for a directory on the way.
///
/// # Cancel safety
///
/// Nothing is lost.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    match look_up(path, 0).await {
        Err(error) if is_out_of_descriptors(&error) => {
            blocking_at(path, LastName::Followed, |path| std::fs::metadata(path)).await
        }
        result => result,
    }
}

/// What the system knows about what a path names, be it a symbolic link.
///
/// # Errors
///
/// As lstat(2): NotFound, PermissionDenied for a directory on the way.
///
/// # Cancel safety
///
/// Nothing is lost.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    match look_up(path, os::O_NOFOLLOW).await {
        Err(error) if is_out_of_descriptors(&error) => {
            blocking_at(path, LastName::Itself, |path| {
                std::fs::symlink_metadata(path)
            })
            .await
        }
        result => result,
    }
}

/// Whether a path leads to something; a broken symbolic link does not.
///
/// # Errors
///
/// As stat(2), NotFound excepted: whatever keeps the answer from being known.
///
/// # Cancel safety
///
/// Nothing is lost.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    match metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Changes who may do what with the file that a path leads to. Runs on the blocking pool.
///
/// # Errors
///
/// As chmod(2).
///
/// # Cancel safety
///
/// Dropped, it may or may not happen.
pub async fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> io::Result<()> {
    let set = move |path: &Path| std::fs::set_permissions(path, permissions);
    blocking_at(path.as_ref(), LastName::Followed, set).await
}

async fn look_up(path: &Path, flags: i32) -> io::Result<Metadata> {
    let fd = on_ring(OpenAt::new(ring_path(path)?, os::O_PATH | flags, 0)).await?;
    File::from(fd).metadata()
}

/// stat(2) needs no descriptor, so a full table must not be its error.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(os::EMFILE | os::ENFILE))
}

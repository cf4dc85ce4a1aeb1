//! Paths for calls that no ring has, and that std makes.
//!
//! A simulated host has a root of its own: std is given a path that leads into it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::Kernel;

/// What the last name of a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastName {
    /// What it leads to, which is there: symbolic links are followed.
    Followed,
    /// Itself, be it a symbolic link, there or not.
    Itself,
    /// What it leads to, or what will be made there.
    Made,
}

/// A path for the standard library, valid while this lives.
#[derive(Debug)]
pub struct StdPath {
    path: PathBuf,
    /// What the path goes through.
    _directory: Option<OwnedFd>,
}

impl StdPath {
    pub(super) fn through(directory: OwnedFd, path: PathBuf) -> StdPath {
        StdPath {
            path,
            _directory: Some(directory),
        }
    }
}

impl AsRef<Path> for StdPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Kernel {
    /// Where the standard library finds what this kernel calls `path`: the same path, but on a
    /// simulated host one into the host's root.
    ///
    /// # Errors
    /// On a simulated host, those of the look-up: ENOENT, ENOTDIR, EACCES, ELOOP.
    pub fn std_path(&self, path: &Path, last: LastName) -> io::Result<StdPath> {
        match self {
            Kernel::Simulated(simulated) => Ok(simulated.std_path(path, last)?),
            Kernel::Uring(_) | Kernel::Emulated(_) => Ok(StdPath {
                path: path.to_path_buf(),
                _directory: None,
            }),
        }
    }

    /// `realpath`(3): the absolute path without symbolic links, `.` and `..`.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, EACCES, ELOOP.
    pub fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        match self {
            Kernel::Simulated(simulated) => Ok(simulated.canonicalize(path)?),
            Kernel::Uring(_) | Kernel::Emulated(_) => std::fs::canonicalize(path),
        }
    }

    /// Whether a directory's entries are told sorted by name: on a simulated host, for the file
    /// system that runs it has an order of its own.
    #[must_use]
    pub fn sorts_entries(&self) -> bool {
        matches!(self, Kernel::Simulated(_))
    }
}

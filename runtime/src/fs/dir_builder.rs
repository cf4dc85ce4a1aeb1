//! How a directory is to be made.

#![forbid(unsafe_code)]

use std::io;
use std::path::Path;

use super::dirs;

/// How a directory is to be made.
///
/// # Examples
///
/// ```no_run
/// use annulus::fs::DirBuilder;
///
/// # async fn example() -> std::io::Result<()> {
/// DirBuilder::new().recursive(true).mode(0o700).create("private/keys").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DirBuilder {
    recursive: bool,
    mode: u32,
}

impl DirBuilder {
    /// Makes one directory, with the permission bits `0o777` less the umask.
    pub fn new() -> DirBuilder {
        DirBuilder {
            recursive: false,
            mode: dirs::MODE_DEFAULT,
        }
    }

    /// Whether to make missing parents too; a directory that is there is then no error.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.recursive = recursive;
        self
    }

    /// The permission bits, less the umask.
    pub fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.mode = mode;
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// As [`create_dir`](super::create_dir), or [`create_dir_all`](super::create_dir_all).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may or may not happen, in part if it is recursive.
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        if self.recursive {
            dirs::make_all(path, self.mode).await
        } else {
            dirs::make(path, self.mode).await
        }
    }
}

impl Default for DirBuilder {
    fn default() -> DirBuilder {
        DirBuilder::new()
    }
}

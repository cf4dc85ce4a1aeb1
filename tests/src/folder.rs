//! A folder that annulus and std find under one path.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use annulus::runtime::{Handle, LocalRuntime};

use crate::is_simulated;

/// The folder's own name where a link leads to it.
const BELOW: &str = "folder";

/// A temporary folder, removed when it goes.
///
/// A simulated host has files of its own, real ones below a root that the host sees nothing above.
/// There the folder stands in that root, and a link to it where std looks for the same path.
#[derive(Debug)]
pub struct Folder(Kind);

#[derive(Debug)]
enum Kind {
    Real(tempfile::TempDir),
    Simulated {
        path: PathBuf,
        link: PathBuf,
        real: PathBuf,
    },
}

impl Folder {
    /// On the disk that temporary files are on. Not in a task.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn new(handle: &Handle) -> Folder {
        Folder::of(handle, tempfile::tempdir)
    }

    /// On the disk of the build's own files. Not in a task.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn in_target(handle: &Handle, target: &str) -> Folder {
        Folder::of(handle, || tempfile::tempdir_in(target))
    }

    /// As [`Folder::new`], of a runtime that only its own `block_on` drives.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn on_local(runtime: &LocalRuntime) -> Folder {
        let root = is_simulated().then(|| runtime.block_on(annulus::fs::File::open("/tmp")));
        Folder::made(root, tempfile::tempdir)
    }

    fn of(handle: &Handle, real: impl FnOnce() -> std::io::Result<tempfile::TempDir>) -> Folder {
        let root = is_simulated().then(|| handle.block_on(annulus::fs::File::open("/tmp")));
        Folder::made(root, real)
    }

    /// `root`: the folder of a simulated host that ours is to stand in.
    fn made(
        root: Option<std::io::Result<annulus::fs::File>>,
        real: impl FnOnce() -> std::io::Result<tempfile::TempDir>,
    ) -> Folder {
        let Some(root) = root else {
            return Folder(Kind::Real(real().expect("a temporary folder")));
        };
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("annulus-folder-{}-{number}", std::process::id());
        // The descriptor is a real one, and so is the folder.
        let root = root.expect("a host has it");
        let opened = format!("/proc/self/fd/{}", root.as_raw_fd());
        let real = std::fs::read_link(opened).expect("it has a path");
        let (real, link) = (real.join(&name), Path::new("/tmp").join(&name));
        // Below the link, so that what std says of the folder is not said of the link.
        std::fs::create_dir_all(real.join(BELOW)).expect("a temporary folder");
        std::os::unix::fs::symlink(&real, &link).expect("a link to it");
        let path = link.join(BELOW);
        Folder(Kind::Simulated { path, link, real })
    }

    /// Where it is, for annulus and for std.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.0 {
            Kind::Real(folder) => folder.path(),
            Kind::Simulated { path, .. } => path,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Kind::Simulated { link, real, .. } = &self.0 {
            // The world removes its files too, whichever comes first.
            let _ = std::fs::remove_dir_all(real);
            let _ = std::fs::remove_file(link);
        }
    }
}

//! Files of a simulated host: real ones, in a directory that is the host's root.
//!
//! So they do exactly what files do, and std can look at them; the seed decides how long an
//! operation takes, how many bytes a read or write moves, and when it fails. Paths are resolved
//! inside the root (`RESOLVE_IN_ROOT`), so that none leads out of the world.

use std::ffi::{CStr, CString, OsStr};
use std::format;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use annulus_syscalls::io_uring::{op, open_how};
use annulus_syscalls::{Errno, calls};

use super::Simulated;
use super::descriptors::errno_of;
use super::faults::Fault;
use super::network::HostId;
use super::world::World;
use crate::kernel::emulated::{perform_file, result};
use crate::kernel::engine::{Args, Operation};
use crate::kernel::paths::{LastName, StdPath};

/// The roots of all hosts of a world. They go with it.
#[derive(Debug)]
pub(super) struct Roots(PathBuf);

/// `RESOLVE_IN_ROOT` of `linux/openat2.h`.
const RESOLVE_IN_ROOT: u64 = 0x10;
/// Symbolic links that a path may lead through (`MAXSYMLINKS` of the kernel).
const LINKS_MAX: usize = 40;

impl Roots {
    pub(super) fn new() -> Roots {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "annulus-sim-{}-{}",
            std::process::id(),
            MADE.fetch_add(1, Ordering::Relaxed)
        );
        Roots(std::env::temp_dir().join(name))
    }

    /// The root of a host, in the file system that runs us.
    pub(super) fn path(&self, host: HostId) -> PathBuf {
        self.0.join(format!("{}", host.0))
    }

    fn open(&self, host: HostId) -> Result<Directory, Errno> {
        let path = self.path(host);
        let made = std::fs::create_dir_all(path.join("tmp"));
        made.map_err(errno_of)?;
        let path = c_string(&path)?;
        open_at(
            libc::AT_FDCWD,
            &path,
            libc::O_PATH | libc::O_DIRECTORY,
            0,
            0,
        )
        .map(Directory)
    }
}

impl Drop for Roots {
    fn drop(&mut self) {
        // A directory that was never made, or that somebody else has emptied.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Simulated {
    /// A path into the host's root, through a descriptor in /proc.
    ///
    /// # Errors
    /// ENOENT, ENOTDIR, ELOOP and the others of openat2(2).
    pub(in crate::kernel) fn std_path(
        &self,
        path: &Path,
        last: LastName,
    ) -> Result<StdPath, Errno> {
        let root = self.root()?;
        let found = match (last, root.find(&c_string(path)?)) {
            (LastName::Itself, _) | (LastName::Made, Err(Errno::ENOENT)) => None,
            (LastName::Followed | LastName::Made, found) => Some(found?),
        };
        if let Some(found) = found {
            let path = found.path();
            return Ok(StdPath::through(found.into_owned(), path));
        }
        let mut path = path.to_path_buf();
        for _ in 0..LINKS_MAX {
            let Place { directory, name } = root.parent(libc::AT_FDCWD, &c_string(&path)?)?;
            let inside = directory.path().join(OsStr::from_bytes(name.as_bytes()));
            match std::fs::read_link(&inside) {
                // It leads to nothing yet, and there the file will be.
                Ok(target) if last == LastName::Made => {
                    path = path.parent().unwrap_or(Path::new("")).join(target);
                }
                _ => return Ok(StdPath::through(directory.into_owned(), inside)),
            }
        }
        Err(Errno::ELOOP)
    }

    /// # Errors
    /// As [`std_path`](Simulated::std_path).
    pub(in crate::kernel) fn canonicalize(&self, path: &Path) -> Result<PathBuf, Errno> {
        let root = self.root()?;
        let found = root.find(&c_string(path)?)?;
        let [root, found] = [&root, &found].map(|it| std::fs::read_link(it.path()));
        let root = root.map_err(errno_of)?;
        let found = found.map_err(errno_of)?;
        let inside = found.strip_prefix(root).map_err(|_outside| Errno::EXDEV)?;
        Ok(Path::new("/").join(inside))
    }

    fn root(&self) -> Result<Directory, Errno> {
        self.state().parts.roots.open(self.host)
    }
}

/// Does `op`, unless the seed has something against it.
pub(super) fn perform(
    world: &mut World,
    roots: &Roots,
    host: HostId,
    op: &mut Operation,
) -> Result<i32, Errno> {
    if world.strikes(Fault::FileFails) {
        return Err(Errno::EIO);
    }
    let writes = match op.sqe.opcode {
        op::IORING_OP_READ | op::IORING_OP_READV => false,
        op::IORING_OP_WRITE | op::IORING_OP_WRITEV => true,
        _ => return on_names(roots, host, op),
    };
    if writes && world.strikes(Fault::FileFull) {
        return Err(Errno::ENOSPC);
    }
    let len = match &op.args {
        Args::Iov(_) => op.args.iov_bytes() as u64,
        _ => u64::from(op.sqe.len),
    };
    let short = if writes {
        Fault::ShortWrite
    } else {
        Fault::ShortRead
    };
    if len > 1 && world.strikes(short) {
        shorten(op, world.rng.between(1, len - 1) as usize);
    }
    Ok(perform_file(op))
}

/// Lets an operation move so many bytes, of the more that it asks for.
fn shorten(op: &mut Operation, len: usize) {
    let Args::Iov(parts) = &mut op.args else {
        op.sqe.len = len as u32;
        return;
    };
    let mut left = len;
    for part in parts {
        part.iov_len = part.iov_len.min(left);
        left -= part.iov_len;
    }
}

fn on_names(roots: &Roots, host: HostId, op: &mut Operation) -> Result<i32, Errno> {
    let sqe = op.sqe;
    if sqe.opcode == op::IORING_OP_FSYNC {
        return Ok(perform_file(op));
    }
    let root = roots.open(host)?;
    let (from, to) = match std::mem::replace(&mut op.args, Args::None) {
        Args::Path(path) if sqe.opcode == op::IORING_OP_OPENAT => {
            let start = root.start(sqe.fd, &path);
            let flags = sqe.op_flags as i32;
            return open_at(start, &path, flags, sqe.len, RESOLVE_IN_ROOT);
        }
        Args::Path(path) => (Some(path), None),
        // The first is what the link says, and leads nowhere now.
        Args::Paths(text, link) if sqe.opcode == op::IORING_OP_SYMLINKAT => {
            let place = root.parent(sqe.fd, &link)?;
            op.sqe.fd = place.directory.0;
            op.args = Args::Paths(text, place.name.clone());
            return Ok(perform_file(op));
        }
        Args::Paths(from, to) => (Some(from), Some(to)),
        _ => return Err(Errno::EINVAL),
    };
    let from = from.ok_or(Errno::EINVAL)?;
    let old = root.parent(sqe.fd, &from)?;
    op.sqe.fd = old.directory.0;
    let Some(to) = to else {
        op.args = Args::Path(old.name.clone());
        return Ok(perform_file(op));
    };
    let new = match root.parent(sqe.len as i32, &to) {
        // What is linked is looked for first.
        Err(errno) if sqe.opcode == op::IORING_OP_LINKAT => {
            let start = root.start(sqe.fd, &from);
            let flags = libc::O_PATH | libc::O_NOFOLLOW;
            drop(open_at(start, &from, flags, 0, RESOLVE_IN_ROOT).map(Directory)?);
            return Err(errno);
        }
        new => new?,
    };
    op.sqe.len = new.directory.0 as u32;
    op.args = Args::Paths(old.name.clone(), new.name.clone());
    Ok(perform_file(op))
}

/// A directory that is open. Closed by the system call: the C library's `close` would come back
/// to the world.
#[derive(Debug)]
struct Directory(i32);

/// Where a name stands, or is to stand.
struct Place {
    directory: Directory,
    name: CString,
}

impl Directory {
    /// Where the look-up of a path starts.
    fn start(&self, dirfd: i32, path: &CStr) -> i32 {
        if dirfd == libc::AT_FDCWD || path.to_bytes().starts_with(b"/") {
            self.0
        } else {
            dirfd
        }
    }

    /// What a path leads to, opened for its name's sake.
    fn find(&self, path: &CStr) -> Result<Directory, Errno> {
        open_at(self.0, path, libc::O_PATH, 0, RESOLVE_IN_ROOT).map(Directory)
    }

    /// Where the standard library finds it.
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0))
    }

    fn into_owned(self) -> OwnedFd {
        let fd = std::mem::ManuallyDrop::new(self).0;
        // SAFETY: the descriptor was this directory's own, which closes it no more.
        unsafe { OwnedFd::from_raw_fd(fd) }
    }

    fn parent(&self, dirfd: i32, path: &CStr) -> Result<Place, Errno> {
        let bytes = path.to_bytes();
        let end = bytes.iter().rposition(|&byte| byte != b'/');
        let bytes = &bytes[..end.map_or(0, |end| end + 1)];
        let slash = bytes.iter().rposition(|&byte| byte == b'/');
        let (parent, name) = match slash {
            Some(slash) => (&bytes[..=slash], &bytes[slash + 1..]),
            None => (&b"."[..], bytes),
        };
        if name.is_empty() || name == b"." || name == b".." {
            return Err(Errno::EINVAL);
        }
        let start = self.start(dirfd, path);
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let parent = CString::new(parent).map_err(|_nul| Errno::EINVAL)?;
        let directory = open_at(start, &parent, flags, 0, RESOLVE_IN_ROOT).map(Directory)?;
        let name = CString::new(name).map_err(|_nul| Errno::EINVAL)?;
        Ok(Place { directory, name })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this directory's own.
        let _ = unsafe { calls::close(self.0) };
    }
}

/// `openat2`(2).
fn open_at(start: i32, path: &CStr, flags: i32, mode: u32, resolve: u64) -> Result<i32, Errno> {
    let makes = flags & (libc::O_CREAT | libc::O_TMPFILE) != 0;
    let how = open_how {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: if makes { u64::from(mode & 0o7777) } else { 0 },
        resolve,
    };
    // SAFETY: path and how are borrowed for the call.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            start,
            path.as_ptr(),
            &raw const how,
            size_of::<open_how>(),
        )
    };
    match result(opened as i64) {
        errno if errno < 0 => Err(Errno::from_raw(-errno)),
        fd => Ok(fd),
    }
}

fn c_string(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_nul| Errno::EINVAL)
}

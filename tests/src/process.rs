//! What the kernel says about this process.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// What an open descriptor is, as far as its link in `/proc/self/fd` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FdKind {
    /// A socket of any family.
    Socket,
    /// A pipe's end.
    Pipe,
    /// `anon_inode:[io_uring]`.
    Ring,
    /// `anon_inode:[eventpoll]`.
    Epoll,
    /// Any other `anon_inode:`, such as an eventfd.
    Anonymous,
    /// Something with a path.
    File,
}

/// The open descriptors of this process by kind. Counting opens one itself, which is left out.
///
/// # Panics
///
/// If `/proc` is not there.
pub fn descriptors() -> BTreeMap<FdKind, usize> {
    let mut counts = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd").expect("/proc is mounted") {
        let entry = entry.expect("the folder lists itself");
        // One that was closed since is not open.
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let target = target.to_string_lossy();
        let kind = match &*target {
            text if text.starts_with("socket:") => FdKind::Socket,
            text if text.starts_with("pipe:") => FdKind::Pipe,
            "anon_inode:[io_uring]" => FdKind::Ring,
            "anon_inode:[eventpoll]" => FdKind::Epoll,
            text if text.starts_with("anon_inode:") => FdKind::Anonymous,
            // The folder being listed.
            text if text.starts_with("/proc/") && text.ends_with("/fd") => continue,
            _ => FdKind::File,
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    counts
}

/// Bytes of memory this process has resident.
///
/// # Panics
///
/// If `/proc` is not there.
pub fn rss_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = text
        .split_ascii_whitespace()
        .nth(1)
        .expect("statm has seven fields");
    // SAFETY: sysconf reads a constant.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.parse::<u64>().expect("statm holds numbers") * page_bytes as u64
}

/// Sets the soft limit of open descriptors, and returns the one before.
///
/// # Errors
///
/// That of setrlimit(2).
pub fn fd_limit(soft: u64) -> io::Result<u64> {
    let limit = limits()?;
    set_limits(soft.min(limit.rlim_max), limit.rlim_max)?;
    Ok(limit.rlim_cur)
}

/// Raises the limit of open descriptors to `wanted` where it is lower, the hard one too.
///
/// # Errors
///
/// That of setrlimit(2): EPERM where the hard limit is lower and this process has no privilege.
pub fn fd_limit_at_least(wanted: u64) -> io::Result<()> {
    let limit = limits()?;
    if limit.rlim_cur >= wanted {
        return Ok(());
    }
    set_limits(wanted, limit.rlim_max.max(wanted))
}

fn limits() -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the struct lives across the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } {
        0 => Ok(limit),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_limits(rlim_cur: u64, rlim_max: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur, rlim_max };
    // SAFETY: the struct lives across the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs `body` on a thread of its own, and hands on what it returns or its panic.
pub fn on_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(body).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

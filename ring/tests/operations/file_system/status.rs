//! What is told about a file.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use annulus_ring::{Errno, Ring, SqeFlags};

use crate::support::{TempDir, result, ring};

fn statx(
    ring: &mut Ring,
    dirfd: i32,
    path: &CStr,
    flags: i32,
    entry_flags: SqeFlags,
) -> Result<libc::statx, Errno> {
    let mut out = MaybeUninit::<libc::statx>::zeroed();
    let (path, at) = (path.as_ptr(), out.as_mut_ptr().cast());
    // SAFETY: `path` and `out` outlive the completion.
    result(ring, |sqe| unsafe {
        sqe.prep_statx(dirfd, path, flags, libc::STATX_BASIC_STATS, at)
            .add_flags(entry_flags)
    })?;
    // SAFETY: every bit pattern is a statx, and it was zeroed at first.
    Ok(unsafe { out.assume_init() })
}

#[test]
fn the_status_is_that_of_the_call_by_path_by_directory_and_by_descriptor() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    let expected = std::fs::metadata(directory.join("file")).expect("there");
    let dir = directory.open();
    let file = std::fs::File::open(directory.join("file")).expect("opened");
    let path = directory.c_path("file");
    for entry_flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
        for (dirfd, path, flags) in [
            (libc::AT_FDCWD, path.as_c_str(), 0),
            (dir.as_raw_fd(), c"file", 0),
            (file.as_raw_fd(), c"", libc::AT_EMPTY_PATH),
        ] {
            let told = statx(&mut ring, dirfd, path, flags, entry_flags).expect("told");
            assert_eq!(told.stx_size, expected.len());
            assert_eq!(told.stx_ino, expected.ino());
            assert_eq!(u32::from(told.stx_mode), expected.mode());
            assert_eq!(told.stx_mtime.tv_sec, expected.mtime());
            assert_eq!(u64::from(told.stx_nlink), expected.nlink());
        }
    }
}

#[test]
fn a_link_is_followed_or_told_about_itself() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    std::os::unix::fs::symlink("file", directory.join("link")).expect("linked");
    let dir = directory.open();
    let mut kind = |flags| {
        let told = statx(&mut ring, dir.as_raw_fd(), c"link", flags, SqeFlags::NONE);
        u32::from(told.expect("told").stx_mode) & libc::S_IFMT
    };
    assert_eq!(kind(0), libc::S_IFREG);
    assert_eq!(kind(libc::AT_SYMLINK_NOFOLLOW), libc::S_IFLNK);
}

#[test]
fn a_status_that_cannot_be_told_gets_the_errno_of_the_call() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    let none = SqeFlags::NONE;
    let failed = |told: Result<libc::statx, Errno>| told.map(drop);
    let absent = statx(&mut ring, fd, c"absent", 0, none);
    assert_eq!(failed(absent), Err(Errno::ENOENT));
    let empty = statx(&mut ring, fd, c"", 0, none);
    assert_eq!(failed(empty), Err(Errno::ENOENT));
    let unknown = statx(&mut ring, fd, c".", 1 << 30, none);
    assert_eq!(failed(unknown), Err(Errno::EINVAL));
    let closed = statx(&mut ring, -1, c".", 0, none);
    assert_eq!(failed(closed), Err(Errno::EBADF));
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        let nowhere = std::ptr::without_provenance_mut(8);
        sqe.prep_statx(fd, c".".as_ptr(), 0, libc::STATX_SIZE, nowhere)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
}

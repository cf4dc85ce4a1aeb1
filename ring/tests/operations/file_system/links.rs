//! Links: hard and symbolic, and each way in which making one fails.

use std::ffi::CStr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use annulus_ring::{Errno, Ring};

use crate::support::{TempDir, openat, result, ring, skip_feature, write};

fn link(ring: &mut Ring, dir: i32, old: &CStr, new: &CStr, flags: i32) -> Result<u32, Errno> {
    let (old, new) = (old.as_ptr(), new.as_ptr());
    // SAFETY: the paths outlive the completion.
    result(ring, |sqe| unsafe {
        sqe.prep_linkat(dir, old, dir, new, flags)
    })
}

fn symlink(ring: &mut Ring, target: &CStr, dir: i32, path: &CStr) -> Result<u32, Errno> {
    let (target, path) = (target.as_ptr(), path.as_ptr());
    // SAFETY: the paths outlive the completion.
    result(ring, |sqe| unsafe { sqe.prep_symlinkat(target, dir, path) })
}

#[test]
fn a_hard_link_is_the_same_file_or_the_errno_says_why_not() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    std::fs::write(directory.join("file"), "content").expect("written");
    std::os::unix::fs::symlink("file", directory.join("soft")).expect("linked");
    assert_eq!(link(&mut ring, fd, c"file", c"hard", 0), Ok(0));
    let status = |name| std::fs::symlink_metadata(directory.join(name)).expect("there");
    assert_eq!(status("file").ino(), status("hard").ino());
    assert_eq!(status("file").nlink(), 2);
    // The link itself, or what it leads to.
    assert_eq!(link(&mut ring, fd, c"soft", c"itself", 0), Ok(0));
    assert!(status("itself").is_symlink());
    let follow = libc::AT_SYMLINK_FOLLOW;
    assert_eq!(link(&mut ring, fd, c"soft", c"followed", follow), Ok(0));
    assert_eq!(status("followed").ino(), status("file").ino());
    for (old, new, flags, errno) in [
        (c"absent", c"new", 0, Errno::ENOENT),
        (c"file", c"hard", 0, Errno::EEXIST),
        (c"file", c"absent/new", 0, Errno::ENOENT),
        (c"file", c"file/new", 0, Errno::ENOTDIR),
        (c".", c"new", 0, Errno::EPERM),
        (c"file", c"new", 1 << 30, Errno::EINVAL),
    ] {
        let refused = link(&mut ring, fd, old, new, flags);
        assert_eq!(refused, Err(errno), "{old:?} as {new:?}");
    }
}

#[test]
fn a_file_without_a_name_gets_one() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = std::ffi::CString::new(directory.path().to_str().expect("plain")).expect("no NUL");
    let flags = libc::O_TMPFILE | libc::O_RDWR;
    let file = match openat(&mut ring, libc::AT_FDCWD, &path, flags, 0o600) {
        Err(Errno::EOPNOTSUPP) => return skip_feature("this file system has no nameless files"),
        file => file.expect("opened"),
    };
    assert_eq!(write(&mut ring, file.as_raw_fd(), b"content", 0), Ok(7));
    let named = directory.c_path("named");
    let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the paths outlive the completion.
    let linked = result(&mut ring, |sqe| unsafe {
        sqe.prep_linkat(
            file.as_raw_fd(),
            empty,
            libc::AT_FDCWD,
            named.as_ptr(),
            flags,
        )
    });
    assert_eq!(linked, Ok(0));
    assert_eq!(
        std::fs::read(directory.join("named")).expect("read"),
        b"content"
    );
}

#[test]
fn a_symbolic_link_says_whatever_it_is_given_or_the_errno_says_why_not() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    std::fs::write(directory.join("file"), "content").expect("written");
    // Nothing need be there.
    assert_eq!(symlink(&mut ring, c"not there/at all", fd, c"link"), Ok(0));
    let says = std::fs::read_link(directory.join("link")).expect("a link");
    assert_eq!(says.to_str(), Some("not there/at all"));
    for (target, path, errno) in [
        (c"x", c"link", Errno::EEXIST),
        (c"x", c"file", Errno::EEXIST),
        (c"x", c"absent/link", Errno::ENOENT),
        (c"x", c"file/link", Errno::ENOTDIR),
        (c"", c"empty", Errno::ENOENT),
    ] {
        let refused = symlink(&mut ring, target, fd, path);
        assert_eq!(refused, Err(errno), "{path:?}");
    }
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_symlinkat(std::ptr::without_provenance(8), fd, c"new".as_ptr())
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
}

//! Entries of directories: renamed, removed, made; and each way in which that fails.

use std::ffi::CStr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;

use annulus_ring::{Errno, Ring, SqeFlags};

use crate::support::{TempDir, in_order, push, result, ring};

fn rename(ring: &mut Ring, dir: i32, old: &CStr, new: &CStr, flags: u32) -> Result<u32, Errno> {
    let (old, new) = (old.as_ptr(), new.as_ptr());
    // SAFETY: the paths outlive the completion.
    result(ring, |sqe| unsafe {
        sqe.prep_renameat(dir, old, dir, new, flags)
    })
}

fn unlink(ring: &mut Ring, dir: i32, path: &CStr, flags: i32) -> Result<u32, Errno> {
    let path = path.as_ptr();
    // SAFETY: the path outlives the completion.
    result(ring, |sqe| unsafe { sqe.prep_unlinkat(dir, path, flags) })
}

fn mkdir(ring: &mut Ring, dir: i32, path: &CStr, mode: u32) -> Result<u32, Errno> {
    let path = path.as_ptr();
    // SAFETY: the path outlives the completion.
    result(ring, |sqe| unsafe { sqe.prep_mkdirat(dir, path, mode) })
}

#[test]
fn a_rename_replaces_keeps_or_exchanges_as_its_flags_say() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    let content = |name| std::fs::read_to_string(directory.join(name)).expect("read");
    std::fs::write(directory.join("a"), "first").expect("written");
    std::fs::write(directory.join("b"), "second").expect("written");
    let keep = rename(&mut ring, fd, c"a", c"b", libc::RENAME_NOREPLACE);
    assert_eq!(keep, Err(Errno::EEXIST));
    let exchange = rename(&mut ring, fd, c"a", c"b", libc::RENAME_EXCHANGE);
    assert_eq!(exchange, Ok(0));
    assert_eq!(
        (content("a"), content("b")),
        ("second".into(), "first".into())
    );
    assert_eq!(rename(&mut ring, fd, c"a", c"b", 0), Ok(0));
    assert_eq!(content("b"), "second");
    assert!(!directory.join("a").exists());
}

#[test]
fn a_rename_that_cannot_be_gets_the_errno_of_the_call() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    std::fs::write(directory.join("file"), "content").expect("written");
    std::fs::create_dir_all(directory.join("full/inner")).expect("made");
    std::fs::create_dir(directory.join("empty")).expect("made");
    for (old, new, flags, errno) in [
        (c"absent", c"new", 0, Errno::ENOENT),
        (c"file", c"absent/new", 0, Errno::ENOENT),
        (c"file", c"file/new", 0, Errno::ENOTDIR),
        (c"file", c"empty", 0, Errno::EISDIR),
        (c"empty", c"file", 0, Errno::ENOTDIR),
        (c"empty", c"full", 0, Errno::ENOTEMPTY),
        (c"full", c"full/inner/deeper", 0, Errno::EINVAL),
        (c"file", c"new", 1 << 31, Errno::EINVAL),
    ] {
        let refused = rename(&mut ring, fd, old, new, flags);
        assert_eq!(refused, Err(errno), "{old:?} to {new:?}");
    }
    assert_eq!(rename(&mut ring, -1, c"file", c"new", 0), Err(Errno::EBADF));
    assert_eq!(
        rename(&mut ring, fd, c"empty", c"moved", 0),
        Ok(0),
        "a directory"
    );
    assert!(directory.join("moved").is_dir());
}

#[test]
fn files_and_empty_directories_are_removed_each_its_way() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    std::fs::write(directory.join("file"), "content").expect("written");
    std::fs::create_dir_all(directory.join("full/inner")).expect("made");
    let rmdir = libc::AT_REMOVEDIR;
    for (path, flags, errno) in [
        (c"absent", 0, Errno::ENOENT),
        (c"absent", rmdir, Errno::ENOENT),
        (c"full", 0, Errno::EISDIR),
        (c"file", rmdir, Errno::ENOTDIR),
        (c"full", rmdir, Errno::ENOTEMPTY),
        (c"file", 1 << 30, Errno::EINVAL),
    ] {
        let refused = unlink(&mut ring, fd, path, flags);
        assert_eq!(refused, Err(errno), "{path:?}");
    }
    assert_eq!(unlink(&mut ring, fd, c"full/inner", rmdir), Ok(0));
    assert_eq!(unlink(&mut ring, fd, c"full", rmdir), Ok(0));
    assert_eq!(unlink(&mut ring, fd, c"file", 0), Ok(0));
    let left = std::fs::read_dir(directory.path()).expect("read").count();
    assert_eq!(left, 0);
}

#[test]
fn a_file_lives_on_while_it_is_open_after_its_name_went() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), "content").expect("written");
    let file = std::fs::File::open(directory.join("file")).expect("opened");
    let dir = directory.open();
    assert_eq!(unlink(&mut ring, dir.as_raw_fd(), c"file", 0), Ok(0));
    let mut buf = [0; 7];
    let got = crate::support::read(&mut ring, file.as_raw_fd(), &mut buf, 0);
    assert_eq!((got, &buf), (Ok(7), b"content"));
}

#[test]
fn a_directory_is_made_with_its_mode_or_the_errno_says_why_not() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    std::fs::write(directory.join("file"), "content").expect("written");
    assert_eq!(mkdir(&mut ring, fd, c"made", 0o700), Ok(0));
    let mode = std::fs::metadata(directory.join("made")).expect("there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o700);
    assert_eq!(mkdir(&mut ring, fd, c"made/deeper", 0o700), Ok(0));
    for (path, errno) in [
        (c"made", Errno::EEXIST),
        (c"file", Errno::EEXIST),
        (c"absent/deeper", Errno::ENOENT),
        (c"file/deeper", Errno::ENOTDIR),
        (c"", Errno::ENOENT),
    ] {
        assert_eq!(mkdir(&mut ring, fd, path, 0o700), Err(errno), "{path:?}");
    }
    assert_eq!(mkdir(&mut ring, -1, c"made", 0o700), Err(Errno::EBADF));
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_mkdirat(fd, std::ptr::without_provenance(8), 0o700)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
}

#[test]
fn making_moving_and_removing_are_one_chain() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let fd = dir.as_raw_fd();
    // SAFETY: the path is a constant.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_mkdirat(fd, c"one".as_ptr(), 0o700)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: as above.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_renameat(fd, c"one".as_ptr(), fd, c"two".as_ptr(), 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: as above.
    push(&mut ring, 2, |sqe| unsafe {
        sqe.prep_unlinkat(fd, c"two".as_ptr(), libc::AT_REMOVEDIR)
    });
    assert_eq!(in_order(&mut ring, 3), [0, 0, 0]);
}

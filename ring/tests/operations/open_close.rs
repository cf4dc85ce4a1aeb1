//! Opening and closing: paths that are not there, flags that make no sense, ways that may not be
//! followed, and descriptors that cannot be closed.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use annulus_ring::{Errno, Ring, SqeFlags};
use annulus_syscalls::io_uring::open_how;

use crate::support::{
    TempDir, close, openat, owned, read, register_empty_files, result, ring, skip_feature,
};

/// `OPENAT2`, waited for.
fn openat2(ring: &mut Ring, dirfd: i32, path: &CStr, how: open_how) -> Result<OwnedFd, Errno> {
    let (path, how) = (path.as_ptr(), &raw const how);
    // SAFETY: `path` and `how` outlive the completion.
    owned(result(ring, |sqe| unsafe {
        sqe.prep_openat2(dirfd, path, how)
    }))
}

fn how(flags: i32, mode: u32, resolve: u64) -> open_how {
    open_how {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: u64::from(mode),
        resolve,
    }
}

#[test]
fn a_file_is_opened_by_a_full_path_and_by_one_relative_to_a_directory() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    let dir = directory.open();
    let full = directory.c_path("file");
    // A full path makes the directory irrelevant, even one that is not open.
    for (dirfd, path) in [
        (libc::AT_FDCWD, full.as_c_str()),
        (-1, &full),
        (dir.as_raw_fd(), c"file"),
    ] {
        let file = openat(&mut ring, dirfd, path, libc::O_RDONLY, 0).expect("opened");
        let mut buf = [0; 7];
        assert_eq!(read(&mut ring, file.as_raw_fd(), &mut buf, 0), Ok(7));
        assert_eq!(&buf, b"content");
        let by_openat2 = openat2(&mut ring, dirfd, path, how(libc::O_RDONLY, 0, 0));
        by_openat2.expect("opened");
    }
}

#[test]
fn a_path_that_cannot_be_opened_gets_the_errno_of_the_call() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    std::os::unix::fs::symlink("loop", directory.join("loop")).expect("linked");
    let dir = directory.open();
    let (dirfd, create) = (dir.as_raw_fd(), libc::O_CREAT | libc::O_RDWR);
    let long = std::ffi::CString::new("x".repeat(300)).expect("no NUL");
    for (path, flags, errno) in [
        (c"absent", libc::O_RDONLY, Errno::ENOENT),
        (c"", libc::O_RDONLY, Errno::ENOENT),
        (c"absent/file", create, Errno::ENOENT),
        (c"file/inner", libc::O_RDONLY, Errno::ENOTDIR),
        (c"file", libc::O_RDONLY | libc::O_DIRECTORY, Errno::ENOTDIR),
        (c"file", create | libc::O_EXCL, Errno::EEXIST),
        (c".", libc::O_RDWR, Errno::EISDIR),
        (c"loop", libc::O_RDONLY, Errno::ELOOP),
        (&long, libc::O_RDONLY, Errno::ENAMETOOLONG),
    ] {
        let opened = openat(&mut ring, dirfd, path, flags, 0o600).map(drop);
        assert_eq!(opened, Err(errno), "{path:?}");
        let mode = if flags & libc::O_CREAT == 0 { 0 } else { 0o600 };
        let opened = openat2(&mut ring, dirfd, path, how(flags, mode, 0)).map(drop);
        assert_eq!(opened, Err(errno), "{path:?} by openat2");
    }
    assert_eq!(
        openat(&mut ring, -1, c"file", libc::O_RDONLY, 0).map(drop),
        Err(Errno::EBADF)
    );
    let file = std::fs::File::open(directory.join("file")).expect("opened");
    assert_eq!(
        openat(&mut ring, file.as_raw_fd(), c"file", libc::O_RDONLY, 0).map(drop),
        Err(Errno::ENOTDIR)
    );
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_openat(dirfd, std::ptr::without_provenance(8), libc::O_RDONLY, 0)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
}

#[test]
fn a_new_file_has_the_mode_asked_for() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    let flags = libc::O_CREAT | libc::O_WRONLY;
    openat(&mut ring, dir.as_raw_fd(), c"one", flags, 0o600).expect("opened");
    openat2(&mut ring, dir.as_raw_fd(), c"two", how(flags, 0o400, 0)).expect("opened");
    let mode = |name| {
        let metadata = std::fs::metadata(directory.join(name)).expect("there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("one"), mode("two")), (0o600, 0o400));
}

#[test]
fn openat2_refuses_what_it_does_not_know_where_openat_ignores_it() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    let dir = directory.open();
    let dirfd = dir.as_raw_fd();
    let mode_without_create = how(libc::O_RDONLY, 0o600, 0);
    let unknown_flag = open_how {
        flags: 1 << 60,
        ..how(0, 0, 0)
    };
    let unknown_way = how(libc::O_RDONLY, 0, 1 << 60);
    for wrong in [mode_without_create, unknown_flag, unknown_way] {
        let refused = openat2(&mut ring, dirfd, c"file", wrong).map(drop);
        assert_eq!(refused, Err(Errno::EINVAL), "{wrong:?}");
    }
    openat(&mut ring, dirfd, c"file", libc::O_RDONLY, 0o600).expect("opened");
    // A size that is not that of any kernel's struct.
    let right = how(libc::O_RDONLY, 0, 0);
    for (size, errno) in [
        (0, Errno::EINVAL),
        (8, Errno::EINVAL),
        (1 << 20, Errno::E2BIG),
    ] {
        let refused = result(&mut ring, |sqe| {
            // SAFETY: the path and the struct outlive the completion.
            let sqe = unsafe { sqe.prep_openat2(dirfd, c"file".as_ptr(), &raw const right) };
            // SAFETY: the kernel checks the size before it reads.
            unsafe { sqe.as_raw_mut() }.len = size;
            sqe
        });
        assert_eq!(refused, Err(errno), "{size}");
    }
}

#[test]
fn a_path_is_followed_only_as_far_as_allowed() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::create_dir(directory.join("inner")).expect("made");
    std::fs::write(directory.join("inner/file"), b"content").expect("written");
    std::os::unix::fs::symlink("inner/file", directory.join("link")).expect("linked");
    std::os::unix::fs::symlink("/etc", directory.join("outside")).expect("linked");
    let dir = directory.open();
    let dirfd = dir.as_raw_fd();
    let mut go = |path: &CStr, resolve| {
        openat2(&mut ring, dirfd, path, how(libc::O_RDONLY, 0, resolve)).map(drop)
    };
    let (beneath, in_root) = (libc::RESOLVE_BENEATH, libc::RESOLVE_IN_ROOT);
    for resolve in [
        0,
        beneath,
        in_root,
        libc::RESOLVE_NO_XDEV,
        libc::RESOLVE_NO_MAGICLINKS,
    ] {
        assert_eq!(go(c"inner/file", resolve), Ok(()));
        assert_eq!(go(c"link", resolve), Ok(()));
    }
    assert_eq!(go(c"link", libc::RESOLVE_NO_SYMLINKS), Err(Errno::ELOOP));
    assert_eq!(go(c"inner/../../x", beneath), Err(Errno::EXDEV));
    assert_eq!(go(c"/etc", beneath), Err(Errno::EXDEV));
    assert_eq!(go(c"outside", beneath), Err(Errno::EXDEV));
    assert_eq!(
        go(c"outside", in_root),
        Err(Errno::ENOENT),
        "the root is the directory"
    );
    assert_eq!(go(c"/inner/file", in_root), Ok(()));
    assert_eq!(go(c"../../../inner/file", in_root), Ok(()));
    assert_eq!(
        go(c"inner/file", beneath | in_root),
        Err(Errno::EINVAL),
        "one of the two"
    );
}

#[test]
fn an_open_that_may_use_the_cache_only_says_so_when_it_would_have_to_wait() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    let dir = directory.open();
    let cached = how(libc::O_RDONLY, 0, libc::RESOLVE_CACHED);
    let _warm = std::fs::metadata(directory.join("file")).expect("there");
    openat2(&mut ring, dir.as_raw_fd(), c"file", cached).expect("in the cache");
    let create = how(libc::O_RDWR | libc::O_CREAT, 0o600, libc::RESOLVE_CACHED);
    let refused = openat2(&mut ring, dir.as_raw_fd(), c"new", create).map(drop);
    assert_eq!(refused, Err(Errno::EAGAIN), "making one may wait");
}

#[test]
fn a_slot_is_opened_into_only_without_close_on_exec_and_inside_the_table() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    let path = directory.c_path("file");
    let open = |ring: &mut Ring, flags, slot| {
        // SAFETY: `path` outlives the completion.
        result(ring, |sqe| unsafe {
            sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), flags, 0)
                .set_direct_slot(slot)
        })
    };
    assert_eq!(
        open(&mut ring, libc::O_RDONLY, 0),
        Err(Errno::ENXIO),
        "no table"
    );
    register_empty_files(&ring, 2).expect("registered");
    assert_eq!(open(&mut ring, libc::O_RDONLY, 0), Ok(0));
    assert_eq!(
        open(&mut ring, libc::O_RDONLY, 0),
        Ok(0),
        "it takes the place of the old"
    );
    assert_eq!(open(&mut ring, libc::O_RDONLY, 2), Err(Errno::EINVAL));
    assert_eq!(
        open(&mut ring, libc::O_RDONLY, u32::MAX - 1),
        Err(Errno::EINVAL)
    );
    let cloexec = open(&mut ring, libc::O_RDONLY | libc::O_CLOEXEC, 1);
    assert_eq!(cloexec, Err(Errno::EINVAL), "a slot knows no exec");
    let how = open_how::default();
    // SAFETY: `path` and `how` outlive the completion.
    let opened = result(&mut ring, |sqe| unsafe {
        sqe.prep_openat2(libc::AT_FDCWD, path.as_ptr(), &raw const how)
            .set_direct_slot(1)
    });
    assert_eq!(opened, Ok(0));
    let mut buf = [0_u8; 7];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    let got = result(&mut ring, |sqe| unsafe {
        sqe.prep_read(1, start, 7, 0)
            .add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!((got, &buf), (Ok(7), b"content"));
    let slot_as_fd = result(&mut ring, |sqe| {
        sqe.prep_close(1).add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(slot_as_fd, Err(Errno::EBADF), "a slot is closed as a slot");
    assert_eq!(result(&mut ring, |sqe| sqe.prep_close_direct(1)), Ok(0));
    assert_eq!(
        result(&mut ring, |sqe| sqe.prep_close_direct(1)),
        Err(Errno::EBADF)
    );
    assert_eq!(
        result(&mut ring, |sqe| sqe.prep_close_direct(2)),
        Err(Errno::EINVAL)
    );
}

#[test]
fn an_open_read_and_close_are_one_chain() {
    use crate::support::{in_order, push};
    let mut ring = ring();
    register_empty_files(&ring, 1).expect("registered");
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), b"content").expect("written");
    let path = directory.c_path("file");
    let mut buf = [0_u8; 16];
    let start = buf.as_mut_ptr();
    // SAFETY: `path` outlives the completion.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY, 0)
            .set_direct_slot(0)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: `buf` outlives the completion. It is short, which would break a soft link.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read(0, start, 16, 0)
            .add_flags(SqeFlags::FIXED_FILE | SqeFlags::IO_HARDLINK)
    });
    push(&mut ring, 2, |sqe| sqe.prep_close_direct(0));
    assert_eq!(in_order(&mut ring, 3), [0, 7, 0]);
    assert_eq!(&buf[..7], b"content");
}

#[test]
fn what_is_no_descriptor_or_is_the_ring_cannot_be_closed() {
    let mut ring = ring();
    let fd = ring.fd();
    assert_eq!(close(&mut ring, -1), Err(Errno::EBADF));
    assert_eq!(close(&mut ring, i32::MAX), Err(Errno::EBADF));
    assert_eq!(
        close(&mut ring, fd),
        Err(Errno::EBADF),
        "it would close what it runs on"
    );
    assert_eq!(result(&mut ring, |sqe| sqe.prep_nop()), Ok(0));
    assert_eq!(
        result(&mut ring, |sqe| sqe.prep_close_direct(0)),
        Err(Errno::ENXIO),
        "no table"
    );
    let both = result(&mut ring, |sqe| {
        sqe.prep_close(5);
        sqe.set_direct_slot(0)
    });
    assert_eq!(both, Err(Errno::EINVAL), "one of the two");
}

#[test]
fn a_descriptor_that_only_stands_for_a_path_is_closed_and_not_read() {
    let mut ring = ring();
    for flags in [libc::O_PATH, libc::O_PATH | libc::O_NOFOLLOW] {
        let file = match openat(&mut ring, libc::AT_FDCWD, c"/", flags, 0) {
            Err(Errno::EINVAL) => return skip_feature("O_PATH"),
            opened => opened.expect("opened"),
        };
        let mut buf = [0; 4];
        let refused = read(&mut ring, file.as_raw_fd(), &mut buf, 0);
        assert_eq!(refused, Err(Errno::EBADF));
        assert_eq!(close(&mut ring, file.into_raw_fd()), Ok(0));
    }
}

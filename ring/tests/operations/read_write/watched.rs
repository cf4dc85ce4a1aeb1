//! Files that somebody watches: what the ring does to them is told like what system calls do.

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;

use annulus_ring::{CURRENT_POSITION, SqeFlags};

use crate::support::{TempDir, openat, read, result, ring, write};

/// The kinds of all events that there are, in order; waits for the first. The last close may be
/// late: whoever else just has the file, a child being made, closes it last.
fn events(inotify: &mut File) -> Vec<u32> {
    let mut buf = [0_u8; 4096];
    let len = inotify.read(&mut buf).expect("read");
    let mut rest = &buf[..len];
    let mut kinds = Vec::new();
    while !rest.is_empty() {
        let word = |at: usize| {
            let bytes = rest[at..at + 4].try_into().expect("four bytes");
            u32::from_ne_bytes(bytes)
        };
        kinds.push(word(4));
        rest = &rest[16 + word(12) as usize..];
    }
    kinds
}

#[test]
fn a_watcher_is_told_of_opens_reads_writes_and_closes() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("watched");
    // Made without being opened: a child that another test makes just then would inherit the
    // descriptor, and its close would be told to the watcher some time later.
    // SAFETY: `path` ends in a NUL.
    let made = unsafe { libc::mknod(path.as_ptr(), libc::S_IFREG | 0o600, 0) };
    assert_eq!(made, 0, "a file");
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::inotify_init1(libc::IN_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: just made, and nobody else's.
    let mut inotify = unsafe { File::from_raw_fd(fd) };
    let mask = libc::IN_OPEN | libc::IN_ACCESS | libc::IN_MODIFY | libc::IN_CLOSE_WRITE;
    // SAFETY: `path` ends in a NUL.
    assert!(unsafe { libc::inotify_add_watch(fd, path.as_ptr(), mask) } >= 0);
    let flags = libc::O_RDWR | libc::O_CLOEXEC;
    let file = openat(&mut ring, libc::AT_FDCWD, &path, flags, 0).expect("opened");
    let file = std::os::fd::IntoRawFd::into_raw_fd(file);
    assert_eq!(events(&mut inotify), [libc::IN_OPEN]);
    assert_eq!(write(&mut ring, file, b"changed", 0), Ok(7));
    assert_eq!(events(&mut inotify), [libc::IN_MODIFY]);
    let mut buf = [0; 7];
    assert_eq!(read(&mut ring, file, &mut buf, 0), Ok(7));
    assert_eq!(events(&mut inotify), [libc::IN_ACCESS]);
    // Workers tell as well.
    // SAFETY: the data is a constant.
    let written = result(&mut ring, |sqe| unsafe {
        sqe.prep_write(file, b"again".as_ptr(), 5, CURRENT_POSITION)
            .add_flags(SqeFlags::ASYNC)
    });
    assert_eq!(written, Ok(5));
    assert_eq!(events(&mut inotify), [libc::IN_MODIFY]);
    assert_eq!(result(&mut ring, |sqe| sqe.prep_close(file)), Ok(0));
    assert_eq!(events(&mut inotify), [libc::IN_CLOSE_WRITE]);
}

//! Names in a directory: each change by the ring is seen by the file system.

use annulus_ring::Errno;

use crate::support::{TempDir, openat, result, ring};

const CONTENT: &[u8] = b"what the file holds";

#[test]
fn a_renamed_file_has_its_content_and_its_old_name_is_gone() {
    let mut ring = ring();
    let directory = TempDir::new();
    let dir = directory.open();
    std::fs::write(directory.join("old"), CONTENT).expect("written");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    // SAFETY: the paths are constants.
    let renamed = result(&mut ring, |sqe| unsafe {
        sqe.prep_renameat(fd, c"old".as_ptr(), fd, c"new".as_ptr(), 0)
    });
    assert_eq!(renamed, Ok(0));
    let old = openat(&mut ring, fd, c"old", libc::O_RDONLY, 0).map(drop);
    assert_eq!(old, Err(Errno::ENOENT));
    assert_eq!(std::fs::read(directory.join("new")).expect("read"), CONTENT);
}

#[test]
fn an_unlinked_file_is_gone() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("file"), CONTENT).expect("written");
    let path = directory.c_path("file");
    // SAFETY: `path` outlives the submission.
    let unlinked = result(&mut ring, |sqe| unsafe {
        sqe.prep_unlinkat(libc::AT_FDCWD, path.as_ptr(), 0)
    });
    assert_eq!(unlinked, Ok(0));
    assert!(!directory.join("file").exists());
    // SAFETY: `path` outlives the submission.
    let again = result(&mut ring, |sqe| unsafe {
        sqe.prep_unlinkat(libc::AT_FDCWD, path.as_ptr(), 0)
    });
    assert_eq!(again, Err(Errno::ENOENT));
}

#[test]
fn a_directory_is_made() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("inner");
    // SAFETY: `path` outlives the submission.
    let made = result(&mut ring, |sqe| unsafe {
        sqe.prep_mkdirat(libc::AT_FDCWD, path.as_ptr(), 0o700)
    });
    assert_eq!(made, Ok(0));
    assert!(directory.join("inner").is_dir());
}

#[test]
fn a_symbolic_link_leads_to_its_target() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("target"), CONTENT).expect("written");
    let path = directory.c_path("link");
    // SAFETY: the paths outlive the submission.
    let linked = result(&mut ring, |sqe| unsafe {
        sqe.prep_symlinkat(c"target".as_ptr(), libc::AT_FDCWD, path.as_ptr())
    });
    assert_eq!(linked, Ok(0));
    let leads_to = std::fs::read_link(directory.join("link")).expect("a link");
    assert_eq!(leads_to.to_str(), Some("target"));
    assert_eq!(
        std::fs::read(directory.join("link")).expect("read"),
        CONTENT
    );
}

#[test]
fn a_hard_link_has_the_content_of_the_file() {
    let mut ring = ring();
    let directory = TempDir::new();
    std::fs::write(directory.join("first"), CONTENT).expect("written");
    let (first, second) = (directory.c_path("first"), directory.c_path("second"));
    let cwd = libc::AT_FDCWD;
    // SAFETY: the paths outlive the submission.
    let linked = result(&mut ring, |sqe| unsafe {
        sqe.prep_linkat(cwd, first.as_ptr(), cwd, second.as_ptr(), 0)
    });
    assert_eq!(linked, Ok(0));
    assert_eq!(
        std::fs::read(directory.join("second")).expect("read"),
        CONTENT
    );
}

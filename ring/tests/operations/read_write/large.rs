//! Files larger than four gibibytes, of which almost all is a hole.

use annulus_ring::{Errno, SqeFlags};

use crate::support::{TempDir, collect, openat, push, read, result, ring, skip_feature, write};

const BEYOND: u64 = (4 << 30) + 12_345;

#[test]
fn a_file_beyond_four_gibibytes_is_opened_written_and_read_at_its_end() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("large");
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_LARGEFILE;
    let file = openat(&mut ring, libc::AT_FDCWD, &path, flags, 0o600).expect("opened");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    match write(&mut ring, fd, b"far out", BEYOND) {
        Err(Errno::EFBIG) => return skip_feature("this file system has no large files"),
        written => assert_eq!(written, Ok(7)),
    }
    let size = std::fs::metadata(directory.join("large"))
        .expect("its size")
        .len();
    assert_eq!(size, BEYOND + 7);
    drop(file);
    // Opened again, now that it is large.
    let file = openat(&mut ring, libc::AT_FDCWD, &path, libc::O_RDWR, 0).expect("opened");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    let mut buf = [0xff; 16];
    assert_eq!(read(&mut ring, fd, &mut buf, BEYOND - 9), Ok(16));
    assert_eq!(&buf, b"\0\0\0\0\0\0\0\0\0far out");
    assert_eq!(read(&mut ring, fd, &mut buf, BEYOND + 7), Ok(0));
}

#[test]
fn a_large_file_is_opened_and_written_by_workers_too() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("large");
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_LARGEFILE | libc::O_CLOEXEC;
    // SAFETY: `path` outlives the completion.
    let opened = result(&mut ring, |sqe| unsafe {
        sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), flags, 0o600)
            .add_flags(SqeFlags::ASYNC)
    });
    let file = crate::support::owned(opened).expect("opened");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    // Out of order, so that the size goes up and stays.
    for (index, offset) in [BEYOND, 0, 3 << 30].into_iter().enumerate() {
        // SAFETY: the data is a constant.
        push(&mut ring, index as u64, |sqe| unsafe {
            sqe.prep_write(fd, b"data".as_ptr(), 4, offset)
                .add_flags(SqeFlags::ASYNC)
        });
    }
    for cqe in collect(&mut ring, 3) {
        assert_eq!(cqe.result(), Ok(4));
    }
    for offset in [BEYOND, 0, 3 << 30] {
        let mut buf = [0; 4];
        assert_eq!(read(&mut ring, fd, &mut buf, offset), Ok(4));
        assert_eq!(&buf, b"data");
    }
    let size = std::fs::metadata(directory.join("large"))
        .expect("its size")
        .len();
    assert_eq!(size, BEYOND + 4);
}

//! Bringing data to the disk: of files, of ranges, behind writes.

use std::os::fd::AsRawFd;

use annulus_ring::{CURRENT_POSITION, Cqe, Errno, FSYNC_DATASYNC, SqeFlags};

use crate::support::{TempFile, collect, pattern, pipe, push, register_files, result, ring, write};

#[test]
fn a_file_is_synced_whole_by_data_by_range_and_by_slot() {
    let mut ring = ring();
    let file = TempFile::new();
    assert_eq!(
        write(&mut ring, file.fd(), &pattern(16 << 10), 0),
        Ok(16 << 10)
    );
    let fd = file.fd();
    assert_eq!(result(&mut ring, |sqe| sqe.prep_fsync(fd, 0)), Ok(0));
    let data = result(&mut ring, |sqe| sqe.prep_fsync(fd, FSYNC_DATASYNC));
    assert_eq!(data, Ok(0));
    let range = result(&mut ring, |sqe| sqe.prep_fsync_range(fd, 0, 4096, 4096));
    assert_eq!(range, Ok(0));
    register_files(&ring, &[fd]).expect("registered");
    let slot = result(&mut ring, |sqe| {
        sqe.prep_fsync(0, 0).add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(slot, Ok(0));
    let no_slot = result(&mut ring, |sqe| {
        sqe.prep_fsync(1, 0).add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(no_slot, Err(Errno::EBADF));
}

#[test]
fn what_cannot_be_synced_is_refused() {
    let mut ring = ring();
    let (reading, _writing) = pipe(0);
    let fd = reading.as_raw_fd();
    assert_eq!(
        result(&mut ring, |sqe| sqe.prep_fsync(fd, 0)),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        result(&mut ring, |sqe| sqe.prep_fsync(-1, 0)),
        Err(Errno::EBADF)
    );
    let file = TempFile::new();
    assert_eq!(
        result(&mut ring, |sqe| sqe.prep_fsync(file.fd(), 1 << 31)),
        Err(Errno::EINVAL)
    );
    let pages = result(&mut ring, |sqe| sqe.prep_sync_file_range(fd, 4096, 0, 7));
    assert_eq!(pages, Err(Errno::ESPIPE));
    let unknown = result(&mut ring, |sqe| {
        sqe.prep_sync_file_range(file.fd(), 4096, 0, 1 << 31)
    });
    assert_eq!(unknown, Err(Errno::EINVAL));
}

#[test]
fn a_sync_that_drains_comes_after_every_write_before_it() {
    let mut ring = ring();
    let file = TempFile::new();
    let block = pattern(8192);
    let start = block.as_ptr();
    for round in 0..5 {
        for index in 0..4_u64 {
            // SAFETY: `block` outlives the completion.
            push(&mut ring, index, |sqe| unsafe {
                sqe.prep_write(file.fd(), start, 8192, (round * 4 + index) * 8192)
                    .add_flags(SqeFlags::ASYNC)
            });
        }
        push(&mut ring, 9, |sqe| {
            sqe.prep_fsync(file.fd(), FSYNC_DATASYNC)
                .add_flags(SqeFlags::IO_DRAIN)
        });
        let cqes = collect(&mut ring, 5);
        assert_eq!(cqes[4], Cqe::synthetic(9, 0, 0), "the last: {cqes:?}");
        assert!(cqes[..4].iter().all(|cqe| cqe.result() == Ok(8192)));
    }
}

#[test]
fn a_range_is_written_out_part_by_part() {
    let mut ring = ring();
    let file = TempFile::new();
    for index in 0..4 {
        let block = vec![index; 4096];
        assert_eq!(
            write(&mut ring, file.fd(), &block, CURRENT_POSITION),
            Ok(4096)
        );
    }
    let all = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    for index in 0..4 {
        let synced = result(&mut ring, |sqe| {
            sqe.prep_sync_file_range(file.fd(), 4096, index * 4096, all)
        });
        assert_eq!(synced, Ok(0));
    }
    let to_the_end = result(&mut ring, |sqe| {
        sqe.prep_sync_file_range(file.fd(), 0, 0, all)
    });
    assert_eq!(to_the_end, Ok(0));
}

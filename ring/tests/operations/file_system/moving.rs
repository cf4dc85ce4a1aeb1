//! Data moved between descriptors: spliced, and duplicated from pipe to pipe.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Ring, SqeFlags};
use annulus_syscalls::io_uring::flags::file::SPLICE_F_FD_IN_FIXED;

use crate::support::{
    TempFile, collect, pattern, pipe, push, register_files, result, ring, unix_pair,
};

const NO_OFFSET: u64 = u64::MAX;

/// Splices `len` bytes; offsets of `NO_OFFSET` are positions.
fn splice(ring: &mut Ring, from: (i32, u64), to: (i32, u64), len: u32) -> Result<u32, Errno> {
    result(ring, |sqe| {
        sqe.prep_splice(from.0, from.1, to.0, to.1, len, 0)
    })
}

fn tee(ring: &mut Ring, from: &File, to: &File, len: u32) -> Result<u32, Errno> {
    result(ring, |sqe| {
        sqe.prep_tee(from.as_raw_fd(), to.as_raw_fd(), len, 0)
    })
}

#[test]
fn a_file_is_copied_through_a_pipe_from_and_to_any_offset() {
    let mut ring = ring();
    let source = TempFile::with(&pattern(20_000));
    let target = TempFile::new();
    let (reading, writing) = pipe(0);
    let mut done = 0;
    while done < 15_000 {
        let from = (source.fd(), 5000 + done);
        let moved = splice(&mut ring, from, (writing.as_raw_fd(), NO_OFFSET), 4000);
        let moved = moved.expect("spliced");
        let to = (target.fd(), 100 + done);
        let landed = splice(&mut ring, (reading.as_raw_fd(), NO_OFFSET), to, moved);
        assert_eq!(landed, Ok(moved));
        done += u64::from(moved);
    }
    assert_eq!(done, 15_000);
    let content = target.content();
    assert_eq!(content[..100], [0; 100]);
    assert_eq!(content[100..], pattern(20_000)[5000..]);
    let at_end = (source.fd(), 20_000);
    let nothing = splice(&mut ring, at_end, (writing.as_raw_fd(), NO_OFFSET), 10);
    assert_eq!(nothing, Ok(0));
}

#[test]
fn without_offsets_the_positions_of_the_files_move() {
    let mut ring = ring();
    let source = TempFile::with(&pattern(100));
    let target = TempFile::new();
    let (reading, writing) = pipe(0);
    for _ in 0..2 {
        let into = (writing.as_raw_fd(), NO_OFFSET);
        assert_eq!(
            splice(&mut ring, (source.fd(), NO_OFFSET), into, 50),
            Ok(50)
        );
        let from = (reading.as_raw_fd(), NO_OFFSET);
        assert_eq!(
            splice(&mut ring, from, (target.fd(), NO_OFFSET), 50),
            Ok(50)
        );
    }
    assert_eq!(target.content(), pattern(100));
}

#[test]
fn the_input_and_the_output_may_be_slots_of_the_file_table() {
    let mut ring = ring();
    let source = TempFile::with(&pattern(100));
    let (mut reading, writing) = pipe(0);
    register_files(&ring, &[source.fd(), writing.as_raw_fd()]).expect("registered");
    let moved = result(&mut ring, |sqe| {
        sqe.prep_splice(0, 10, 1, NO_OFFSET, 20, SPLICE_F_FD_IN_FIXED)
            .add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(moved, Ok(20));
    let mut back = [0; 20];
    reading.read_exact(&mut back).expect("read");
    assert_eq!(back, pattern(30)[10..]);
    let empty_slot = result(&mut ring, |sqe| {
        let to = writing.as_raw_fd();
        sqe.prep_splice(2, 10, to, NO_OFFSET, 20, SPLICE_F_FD_IN_FIXED)
    });
    assert_eq!(empty_slot, Err(Errno::EBADF));
}

#[test]
fn a_splice_from_an_empty_pipe_waits_for_data() {
    let mut ring = ring();
    let (first_reading, first_writing) = pipe(0);
    let (mut second_reading, second_writing) = pipe(0);
    push(&mut ring, 1, |sqe| {
        let (from, to) = (first_reading.as_raw_fd(), second_writing.as_raw_fd());
        sqe.prep_splice(from, NO_OFFSET, to, NO_OFFSET, 64, 0)
    });
    ring.submit().expect("submitted");
    assert_eq!(ring.cq_ready(), 0);
    (&first_writing).write_all(b"through").expect("written");
    assert_eq!(collect(&mut ring, 1)[0].result(), Ok(7));
    let mut back = [0; 7];
    second_reading.read_exact(&mut back).expect("read");
    assert_eq!(&back, b"through");
}

#[test]
fn data_is_spliced_from_a_pipe_into_a_socket() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    let (ours, mut theirs) = unix_pair();
    (&writing).write_all(b"through").expect("written");
    let (from, to) = (reading.as_raw_fd(), ours.as_raw_fd());
    assert_eq!(
        splice(&mut ring, (from, NO_OFFSET), (to, NO_OFFSET), 64),
        Ok(7)
    );
    let mut back = [0; 7];
    theirs.read_exact(&mut back).expect("read");
    assert_eq!(&back, b"through");
}

#[test]
fn a_splice_without_a_pipe_or_with_an_offset_in_one_is_refused() {
    let mut ring = ring();
    let (file, other) = (TempFile::with(&pattern(100)), TempFile::new());
    let (reading, writing) = pipe(0);
    let no_pipe = splice(&mut ring, (file.fd(), 0), (other.fd(), 0), 10);
    assert_eq!(no_pipe, Err(Errno::EINVAL));
    let offset = splice(&mut ring, (file.fd(), 0), (writing.as_raw_fd(), 5), 10);
    assert_eq!(offset, Err(Errno::ESPIPE));
    let wrong_end = (reading.as_raw_fd(), NO_OFFSET);
    assert_eq!(
        splice(&mut ring, (file.fd(), 0), wrong_end, 10),
        Err(Errno::EBADF)
    );
    let unknown = result(&mut ring, |sqe| {
        sqe.prep_splice(file.fd(), 0, writing.as_raw_fd(), NO_OFFSET, 10, 1 << 30)
    });
    assert_eq!(unknown, Err(Errno::EINVAL));
    let into = (writing.as_raw_fd(), NO_OFFSET);
    assert_eq!(splice(&mut ring, (-1, 0), into, 10), Err(Errno::EBADF));
    assert_eq!(
        splice(&mut ring, (file.fd(), 0), into, 0),
        Ok(0),
        "nothing to move"
    );
}

#[test]
fn a_tee_leaves_the_data_where_it_was() {
    let mut ring = ring();
    let (mut first_reading, first_writing) = pipe(0);
    let (mut second_reading, second_writing) = pipe(0);
    (&first_writing).write_all(b"twice").expect("written");
    assert_eq!(tee(&mut ring, &first_reading, &second_writing, 64), Ok(5));
    for reading in [&mut first_reading, &mut second_reading] {
        let mut back = [0; 5];
        reading.read_exact(&mut back).expect("read");
        assert_eq!(&back, b"twice");
    }
    let same = tee(&mut ring, &first_reading, &first_writing, 64);
    assert_eq!(same, Err(Errno::EINVAL), "from a pipe to itself");
    let file = TempFile::new();
    let no_pipe = tee(&mut ring, file.file(), &second_writing, 64);
    assert_eq!(no_pipe, Err(Errno::EINVAL));
}

//! Where a read or write takes place: at an offset, or at the position that the descriptor has.

use std::io::{IoSlice, IoSliceMut, Seek, SeekFrom};

use annulus_ring::{CURRENT_POSITION, Errno, SqeFlags};

use crate::support::{
    TempFile, collect, in_order, of, pattern, pipe, push, read, readv, ring, write, writev,
};

#[test]
fn a_read_at_the_end_of_a_file_is_short_and_one_beyond_is_empty() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(5000));
    let mut buf = vec![0xaa; 8192];
    assert_eq!(read(&mut ring, file.fd(), &mut buf, 0), Ok(5000));
    assert_eq!(buf[..5000], pattern(5000));
    assert!(
        buf[5000..].iter().all(|byte| *byte == 0xaa),
        "no byte beyond"
    );
    let (first, second) = buf.split_at_mut(4096);
    let mut bufs = [IoSliceMut::new(first), IoSliceMut::new(second)];
    assert_eq!(readv(&mut ring, file.fd(), &mut bufs, 0, 0), Ok(5000));
    assert_eq!(read(&mut ring, file.fd(), &mut buf, 4999), Ok(1));
    assert_eq!(read(&mut ring, file.fd(), &mut buf, 5000), Ok(0));
    assert_eq!(read(&mut ring, file.fd(), &mut buf, 1 << 40), Ok(0));
}

#[test]
fn reads_at_the_current_position_go_through_a_file_and_move_it() {
    let mut ring = ring();
    let data = pattern(10_000);
    for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
        let file = TempFile::with(&data);
        let mut back = Vec::new();
        loop {
            let mut buf = [0_u8; 999];
            let start = buf.as_mut_ptr();
            // SAFETY: `buf` outlives the completion.
            push(&mut ring, 0, |sqe| unsafe {
                sqe.prep_read(file.fd(), start, 999, CURRENT_POSITION)
                    .add_flags(flags)
            });
            let len = collect(&mut ring, 1)[0].result().expect("read") as usize;
            back.extend_from_slice(&buf[..len]);
            let position = file.file().stream_position().expect("a position");
            assert_eq!(position, back.len() as u64);
            if len == 0 {
                break;
            }
        }
        assert_eq!(back, data);
    }
}

#[test]
fn linked_reads_at_the_current_position_follow_each_other() {
    let mut ring = ring();
    let data = pattern(8 * 512);
    let file = TempFile::with(&data);
    let mut back = vec![0_u8; data.len()];
    for (index, piece) in back.chunks_mut(512).enumerate() {
        let start = piece.as_mut_ptr();
        // SAFETY: `back` outlives the completions.
        push(&mut ring, index as u64, |sqe| unsafe {
            sqe.prep_read(file.fd(), start, 512, CURRENT_POSITION)
                .add_flags(SqeFlags::IO_LINK)
        });
    }
    assert_eq!(in_order(&mut ring, 8), [512; 8]);
    assert_eq!(back, data);
}

#[test]
fn writes_at_the_current_position_follow_each_other_and_move_it() {
    let mut ring = ring();
    let file = TempFile::new();
    for (index, piece) in pattern(3000).chunks(1000).enumerate() {
        let pieces = [IoSlice::new(piece)];
        let written = writev(&mut ring, file.fd(), &pieces, CURRENT_POSITION, 0);
        assert_eq!(written, Ok(1000));
        let position = file.file().stream_position().expect("a position");
        assert_eq!(position, (index as u64 + 1) * 1000);
    }
    assert_eq!(file.content(), pattern(3000));
}

#[test]
fn an_offset_leaves_the_current_position_alone() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(1000));
    file.file().seek(SeekFrom::Start(7)).expect("moved");
    let mut buf = [0; 10];
    assert_eq!(read(&mut ring, file.fd(), &mut buf, 100), Ok(10));
    assert_eq!(write(&mut ring, file.fd(), &buf, 200), Ok(10));
    assert_eq!(file.file().stream_position().expect("a position"), 7);
    assert_eq!(
        read(&mut ring, file.fd(), &mut buf, CURRENT_POSITION),
        Ok(10)
    );
    assert_eq!(buf, pattern(17)[7..]);
}

#[test]
fn an_offset_below_zero_is_refused() {
    let mut ring = ring();
    let file = TempFile::with(b"content");
    let mut buf = [0; 4];
    let below = (-2_i64) as u64;
    assert_eq!(
        read(&mut ring, file.fd(), &mut buf, below),
        Err(Errno::EINVAL)
    );
    assert_eq!(write(&mut ring, file.fd(), &buf, below), Err(Errno::EINVAL));
}

#[test]
fn what_waits_for_a_pipe_does_not_hold_up_reads_of_a_file() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(8192));
    let (reading, writing) = pipe(0);
    let mut from_pipe = [0_u8; 4];
    let mut from_file = vec![0_u8; 8192];
    let start = from_pipe.as_mut_ptr();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reading);
    // 1. A worker waits for the pipe.
    // SAFETY: the buffer outlives the completion.
    push(&mut ring, 9, |sqe| unsafe {
        sqe.prep_read(fd, start, 4, CURRENT_POSITION)
            .add_flags(SqeFlags::ASYNC)
    });
    // 2. Reads of neighbouring ranges of one file, by workers too, do not wait with it.
    for (index, piece) in from_file.chunks_mut(4096).enumerate() {
        let start = piece.as_mut_ptr();
        // SAFETY: the buffer outlives the completion.
        push(&mut ring, index as u64, |sqe| unsafe {
            sqe.prep_read(file.fd(), start, 4096, index as u64 * 4096)
                .add_flags(SqeFlags::ASYNC)
        });
    }
    assert_eq!(in_order(&mut ring, 2), [4096; 2]);
    assert_eq!(from_file, pattern(8192));
    // 3. The pipe's comes when there is something.
    std::io::Write::write_all(&mut &writing, b"late").expect("written");
    assert_eq!(of(&collect(&mut ring, 1), 9).result(), Ok(4));
    assert_eq!(&from_pipe, b"late");
}

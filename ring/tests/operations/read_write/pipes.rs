//! Pipes: data in pieces, the end, and descriptors that never block.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use annulus_ring::{CURRENT_POSITION, Cqe, Errno, Ring, SqeFlags};

use crate::support::{
    TempDir, collect, in_a_child, outcome, pattern, pipe, push, read, readv, register_buffers,
    result, ring, write, writev,
};

#[test]
fn a_read_that_waits_ends_with_nothing_when_the_writer_closes() {
    let mut ring = ring();
    for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
        let (reading, writing) = pipe(0);
        let mut buf = [0_u8; 64];
        let start = buf.as_mut_ptr();
        // 1. There is something to read, in the end.
        // SAFETY: `buf` outlives the completion.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_read(reading.as_raw_fd(), start, 64, CURRENT_POSITION)
                .add_flags(flags)
        });
        ring.submit().expect("submitted");
        (&writing).write_all(b"last words").expect("written");
        assert_eq!(collect(&mut ring, 1)[0], Cqe::synthetic(1, 10, 0));
        // 2. There never will be.
        // SAFETY: `buf` outlives the completion.
        push(&mut ring, 2, |sqe| unsafe {
            sqe.prep_read(reading.as_raw_fd(), start, 64, CURRENT_POSITION)
                .add_flags(flags)
        });
        ring.submit().expect("submitted");
        drop(writing);
        assert_eq!(collect(&mut ring, 1)[0], Cqe::synthetic(2, 0, 0));
        assert_eq!(&buf[..10], b"last words");
    }
}

#[test]
fn a_vectored_read_gets_what_is_there_and_the_next_one_the_rest() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    let data = pattern(4096);
    let (mut first, mut second) = (vec![0_u8; 4096], vec![0_u8; 4096]);
    for half in [&data[..2048], &data[2048..]] {
        // 1. The read waits for the pipe.
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        let start = bufs.as_mut_ptr().cast();
        // SAFETY: the buffers outlive the completion.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_readv(reading.as_raw_fd(), start, 2, CURRENT_POSITION, 0)
        });
        ring.submit().expect("submitted");
        // 2. Half comes: a short result, in the first buffer, from its start.
        (&writing).write_all(half).expect("written");
        assert_eq!(collect(&mut ring, 1)[0].result(), Ok(2048));
        assert_eq!(first[..2048], *half);
        assert!(second.iter().all(|byte| *byte == 0), "not touched");
    }
}

#[test]
fn a_write_that_does_not_fit_waits_until_there_is_room() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    let room = 64 << 10;
    let data = pattern(room + 4096);
    let start = data.as_ptr();
    // SAFETY: `data` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_write(
            writing.as_raw_fd(),
            start,
            data.len() as u32,
            CURRENT_POSITION,
        )
    });
    ring.submit().expect("submitted");
    let mut back = vec![0; data.len()];
    (&reading).read_exact(&mut back[..room]).expect("read");
    let written = collect(&mut ring, 1)[0].result().expect("written") as usize;
    assert!(written == room || written == data.len(), "{written}");
    // What a short write left is the caller's to write.
    if written < data.len() {
        (&writing).write_all(&data[written..]).expect("written");
    }
    (&reading).read_exact(&mut back[room..]).expect("read");
    assert_eq!(back, data);
}

#[test]
fn a_read_of_a_fifo_that_never_blocks_waits_and_brings_data() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("fifo");
    // SAFETY: `path` ends in a NUL.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    let fifo = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(directory.join("fifo"))
        .expect("opened");
    for round in 0..3 {
        let mut buf = [0_u8; 5];
        let start = buf.as_mut_ptr();
        // SAFETY: `buf` outlives the completion.
        push(&mut ring, round, |sqe| unsafe {
            sqe.prep_read(fifo.as_raw_fd(), start, 5, CURRENT_POSITION)
        });
        ring.submit().expect("submitted");
        assert_eq!(ring.cq_ready(), 0, "no EAGAIN");
        (&fifo).write_all(b"hello").expect("written");
        assert_eq!(collect(&mut ring, 1)[0], Cqe::synthetic(round, 5, 0));
        assert_eq!(&buf, b"hello");
    }
}

#[test]
fn a_read_that_may_not_wait_says_so_on_a_pipe() {
    use annulus_syscalls::io_uring::flags::rw::RWF_NOWAIT;
    let mut ring = ring();
    let (reading, _writing) = pipe(0);
    let mut buf = [0_u8; 5];
    let mut bufs = [IoSliceMut::new(&mut buf)];
    let refused = readv(
        &mut ring,
        reading.as_raw_fd(),
        &mut bufs,
        CURRENT_POSITION,
        RWF_NOWAIT,
    );
    assert_eq!(refused, Err(Errno::EAGAIN));
}

#[test]
fn an_offset_has_no_meaning_for_a_pipe_and_is_ignored() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    for offset in [0, 100, CURRENT_POSITION] {
        assert_eq!(
            write(&mut ring, writing.as_raw_fd(), b"data", offset),
            Ok(4)
        );
        let mut buf = [0; 4];
        assert_eq!(
            read(&mut ring, reading.as_raw_fd(), &mut buf, offset),
            Ok(4)
        );
        assert_eq!(&buf, b"data");
    }
}

#[test]
fn a_write_to_a_pipe_without_reader_is_refused_and_raises_no_signal_that_kills() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    drop(reading);
    // The runtime of Rust ignores SIGPIPE, so that the errno is what is left.
    assert!(breaks(&mut ring, &writing));
}

/// Writes until it is refused because nobody reads. Whoever else still has the reading end, a
/// child just being made or a ring just going, gives it up at last: a pipe holds 64 KiB, and the
/// write beyond that waits for it.
fn breaks(ring: &mut Ring, writing: &File) -> bool {
    (0..=(64 << 10) / 4096).any(|_| {
        let written = write(ring, writing.as_raw_fd(), &[0; 4096], CURRENT_POSITION);
        written == Err(Errno::EPIPE)
    })
}

#[test]
fn data_goes_through_a_pipe_from_and_to_registered_buffers() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    let (mut out, mut back) = (pattern(300), vec![0_u8; 300]);
    let mut bufs = [IoSliceMut::new(&mut out), IoSliceMut::new(&mut back)];
    // SAFETY: the ring is dropped before the memory.
    unsafe { register_buffers(&ring, &mut bufs) }.expect("registered");
    let (out_at, back_at) = (out.as_ptr(), back.as_mut_ptr());
    // SAFETY: the buffers outlive the completions.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_write_fixed(writing.as_raw_fd(), out_at, 300, 0, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: as above.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read_fixed(reading.as_raw_fd(), back_at, 300, 0, 1)
    });
    let results: Vec<_> = collect(&mut ring, 2).iter().map(Cqe::res).collect();
    assert_eq!(results, [300, 300]);
    drop(ring);
    assert_eq!(back, out);
}

#[test]
fn what_is_written_to_the_standard_output_arrives_plain_vectored_and_registered() {
    let (mut reading, writing) = pipe(0);
    let held = in_a_child(|| {
        // SAFETY: takes numbers only; the child is alone with its standard output.
        let output = unsafe { libc::dup2(writing.as_raw_fd(), libc::STDOUT_FILENO) };
        assert_eq!(output, libc::STDOUT_FILENO);
        let mut ring = ring();
        let mut line = b"This is a line\n".to_vec();
        let plain = write(&mut ring, libc::STDOUT_FILENO, &line, 0);
        let pieces = [IoSlice::new(&line[..4]), IoSlice::new(&line[4..])];
        let vectored = writev(&mut ring, libc::STDOUT_FILENO, &pieces, 0, 0);
        let mut bufs = [IoSliceMut::new(&mut line)];
        // SAFETY: the ring is dropped before the memory.
        unsafe { register_buffers(&ring, &mut bufs) }.expect("registered");
        let start = line.as_ptr();
        // SAFETY: the buffer outlives the completion.
        let registered = result(&mut ring, |sqe| unsafe {
            sqe.prep_write_fixed(libc::STDOUT_FILENO, start, 15, 0, 0)
        });
        drop(ring);
        [plain, vectored, registered] == [Ok(15); 3]
    });
    assert!(held);
    drop(writing);
    let mut all = String::new();
    reading.read_to_string(&mut all).expect("read");
    assert_eq!(all, "This is a line\n".repeat(3));
}

#[test]
fn a_ring_that_goes_with_reads_under_way_lets_the_pipe_go() {
    let (reading, writing) = pipe(0);
    let buf = Box::leak(Box::new([0_u8; 4]));
    let waited = std::thread::spawn(move || {
        let mut ring = ring();
        let start = buf.as_mut_ptr();
        // SAFETY: the buffer is leaked, so that it stays whatever becomes of the read.
        let got = outcome(&mut ring, |sqe| unsafe {
            sqe.prep_read(reading.as_raw_fd(), start, 4, CURRENT_POSITION)
        });
        // Another one, that nobody waits for: the thread ends with it under way.
        // SAFETY: as above.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_read(reading.as_raw_fd(), start, 4, CURRENT_POSITION)
        });
        ring.submit().expect("submitted");
        got
    });
    assert_eq!(waited.join().expect("no panic"), Err(Errno::ECANCELED));
    // The reading end is gone once the kernel has cancelled.
    assert!(breaks(&mut ring(), &writing), "or it would wait for ever");
}

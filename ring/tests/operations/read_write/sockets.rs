//! Plain reads and writes of sockets, where an offset has no meaning.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{CURRENT_POSITION, Errno, Ring, SqeFlags};

use crate::support::{
    collect, in_order, pattern, push, read, readv, ring, tcp_pair, unix_pair, write, writev,
};

/// A TCP and a Unix connection.
fn pairs() -> Vec<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = tcp_pair();
    let (our_unix, their_unix) = unix_pair();
    vec![
        (ours.into(), theirs.into()),
        (our_unix.into(), their_unix.into()),
    ]
}

fn set_nonblocking(fd: &OwnedFd, is_nonblocking: bool) {
    let flags = if is_nonblocking { libc::O_NONBLOCK } else { 0 };
    // SAFETY: takes numbers only.
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) };
    assert_eq!(set, 0);
}

/// Moves `data` from one end to the other, the read first, in pieces that do not fit a packet.
fn moved(
    ring: &mut Ring,
    ours: &OwnedFd,
    theirs: &OwnedFd,
    data: &[u8],
    flags: SqeFlags,
) -> Vec<u8> {
    let mut back = Vec::new();
    let mut sent = 0;
    while back.len() < data.len() {
        let mut buf = vec![0_u8; data.len() - back.len()];
        let mut into = [IoSliceMut::new(&mut buf)];
        let into_at = into.as_mut_ptr().cast();
        // SAFETY: the buffer outlives the completion.
        push(ring, 0, |sqe| unsafe {
            sqe.prep_readv(theirs.as_raw_fd(), into_at, 1, 0, 0)
                .add_flags(flags)
        });
        let mut count = 1;
        let out = [IoSlice::new(&data[sent..])];
        let out_at = out.as_ptr().cast();
        if sent < data.len() {
            // SAFETY: as above.
            push(ring, 1, |sqe| unsafe {
                sqe.prep_writev(ours.as_raw_fd(), out_at, 1, 0, 0)
                    .add_flags(flags)
            });
            count = 2;
        }
        let results = in_order(ring, count);
        assert!(results.iter().all(|res| *res > 0), "{results:?}");
        back.extend_from_slice(&buf[..results[0] as usize]);
        sent += results.get(1).map_or(0, |sent| *sent as usize);
    }
    back
}

#[test]
fn vectored_reads_and_writes_move_data_over_sockets_that_block_and_that_do_not() {
    let mut ring = ring();
    let data = pattern(40_000);
    for (ours, theirs) in pairs() {
        for is_nonblocking in [false, true] {
            set_nonblocking(&ours, is_nonblocking);
            set_nonblocking(&theirs, is_nonblocking);
            let back = moved(&mut ring, &ours, &theirs, &data, SqeFlags::NONE);
            assert_eq!(back, data);
        }
        // A worker waits on a socket that blocks.
        set_nonblocking(&ours, false);
        set_nonblocking(&theirs, false);
        let back = moved(&mut ring, &ours, &theirs, &data, SqeFlags::ASYNC);
        assert_eq!(back, data);
    }
}

#[test]
fn a_read_that_finds_nothing_waits_for_the_write_behind_it() {
    let mut ring = ring();
    for (ours, theirs) in pairs() {
        for is_nonblocking in [false, true] {
            set_nonblocking(&theirs, is_nonblocking);
            let mut buf = [0_u8; 16];
            let mut into = [IoSliceMut::new(&mut buf)];
            let start = into.as_mut_ptr().cast();
            // SAFETY: the buffer outlives the completion.
            push(&mut ring, 1, |sqe| unsafe {
                sqe.prep_readv(theirs.as_raw_fd(), start, 1, CURRENT_POSITION, 0)
            });
            ring.submit().expect("submitted");
            assert_eq!(ring.cq_ready(), 0, "no EAGAIN");
            // SAFETY: the data is a constant.
            push(&mut ring, 2, |sqe| unsafe {
                sqe.prep_write(ours.as_raw_fd(), b"a message".as_ptr(), 9, CURRENT_POSITION)
            });
            for cqe in collect(&mut ring, 2) {
                assert_eq!(cqe.result(), Ok(9));
            }
            assert_eq!(&buf[..9], b"a message");
        }
    }
}

#[test]
fn the_offset_of_a_socket_is_zero_or_current_and_any_other_is_refused() {
    let mut ring = ring();
    for (ours, theirs) in pairs() {
        for offset in [0, CURRENT_POSITION] {
            let (out, into) = (ours.as_raw_fd(), theirs.as_raw_fd());
            let mut buf = [0; 4];
            assert_eq!(write(&mut ring, out, b"ping", offset), Ok(4), "{offset}");
            assert_eq!(read(&mut ring, into, &mut buf, offset), Ok(4), "{offset}");
            assert_eq!(&buf, b"ping");
            let pieces = [IoSlice::new(b"po"), IoSlice::new(b"ng")];
            assert_eq!(writev(&mut ring, out, &pieces, offset, 0), Ok(4));
            let mut pieces = [IoSliceMut::new(&mut buf)];
            assert_eq!(readv(&mut ring, into, &mut pieces, offset, 0), Ok(4));
            assert_eq!(&buf, b"pong");
        }
        let mut buf = [0; 4];
        let refused = [
            write(&mut ring, ours.as_raw_fd(), b"ping", 4096),
            read(&mut ring, theirs.as_raw_fd(), &mut buf, 4096),
        ];
        assert_eq!(refused, [Err(Errno::ESPIPE); 2]);
    }
}

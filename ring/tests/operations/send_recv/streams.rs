//! Streams: either end first, by descriptor and by slot, at once and by workers; what is not
//! connected, and what was never a socket.

use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{CancelMatch, Errno, Opcode, Ring, RingConfig, SqeFlags};

use crate::support::{
    collect, in_order, of, outcome, pattern, pipe, push, recv, register_files, result, ring, send,
    socket, tcp_pair, unix_pair,
};

fn pairs() -> Vec<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = tcp_pair();
    let (our_unix, their_unix) = unix_pair();
    vec![
        (ours.into(), theirs.into()),
        (our_unix.into(), their_unix.into()),
    ]
}

/// A receive that is there first, then a send; what was received.
fn conversation(
    ring: &mut Ring,
    fds: (i32, i32),
    flags: SqeFlags,
    is_polling_first: bool,
) -> Vec<u8> {
    let data = pattern(777);
    let mut buf = vec![0_u8; 1000];
    let (out_at, in_at) = (data.as_ptr(), buf.as_mut_ptr());
    // SAFETY: the buffers outlive the completions.
    push(ring, 0, |sqe| unsafe {
        let sqe = sqe.prep_recv(fds.1, in_at, 1000, 0).add_flags(flags);
        if is_polling_first {
            sqe.set_poll_first()
        } else {
            sqe
        }
    });
    ring.submit().expect("submitted");
    // SAFETY: as above.
    push(ring, 1, |sqe| unsafe {
        sqe.prep_send(fds.0, out_at, 777, 0).add_flags(flags)
    });
    assert_eq!(in_order(ring, 2), [777, 777]);
    buf.truncate(777);
    buf
}

#[test]
fn a_receive_that_was_there_first_gets_what_is_sent_in_every_way() {
    let mut ring = ring();
    for (ours, theirs) in pairs() {
        let fds = (ours.as_raw_fd(), theirs.as_raw_fd());
        for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
            for is_polling_first in [false, true] {
                let got = conversation(&mut ring, fds, flags, is_polling_first);
                assert_eq!(got, pattern(777));
            }
        }
        register_files(&ring, &[fds.0, fds.1]).expect("registered");
        let got = conversation(&mut ring, (0, 1), SqeFlags::FIXED_FILE, false);
        assert_eq!(got, pattern(777));
        crate::support::unregister_files(&ring).expect("unregistered");
    }
}

#[test]
fn a_ring_whose_entries_a_kernel_thread_takes_converses_as_well() {
    let config = RingConfig {
        sq_entries: 8,
        sqpoll_idle_ms: Some(10),
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    for (ours, theirs) in pairs() {
        let fds = (ours.as_raw_fd(), theirs.as_raw_fd());
        let got = conversation(&mut ring, fds, SqeFlags::NONE, false);
        assert_eq!(got, pattern(777));
    }
}

#[test]
fn non_blocking_sockets_wait_like_blocking_ones_unless_the_operation_may_not() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    for end in [&ours, &theirs] {
        end.set_nonblocking(true).expect("set");
    }
    let fds = (ours.as_raw_fd(), theirs.as_raw_fd());
    let got = conversation(&mut ring, fds, SqeFlags::NONE, false);
    assert_eq!(got, pattern(777));
    let mut buf = [0; 8];
    let refused = recv(&mut ring, fds.1, &mut buf, libc::MSG_DONTWAIT);
    assert_eq!(refused, Err(Errno::EAGAIN));
    // Until the peer's buffer is full: then a send waits, and one that may not says so.
    let block = vec![7_u8; 64 << 10];
    loop {
        match send(&mut ring, fds.0, &block, libc::MSG_DONTWAIT) {
            Ok(_) => {}
            Err(errno) => break assert_eq!(errno, Errno::EAGAIN),
        }
    }
    let start = block.as_ptr();
    // SAFETY: `block` outlives both completions.
    let waited = outcome(&mut ring, |sqe| unsafe {
        sqe.prep_send(fds.0, start, 4096, 0)
    });
    assert_eq!(waited, Err(Errno::ECANCELED));
}

#[test]
fn a_send_that_waits_for_room_goes_on_when_the_peer_reads() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let block = vec![7_u8; 64 << 10];
    let mut filled = 0;
    while let Ok(len) = send(&mut ring, fd, &block, libc::MSG_DONTWAIT) {
        filled += len as usize;
    }
    // SAFETY: the data is a constant.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_send(fd, b"late".as_ptr(), 4, 0)
    });
    ring.submit().expect("submitted");
    assert_eq!(ring.cq_ready(), 0);
    let mut all = vec![0; filled];
    std::io::Read::read_exact(&mut &theirs, &mut all).expect("read");
    assert_eq!(collect(&mut ring, 1)[0].result(), Ok(4));
    let mut late = [0; 4];
    std::io::Read::read_exact(&mut &theirs, &mut late).expect("read");
    assert_eq!(&late, b"late");
}

#[test]
fn a_peek_leaves_the_data_and_a_short_receive_leaves_the_rest() {
    let mut ring = ring();
    for (ours, theirs) in pairs() {
        let (out, into) = (ours.as_raw_fd(), theirs.as_raw_fd());
        assert_eq!(send(&mut ring, out, b"peekaboo", 0), Ok(8));
        let mut buf = [0; 8];
        for _ in 0..2 {
            buf.fill(0);
            assert_eq!(recv(&mut ring, into, &mut buf, libc::MSG_PEEK), Ok(8));
            assert_eq!(&buf, b"peekaboo");
        }
        assert_eq!(recv(&mut ring, into, &mut buf[..4], 0), Ok(4));
        assert_eq!(&buf[..4], b"peek");
        assert_eq!(recv(&mut ring, into, &mut buf, 0), Ok(4));
        assert_eq!(&buf[..4], b"aboo");
        let refused = recv(
            &mut ring,
            into,
            &mut buf,
            libc::MSG_DONTWAIT | libc::MSG_PEEK,
        );
        assert_eq!(refused, Err(Errno::EAGAIN));
    }
}

#[test]
fn a_receive_tells_whether_more_lies_in_the_socket() {
    let mut ring = ring();
    let (ours, theirs) = tcp_pair();
    assert_eq!(send(&mut ring, ours.as_raw_fd(), b"eight   ", 0), Ok(8));
    let mut nonempty = |len| {
        let mut buf = [0_u8; 8];
        let start = buf.as_mut_ptr();
        let cqe = crate::support::complete(&mut ring, |sqe| {
            // SAFETY: `buf` outlives the completion.
            unsafe { sqe.prep_recv(theirs.as_raw_fd(), start, len, 0) }
        });
        assert_eq!(cqe.result(), Ok(len));
        cqe.sock_nonempty()
    };
    assert_eq!((nonempty(3), nonempty(5)), (true, false));
}

#[test]
fn what_is_not_connected_or_no_socket_gets_the_errno_of_the_call() {
    let mut ring = ring();
    let (reading, writing) = pipe(0);
    let mut buf = [0; 8];
    let no_socket = recv(&mut ring, reading.as_raw_fd(), &mut buf, 0);
    assert_eq!(no_socket, Err(Errno::ENOTSOCK));
    let no_socket = send(&mut ring, writing.as_raw_fd(), &buf, 0);
    assert_eq!(no_socket, Err(Errno::ENOTSOCK));
    assert_eq!(send(&mut ring, -1, &buf, 0), Err(Errno::EBADF));
    let fresh = socket(&mut ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket");
    let fd = fresh.as_raw_fd();
    assert_eq!(recv(&mut ring, fd, &mut buf, 0), Err(Errno::ENOTCONN));
    assert_eq!(
        send(&mut ring, fd, &buf, libc::MSG_NOSIGNAL),
        Err(Errno::EPIPE)
    );
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_send(fd, std::ptr::without_provenance(8), 8, 0)
    });
    assert!(nowhere.is_err());
}

#[test]
fn a_peer_that_resets_the_connection_is_told_once() {
    let mut ring = ring();
    let (ours, theirs) = tcp_pair();
    // Closed with bytes unread: a reset, not an end.
    assert_eq!(send(&mut ring, ours.as_raw_fd(), b"unread", 0), Ok(6));
    theirs.peek(&mut [0; 1]).expect("it is there");
    theirs
        .shutdown(std::net::Shutdown::Both)
        .expect("shut down");
    drop(theirs);
    let mut buf = [0; 8];
    let first = recv(&mut ring, ours.as_raw_fd(), &mut buf, 0);
    assert!(matches!(first, Err(Errno::ECONNRESET) | Ok(0)), "{first:?}");
}

#[test]
fn every_receive_of_a_descriptor_is_cancelled_by_its_opcode() {
    let mut ring = ring();
    let (ours, _theirs) = tcp_pair();
    let fd = ours.as_raw_fd();
    let mut buf = [0_u8; 8];
    let start = buf.as_mut_ptr();
    for user_data in 0..3 {
        // SAFETY: `buf` outlives the completions.
        push(&mut ring, user_data, |sqe| unsafe {
            sqe.prep_recv(fd, start, 8, 0)
        });
    }
    ring.submit().expect("submitted");
    push(&mut ring, 3, |sqe| {
        sqe.prep_cancel_match(&CancelMatch::opcode(Opcode::RECV).all())
    });
    let cqes = collect(&mut ring, 4);
    assert_eq!(of(&cqes, 3).result(), Ok(3));
    for user_data in 0..3 {
        assert_eq!(of(&cqes, user_data).result(), Err(Errno::ECANCELED));
    }
}

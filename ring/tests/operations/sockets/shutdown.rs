//! Shutting down: who waits is woken, who comes later is told.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::ptr::null_mut;

use annulus_ring::{CURRENT_POSITION, Errno, SqeFlags};

use crate::support::{
    collect, listener, of, pipe, push, recv, register_files, result, ring, send, tcp_pair,
    unix_pair,
};

#[test]
fn a_receive_that_waits_is_woken_with_nothing_by_a_shutdown_of_its_own_end() {
    let mut ring = ring();
    let (tcp, _tcp_peer) = tcp_pair();
    let (unix, _unix_peer) = unix_pair();
    for fd in [tcp.as_raw_fd(), unix.as_raw_fd()] {
        let mut bufs = [[0_u8; 8]; 2];
        let [first, second] = bufs.each_mut().map(|buf| buf.as_mut_ptr());
        // SAFETY: the buffers outlive the completions.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_recv(fd, first, 8, 0)
        });
        // SAFETY: as above.
        push(&mut ring, 2, |sqe| unsafe {
            sqe.prep_read(fd, second, 8, CURRENT_POSITION)
        });
        ring.submit().expect("submitted");
        assert_eq!(ring.cq_ready(), 0, "they wait");
        push(&mut ring, 3, |sqe| sqe.prep_shutdown(fd, libc::SHUT_RDWR));
        for cqe in collect(&mut ring, 3) {
            assert_eq!(cqe.result(), Ok(0));
        }
    }
}

#[test]
fn a_receive_in_a_worker_is_woken_as_well() {
    let mut ring = ring();
    let (ours, _theirs) = tcp_pair();
    let fd = ours.as_raw_fd();
    let mut buf = [0_u8; 8];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_recv(fd, start, 8, 0).add_flags(SqeFlags::ASYNC)
    });
    ring.submit().expect("submitted");
    push(&mut ring, 2, |sqe| sqe.prep_shutdown(fd, libc::SHUT_RDWR));
    for cqe in collect(&mut ring, 2) {
        assert_eq!(cqe.result(), Ok(0));
    }
}

#[test]
fn the_peer_reads_what_was_sent_and_then_the_end() {
    let mut ring = ring();
    let (ours, mut theirs) = tcp_pair();
    let fd = ours.as_raw_fd();
    assert_eq!(send(&mut ring, fd, b"last words", 0), Ok(10));
    let shut = result(&mut ring, |sqe| sqe.prep_shutdown(fd, libc::SHUT_WR));
    assert_eq!(shut, Ok(0));
    let mut all = String::new();
    theirs.read_to_string(&mut all).expect("read");
    assert_eq!(all, "last words");
    // The other way is open still.
    theirs.write_all(b"heard").expect("written");
    let mut buf = [0; 8];
    assert_eq!(recv(&mut ring, fd, &mut buf, 0), Ok(5));
    let late = send(&mut ring, fd, b"more", libc::MSG_NOSIGNAL);
    assert_eq!(late, Err(Errno::EPIPE));
}

#[test]
fn an_accept_that_waits_is_woken_by_a_shutdown_of_its_listener() {
    let mut ring = ring();
    let listener = listener();
    let fd = listener.as_raw_fd();
    // SAFETY: there is no memory.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_accept(fd, null_mut(), null_mut(), 0)
    });
    ring.submit().expect("submitted");
    push(&mut ring, 2, |sqe| sqe.prep_shutdown(fd, libc::SHUT_RDWR));
    let cqes = collect(&mut ring, 2);
    assert_eq!(of(&cqes, 1).result(), Err(Errno::EINVAL));
    assert_eq!(of(&cqes, 2).result(), Ok(0));
}

#[test]
fn a_slot_is_shut_down_and_what_is_no_connection_is_not() {
    let mut ring = ring();
    let (ours, mut theirs) = unix_pair();
    register_files(&ring, &[ours.as_raw_fd()]).expect("registered");
    let slot = result(&mut ring, |sqe| {
        sqe.prep_shutdown(0, libc::SHUT_WR)
            .add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(slot, Ok(0));
    assert_eq!(theirs.read(&mut [0; 8]).expect("read"), 0);
    let mut shut = |fd, how| result(&mut ring, |sqe| sqe.prep_shutdown(fd, how));
    assert_eq!(shut(ours.as_raw_fd(), 7), Err(Errno::EINVAL));
    let (reading, _writing) = pipe(0);
    assert_eq!(
        shut(reading.as_raw_fd(), libc::SHUT_WR),
        Err(Errno::ENOTSOCK)
    );
    assert_eq!(shut(-1, libc::SHUT_WR), Err(Errno::EBADF));
}

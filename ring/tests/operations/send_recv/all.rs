//! Waiting for all of it: transfers that are larger than any buffer on the way.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{Errno, Ring, SqeFlags};

use super::{Message, recvmsg, sendmsg};
use crate::support::{
    collect, pattern, push, recv, ring, send, socket_pair, tcp_pair, udp_pair, unix_pair,
};

const LARGE: usize = 4 << 20;

#[test]
fn a_receive_that_waits_for_all_gets_all_though_it_comes_in_pieces() {
    let mut ring = ring();
    let (mut ours, theirs) = tcp_pair();
    let data = pattern(10_000);
    for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
        let mut buf = vec![0_u8; 10_000];
        let start = buf.as_mut_ptr();
        // SAFETY: `buf` outlives the completion.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_recv(theirs.as_raw_fd(), start, 10_000, libc::MSG_WAITALL)
                .add_flags(flags)
        });
        ring.submit().expect("submitted");
        for piece in data.chunks(1234) {
            ours.write_all(piece).expect("written");
            // It looks at each piece, and goes on waiting until the last.
            ring.enter(0, None).expect("entered");
        }
        assert_eq!(collect(&mut ring, 1)[0].result(), Ok(10_000));
        assert_eq!(buf, data);
    }
}

#[test]
fn a_receive_that_waits_for_all_gets_what_there_was_when_the_peer_closes() {
    let mut ring = ring();
    let (mut ours, theirs) = tcp_pair();
    let mut buf = vec![0_u8; 100];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_recv(theirs.as_raw_fd(), start, 100, libc::MSG_WAITALL)
    });
    ring.submit().expect("submitted");
    ours.write_all(&pattern(60)).expect("written");
    ring.enter(0, None).expect("entered");
    ours.shutdown(std::net::Shutdown::Write).expect("shut down");
    assert_eq!(collect(&mut ring, 1)[0].result(), Ok(60));
    assert_eq!(buf[..60], pattern(60));
}

#[test]
fn a_short_receive_breaks_a_chain_only_if_it_was_to_wait_for_all() {
    let mut ring = ring();
    let (mut ours, theirs) = tcp_pair();
    for (flags, expected) in [(0, Ok(0)), (libc::MSG_WAITALL, Err(Errno::ECANCELED))] {
        ours.write_all(b"short").expect("written");
        if flags != 0 {
            ours.shutdown(std::net::Shutdown::Write).expect("shut down");
        }
        let mut buf = [0_u8; 64];
        let start = buf.as_mut_ptr();
        // SAFETY: `buf` outlives the completion.
        push(&mut ring, 0, |sqe| unsafe {
            sqe.prep_recv(theirs.as_raw_fd(), start, 64, flags)
                .add_flags(SqeFlags::IO_LINK)
        });
        push(&mut ring, 1, |sqe| sqe.prep_nop());
        let cqes = collect(&mut ring, 2);
        assert_eq!(crate::support::of(&cqes, 0).result(), Ok(5));
        assert_eq!(crate::support::of(&cqes, 1).result(), expected);
    }
}

/// Sends `LARGE` bytes while a thread reads slowly; how much one operation sent, and what came.
fn sent_while_read(
    ours: &UnixStream,
    theirs: UnixStream,
    send: impl FnOnce(&mut Ring, i32) -> Result<u32, Errno>,
) -> (u32, Vec<u8>) {
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut buf = [0; 3000];
        while let Ok(len) = (&theirs).read(&mut buf) {
            if len == 0 {
                break;
            }
            all.extend_from_slice(&buf[..len]);
        }
        all
    });
    let sent = send(&mut ring(), ours.as_raw_fd()).expect("sent");
    ours.shutdown(std::net::Shutdown::Write).expect("shut down");
    (sent, reader.join().expect("no panic"))
}

#[test]
fn a_send_that_waits_for_all_sends_all_though_there_is_never_room_for_it() {
    let data = pattern(LARGE);
    let (ours, theirs) = unix_pair();
    let (sent, all) = sent_while_read(&ours, theirs, |ring, fd| {
        send(ring, fd, &data, libc::MSG_WAITALL)
    });
    assert_eq!(sent as usize, LARGE);
    assert!(all == data, "every byte in its place");
}

#[test]
fn a_message_that_waits_for_all_is_sent_whole_across_its_vectors() {
    let mut data = pattern(LARGE);
    let expected = data.clone();
    let (ours, theirs) = unix_pair();
    let (sent, all) = sent_while_read(&ours, theirs, |ring, fd| {
        // Borders that fall nowhere in particular.
        let (first, rest) = data.split_at_mut(1_234_567);
        let (second, third) = rest.split_at_mut(7);
        // SAFETY: `data` outlives the completion.
        let mut message = unsafe { Message::of(&mut [first, second, third]) };
        sendmsg(ring, fd, &mut message, libc::MSG_WAITALL)
    });
    assert_eq!(sent as usize, LARGE);
    assert!(all == expected, "every byte in its place");
}

#[test]
fn a_message_that_waits_for_all_is_received_whole_across_its_vectors() {
    let mut ring = ring();
    let (ours, theirs) = unix_pair();
    let writer = std::thread::spawn(move || {
        for piece in pattern(100_000).chunks(777) {
            (&ours).write_all(piece).expect("written");
        }
        ours
    });
    let (mut first, mut second) = (vec![0; 33_333], vec![0; 66_667]);
    // SAFETY: the buffers outlive the completion.
    let mut message = unsafe { Message::of(&mut [&mut first, &mut second]) };
    let got = recvmsg(
        &mut ring,
        theirs.as_raw_fd(),
        &mut message,
        libc::MSG_WAITALL,
    );
    assert_eq!(got, Ok(100_000));
    first.extend(second);
    assert!(first == pattern(100_000), "every byte in its place");
    writer.join().expect("no panic");
}

#[test]
fn a_datagram_ends_a_receive_that_would_wait_for_all() {
    let mut ring = ring();
    let (ours, theirs) = udp_pair();
    let mut buf = [0; 64];
    for _ in 0..2 {
        ours.send(b"a datagram").expect("sent");
        let got = recv(&mut ring, theirs.as_raw_fd(), &mut buf, libc::MSG_WAITALL);
        assert_eq!(got, Ok(10), "one, not two");
    }
}

#[test]
fn a_receive_that_waits_for_all_joins_the_packets_of_a_sequenced_socket() {
    let mut ring = ring();
    let (ours, theirs) = socket_pair(libc::SOCK_SEQPACKET);
    for piece in [&b"first"[..], b"second"] {
        let sent = send(&mut ring, ours.as_raw_fd(), piece, 0);
        assert_eq!(sent, Ok(piece.len() as u32));
    }
    let mut buf = [0; 11];
    let got = recv(&mut ring, theirs.as_raw_fd(), &mut buf, libc::MSG_WAITALL);
    assert_eq!(
        (got, &buf),
        (Ok(11), b"firstsecond"),
        "unlike the system call"
    );
}

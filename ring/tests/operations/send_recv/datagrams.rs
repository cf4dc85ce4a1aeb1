//! Datagrams: their borders, their senders, their true size.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, SqeFlags};

use super::{Message, recvmsg, sendmsg};
use crate::support::{
    Address, collect, loopback, of, push, recv, result, ring, send, socket_pair, udp_pair,
};

#[test]
fn datagrams_keep_their_borders_the_empty_one_too() {
    let mut ring = ring();
    let (udp, udp_peer) = udp_pair();
    let (unix, unix_peer) = socket_pair(libc::SOCK_DGRAM);
    for (out, into) in [
        (udp.as_raw_fd(), udp_peer.as_raw_fd()),
        (unix.as_raw_fd(), unix_peer.as_raw_fd()),
    ] {
        for piece in [&b"one"[..], b"", b"three"] {
            assert_eq!(send(&mut ring, out, piece, 0), Ok(piece.len() as u32));
        }
        for expected in [&b"one"[..], b"", b"three"] {
            let mut buf = [0; 16];
            let len = recv(&mut ring, into, &mut buf, 0).expect("received");
            assert_eq!(&buf[..len as usize], expected);
        }
    }
}

#[test]
fn a_datagram_that_does_not_fit_is_cut_and_its_true_size_told_on_request() {
    let mut ring = ring();
    let (ours, theirs) = udp_pair();
    let fd = theirs.as_raw_fd();
    let mut buf = [0; 4];
    ours.send(b"a datagram").expect("sent");
    assert_eq!(
        recv(&mut ring, fd, &mut buf, libc::MSG_TRUNC | libc::MSG_PEEK),
        Ok(10)
    );
    assert_eq!(recv(&mut ring, fd, &mut buf, 0), Ok(4));
    assert_eq!(&buf, b"a da");
    let refused = recv(&mut ring, fd, &mut buf, libc::MSG_DONTWAIT);
    assert_eq!(refused, Err(Errno::EAGAIN), "the rest is gone");
    ours.send(b"a datagram").expect("sent");
    // SAFETY: the buffer outlives the completion.
    let mut message = unsafe { Message::of(&mut [&mut buf]) };
    assert_eq!(recvmsg(&mut ring, fd, &mut message, 0), Ok(4));
    assert_eq!(message.header.msg_flags & libc::MSG_TRUNC, libc::MSG_TRUNC);
}

#[test]
fn a_message_tells_its_sender_and_goes_where_its_name_says() {
    let mut ring = ring();
    let (ours, theirs) = [(); 2]
        .map(|()| UdpSocket::bind(loopback()).expect("a socket"))
        .into();
    let address = theirs.address();
    let mut data = *b"to whom it concerns";
    // SAFETY: the data outlives the completion.
    let mut message = unsafe { Message::of(&mut [&mut data]) };
    message.header.msg_name = address.as_ptr().cast_mut().cast();
    message.header.msg_namelen = address.len();
    assert_eq!(
        sendmsg(&mut ring, ours.as_raw_fd(), &mut message, 0),
        Ok(19)
    );
    let mut buf = [0; 64];
    // SAFETY: the buffer outlives the completion.
    let mut message = unsafe { Message::of(&mut [&mut buf]) }.with_room_for_name();
    assert_eq!(
        recvmsg(&mut ring, theirs.as_raw_fd(), &mut message, 0),
        Ok(19)
    );
    assert_eq!(buf[..19], data);
    assert_eq!(
        message.header.msg_namelen as usize,
        size_of::<libc::sockaddr_in>()
    );
    assert_eq!(i32::from(message.name.ss_family), libc::AF_INET);
    let name = std::ptr::from_ref(&*message.name).cast::<libc::sockaddr_in>();
    // SAFETY: the family says that it is a sockaddr_in, and there is room for more.
    let name = unsafe { name.read() };
    let port = ours.local_addr().expect("its address").port();
    assert_eq!(u16::from_be(name.sin_port), port);
}

#[test]
fn a_datagram_is_sent_to_an_address_of_its_own() {
    let mut ring = ring();
    let receivers = [(); 2].map(|()| UdpSocket::bind(loopback()).expect("a socket"));
    let sender = UdpSocket::bind(loopback()).expect("a socket");
    for receiver in &receivers {
        let address = receiver.address();
        let (start, len) = (address.as_ptr().cast(), address.len() as u16);
        for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
            // SAFETY: the data is a constant, and `address` outlives the completion.
            let sent = result(&mut ring, |sqe| unsafe {
                sqe.prep_sendto(sender.as_raw_fd(), b"hello".as_ptr(), 5, 0, start, len)
                    .add_flags(flags)
            });
            assert_eq!(sent, Ok(5));
            let mut buf = [0; 8];
            let (len, from): (usize, SocketAddr) = receiver.recv_from(&mut buf).expect("received");
            assert_eq!(
                (&buf[..len], from),
                (&b"hello"[..], sender.local_addr().expect("its"))
            );
        }
    }
    // Without an address it goes nowhere.
    let lost = send(&mut ring, sender.as_raw_fd(), b"lost", 0);
    assert_eq!(lost, Err(Errno::EDESTADDRREQ));
}

#[test]
fn receives_that_wait_get_one_datagram_each_in_order() {
    let mut ring = ring();
    let (ours, theirs) = udp_pair();
    let mut bufs = [[0_u8; 8]; 4];
    for (user_data, buf) in bufs.iter_mut().enumerate() {
        let start = buf.as_mut_ptr();
        // SAFETY: the buffers outlive the completions.
        push(&mut ring, user_data as u64, |sqe| unsafe {
            sqe.prep_recv(theirs.as_raw_fd(), start, 8, 0)
        });
    }
    ring.submit().expect("submitted");
    for number in 0..4_u8 {
        ours.send(&[number; 3]).expect("sent");
    }
    let cqes = collect(&mut ring, 4);
    let mut numbers: Vec<_> = bufs.iter().map(|buf| buf[0]).collect();
    for user_data in 0..4 {
        assert_eq!(of(&cqes, user_data).result(), Ok(3));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3], "each once");
}

#[test]
fn a_refused_datagram_is_told_to_the_next_operation() {
    let mut ring = ring();
    let (ours, theirs) = udp_pair();
    drop(theirs);
    // Nobody has the port: the answer to the first comes as the error of the next. Another
    // process may still hold a copy of the socket for a moment: then there is no answer yet.
    let told = (0..1_000_000)
        .any(|_| send(&mut ring, ours.as_raw_fd(), b"hello", 0) == Err(Errno::ECONNREFUSED));
    assert!(told);
}

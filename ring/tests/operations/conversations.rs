//! Sockets in conversation: accepting, connecting, sending, receiving, and ending it.

use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;

use annulus_ring::{Errno, Opcode, Ring, SockAddr, SqeFlags};
use annulus_syscalls::io_uring::flags::net::{
    SOCKET_URING_OP_GETSOCKOPT, SOCKET_URING_OP_SETSOCKOPT,
};
use annulus_syscalls::io_uring::io_uring_sqe;

use crate::support::{
    Address, accept, close, collect, complete, connect, has, in_order, listener, of, outcome,
    owned, push, read, recv, register_empty_files, result, ring, send, socket, tcp_pair, udp_pair,
    unregister_files,
};

/// Accepts and connects through the ring; the two ends.
fn meet(ring: &mut Ring) -> (OwnedFd, OwnedFd) {
    let listener = listener();
    let ours = socket(ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket");
    let address = listener.address();
    let (start, len) = (address.as_ptr().cast(), address.len());
    // SAFETY: there is no memory.
    push(ring, 0, |sqe| unsafe {
        sqe.prep_accept(
            listener.as_raw_fd(),
            null_mut(),
            null_mut(),
            libc::SOCK_CLOEXEC,
        )
    });
    ring.submit().expect("submitted");
    // SAFETY: `address` outlives the submission.
    push(ring, 1, |sqe| unsafe {
        sqe.prep_connect(ours.as_raw_fd(), start, len)
    });
    let cqes = collect(ring, 2);
    assert_eq!(of(&cqes, 1).result(), Ok(0));
    let theirs = owned(of(&cqes, 0).result()).expect("accepted");
    (ours, theirs)
}

#[test]
fn a_linked_send_and_receive_carry_the_start_of_the_data() {
    let mut ring = ring();
    let (ours, theirs) = meet(&mut ring);
    let out: [u8; 10] = [1, 0, 1, 0, 1, 0, 1, 0, 1, 0];
    let mut back = [0_u8; 5];
    let (out_at, back_at) = (out.as_ptr(), back.as_mut_ptr());
    // SAFETY: the buffers outlive the completions.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_send(ours.as_raw_fd(), out_at, 10, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: as above.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_recv(theirs.as_raw_fd(), back_at, 5, 0)
    });
    let cqes = collect(&mut ring, 2);
    let (sent, received) = (of(&cqes, 0), of(&cqes, 1));
    assert_eq!((sent.res(), sent.flags()), (10, 0));
    assert_eq!(received.res(), 5);
    assert!(received.flags() == 0 || received.sock_nonempty());
    assert_eq!(back, out[..5]);
}

#[test]
fn a_datagram_is_sent_and_received_with_message_headers() {
    let mut ring = ring();
    let (ours, theirs) = udp_pair();
    let mut out = *b"a datagram";
    let mut back = [0_u8; 128];
    let mut out_vec = libc::iovec {
        iov_base: out.as_mut_ptr().cast(),
        iov_len: out.len(),
    };
    let mut back_vec = libc::iovec {
        iov_base: back.as_mut_ptr().cast(),
        iov_len: back.len(),
    };
    let empty = std::mem::MaybeUninit::<libc::msghdr>::zeroed();
    // SAFETY: an all-zero header has no name, no buffers and no control data.
    let empty = unsafe { empty.assume_init() };
    let mut sent = libc::msghdr {
        msg_iov: &raw mut out_vec,
        msg_iovlen: 1,
        ..empty
    };
    let mut name = std::mem::MaybeUninit::<libc::sockaddr_in>::zeroed();
    let mut received = libc::msghdr {
        msg_name: name.as_mut_ptr().cast(),
        msg_namelen: size_of_val(&name) as u32,
        msg_iov: &raw mut back_vec,
        msg_iovlen: 1,
        ..empty
    };
    let sent_at = (&raw mut sent).cast();
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the message and what it names outlive the completion.
    unsafe { sqe.prep_sendmsg(ours.as_raw_fd(), sent_at, 0) }
        .add_flags(SqeFlags::IO_LINK)
        .set_user_data(0);
    let expected = io_uring_sqe {
        opcode: Opcode::SENDMSG.0,
        flags: SqeFlags::IO_LINK.bits(),
        fd: ours.as_raw_fd(),
        addr: sent_at.addr() as u64,
        len: 1,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    let received_at = (&raw mut received).cast();
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: as above.
    unsafe { sqe.prep_recvmsg(theirs.as_raw_fd(), received_at, 0) }.set_user_data(1);
    let expected = io_uring_sqe {
        opcode: Opcode::RECVMSG.0,
        fd: theirs.as_raw_fd(),
        addr: received_at.addr() as u64,
        len: 1,
        user_data: 1,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    assert_eq!(ring.submit_and_wait(2), Ok(2));
    assert_eq!(in_order(&mut ring, 2), [10, 10]);
    assert_eq!(back[..10], out);
    assert_eq!(received.msg_namelen as usize, size_of_val(&name));
    // SAFETY: it was zeroed at first, and every bit pattern is a sockaddr_in.
    let name = unsafe { name.assume_init() };
    assert_eq!(i32::from(name.sin_family), libc::AF_INET);
    let port = ours.local_addr().expect("its address").port();
    assert_eq!(u16::from_be(name.sin_port), port, "the sender's");
}

#[test]
fn a_receive_that_waits_is_cancelled_by_its_user_data() {
    let mut ring = ring();
    let (ours, _theirs) = meet(&mut ring);
    let mut buf = [0_u8; 8];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives both completions.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_recv(ours.as_raw_fd(), start, 8, 0)
    });
    ring.submit().expect("submitted");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_cancel64(0, 0).set_user_data(1);
    let expected = io_uring_sqe {
        opcode: Opcode::ASYNC_CANCEL.0,
        fd: -1,
        user_data: 1,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    assert_eq!(in_order(&mut ring, 2), [-Errno::ECANCELED.raw(), 0]);
}

#[test]
fn shutting_down_a_listener_succeeds_and_a_fresh_socket_is_not_connected() {
    let mut ring = ring();
    let listener = listener();
    let shut = |ring: &mut Ring, fd| {
        let cqe = complete(ring, |sqe| sqe.prep_shutdown(fd, libc::SHUT_RD));
        assert_eq!(cqe.flags(), 0);
        cqe.result()
    };
    assert_eq!(shut(&mut ring, listener.as_raw_fd()), Ok(0));
    let fresh = socket(&mut ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket");
    assert_eq!(shut(&mut ring, fresh.as_raw_fd()), Err(Errno::ENOTCONN));
}

#[test]
fn one_multishot_accept_takes_every_client() {
    let mut ring = ring();
    let listener = listener();
    let address = listener.local_addr().expect("its address");
    push(&mut ring, 9, |sqe| {
        sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC)
    });
    ring.submit().expect("submitted");
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(TcpStream::connect(address).expect("connected"));
        let cqe = collect(&mut ring, 1)[0];
        assert_eq!(cqe.user_data(), 9);
        assert!(cqe.more());
        drop(owned(cqe.result()).expect("accepted"));
    }
}

#[test]
fn accepted_connections_land_in_free_slots_until_there_is_none() {
    let mut ring = ring();
    let listener = listener();
    let address = listener.local_addr().expect("its address");
    register_empty_files(&ring, 2).expect("registered");
    let accept_into = |ring: &mut Ring| {
        // SAFETY: there is no memory.
        result(ring, |sqe| unsafe {
            sqe.prep_accept(listener.as_raw_fd(), null_mut(), null_mut(), 0)
                .set_direct_alloc()
        })
    };
    let mut clients = Vec::new();
    for slot in 0..2 {
        let client = TcpStream::connect(address).expect("connected");
        assert_eq!(accept_into(&mut ring), Ok(slot));
        assert_eq!(send(&mut ring, client.as_raw_fd(), b"hello", 0), Ok(5));
        let mut buf = [0_u8; 5];
        let start = buf.as_mut_ptr();
        // SAFETY: `buf` outlives the completion.
        let received = result(&mut ring, |sqe| unsafe {
            sqe.prep_recv(slot as i32, start, 5, libc::MSG_WAITALL)
                .add_flags(SqeFlags::FIXED_FILE)
        });
        assert_eq!((received, &buf), (Ok(5), b"hello"));
        clients.push(client);
    }
    let _third = TcpStream::connect(address).expect("connected");
    assert_eq!(accept_into(&mut ring), Err(Errno::ENFILE));
    unregister_files(&ring).expect("unregistered");
}

#[test]
fn a_multishot_accept_into_slots_ends_when_there_is_none() {
    let mut ring = ring();
    let listener = listener();
    let address = listener.local_addr().expect("its address");
    register_empty_files(&ring, 2).expect("registered");
    push(&mut ring, 9, |sqe| {
        sqe.prep_multishot_accept(listener.as_raw_fd(), 0)
            .set_direct_alloc()
    });
    ring.submit().expect("submitted");
    let mut clients = Vec::new();
    for slot in 0..2 {
        clients.push(TcpStream::connect(address).expect("connected"));
        let cqe = collect(&mut ring, 1)[0];
        assert_eq!((cqe.user_data(), cqe.result()), (9, Ok(slot)));
        assert!(cqe.more());
    }
    clients.push(TcpStream::connect(address).expect("connected"));
    let cqe = collect(&mut ring, 1)[0];
    assert_eq!((cqe.user_data(), cqe.result()), (9, Err(Errno::ENFILE)));
    assert!(!cqe.more());
}

#[test]
fn a_socket_made_by_the_ring_is_a_socket() {
    let mut ring = ring();
    let listener = listener();
    let made = socket(&mut ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket");
    assert_eq!(
        connect(&mut ring, made.as_raw_fd(), &listener.address()),
        Ok(0)
    );
    let theirs = accept(&mut ring, listener.as_raw_fd()).expect("accepted");
    assert_eq!(send(&mut ring, made.as_raw_fd(), b"ok", 0), Ok(2));
    let mut buf = [0; 2];
    assert_eq!(
        read(&mut ring, theirs.as_raw_fd(), &mut buf, u64::MAX),
        Ok(2)
    );
    assert_eq!(&buf, b"ok");
}

#[test]
fn a_server_is_set_up_and_a_conversation_ended_by_linked_entries() {
    let mut ring = ring();
    if !has(&ring, Opcode::LISTEN) {
        return;
    }
    let server = socket(&mut ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket");
    let fd = server.as_raw_fd();
    // 1. Two options, then the address and the queue, each only if the one before succeeded.
    let mut on = 1_i32;
    let on_at = (&raw mut on).cast();
    for (user_data, option) in [(0, libc::SO_REUSEADDR), (1, libc::SO_REUSEPORT)] {
        // SAFETY: `on` outlives the completion.
        push(&mut ring, user_data, |sqe| unsafe {
            let (command, level) = (SOCKET_URING_OP_SETSOCKOPT, libc::SOL_SOCKET);
            sqe.prep_cmd_sock(command, fd, level, option, on_at, 4)
                .add_flags(SqeFlags::IO_LINK)
        });
    }
    let address = SockAddr::from(crate::support::loopback());
    let (start, len) = (address.as_ptr().cast(), address.len());
    // SAFETY: `address` outlives the submission.
    push(&mut ring, 2, |sqe| unsafe {
        sqe.prep_bind(fd, start, len).add_flags(SqeFlags::IO_LINK)
    });
    push(&mut ring, 3, |sqe| sqe.prep_listen(fd, 1));
    assert_eq!(in_order(&mut ring, 4), [0; 4]);
    let server = std::net::TcpListener::from(server);
    assert_ne!(reuse_port(&mut ring, fd), 0, "the option was set");
    // 2. A client, and as much data as does not fit in one segment, each way at once.
    let client = socket(&mut ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket");
    assert_eq!(
        connect(&mut ring, client.as_raw_fd(), &server.address()),
        Ok(0)
    );
    let accepted = accept(&mut ring, fd).expect("accepted");
    let out = crate::support::pattern(4096);
    for _ in 0..2 {
        let sent = send(&mut ring, client.as_raw_fd(), &out, libc::MSG_WAITALL);
        assert_eq!(sent, Ok(4096));
    }
    let mut back = vec![0; 8192];
    let received = recv(
        &mut ring,
        accepted.as_raw_fd(),
        &mut back,
        libc::MSG_WAITALL,
    );
    assert_eq!(received, Ok(8192));
    assert_eq!((&back[..4096], &back[4096..]), (&out[..], &out[..]));
    // 3. Shut down, then closed.
    for (end, how) in [(client, libc::SHUT_RDWR), (accepted, libc::SHUT_WR)] {
        let end = std::os::fd::IntoRawFd::into_raw_fd(end);
        push(&mut ring, 0, |sqe| {
            sqe.prep_shutdown(end, how).add_flags(SqeFlags::IO_HARDLINK)
        });
        push(&mut ring, 1, |sqe| sqe.prep_close(end));
        let results = in_order(&mut ring, 2);
        assert!(
            [0, -Errno::ENOTCONN.raw()].contains(&results[0]),
            "{results:?}"
        );
        assert_eq!(results[1], 0);
    }
}

/// `SO_REUSEPORT` of a socket, as the ring tells it.
fn reuse_port(ring: &mut Ring, fd: i32) -> i32 {
    let mut value = 0_i32;
    let at = (&raw mut value).cast();
    // SAFETY: `value` outlives the completion.
    let len = result(ring, |sqe| unsafe {
        let (command, level) = (SOCKET_URING_OP_GETSOCKOPT, libc::SOL_SOCKET);
        sqe.prep_cmd_sock(command, fd, level, libc::SO_REUSEPORT, at, 4)
    });
    assert_eq!(len, Ok(4), "the result is the size");
    value
}

#[test]
fn an_accept_and_a_receive_wait_until_they_are_cancelled() {
    let mut ring = ring();
    let listener = listener();
    // SAFETY: there is no memory.
    let accepted = outcome(&mut ring, |sqe| unsafe {
        sqe.prep_accept(listener.as_raw_fd(), null_mut(), null_mut(), 0)
    });
    assert_eq!(accepted, Err(Errno::ECANCELED));
    let (ours, _theirs) = tcp_pair();
    let mut buf = [0_u8; 8];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives both completions.
    let received = outcome(&mut ring, |sqe| unsafe {
        sqe.prep_recv(ours.as_raw_fd(), start, 8, 0)
    });
    assert_eq!(received, Err(Errno::ECANCELED));
    assert_eq!(
        close(&mut ring, std::os::fd::IntoRawFd::into_raw_fd(ours)),
        Ok(0)
    );
}

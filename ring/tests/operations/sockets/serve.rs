//! Sockets made, bound and made to listen by the ring.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{Errno, Opcode, Ring, SockAddr, SqeFlags};

use crate::support::{Address, has, loopback, pipe, register_empty_files, result, ring, socket};

fn bind(ring: &mut Ring, fd: i32, address: &SockAddr) -> Result<u32, Errno> {
    let (start, len) = (address.as_ptr().cast(), address.len());
    // SAFETY: `address` outlives the completion.
    result(ring, |sqe| unsafe { sqe.prep_bind(fd, start, len) })
}

fn listen(ring: &mut Ring, fd: i32, backlog: i32) -> Result<u32, Errno> {
    result(ring, |sqe| sqe.prep_listen(fd, backlog))
}

fn stream(ring: &mut Ring) -> OwnedFd {
    socket(ring, libc::AF_INET, libc::SOCK_STREAM).expect("a socket")
}

#[test]
fn sockets_of_every_kind_are_made_with_the_flags_asked_for() {
    let mut ring = ring();
    for (domain, kind) in [
        (libc::AF_INET, libc::SOCK_STREAM),
        (libc::AF_INET, libc::SOCK_DGRAM),
        (libc::AF_UNIX, libc::SOCK_STREAM),
        (libc::AF_UNIX, libc::SOCK_SEQPACKET),
    ] {
        for flag in [0, libc::SOCK_NONBLOCK] {
            let made = socket(&mut ring, domain, kind | flag).expect("a socket");
            // SAFETY: takes numbers only.
            let status = unsafe { libc::fcntl(made.as_raw_fd(), libc::F_GETFL) };
            assert_eq!(status & libc::O_NONBLOCK != 0, flag != 0);
            let mut value = [0; 4];
            let (level, name) = (libc::SOL_SOCKET, libc::SO_TYPE);
            // SAFETY: the option is an int.
            unsafe {
                annulus_syscalls::calls::getsockopt(made.as_raw_fd(), level, name, &mut value)
            }
            .expect("told");
            assert_eq!(i32::from_ne_bytes(value), kind);
        }
    }
}

#[test]
fn sockets_that_make_no_sense_are_refused() {
    let mut ring = ring();
    let mut make = |domain, kind, protocol| {
        result(&mut ring, |sqe| sqe.prep_socket(domain, kind, protocol)).map(drop)
    };
    let (inet, stream) = (libc::AF_INET, libc::SOCK_STREAM);
    assert_eq!(make(9999, stream, 0), Err(Errno::EAFNOSUPPORT));
    assert_eq!(make(inet, 15, 0), Err(Errno::EINVAL));
    assert_eq!(make(inet, stream | 1 << 30, 0), Err(Errno::EINVAL));
    assert_eq!(
        make(inet, stream, libc::IPPROTO_UDP),
        Err(Errno::EPROTONOSUPPORT)
    );
    let flagged = result(&mut ring, |sqe| {
        sqe.prep_socket(inet, stream, 0);
        // Flags of reads and writes: sockets have none.
        sqe.set_rw_flags(1)
    });
    assert_eq!(flagged, Err(Errno::EINVAL));
}

#[test]
fn a_socket_in_a_slot_knows_no_exec_and_needs_a_table() {
    let mut ring = ring();
    let make = |ring: &mut Ring, flags, slot| {
        result(ring, |sqe| {
            sqe.prep_socket(libc::AF_INET, libc::SOCK_DGRAM | flags, 0)
                .set_direct_slot(slot)
        })
    };
    assert_eq!(make(&mut ring, 0, 0), Err(Errno::ENXIO));
    register_empty_files(&ring, 1).expect("registered");
    assert_eq!(make(&mut ring, libc::SOCK_CLOEXEC, 0), Err(Errno::EINVAL));
    assert_eq!(make(&mut ring, 0, 1), Err(Errno::EINVAL));
    assert_eq!(make(&mut ring, 0, 0), Ok(0));
    // It sends without ever having had a descriptor.
    let receiver = UdpSocket::bind(loopback()).expect("a socket");
    let address = receiver.address();
    let (start, len) = (address.as_ptr().cast(), address.len() as u16);
    // SAFETY: the data is a constant, and `address` outlives the completion.
    let sent = result(&mut ring, |sqe| unsafe {
        sqe.prep_sendto(0, b"hello".as_ptr(), 5, 0, start, len)
            .add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(sent, Ok(5));
    let mut buf = [0; 8];
    assert_eq!(receiver.recv(&mut buf).expect("received"), 5);
}

#[test]
fn a_bound_socket_listens_and_is_connected_to() {
    let mut ring = ring();
    if !has(&ring, Opcode::BIND) {
        return;
    }
    let server = stream(&mut ring);
    assert_eq!(
        bind(&mut ring, server.as_raw_fd(), &SockAddr::from(loopback())),
        Ok(0)
    );
    assert_eq!(listen(&mut ring, server.as_raw_fd(), 4), Ok(0));
    assert_eq!(
        listen(&mut ring, server.as_raw_fd(), 8),
        Ok(0),
        "another backlog"
    );
    let server = TcpListener::from(server);
    let address = server.local_addr().expect("its address");
    assert_ne!(address.port(), 0);
    let client = TcpStream::connect(address).expect("connected");
    let accepted = crate::support::accept(&mut ring, server.as_raw_fd()).expect("accepted");
    let accepted = TcpStream::from(accepted);
    let (peer, own) = (accepted.peer_addr(), client.local_addr());
    assert_eq!(peer.expect("connected"), own.expect("its address"));
}

#[test]
fn a_socket_listens_without_having_been_bound() {
    let mut ring = ring();
    if !has(&ring, Opcode::LISTEN) {
        return;
    }
    let server = stream(&mut ring);
    assert_eq!(listen(&mut ring, server.as_raw_fd(), 4), Ok(0));
    let port = TcpListener::from(server).local_addr().expect("its address");
    assert_ne!(port.port(), 0);
}

#[test]
fn an_address_that_is_taken_foreign_or_malformed_is_refused() {
    let mut ring = ring();
    if !has(&ring, Opcode::BIND) {
        return;
    }
    let taken = crate::support::listener();
    let socket = stream(&mut ring);
    let fd = socket.as_raw_fd();
    assert_eq!(
        bind(&mut ring, fd, &taken.address()),
        Err(Errno::EADDRINUSE)
    );
    let foreign = SockAddr::from(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0)));
    assert_eq!(bind(&mut ring, fd, &foreign), Err(Errno::EADDRNOTAVAIL));
    let any = SockAddr::from(loopback());
    let start = any.as_ptr().cast();
    // SAFETY: `any` outlives the completion.
    let short = result(&mut ring, |sqe| unsafe { sqe.prep_bind(fd, start, 4) });
    assert_eq!(short, Err(Errno::EINVAL));
    // SAFETY: the kernel refuses the length before it reads.
    let long = result(&mut ring, |sqe| unsafe { sqe.prep_bind(fd, start, 4096) });
    assert_eq!(long, Err(Errno::EINVAL));
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_bind(fd, std::ptr::without_provenance(8), 16)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
    assert_eq!(bind(&mut ring, fd, &any), Ok(0));
    assert_eq!(bind(&mut ring, fd, &any), Err(Errno::EINVAL), "it has one");
    let (reading, _writing) = pipe(0);
    assert_eq!(
        bind(&mut ring, reading.as_raw_fd(), &any),
        Err(Errno::ENOTSOCK)
    );
}

#[test]
fn what_is_no_stream_does_not_listen() {
    let mut ring = ring();
    if !has(&ring, Opcode::LISTEN) {
        return;
    }
    let datagrams = UdpSocket::bind(loopback()).expect("a socket");
    let (reading, _writing) = pipe(0);
    let (connected, _theirs) = crate::support::tcp_pair();
    for (fd, errno) in [
        (datagrams.as_raw_fd(), Errno::EOPNOTSUPP),
        (reading.as_raw_fd(), Errno::ENOTSOCK),
        (connected.as_raw_fd(), Errno::EINVAL),
        (-1, Errno::EBADF),
    ] {
        assert_eq!(listen(&mut ring, fd, 4), Err(errno));
    }
    let flagged = result(&mut ring, |sqe| {
        sqe.prep_listen(datagrams.as_raw_fd(), 4).set_rw_flags(1)
    });
    assert_eq!(flagged, Err(Errno::EINVAL), "it has no flags");
}

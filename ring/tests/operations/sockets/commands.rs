//! What sockets are asked and told by commands: queue sizes, options, names.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Ring};
use annulus_syscalls::io_uring::flags::net::{
    SOCKET_URING_OP_GETSOCKOPT, SOCKET_URING_OP_SETSOCKOPT, SOCKET_URING_OP_SIOCINQ,
    SOCKET_URING_OP_SIOCOUTQ,
};

use crate::support::{pipe, result, ring, skip_feature, tcp_pair, udp_pair, unix_pair};

/// A command without an argument.
fn ask(ring: &mut Ring, fd: i32, command: u32) -> Result<u32, Errno> {
    // SAFETY: there is no memory.
    result(ring, |sqe| unsafe {
        sqe.prep_uring_cmd(command, fd, 0, [0; 2])
    })
}

fn option(
    ring: &mut Ring,
    command: u32,
    fd: i32,
    place: (i32, i32),
    value: &mut [u8],
) -> Result<u32, Errno> {
    let (start, len) = (value.as_mut_ptr().cast(), value.len() as u32);
    // SAFETY: `value` outlives the completion.
    result(ring, |sqe| unsafe {
        sqe.prep_cmd_sock(command, fd, place.0, place.1, start, len)
    })
}

fn get(ring: &mut Ring, fd: i32, level: i32, name: i32) -> Result<i32, Errno> {
    let mut value = [0; 4];
    let len = option(
        ring,
        SOCKET_URING_OP_GETSOCKOPT,
        fd,
        (level, name),
        &mut value,
    )?;
    assert_eq!(len, 4, "the result is the size");
    Ok(i32::from_ne_bytes(value))
}

fn set(ring: &mut Ring, fd: i32, level: i32, name: i32, value: i32) -> Result<u32, Errno> {
    let mut value = value.to_ne_bytes();
    option(
        ring,
        SOCKET_URING_OP_SETSOCKOPT,
        fd,
        (level, name),
        &mut value,
    )
}

/// The option, as the system call tells it.
fn told(fd: i32, level: i32, name: i32) -> i32 {
    let mut value = [0; 4];
    // SAFETY: the options asked for here are ints.
    unsafe { annulus_syscalls::calls::getsockopt(fd, level, name, &mut value) }.expect("told");
    i32::from_ne_bytes(value)
}

#[test]
fn how_much_waits_to_be_read_and_to_be_sent_is_told() {
    let mut ring = ring();
    let (tcp, mut tcp_peer) = tcp_pair();
    let fd = tcp.as_raw_fd();
    assert_eq!(ask(&mut ring, fd, SOCKET_URING_OP_SIOCINQ), Ok(0));
    assert_eq!(ask(&mut ring, fd, SOCKET_URING_OP_SIOCOUTQ), Ok(0));
    tcp_peer.write_all(b"seventeen letters").expect("written");
    // It is there once a byte is: all of it went at once.
    tcp.peek(&mut [0; 1]).expect("peeked");
    assert_eq!(ask(&mut ring, fd, SOCKET_URING_OP_SIOCINQ), Ok(17));
    (&tcp).read_exact(&mut [0; 7]).expect("read");
    assert_eq!(ask(&mut ring, fd, SOCKET_URING_OP_SIOCINQ), Ok(10));
    // A datagram counts alone, the next one not before it is read.
    let (udp, udp_peer) = udp_pair();
    udp_peer.send(&[0; 5]).expect("sent");
    udp_peer.send(&[0; 9]).expect("sent");
    udp.peek(&mut [0; 9]).expect("peeked");
    assert_eq!(
        ask(&mut ring, udp.as_raw_fd(), SOCKET_URING_OP_SIOCINQ),
        Ok(5)
    );
    let (unix, mut unix_peer) = unix_pair();
    unix_peer.write_all(b"seven..").expect("written");
    match ask(&mut ring, unix.as_raw_fd(), SOCKET_URING_OP_SIOCINQ) {
        Err(Errno::EOPNOTSUPP) => skip_feature("this kernel's Unix sockets do not say"),
        waiting => assert_eq!(waiting, Ok(7)),
    }
}

#[test]
fn options_are_read_and_written_and_agree_with_the_system_calls() {
    let mut ring = ring();
    let (ours, _theirs) = tcp_pair();
    let fd = ours.as_raw_fd();
    let socket = libc::SOL_SOCKET;
    for name in [
        libc::SO_RCVBUF,
        libc::SO_SNDBUF,
        libc::SO_KEEPALIVE,
        libc::SO_REUSEADDR,
    ] {
        match get(&mut ring, fd, socket, name) {
            Err(Errno::EOPNOTSUPP) => return skip_feature("socket options come with 6.7"),
            value => assert_eq!(value, Ok(told(fd, socket, name))),
        }
    }
    for value in [1, 0, 1] {
        assert_eq!(set(&mut ring, fd, socket, libc::SO_KEEPALIVE, value), Ok(0));
        assert_eq!(told(fd, socket, libc::SO_KEEPALIVE), value);
        assert_eq!(get(&mut ring, fd, socket, libc::SO_KEEPALIVE), Ok(value));
        let (level, name) = (libc::IPPROTO_TCP, libc::TCP_NODELAY);
        assert_eq!(set(&mut ring, fd, level, name, value), Ok(0));
        assert_eq!(told(fd, level, name), value);
    }
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_NODELAY);
    match get(&mut ring, fd, level, name) {
        Err(Errno::EOPNOTSUPP) => skip_feature("this kernel reads options of the socket only"),
        value => assert_eq!(value, Ok(told(fd, level, name))),
    }
}

#[test]
fn options_and_commands_that_make_no_sense_are_refused() {
    let mut ring = ring();
    let (ours, _theirs) = tcp_pair();
    let fd = ours.as_raw_fd();
    let socket = libc::SOL_SOCKET;
    assert_eq!(get(&mut ring, fd, socket, 9999), Err(Errno::ENOPROTOOPT));
    assert_eq!(set(&mut ring, fd, socket, 9999, 1), Err(Errno::ENOPROTOOPT));
    let mut short = [0; 2];
    let place = (socket, libc::SO_KEEPALIVE);
    let refused = option(&mut ring, SOCKET_URING_OP_SETSOCKOPT, fd, place, &mut short);
    assert_eq!(refused, Err(Errno::EINVAL));
    assert_eq!(ask(&mut ring, fd, 9999), Err(Errno::EOPNOTSUPP));
    let (reading, _writing) = pipe(0);
    let no_socket = ask(&mut ring, reading.as_raw_fd(), SOCKET_URING_OP_SIOCINQ);
    assert_eq!(no_socket, Err(Errno::EOPNOTSUPP));
    assert_eq!(
        ask(&mut ring, -1, SOCKET_URING_OP_SIOCINQ),
        Err(Errno::EBADF)
    );
    // SAFETY: there is no memory.
    let unknown = result(&mut ring, |sqe| unsafe {
        sqe.prep_uring_cmd(SOCKET_URING_OP_SIOCINQ, fd, 1 << 31, [0; 2])
    });
    assert_eq!(unknown, Err(Errno::EINVAL));
}

#[test]
fn the_names_of_both_ends_are_told() {
    let mut ring = ring();
    let (ours, _theirs) = tcp_pair();
    for (is_peer, expected) in [(false, ours.local_addr()), (true, ours.peer_addr())] {
        let mut name = MaybeUninit::<libc::sockaddr_in>::zeroed();
        let mut len = size_of_val(&name) as u32;
        let (at, len_at) = (name.as_mut_ptr().cast(), &raw mut len);
        // SAFETY: `name` and `len` outlive the completion.
        let told = result(&mut ring, |sqe| unsafe {
            sqe.prep_cmd_getsockname(ours.as_raw_fd(), at, len_at, is_peer)
        });
        if told == Err(Errno::EOPNOTSUPP) {
            return skip_feature("names are told by the ring since 6.19");
        }
        assert_eq!(told, Ok(0));
        assert_eq!(len as usize, size_of_val(&name));
        // SAFETY: it was zeroed at first.
        let name = unsafe { name.assume_init() };
        let expected = expected.expect("its address").port();
        assert_eq!(u16::from_be(name.sin_port), expected);
    }
}

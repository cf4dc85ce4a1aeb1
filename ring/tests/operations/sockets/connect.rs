//! Connecting: refused, repeated, out of reach, limited, cancelled.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{Errno, Ring, SockAddr, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::__kernel_timespec;

use crate::support::{
    Address, collect, connect, in_order, listener, loopback, of, outcome, pipe, push, result, ring,
    skip, socket, tcp_pair,
};

fn stream(ring: &mut Ring, flags: i32) -> OwnedFd {
    socket(ring, libc::AF_INET, libc::SOCK_STREAM | flags).expect("a socket")
}

/// A socket that has an address, but nobody listens there; the address.
fn deaf() -> (OwnedFd, SockAddr) {
    let fd = calls::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
    let socket = crate::support::owned(fd.map(|fd| fd as u32)).expect("a socket");
    let any = SockAddr::from(loopback());
    // SAFETY: the address is valid for as many bytes.
    unsafe { calls::bind(socket.as_raw_fd(), any.as_ptr().cast(), any.len()) }.expect("bound");
    let socket = TcpListener::from(socket);
    let address = socket.address();
    (socket.into(), address)
}

/// A listener whose queue is full, so that connecting to it waits; what fills it must live on.
fn crowded() -> (TcpListener, OwnedFd) {
    let (socket, address) = deaf();
    calls::listen(socket.as_raw_fd(), 0).expect("listens");
    let mut ring = ring();
    let first = stream(&mut ring, 0);
    assert_eq!(connect(&mut ring, first.as_raw_fd(), &address), Ok(0));
    (socket.into(), first)
}

#[test]
fn a_connection_is_refused_where_nobody_listens_and_the_socket_can_be_used_again() {
    let mut ring = ring();
    let (_deaf, nobody) = deaf();
    let listener = listener();
    for flags in [0, libc::SOCK_NONBLOCK] {
        let socket = stream(&mut ring, flags);
        let fd = socket.as_raw_fd();
        for _ in 0..2 {
            assert_eq!(connect(&mut ring, fd, &nobody), Err(Errno::ECONNREFUSED));
        }
        assert_eq!(connect(&mut ring, fd, &listener.address()), Ok(0));
        listener.accept().expect("accepted");
    }
}

#[test]
fn a_connected_socket_is_not_connected_again() {
    let mut ring = ring();
    let listener = listener();
    let socket = stream(&mut ring, 0);
    let fd = socket.as_raw_fd();
    assert_eq!(connect(&mut ring, fd, &listener.address()), Ok(0));
    assert_eq!(
        connect(&mut ring, fd, &listener.address()),
        Err(Errno::EISCONN)
    );
    for flags in [SqeFlags::ASYNC, SqeFlags::IO_DRAIN] {
        let socket = stream(&mut ring, 0);
        let address = listener.address();
        let (start, len) = (address.as_ptr().cast(), address.len());
        // SAFETY: `address` outlives the completion.
        let connected = result(&mut ring, |sqe| unsafe {
            sqe.prep_connect(socket.as_raw_fd(), start, len)
                .add_flags(flags)
        });
        assert_eq!(connected, Ok(0));
    }
}

#[test]
fn a_second_connect_waits_with_the_first_or_is_told_of_it() {
    let mut ring = ring();
    let (crowded, _first) = crowded();
    let address = crowded.address();
    let (start, len) = (address.as_ptr().cast(), address.len());
    let socket = stream(&mut ring, libc::SOCK_NONBLOCK);
    let fd = socket.as_raw_fd();
    // SAFETY: `address` outlives the submission.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_connect(fd, start, len)
    });
    ring.submit().expect("submitted");
    // SAFETY: as above.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_connect(fd, start, len)
    });
    ring.submit().expect("submitted");
    push(&mut ring, 2, |sqe| sqe.prep_cancel_fd(fd, 1));
    let cqes = collect(&mut ring, 3);
    assert_eq!(of(&cqes, 0).result(), Err(Errno::ECANCELED));
    let second = of(&cqes, 1).result();
    assert!(
        matches!(second, Err(Errno::EALREADY | Errno::ECANCELED)),
        "{second:?}"
    );
    assert!(matches!(of(&cqes, 2).result(), Ok(1 | 2)));
}

#[test]
fn what_cannot_be_reached_is_told_at_once() {
    // A thread in a network of its own, where not even the loopback device is up.
    let alone = std::thread::spawn(|| {
        // SAFETY: changes the network that this thread sees, and nothing else.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return None;
        }
        let mut ring = ring();
        let somewhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 80));
        let somewhere = SockAddr::from(somewhere);
        Some([0, libc::SOCK_NONBLOCK].map(|flags| {
            let socket = stream(&mut ring, flags);
            connect(&mut ring, socket.as_raw_fd(), &somewhere)
        }))
    });
    match alone.join().expect("no panic") {
        Some(results) => assert_eq!(results, [Err(Errno::ENETUNREACH); 2]),
        None => skip("a network of one's own takes CAP_SYS_ADMIN"),
    }
}

#[test]
fn a_connect_that_waits_ends_with_its_linked_timeout_and_one_that_does_not_ends_it() {
    let mut ring = ring();
    let (crowded, _first) = crowded();
    let listener = listener();
    for (address, seconds, expected) in [
        (
            crowded.address(),
            0,
            [Errno::ECANCELED.raw(), Errno::ETIME.raw()],
        ),
        (listener.address(), 3600, [0, Errno::ECANCELED.raw()]),
    ] {
        let socket = stream(&mut ring, 0);
        let (start, len) = (address.as_ptr().cast(), address.len());
        let time = __kernel_timespec {
            tv_sec: seconds,
            tv_nsec: 1_000_000,
        };
        // SAFETY: `address` outlives the submission.
        push(&mut ring, 0, |sqe| unsafe {
            sqe.prep_connect(socket.as_raw_fd(), start, len)
                .add_flags(SqeFlags::IO_LINK)
        });
        // SAFETY: `time` outlives the submission.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_link_timeout(&raw const time, 0)
        });
        assert_eq!(in_order(&mut ring, 2), expected.map(|errno| -errno));
    }
}

#[test]
fn a_connect_that_waits_is_cancelled_and_its_socket_closed_without_harm() {
    let mut ring = ring();
    let (crowded, _first) = crowded();
    let address = crowded.address();
    let socket = stream(&mut ring, 0);
    let (start, len) = (address.as_ptr().cast(), address.len());
    // SAFETY: `address` outlives both completions.
    let cancelled = outcome(&mut ring, |sqe| unsafe {
        sqe.prep_connect(socket.as_raw_fd(), start, len)
    });
    assert_eq!(cancelled, Err(Errno::ECANCELED));
    drop(socket);
    assert_eq!(result(&mut ring, |sqe| sqe.prep_nop()), Ok(0));
}

#[test]
fn a_connect_that_failed_breaks_its_chain() {
    let mut ring = ring();
    let (_deaf, nobody) = deaf();
    let socket = stream(&mut ring, 0);
    let fd = socket.as_raw_fd();
    let (start, len) = (nobody.as_ptr().cast(), nobody.len());
    // SAFETY: the address outlives the submission.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_connect(fd, start, len)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: the data is a constant.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_send(fd, b"hello".as_ptr(), 5, 0)
    });
    let results = in_order(&mut ring, 2);
    assert_eq!(
        results,
        [-Errno::ECONNREFUSED.raw(), -Errno::ECANCELED.raw()]
    );
}

#[test]
fn what_cannot_connect_gets_the_errno_of_the_call() {
    let mut ring = ring();
    let listener = listener();
    let address = listener.address();
    let (reading, _writing) = pipe(0);
    assert_eq!(
        connect(&mut ring, reading.as_raw_fd(), &address),
        Err(Errno::ENOTSOCK)
    );
    assert_eq!(connect(&mut ring, -1, &address), Err(Errno::EBADF));
    let fd = listener.as_raw_fd();
    assert_eq!(
        connect(&mut ring, fd, &address),
        Err(Errno::EISCONN),
        "it listens"
    );
    let socket = stream(&mut ring, 0);
    let fd = socket.as_raw_fd();
    let start = address.as_ptr().cast();
    for (len, errno) in [
        (0, Errno::EINVAL),
        (4, Errno::EINVAL),
        (4096, Errno::EINVAL),
    ] {
        // SAFETY: the kernel refuses the length before it reads.
        let refused = result(&mut ring, |sqe| unsafe { sqe.prep_connect(fd, start, len) });
        assert_eq!(refused, Err(errno), "{len}");
    }
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_connect(fd, std::ptr::without_provenance(8), 16)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
    let (ours, _theirs) = tcp_pair();
    assert_eq!(
        connect(&mut ring, ours.as_raw_fd(), &address),
        Err(Errno::EISCONN)
    );
}

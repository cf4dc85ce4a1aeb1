//! One accept: the peer's address, the flags of the new socket, waiting or not, cancelling,
//! chains, and what cannot accept.

use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::null_mut;

use annulus_ring::{Errno, Ring, Sqe, SqeFlags};
use annulus_syscalls::io_uring::__kernel_timespec;

use crate::support::{
    accept, collect, in_a_child, in_order, listener, no_more_than, outcome, owned, pipe, push,
    read, register_empty_files, register_files, result, ring, tcp_pair,
};

/// Prepares an accept without the peer's address.
fn plain(sqe: &mut Sqe, fd: i32, flags: i32) -> &mut Sqe {
    // SAFETY: there is no memory.
    unsafe { sqe.prep_accept(fd, null_mut(), null_mut(), flags) }
}

fn client_of(listener: &TcpListener) -> TcpStream {
    TcpStream::connect(listener.local_addr().expect("its address")).expect("connected")
}

#[test]
fn the_peer_s_address_comes_out_whole_or_cut_to_the_room_there_is() {
    let mut ring = ring();
    let listener = listener();
    for room in [size_of::<libc::sockaddr_in>(), 4, 64] {
        let client = client_of(&listener);
        let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut len = room as u32;
        let (at, len_at) = (address.as_mut_ptr().cast(), &raw mut len);
        // SAFETY: `address` and `len` outlive the completion.
        let accepted = result(&mut ring, |sqe| unsafe {
            sqe.prep_accept(listener.as_raw_fd(), at, len_at, libc::SOCK_CLOEXEC)
        });
        drop(owned(accepted).expect("accepted"));
        assert_eq!(
            len as usize,
            size_of::<libc::sockaddr_in>(),
            "the true size"
        );
        // SAFETY: it was zeroed at first, and is larger than a sockaddr_in.
        let address = unsafe { address.as_ptr().cast::<libc::sockaddr_in>().read() };
        let port = client.local_addr().expect("its address").port();
        assert_eq!(u16::from_be(address.sin_port), port);
        let ip = if room == 4 {
            0
        } else {
            u32::from_ne_bytes([127, 0, 0, 1])
        };
        assert_eq!(address.sin_addr.s_addr, ip);
    }
}

#[test]
fn an_address_without_a_length_is_refused_and_a_length_without_an_address_ignored() {
    let mut ring = ring();
    let listener = listener();
    let _first = client_of(&listener);
    let mut address = MaybeUninit::<libc::sockaddr_in>::zeroed();
    let at = address.as_mut_ptr().cast();
    // SAFETY: `address` outlives the completion.
    let without_length = result(&mut ring, |sqe| unsafe {
        sqe.prep_accept(listener.as_raw_fd(), at, null_mut(), 0)
    });
    assert_eq!(without_length, Err(Errno::EFAULT));
    // That client is lost to the failed accept, as with the system call.
    let _second = client_of(&listener);
    let mut len = 7_u32;
    let len_at = &raw mut len;
    // SAFETY: `len` outlives the completion.
    let without_address = result(&mut ring, |sqe| unsafe {
        sqe.prep_accept(listener.as_raw_fd(), null_mut(), len_at, 0)
    });
    drop(owned(without_address).expect("accepted"));
    assert_eq!(len, 7);
}

#[test]
fn the_new_socket_has_the_flags_asked_for() {
    let mut ring = ring();
    let listener = listener();
    let fcntl = |socket: &OwnedFd, command| {
        // SAFETY: takes numbers only.
        unsafe { libc::fcntl(socket.as_raw_fd(), command) }
    };
    for (flags, is_nonblocking, is_cloexec) in [
        (0, false, false),
        (libc::SOCK_NONBLOCK, true, false),
        (libc::SOCK_CLOEXEC, false, true),
        (libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, true, true),
    ] {
        let _client = client_of(&listener);
        let accepted = result(&mut ring, |sqe| plain(sqe, listener.as_raw_fd(), flags));
        let socket = owned(accepted).expect("accepted");
        let status = fcntl(&socket, libc::F_GETFL);
        assert_eq!(status & libc::O_NONBLOCK != 0, is_nonblocking);
        assert_eq!(
            fcntl(&socket, libc::F_GETFD) & libc::FD_CLOEXEC != 0,
            is_cloexec
        );
    }
    let unknown = result(&mut ring, |sqe| plain(sqe, listener.as_raw_fd(), 1 << 30));
    assert_eq!(unknown, Err(Errno::EINVAL));
}

#[test]
fn the_listener_may_be_a_slot_and_so_may_the_new_socket() {
    let mut ring = ring();
    let listener = listener();
    register_files(&ring, &[listener.as_raw_fd(), -1]).expect("registered");
    let _client = client_of(&listener);
    let into = |ring: &mut Ring, slot, flags| {
        result(ring, |sqe| {
            plain(sqe, 0, flags)
                .set_direct_slot(slot)
                .add_flags(SqeFlags::FIXED_FILE)
        })
    };
    assert_eq!(
        into(&mut ring, 1, libc::SOCK_CLOEXEC),
        Err(Errno::EINVAL),
        "knows no exec"
    );
    assert_eq!(into(&mut ring, 1, 0), Ok(0));
    let sent = result(&mut ring, |sqe| {
        // SAFETY: the data is a constant.
        unsafe { sqe.prep_send(1, b"hello".as_ptr(), 5, 0) }.add_flags(SqeFlags::FIXED_FILE)
    });
    assert_eq!(sent, Ok(5));
    let _second = client_of(&listener);
    assert_eq!(
        into(&mut ring, 2, 0),
        Err(Errno::EINVAL),
        "beyond the table"
    );
}

#[test]
fn an_accept_waits_for_a_client_on_a_listener_that_blocks_and_on_one_that_does_not() {
    let mut ring = ring();
    for is_nonblocking in [false, true] {
        for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
            let listener = listener();
            listener.set_nonblocking(is_nonblocking).expect("set");
            let fd = listener.as_raw_fd();
            push(&mut ring, 1, |sqe| {
                plain(sqe, fd, libc::SOCK_CLOEXEC).add_flags(flags)
            });
            ring.submit().expect("submitted");
            assert_eq!(ring.cq_ready(), 0, "no EAGAIN");
            let client = client_of(&listener);
            let server = owned(collect(&mut ring, 1)[0].result()).expect("accepted");
            std::io::Write::write_all(&mut &client, b"hello").expect("written");
            let mut buf = [0; 5];
            let got = read(&mut ring, server.as_raw_fd(), &mut buf, 0);
            assert_eq!((got, &buf), (Ok(5), b"hello"));
        }
    }
}

#[test]
fn an_accept_that_may_not_wait_says_so_and_one_that_polls_first_comes_as_well() {
    let mut ring = ring();
    let listener = listener();
    let fd = listener.as_raw_fd();
    let at_once = |ring: &mut Ring| {
        owned(result(ring, |sqe| {
            plain(sqe, fd, libc::SOCK_CLOEXEC).set_accept_dontwait()
        }))
    };
    match at_once(&mut ring).map(drop) {
        Err(Errno::EINVAL) => return crate::support::skip_feature("accept flags come with 6.10"),
        refused => assert_eq!(refused, Err(Errno::EAGAIN)),
    }
    let _client = client_of(&listener);
    at_once(&mut ring).expect("accepted");
    let multishot = result(&mut ring, |sqe| {
        sqe.prep_multishot_accept(fd, 0).set_accept_dontwait()
    });
    assert_eq!(multishot, Err(Errno::EAGAIN));
    push(&mut ring, 1, |sqe| {
        plain(sqe, fd, libc::SOCK_CLOEXEC).set_accept_poll_first()
    });
    ring.submit().expect("submitted");
    let _client = client_of(&listener);
    owned(collect(&mut ring, 1)[0].result()).expect("accepted");
}

#[test]
fn an_accept_is_cancelled_whether_it_polls_or_a_worker_waits() {
    let mut ring = ring();
    let listener = listener();
    let fd = listener.as_raw_fd();
    let polls = outcome(&mut ring, |sqe| plain(sqe, fd, 0));
    assert_eq!(polls, Err(Errno::ECANCELED));
    push(&mut ring, 1, |sqe| {
        plain(sqe, fd, 0).add_flags(SqeFlags::ASYNC)
    });
    ring.submit().expect("submitted");
    // A cancel that comes while a worker takes it up misses it: again, until it is done.
    let accepted = loop {
        push(&mut ring, 2, |sqe| sqe.prep_cancel64(1, 0));
        ring.submit_and_wait(1).expect("entered");
        let mut done = None;
        while let Some(cqe) = ring.pop() {
            if cqe.user_data() == 1 {
                done = Some(cqe.result());
            }
        }
        if let Some(accepted) = done {
            break accepted;
        }
    };
    const ERESTARTSYS: i32 = 512;
    let interrupted = [Errno::ECANCELED.raw(), Errno::EINTR.raw(), ERESTARTSYS];
    let errno = accepted.expect_err("nobody connected").raw();
    assert!(interrupted.contains(&errno), "{errno}");
    // The answer to the last cancel may come after the accept it ended.
    let mut ring = crate::support::ring();
    // Nothing of it stays: the next one is accepted as ever.
    let _client = client_of(&listener);
    accept(&mut ring, fd).expect("accepted");
}

#[test]
fn an_accept_ends_with_its_linked_timeout_or_ends_it() {
    let mut ring = ring();
    let listener = listener();
    let fd = listener.as_raw_fd();
    let limited = |ring: &mut Ring, time: &__kernel_timespec| {
        push(ring, 0, |sqe| {
            plain(sqe, fd, libc::SOCK_CLOEXEC).add_flags(SqeFlags::IO_LINK)
        });
        // SAFETY: `time` outlives the submission.
        push(ring, 1, |sqe| unsafe { sqe.prep_link_timeout(time, 0) });
    };
    let soon = __kernel_timespec {
        tv_sec: 0,
        tv_nsec: 1_000_000,
    };
    limited(&mut ring, &soon);
    let results = in_order(&mut ring, 2);
    assert_eq!(results, [-Errno::ECANCELED.raw(), -Errno::ETIME.raw()]);
    let late = __kernel_timespec {
        tv_sec: 3600,
        tv_nsec: 0,
    };
    limited(&mut ring, &late);
    ring.submit().expect("submitted");
    let _client = client_of(&listener);
    let results = in_order(&mut ring, 2);
    owned(Ok(results[0] as u32)).expect("accepted");
    assert_eq!(results[1], -Errno::ECANCELED.raw());
}

#[test]
fn an_accept_and_the_first_receive_are_one_chain() {
    let mut ring = ring();
    let listener = listener();
    register_empty_files(&ring, 1).expect("registered");
    let mut buf = [0_u8; 5];
    let start = buf.as_mut_ptr();
    push(&mut ring, 0, |sqe| {
        plain(sqe, listener.as_raw_fd(), 0)
            .set_direct_slot(0)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: `buf` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_recv(0, start, 5, libc::MSG_WAITALL)
            .add_flags(SqeFlags::FIXED_FILE)
    });
    ring.submit().expect("submitted");
    let client = client_of(&listener);
    std::io::Write::write_all(&mut &client, b"hello").expect("written");
    assert_eq!(in_order(&mut ring, 2), [0, 5]);
    assert_eq!(&buf, b"hello");
}

#[test]
fn what_does_not_listen_does_not_accept() {
    let mut ring = ring();
    let (connected, _theirs) = tcp_pair();
    let (reading, _writing) = pipe(0);
    let datagrams = std::net::UdpSocket::bind(crate::support::loopback()).expect("a socket");
    for (fd, errno) in [
        (connected.as_raw_fd(), Errno::EINVAL),
        (reading.as_raw_fd(), Errno::ENOTSOCK),
        (datagrams.as_raw_fd(), Errno::EOPNOTSUPP),
        (-1, Errno::EBADF),
    ] {
        assert_eq!(accept(&mut ring, fd).map(drop), Err(errno));
    }
}

#[test]
fn without_a_free_descriptor_an_accept_fails_and_the_client_stays_in_the_queue() {
    let held = in_a_child(|| {
        let mut ring = ring();
        let listener = listener();
        let _client = client_of(&listener);
        // SAFETY: takes numbers only.
        let free = unsafe { libc::dup(0) };
        // SAFETY: just made, and nobody else's.
        unsafe { libc::close(free) };
        no_more_than(libc::RLIMIT_NOFILE, free as u64);
        let refused = accept(&mut ring, listener.as_raw_fd()).map(drop);
        drop(std::fs::File::open("/dev/null"));
        refused == Err(Errno::EMFILE)
    });
    assert!(held);
}

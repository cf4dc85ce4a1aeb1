//! What the layers above take for granted about the kernel. A red test here names the release
//! that changed its mind.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use annulus_ring::{Cqe, Errno, Ring, RingConfig, Sqe};

/// Submits `prep` and cancels it again; the result it came to, `Err(ECANCELED)` if it waited.
fn outcome(prep: impl for<'a> FnOnce(&'a mut Sqe) -> &'a mut Sqe) -> Result<u32, Errno> {
    let mut ring = Ring::new(&RingConfig::default()).expect("a ring");
    let sqe = ring.get_sqe().expect("room");
    prep(sqe).set_user_data(1);
    ring.submit().expect("submitted");
    let cancel = ring.get_sqe().expect("room");
    cancel.prep_cancel64(1, 0).set_user_data(2);
    ring.submit_and_wait(2).expect("submitted");
    let cqes: [Cqe; 2] = [(); 2].map(|()| ring.pop().expect("two"));
    let ours = cqes.into_iter().find(|cqe| cqe.user_data() == 1);
    ours.expect("one of the two").result()
}

fn silent_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let ours = TcpStream::connect(listener.local_addr().expect("its address")).expect("connected");
    let (theirs, _) = listener.accept().expect("accepted");
    (ours, theirs)
}

fn recv(fd: RawFd, buf: &mut [u8; 8], flags: i32) -> Result<u32, Errno> {
    // SAFETY: `outcome` waits for the last completion before it returns.
    outcome(|sqe| unsafe { sqe.prep_recv(fd, buf.as_mut_ptr(), 8, flags) })
}

#[test]
fn a_receive_waits_on_a_non_blocking_socket_too_unless_told_otherwise() {
    let (ours, _theirs) = silent_pair();
    let mut buf = [0; 8];
    for is_nonblocking in [false, true] {
        ours.set_nonblocking(is_nonblocking).expect("set");
        let waited = recv(ours.as_raw_fd(), &mut buf, 0);
        assert_eq!(waited, Err(Errno::ECANCELED));
        let refused = recv(ours.as_raw_fd(), &mut buf, libc::MSG_DONTWAIT);
        assert_eq!(refused, Err(Errno::EAGAIN));
    }
}

#[test]
fn a_read_of_a_non_blocking_pipe_waits() {
    let kernel = annulus_ring::Kernel::uring(annulus_ring::Mask::NONE).expect("io_uring");
    let (reading, _writing) = kernel.pipe().expect("a pipe");
    let mut buf = [0_u8; 8];
    let position = annulus_ring::CURRENT_POSITION;
    let waited = outcome(|sqe| {
        // SAFETY: `outcome` waits for the last completion before it returns.
        unsafe { sqe.prep_read(reading.as_raw_fd(), buf.as_mut_ptr(), 8, position) }
    });
    assert_eq!(waited, Err(Errno::ECANCELED));
}

#[test]
fn an_accept_waits_on_a_non_blocking_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    listener.set_nonblocking(true).expect("set");
    let fd = listener.as_raw_fd();
    let null = std::ptr::null_mut;
    // SAFETY: there is no memory.
    let once = outcome(|sqe| unsafe { sqe.prep_accept(fd, null(), null().cast(), 0) });
    assert_eq!(once, Err(Errno::ECANCELED));
    let again_and_again = outcome(|sqe| sqe.prep_multishot_accept(fd, 0));
    assert_eq!(again_and_again, Err(Errno::ECANCELED));
}

#[test]
fn a_connect_of_a_non_blocking_socket_completes_when_it_is_connected() {
    let kernel = annulus_ring::Kernel::uring(annulus_ring::Mask::NONE).expect("io_uring");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = annulus_ring::SockAddr::from(listener.local_addr().expect("its address"));
    let socket = kernel
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    let mut ring = Ring::new(&RingConfig::default()).expect("a ring");
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the address outlives the submission below.
    unsafe { sqe.prep_connect(socket.as_raw_fd(), address.as_ptr().cast(), address.len()) };
    ring.enter(1, Some(Duration::from_secs(10)))
        .expect("entered");
    assert_eq!(ring.pop().expect("connected").result(), Ok(0));
}

#[test]
fn ring_memory_can_be_kept_from_children_but_not_wiped_in_them() {
    let ring = Ring::new(&RingConfig::default()).expect("a ring");
    let (readable_writable, shared) = (3, 1);
    // SAFETY: no MAP_FIXED, and nothing is accessed there.
    let page =
        unsafe { annulus_syscalls::calls::mmap(4096, readable_writable, shared, ring.fd(), 0) }
            .expect("mapped again");
    let advise = |advice| {
        // SAFETY: the mapping is ours, and nothing is accessed there.
        unsafe { annulus_syscalls::calls::madvise(page, 4096, advice) }
    };
    assert_eq!(advise(libc::MADV_WIPEONFORK as u32), Err(Errno::EINVAL));
    assert_eq!(advise(libc::MADV_DONTFORK as u32), Ok(()));
    // SAFETY: ours, and nobody uses it.
    unsafe { annulus_syscalls::calls::munmap(page, 4096) }.expect("unmapped");
}

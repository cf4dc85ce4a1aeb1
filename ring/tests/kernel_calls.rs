//! The kernel's inline and synchronous calls.

use std::io::{IoSlice, IoSliceMut, SeekFrom};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use annulus_ring::{Errno, Kernel, Mask, SockAddr};

fn kernel() -> Kernel {
    Kernel::uring(Mask::NONE).expect("io_uring")
}

fn pair(kernel: &Kernel) -> (OwnedFd, OwnedFd) {
    kernel
        .socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0)
        .expect("a pair")
}

fn any_port() -> SockAddr {
    SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

fn filled(buf: &[MaybeUninit<u8>]) -> Vec<u8> {
    // SAFETY: the callers pass what the kernel said it has written.
    buf.iter()
        .map(|byte| unsafe { byte.assume_init() })
        .collect()
}

#[test]
fn what_is_sent_is_received_and_nothing_is_eagain() {
    let kernel = kernel();
    let (ours, theirs) = pair(&kernel);
    let mut buf = [MaybeUninit::uninit(); 16];
    assert_eq!(kernel.recv(theirs.as_fd(), &mut buf, 0), Err(Errno::EAGAIN));
    assert_eq!(kernel.send(ours.as_fd(), b"hello", 0), Ok(5));
    assert_eq!(kernel.recv(theirs.as_fd(), &mut buf, libc::MSG_PEEK), Ok(5));
    assert_eq!(kernel.recv(theirs.as_fd(), &mut buf, 0), Ok(5));
    assert_eq!(filled(&buf[..5]), b"hello");
    drop(ours);
    assert_eq!(kernel.recv(theirs.as_fd(), &mut buf, 0), Ok(0));
    assert_eq!(kernel.send(theirs.as_fd(), b"x", 0), Err(Errno::EPIPE));
}

#[test]
fn inline_calls_do_not_block_on_a_blocking_socket() {
    let kernel = kernel();
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().expect("a blocking pair");
    let mut buf = [MaybeUninit::uninit(); 16];
    assert_eq!(kernel.recv(ours.as_fd(), &mut buf, 0), Err(Errno::EAGAIN));
    let much = vec![0; 1 << 20];
    let full = (0..100).find_map(|_| kernel.send(ours.as_fd(), &much, 0).err());
    assert_eq!(full, Some(Errno::EAGAIN));
}

#[test]
fn vectored_calls_fill_one_buffer_after_the_other() {
    let kernel = kernel();
    let (ours, theirs) = pair(&kernel);
    let sent = kernel.send_vectored(
        ours.as_fd(),
        &[IoSlice::new(b"ab"), IoSlice::new(b"cde")],
        0,
    );
    assert_eq!(sent, Ok(5));
    let (mut first, mut second) = ([0; 4], [0; 4]);
    let bufs = &mut [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(kernel.recv_vectored(theirs.as_fd(), bufs, 0), Ok(5));
    assert_eq!((&first, &second), (b"abcd", b"e\0\0\0"));
    let many = vec![IoSlice::new(b"x"); 5000];
    assert_eq!(
        kernel.send_vectored(ours.as_fd(), &many, 0),
        Ok(1024),
        "the rest is for later"
    );
    assert_eq!(kernel.send_vectored(ours.as_fd(), &[], 0), Ok(0));
}

#[test]
fn datagrams_carry_their_sender() {
    let kernel = kernel();
    let socket = || {
        let fd = kernel
            .socket(libc::AF_INET, libc::SOCK_DGRAM, 0)
            .expect("a socket");
        kernel.bind(fd.as_fd(), &any_port()).expect("bound");
        let name = kernel.getsockname(fd.as_fd()).expect("a name");
        (fd, name)
    };
    let ((ours, our_name), (theirs, their_name)) = (socket(), socket());
    assert_eq!(kernel.send_to(ours.as_fd(), b"hi", &their_name, 0), Ok(2));
    let mut buf = [MaybeUninit::uninit(); 16];
    let (len, from) = kernel
        .recv_from(theirs.as_fd(), &mut buf, 0)
        .expect("received");
    assert_eq!(filled(&buf[..len]), b"hi");
    assert_eq!(from.as_socket(), our_name.as_socket());
}

#[test]
fn a_connection_is_made_accepted_named_and_shut_down() {
    let kernel = kernel();
    let stream = || {
        kernel
            .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
            .expect("a socket")
    };
    let listener = stream();
    kernel.bind(listener.as_fd(), &any_port()).expect("bound");
    kernel.listen(listener.as_fd(), 8).expect("listening");
    assert_eq!(
        kernel.accept(listener.as_fd()).map(drop),
        Err(Errno::EAGAIN)
    );
    let name = kernel.getsockname(listener.as_fd()).expect("a name");
    let ours = stream();
    let connected = kernel.connect(ours.as_fd(), &name);
    assert!(matches!(connected, Ok(()) | Err(Errno::EINPROGRESS)));
    let (theirs, peer) = kernel.accept(listener.as_fd()).expect("accepted");
    let our_name = kernel.getsockname(ours.as_fd()).expect("a name");
    assert_eq!(peer.as_socket(), our_name.as_socket());
    let their_peer = kernel.getpeername(theirs.as_fd()).expect("a name");
    assert_eq!(their_peer.as_socket(), our_name.as_socket());
    kernel
        .shutdown(ours.as_fd(), libc::SHUT_WR)
        .expect("shut down");
    let mut buf = [MaybeUninit::uninit(); 4];
    assert_eq!(kernel.recv(theirs.as_fd(), &mut buf, 0), Ok(0));
}

#[test]
fn what_is_made_is_non_blocking_and_closed_on_exec() {
    let kernel = kernel();
    let (ours, theirs) = pair(&kernel);
    let (reading, writing) = kernel.pipe().expect("a pipe");
    let event = kernel.eventfd().expect("an eventfd");
    let socket = kernel
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    for fd in [ours, theirs, reading, writing, event, socket] {
        // SAFETY: F_GETFL takes no pointer.
        let status = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
        assert_ne!(status & libc::O_NONBLOCK, 0);
        // SAFETY: F_GETFD takes no pointer.
        let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
    }
}

#[test]
fn options_are_set_and_read_back() {
    let kernel = kernel();
    let socket = kernel
        .socket(libc::AF_INET, libc::SOCK_STREAM, 0)
        .expect("a socket");
    let (level, name) = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
    let on = 1_i32.to_ne_bytes();
    kernel
        .setsockopt(socket.as_fd(), level, name, &on)
        .expect("set");
    let mut value = [0; 16];
    assert_eq!(
        kernel.getsockopt(socket.as_fd(), level, name, &mut value),
        Ok(4)
    );
    assert_eq!(value[..4], on);
    let unknown = kernel.getsockopt(socket.as_fd(), level, 9999, &mut value);
    assert_eq!(unknown, Err(Errno::ENOPROTOOPT));
    let zero_copy = kernel.getsockopt(socket.as_fd(), libc::IPPROTO_TCP, 35, &mut value);
    assert_eq!(zero_copy, Err(Errno::EOPNOTSUPP));
}

#[test]
fn pipes_are_read_and_written() {
    let kernel = kernel();
    let (reading, writing) = kernel.pipe().expect("a pipe");
    let mut buf = [MaybeUninit::uninit(); 8];
    assert_eq!(kernel.read(reading.as_fd(), &mut buf), Err(Errno::EAGAIN));
    assert_eq!(kernel.write(writing.as_fd(), b"abc"), Ok(3));
    let bufs = [IoSlice::new(b"de"), IoSlice::new(b"f")];
    assert_eq!(kernel.write_vectored(writing.as_fd(), &bufs), Ok(3));
    let (mut first, mut second) = ([0; 1], [0; 2]);
    let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(kernel.read_vectored(reading.as_fd(), &mut bufs), Ok(3));
    assert_eq!((&first, &second), (b"a", b"bc"));
    assert_eq!(kernel.read(reading.as_fd(), &mut buf), Ok(3));
    assert_eq!(filled(&buf[..3]), b"def");
    assert_eq!(
        kernel.lseek(reading.as_fd(), SeekFrom::Start(0)),
        Err(Errno::ESPIPE)
    );
    kernel.close(writing).expect("closed");
    assert_eq!(kernel.read(reading.as_fd(), &mut buf), Ok(0));
}

#[test]
fn a_position_beyond_what_the_kernel_counts_is_refused() {
    let kernel = kernel();
    let file = std::fs::File::open("/proc/self/maps").expect("a file");
    assert_eq!(kernel.lseek(file.as_fd(), SeekFrom::Start(5)), Ok(5));
    assert_eq!(kernel.lseek(file.as_fd(), SeekFrom::Current(-2)), Ok(3));
    assert_eq!(
        kernel.lseek(file.as_fd(), SeekFrom::Start(u64::MAX)),
        Err(Errno::EINVAL)
    );
}

#[test]
fn the_clock_does_not_go_back_and_random_numbers_differ() {
    let kernel = kernel();
    let times: Vec<u64> = (0..1000).map(|_| kernel.now_ns()).collect();
    assert!(times.is_sorted());
    assert_ne!(kernel.random_u64(), kernel.random_u64());
}

#[test]
fn a_numeric_host_is_its_own_address() {
    let addresses = kernel().getaddrinfo("127.0.0.1", 80).expect("resolved");
    assert_eq!(addresses, [SocketAddr::from((Ipv4Addr::LOCALHOST, 80))]);
}

#[test]
fn a_descriptor_that_is_replaced_keeps_its_number_and_names_nothing() {
    let kernel = kernel();
    let (ours, theirs) = pair(&kernel);
    let placeholder = kernel.placeholder().expect("a placeholder");
    kernel
        .replace(placeholder.as_fd(), ours.as_fd())
        .expect("replaced");
    assert_eq!(kernel.send(ours.as_fd(), b"x", 0), Err(Errno::EBADF));
    let mut buf = [MaybeUninit::uninit(); 4];
    assert_eq!(
        kernel.recv(theirs.as_fd(), &mut buf, 0),
        Ok(0),
        "what it named is closed"
    );
    // SAFETY: F_GETFD takes no pointer.
    let flags = unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
}

#[test]
fn a_pipe_can_be_made_to_block_and_keeps_its_access_mode() {
    let kernel = kernel();
    let (reading, writing) = kernel.pipe().expect("a pipe");
    for (end, mode) in [(&reading, libc::O_RDONLY), (&writing, libc::O_WRONLY)] {
        let flags = |fd: &OwnedFd| kernel.status_flags(fd.as_fd()).expect("open");
        assert_eq!(flags(end) & libc::O_ACCMODE, mode);
        for nonblocking in [true, false, false, true] {
            kernel
                .set_nonblocking(end.as_fd(), nonblocking)
                .expect("open");
            assert_eq!(flags(end) & libc::O_NONBLOCK != 0, nonblocking);
            assert_eq!(flags(end) & libc::O_ACCMODE, mode);
        }
    }
}

#[test]
fn what_is_always_ready_cannot_be_waited_for() {
    let kernel = kernel();
    let (pipe, _writing) = kernel.pipe().expect("a pipe");
    let (socket, _other) = pair(&kernel);
    let event = kernel.eventfd().expect("an eventfd");
    let process = kernel
        .pidfd_open(std::process::id() as i32)
        .expect("this process is there");
    for fd in [pipe, socket, event, process] {
        assert_eq!(kernel.check_pollable(fd.as_raw_fd()), Ok(()));
    }
    let open = |path| std::fs::File::open(path).expect("it is on every system");
    for path in ["/", "/proc/self/exe", "/dev/null"] {
        let fd = open(path);
        assert_eq!(kernel.check_pollable(fd.as_raw_fd()), Err(Errno::EPERM));
    }
    // A regular file by its type, which all the same tells of changes.
    let mounts = open("/proc/self/mounts");
    assert_eq!(kernel.check_pollable(mounts.as_raw_fd()), Ok(()));
    assert_eq!(kernel.check_pollable(-1), Err(Errno::EBADF));
}

//! Connected sockets on the loopback device, with ports that the kernel chooses, and pipes.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use annulus_ring::SockAddr;

/// Any port of the loopback device.
pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The address of a socket, as the kernel takes it.
pub(crate) trait Address {
    fn address(&self) -> SockAddr;
}

impl Address for TcpListener {
    fn address(&self) -> SockAddr {
        SockAddr::from(self.local_addr().expect("its address"))
    }
}

impl Address for UdpSocket {
    fn address(&self) -> SockAddr {
        SockAddr::from(self.local_addr().expect("its address"))
    }
}

/// A listening TCP socket.
pub(crate) fn listener() -> TcpListener {
    TcpListener::bind(loopback()).expect("a listener")
}

/// Two ends of a TCP connection.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = listener();
    let address = listener.local_addr().expect("its address");
    let ours = TcpStream::connect(address).expect("connected");
    let (theirs, _) = listener.accept().expect("accepted");
    for end in [&ours, &theirs] {
        end.set_nodelay(true).expect("set");
    }
    (ours, theirs)
}

/// Two ends of a stream in the Unix domain.
pub(crate) fn unix_pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

/// Two UDP sockets, each connected to the other.
pub(crate) fn udp_pair() -> (UdpSocket, UdpSocket) {
    let ours = UdpSocket::bind(loopback()).expect("a socket");
    let theirs = UdpSocket::bind(loopback()).expect("a socket");
    ours.connect(theirs.local_addr().expect("its address"))
        .expect("connected");
    theirs
        .connect(ours.local_addr().expect("its address"))
        .expect("connected");
    (ours, theirs)
}

/// Two ends of a Unix socket of another `kind` than a stream.
pub(crate) fn socket_pair(kind: i32) -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two.
    let made = unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            kind | libc::SOCK_CLOEXEC,
            0,
            ends.as_mut_ptr(),
        )
    };
    assert_eq!(made, 0, "a pair");
    // SAFETY: just made, and nobody else's.
    let [ours, theirs] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
    (ours, theirs)
}

/// The reading and the writing end of a pipe, with `O_*` flags.
pub(crate) fn pipe(flags: i32) -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), flags | libc::O_CLOEXEC) };
    assert_eq!(made, 0, "a pipe");
    // SAFETY: just made, and nobody else's.
    let [reading, writing] = ends.map(|end| unsafe { File::from_raw_fd(end) });
    (reading, writing)
}

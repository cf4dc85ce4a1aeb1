//! Connections with one end in annulus and the other in the test's hand.

use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::time::Duration;

use annulus::net::{TcpListener, TcpStream};
use annulus::runtime::Handle;

use crate::{Peer, is_simulated};

/// A loopback connection: annulus' end, and the peer as a blocking socket.
///
/// # Panics
///
/// If loopback does not work.
pub async fn connected() -> (TcpStream, Peer) {
    if is_simulated() {
        return connected_in_a_world().await;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let stream = TcpStream::connect(address)
        .await
        .expect("loopback connects");
    let (peer, _) = listener.accept().expect("the connection is in the backlog");
    peer.set_nodelay(true).expect("TCP knows its option");
    (stream, Peer::of_std(peer))
}

async fn connected_in_a_world() -> (TcpStream, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback binds");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let stream = TcpStream::connect(address)
        .await
        .expect("loopback connects");
    let (peer, _) = listener.accept().await.expect("it has connected");
    (stream, Peer::simulated(peer))
}

/// The same with buffers of a few KiB at both ends, so that few bytes fill it. In a simulated world
/// it has those that the seed gives it. Not in a task.
///
/// # Panics
///
/// If loopback does not work.
pub fn connected_narrow() -> (TcpStream, Peer) {
    if is_simulated() {
        return Handle::current().block_on(connected_in_a_world());
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    // What is accepted inherits it, and announces its window by it.
    set_buffer(&listener, libc::SO_RCVBUF, 4096);
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let stream = std::net::TcpStream::connect(address).expect("loopback connects");
    set_buffer(&stream, libc::SO_SNDBUF, 4096);
    stream
        .set_nonblocking(true)
        .expect("a socket can be non-blocking");
    let (peer, _) = listener.accept().expect("the connection is in the backlog");
    let stream = TcpStream::from_std(stream).expect("a runtime is in context");
    (stream, Peer::of_std(peer))
}

/// Writes until nothing more goes, also after a while: what is on its way to the peer makes room
/// when it arrives. Not for narrow connections: their probes of the window go on making room.
pub async fn fill(stream: &TcpStream, peer: &Peer) {
    if !is_simulated() {
        // Buffers of a size that was set do not grow later, as others do at every probe of the
        // window.
        set_buffer(stream, libc::SO_SNDBUF, 64 << 10);
        set_buffer(&**peer, libc::SO_RCVBUF, 64 << 10);
    }
    let mut full = 0;
    while full < 20 {
        match stream.try_write(&[0; 16 << 10]) {
            Ok(_) => full = 0,
            Err(_) => full += 1,
        }
        annulus::time::sleep(Duration::from_millis(1)).await;
    }
}

fn set_buffer(socket: &impl AsRawFd, option: libc::c_int, bytes: libc::c_int) {
    // SAFETY: the value lives across the call, and is as long as said.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

/// Whether the other end of `peer` is closed: the FIN, or a reset, is there, or comes within
/// the patience of a loaded machine. Bytes before it are thrown away.
///
/// # Panics
///
/// On an error that is neither.
pub fn has_closed(peer: &mut Peer) -> bool {
    peer.limit_reads(Duration::from_secs(10));
    let mut bytes = [0; 4096];
    loop {
        match peer.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return false,
                ErrorKind::ConnectionReset => return true,
                ErrorKind::Interrupted => {}
                _ => panic!("reading from the peer: {error}"),
            },
        }
    }
}

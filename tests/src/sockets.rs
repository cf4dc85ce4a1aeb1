//! Connections with one end in annulus and the other in the test's hand.

use std::io::{ErrorKind, Read};
use std::time::Duration;

use annulus::net::TcpStream;

/// A loopback connection: annulus' end, and the peer as a blocking socket of std's.
///
/// # Panics
///
/// If loopback does not work.
pub async fn connected() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let stream = TcpStream::connect(address)
        .await
        .expect("loopback connects");
    let (peer, _) = listener.accept().expect("the connection is in the backlog");
    peer.set_nodelay(true).expect("TCP knows its option");
    (stream, peer)
}

/// Whether the other end of `peer` is closed: the FIN, or a reset, is there, or comes within
/// the patience of a loaded machine. Bytes before it are thrown away.
///
/// # Panics
///
/// On an error that is neither.
pub fn has_closed(peer: &mut std::net::TcpStream) -> bool {
    peer.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("10 s is a timeout");
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

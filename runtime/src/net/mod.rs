//! TCP, UDP and Unix sockets under tokio's API.
//!
//! Every socket belongs to the runtime in whose context it was made, and to one of its cores,
//! its home, which polls the descriptor while somebody waits. All functions may be called and
//! all futures polled from any thread.
//!
//! # Cancel safety
//!
//! A dropped accept loses no connection and a dropped read no byte; a write that was dropped
//! while it waited has sent nothing. Dropping a socket closes it at once.
#![forbid(unsafe_code)]

mod addr;
mod hot;
mod listener;
mod options;
mod shortage;
pub(crate) mod socket;
mod stream;
pub mod tcp;
mod udp;
pub mod unix;

pub use self::addr::{ToSocketAddrs, lookup_host};
pub use self::tcp::listener::TcpListener;
pub use self::tcp::socket::TcpSocket;
pub use self::tcp::stream::TcpStream;
pub use self::udp::UdpSocket;
pub use self::unix::datagram::UnixDatagram;
pub use self::unix::listener::UnixListener;
pub use self::unix::socket::UnixSocket;
pub use self::unix::stream::UnixStream;

//! Names of hosts.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::vec::Vec;

use super::Kernel;

impl Kernel {
    /// `getaddrinfo`(3): the addresses of `host`, each with `port`, in the C library's order.
    ///
    /// **Blocks**, for seconds if a name server does not answer: call it from a thread that may.
    ///
    /// # Errors
    /// The resolver's, among them that there is no such host.
    pub fn getaddrinfo(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        match self {
            Kernel::Simulated(simulated) => simulated.getaddrinfo(host, port),
            Kernel::Uring(_) | Kernel::Emulated(_) => Ok((host, port).to_socket_addrs()?.collect()),
        }
    }
}

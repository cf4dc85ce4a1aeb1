//! Addresses of sockets, as the world compares and keeps them.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::vec::Vec;

use socket2::SockAddr;

use crate::Errno;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    Inet(SocketAddr),
    /// A path, or an abstract name; of a host.
    Unix(Name),
}

/// The name of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    Unnamed,
    Path(Vec<u8>),
    Abstract(Vec<u8>),
}

impl Address {
    /// # Errors
    /// EAFNOSUPPORT for other families than IPv4, IPv6 and Unix.
    pub(super) fn of(address: &SockAddr) -> Result<Address, Errno> {
        if let Some(inet) = address.as_socket() {
            return Ok(Address::Inet(inet));
        }
        if !address.is_unix() {
            return Err(Errno::EAFNOSUPPORT);
        }
        let name = if let Some(path) = address.as_pathname() {
            Name::Path(path.as_os_str().as_bytes().to_vec())
        } else if let Some(name) = address.as_abstract_namespace() {
            Name::Abstract(name.to_vec())
        } else {
            Name::Unnamed
        };
        Ok(Address::Unix(name))
    }

    pub(super) fn to_sock_addr(&self) -> SockAddr {
        let path = match self {
            Address::Inet(inet) => return SockAddr::from(*inet),
            Address::Unix(Name::Unnamed) => Vec::new(),
            Address::Unix(Name::Path(path)) => path.clone(),
            // An abstract name is one that begins with a zero.
            Address::Unix(Name::Abstract(name)) => [&[0], &name[..]].concat(),
        };
        SockAddr::unix(Path::new(OsStr::from_bytes(&path))).expect("no longer than when it came")
    }
}

/// An IPv4 address that is written as an IPv6 one, as IPv4 again: the world routes by it.
pub(super) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// As a socket of the IPv6 family names an IPv4 peer.
pub(super) fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// The address that stands for all addresses of a host.
pub(super) fn unspecified(v6: bool) -> IpAddr {
    if v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    }
}

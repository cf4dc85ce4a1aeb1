//! The options of a UDP socket.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::UdpSocket;
use crate::net::options;

impl UdpSocket {
    /// Whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn broadcast(&self) -> io::Result<bool> {
        self.socket.options().flag(options::BROADCAST)
    }

    /// Sets whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.socket.options().set_flag(options::BROADCAST, on)
    }

    /// Whether our own IPv4 multicast datagrams come back to this host (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.socket.options().flag(options::MULTICAST_LOOP_V4)
    }

    /// Sets whether our own IPv4 multicast datagrams come back to this host (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.socket
            .options()
            .set_flag(options::MULTICAST_LOOP_V4, on)
    }

    /// The time to live of IPv4 multicast datagrams sent (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.socket.options().uint(options::MULTICAST_TTL_V4)
    }

    /// Sets the time to live of IPv4 multicast datagrams sent (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.socket
            .options()
            .set_uint(options::MULTICAST_TTL_V4, ttl)
    }

    /// Whether our own IPv6 multicast datagrams come back to this host (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.socket.options().flag(options::MULTICAST_LOOP_V6)
    }

    /// Sets whether our own IPv6 multicast datagrams come back to this host (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.socket
            .options()
            .set_flag(options::MULTICAST_LOOP_V6, on)
    }

    /// The time to live of datagrams sent (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.options().uint(options::TTL_V4)
    }

    /// Sets the time to live of datagrams sent (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.options().set_uint(options::TTL_V4, ttl)
    }

    /// The traffic class of IPv6 datagrams sent (`IPV6_TCLASS`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.socket.options().uint(options::TCLASS_V6)
    }

    /// Sets the traffic class of IPv6 datagrams sent (`IPV6_TCLASS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        self.socket.options().set_uint(options::TCLASS_V6, tclass)
    }

    /// The type of service of IPv4 datagrams sent (`IP_TOS`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.socket.options().uint(options::TOS_V4)
    }

    /// Sets the type of service of IPv4 datagrams sent (`IP_TOS`).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.socket.options().set_uint(options::TOS_V4, tos)
    }

    /// The older name of [`tos_v4`](UdpSocket::tos_v4).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    #[doc(hidden)]
    #[deprecated(note = "the option is IPv4's: call `tos_v4`")]
    pub fn tos(&self) -> io::Result<u32> {
        self.tos_v4()
    }

    /// The older name of [`set_tos_v4`](UdpSocket::set_tos_v4).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    #[doc(hidden)]
    #[deprecated(note = "the option is IPv4's: call `set_tos_v4`")]
    pub fn set_tos(&self, tos: u32) -> io::Result<()> {
        self.set_tos_v4(tos)
    }

    /// The interface that the socket is bound to (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    ///
    /// Those of getsockopt(2).
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.socket.options().device()
    }

    /// Binds the socket to an interface by its name, or to none (`SO_BINDTODEVICE`).
    ///
    /// # Errors
    ///
    /// `PermissionDenied` without `CAP_NET_RAW`, ENODEV for a name that is not there.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.socket.options().bind_device(interface)
    }

    /// Joins an IPv4 multicast group on the interface with this address; the unspecified
    /// address lets the system choose one.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn join_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let options = self.socket.options();
        options.membership_v4(os::IP_ADD_MEMBERSHIP, multiaddr, interface)
    }

    /// Joins an IPv6 multicast group on the interface of this index; 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        let options = self.socket.options();
        options.membership_v6(os::IPV6_ADD_MEMBERSHIP, multiaddr, interface)
    }

    /// Leaves a group that was joined by
    /// [`join_multicast_v4`](UdpSocket::join_multicast_v4).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v4(&self, multiaddr: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        let options = self.socket.options();
        options.membership_v4(os::IP_DROP_MEMBERSHIP, multiaddr, interface)
    }

    /// Leaves a group that was joined by
    /// [`join_multicast_v6`](UdpSocket::join_multicast_v6).
    ///
    /// # Errors
    ///
    /// Those of setsockopt(2).
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        let options = self.socket.options();
        options.membership_v6(os::IPV6_DROP_MEMBERSHIP, multiaddr, interface)
    }
}

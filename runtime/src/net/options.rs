//! Socket options by name, for all kinds of sockets.
#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use annulus_ring::Kernel;

/// An option whose value is one int, by level and name.
#[derive(Clone, Copy, Debug)]
pub(super) struct IntOption(i32, i32);

pub(super) const BROADCAST: IntOption = IntOption(os::SOL_SOCKET, os::SO_BROADCAST);
pub(super) const ERROR: IntOption = IntOption(os::SOL_SOCKET, os::SO_ERROR);
pub(super) const KIND: IntOption = IntOption(os::SOL_SOCKET, os::SO_TYPE);
pub(super) const KEEPALIVE: IntOption = IntOption(os::SOL_SOCKET, os::SO_KEEPALIVE);
pub(super) const RECV_BUFFER: IntOption = IntOption(os::SOL_SOCKET, os::SO_RCVBUF);
pub(super) const REUSE_ADDR: IntOption = IntOption(os::SOL_SOCKET, os::SO_REUSEADDR);
pub(super) const REUSE_PORT: IntOption = IntOption(os::SOL_SOCKET, os::SO_REUSEPORT);
pub(super) const SEND_BUFFER: IntOption = IntOption(os::SOL_SOCKET, os::SO_SNDBUF);
pub(super) const NODELAY: IntOption = IntOption(os::IPPROTO_TCP, os::TCP_NODELAY);
pub(super) const QUICKACK: IntOption = IntOption(os::IPPROTO_TCP, os::TCP_QUICKACK);
pub(super) const TOS_V4: IntOption = IntOption(os::IPPROTO_IP, os::IP_TOS);
pub(super) const TTL_V4: IntOption = IntOption(os::IPPROTO_IP, os::IP_TTL);
pub(super) const MULTICAST_LOOP_V4: IntOption = IntOption(os::IPPROTO_IP, os::IP_MULTICAST_LOOP);
pub(super) const MULTICAST_TTL_V4: IntOption = IntOption(os::IPPROTO_IP, os::IP_MULTICAST_TTL);
pub(super) const MULTICAST_LOOP_V6: IntOption =
    IntOption(os::IPPROTO_IPV6, os::IPV6_MULTICAST_LOOP);
pub(super) const TCLASS_V6: IntOption = IntOption(os::IPPROTO_IPV6, os::IPV6_TCLASS);

/// Where a descriptor's options are read and written.
#[derive(Clone, Copy)]
pub(super) struct Options<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) fd: BorrowedFd<'a>,
}

impl Options<'_> {
    pub(super) fn int(self, option: IntOption) -> io::Result<i32> {
        let mut value = [0; 4];
        self.get(option.0, option.1, &mut value)?;
        Ok(i32::from_ne_bytes(value))
    }

    pub(super) fn uint(self, option: IntOption) -> io::Result<u32> {
        Ok(self.int(option)? as u32)
    }

    pub(super) fn flag(self, option: IntOption) -> io::Result<bool> {
        Ok(self.int(option)? != 0)
    }

    pub(super) fn set_int(self, option: IntOption, value: i32) -> io::Result<()> {
        self.set(option.0, option.1, &value.to_ne_bytes())
    }

    pub(super) fn set_uint(self, option: IntOption, value: u32) -> io::Result<()> {
        self.set_int(option, i32::try_from(value).unwrap_or(i32::MAX))
    }

    pub(super) fn set_flag(self, option: IntOption, value: bool) -> io::Result<()> {
        self.set_int(option, value.into())
    }

    /// The error that the socket has to report, which is thereby taken.
    pub(super) fn take_error(self) -> io::Result<Option<io::Error>> {
        let errno = self.int(ERROR)?;
        Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
    }

    /// How long close(2) may wait for unsent data.
    pub(super) fn linger(self) -> io::Result<Option<Duration>> {
        let mut value = [0; 8];
        self.get(os::SOL_SOCKET, os::SO_LINGER, &mut value)?;
        let (on, seconds) = (word(&value, 0), word(&value, 1));
        Ok((on != 0).then(|| Duration::from_secs(seconds.into())))
    }

    pub(super) fn set_linger(self, wait: Option<Duration>) -> io::Result<()> {
        let seconds = wait.map_or(0, |wait| i32::try_from(wait.as_secs()).unwrap_or(i32::MAX));
        let value: [u8; 8] = join(
            i32::from(wait.is_some()).to_ne_bytes(),
            seconds.to_ne_bytes(),
        );
        self.set(os::SOL_SOCKET, os::SO_LINGER, &value)
    }

    /// The interface that the socket is bound to.
    pub(super) fn device(self) -> io::Result<Option<Vec<u8>>> {
        let mut name = [0; os::IFNAMSIZ];
        let len = self.get(os::SOL_SOCKET, os::SO_BINDTODEVICE, &mut name)?;
        let name = name[..len].split(|byte| *byte == 0).next();
        Ok(name.filter(|name| !name.is_empty()).map(<[u8]>::to_vec))
    }

    pub(super) fn bind_device(self, interface: Option<&[u8]>) -> io::Result<()> {
        self.set(
            os::SOL_SOCKET,
            os::SO_BINDTODEVICE,
            interface.unwrap_or_default(),
        )
    }

    pub(super) fn membership_v4(
        self,
        name: i32,
        group: Ipv4Addr,
        interface: Ipv4Addr,
    ) -> io::Result<()> {
        let value: [u8; 8] = join(group.octets(), interface.octets());
        self.set(os::IPPROTO_IP, name, &value)
    }

    pub(super) fn membership_v6(
        self,
        name: i32,
        group: &Ipv6Addr,
        interface: u32,
    ) -> io::Result<()> {
        let value: [u8; 20] = join(group.octets(), interface.to_ne_bytes());
        self.set(os::IPPROTO_IPV6, name, &value)
    }

    /// Process, user and group of the peer of a Unix socket.
    pub(super) fn peer_cred(self) -> io::Result<(i32, u32, u32)> {
        let mut value = [0; 12];
        self.get(os::SOL_SOCKET, os::SO_PEERCRED, &mut value)?;
        Ok((word(&value, 0) as i32, word(&value, 1), word(&value, 2)))
    }

    fn get(self, level: i32, name: i32, value: &mut [u8]) -> io::Result<usize> {
        Ok(self.kernel.getsockopt(self.fd, level, name, value)?)
    }

    fn set(self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        Ok(self.kernel.setsockopt(self.fd, level, name, value)?)
    }
}

fn join<const A: usize, const B: usize, const N: usize>(a: [u8; A], b: [u8; B]) -> [u8; N] {
    const { assert!(A + B == N) };
    let mut joined = [0; N];
    joined[..A].copy_from_slice(&a);
    joined[A..].copy_from_slice(&b);
    joined
}

/// The `index`th int of a structure of ints.
fn word(value: &[u8], index: usize) -> u32 {
    let (words, _) = value.as_chunks::<4>();
    u32::from_ne_bytes(words[index])
}

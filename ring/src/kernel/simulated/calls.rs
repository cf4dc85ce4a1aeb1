//! The inline and the synchronous calls of a [`Kernel`](crate::Kernel), in a simulated world.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::vec::Vec;

use socket2::SockAddr;

use super::Simulated;
use super::address::{Address, Name};
use super::sockets::Kind;
use super::state::State;
use super::stream;
use super::world::{Body, Id};
use crate::Errno;

/// Flags of sends and receives that a simulated world knows: what they ask for is so anyway, or is
/// done.
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | libc::MSG_PEEK | libc::MSG_TRUNC;

impl Simulated {
    fn object(&self, state: &State, fd: BorrowedFd<'_>) -> Result<Id, Errno> {
        state.parts.descriptors.object(fd.as_raw_fd())
    }

    pub(in crate::kernel) fn knows(&self, fd: BorrowedFd<'_>) -> bool {
        self.object(&self.state(), fd).is_ok()
    }

    // ---- Data ---------------------------------------------------------------------------

    pub(in crate::kernel) fn recv_from(
        &self,
        fd: BorrowedFd<'_>,
        buf: &mut [MaybeUninit<u8>],
        flags: i32,
    ) -> Result<(usize, SockAddr), Errno> {
        let (len, source) = self.receive(fd, buf.len(), flags, &mut Filling::new(buf))?;
        let source = source.unwrap_or(Address::Unix(Name::Unnamed));
        Ok((len, source.to_sock_addr()))
    }

    pub(in crate::kernel) fn recv(
        &self,
        fd: BorrowedFd<'_>,
        buf: &mut [MaybeUninit<u8>],
        flags: i32,
    ) -> Result<usize, Errno> {
        let (len, _) = self.receive(fd, buf.len(), flags, &mut Filling::new(buf))?;
        Ok(len)
    }

    pub(in crate::kernel) fn recv_vectored(
        &self,
        fd: BorrowedFd<'_>,
        bufs: &mut [IoSliceMut<'_>],
        flags: i32,
    ) -> Result<usize, Errno> {
        let room = bufs.iter().map(|buf| buf.len()).sum();
        let mut bytes = Vec::with_capacity(room);
        let (len, _) = self.receive(fd, room, flags, &mut bytes)?;
        let mut rest = &bytes[..];
        for buf in bufs {
            let (part, after) = rest.split_at(rest.len().min(buf.len()));
            buf[..part.len()].copy_from_slice(part);
            rest = after;
        }
        Ok(len)
    }

    fn receive(
        &self,
        fd: BorrowedFd<'_>,
        room: usize,
        flags: i32,
        sink: &mut impl Sink,
    ) -> Result<(usize, Option<Address>), Errno> {
        if flags & !FLAGS != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        let peek = flags & libc::MSG_PEEK != 0;
        state
            .parts
            .world
            .recv(id, room, peek, |part| sink.take(part))
    }

    pub(in crate::kernel) fn send(
        &self,
        fd: BorrowedFd<'_>,
        buf: &[u8],
        flags: i32,
    ) -> Result<usize, Errno> {
        self.transmit(fd, buf, None, flags)
    }

    pub(in crate::kernel) fn send_to(
        &self,
        fd: BorrowedFd<'_>,
        buf: &[u8],
        to: &SockAddr,
        flags: i32,
    ) -> Result<usize, Errno> {
        let to = Address::of(to)?;
        self.transmit(fd, buf, Some(&to), flags)
    }

    pub(in crate::kernel) fn send_vectored(
        &self,
        fd: BorrowedFd<'_>,
        bufs: &[IoSlice<'_>],
        flags: i32,
    ) -> Result<usize, Errno> {
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.transmit(fd, &bytes, None, flags)
    }

    fn transmit(
        &self,
        fd: BorrowedFd<'_>,
        bytes: &[u8],
        to: Option<&Address>,
        flags: i32,
    ) -> Result<usize, Errno> {
        if flags & !FLAGS != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        state.parts.world.send(id, bytes, to)
    }

    pub(in crate::kernel) fn read(
        &self,
        fd: BorrowedFd<'_>,
        buf: &mut [MaybeUninit<u8>],
    ) -> Result<usize, Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        if let Body::Counter(count) = &mut state.parts.world.object(id)?.body {
            if buf.len() < size_of::<u64>() {
                return Err(Errno::EINVAL);
            }
            if *count == 0 {
                return Err(Errno::EAGAIN);
            }
            let bytes = std::mem::take(count).to_ne_bytes();
            Filling::new(buf).take(&bytes);
            state.parts.world.stir(id);
            return Ok(bytes.len());
        }
        let mut filling = Filling::new(buf);
        let room = filling.left();
        let (len, _) = state
            .parts
            .world
            .recv(id, room, false, |part| filling.take(part))?;
        Ok(len)
    }

    pub(in crate::kernel) fn write(&self, fd: BorrowedFd<'_>, buf: &[u8]) -> Result<usize, Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        if let Body::Counter(count) = &mut state.parts.world.object(id)?.body {
            let bytes = buf.first_chunk().ok_or(Errno::EINVAL)?;
            let sum = count.checked_add(u64::from_ne_bytes(*bytes));
            *count = sum.filter(|&sum| sum != u64::MAX).ok_or(Errno::EAGAIN)?;
            state.parts.world.stir(id);
            return Ok(bytes.len());
        }
        state.parts.world.send(id, buf, None)
    }

    pub(in crate::kernel) fn accept(
        &self,
        fd: BorrowedFd<'_>,
    ) -> Result<(OwnedFd, SockAddr), Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        let (accepted, peer) = state.parts.world.accept(id)?;
        Ok((state.parts.name(accepted)?, peer.to_sock_addr()))
    }

    // ---- Sockets ------------------------------------------------------------------------

    pub(in crate::kernel) fn socket(
        &self,
        domain: i32,
        kind: i32,
        protocol: i32,
    ) -> Result<OwnedFd, Errno> {
        let kind = kind_of(kind, protocol)?;
        let mut state = self.state();
        let id = state.parts.world.socket(self.host, domain, kind)?;
        state.parts.name(id)
    }

    pub(in crate::kernel) fn socketpair(
        &self,
        domain: i32,
        kind: i32,
        protocol: i32,
    ) -> Result<(OwnedFd, OwnedFd), Errno> {
        if domain != libc::AF_UNIX {
            return Err(Errno::EOPNOTSUPP);
        }
        let kind = kind_of(kind, protocol)?;
        let mut state = self.state();
        let (one, other) = state.parts.world.pair(self.host, kind)?;
        Ok((state.parts.name(one)?, state.parts.name(other)?))
    }

    pub(in crate::kernel) fn pipe(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let mut state = self.state();
        let (reading, writing) = state.parts.world.pipe(self.host)?;
        Ok((state.parts.name(reading)?, state.parts.name(writing)?))
    }

    pub(in crate::kernel) fn eventfd(&self) -> Result<OwnedFd, Errno> {
        let mut state = self.state();
        let id = state.parts.world.make(self.host, 0, Body::Counter(0))?;
        state.parts.name(id)
    }

    pub(in crate::kernel) fn bind(
        &self,
        fd: BorrowedFd<'_>,
        address: &SockAddr,
    ) -> Result<(), Errno> {
        let address = Address::of(address)?;
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        state.parts.world.bind(id, &address)
    }

    pub(in crate::kernel) fn listen(&self, fd: BorrowedFd<'_>, backlog: i32) -> Result<(), Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        state.parts.world.listen(id, backlog)
    }

    pub(in crate::kernel) fn connect(
        &self,
        fd: BorrowedFd<'_>,
        address: &SockAddr,
    ) -> Result<(), Errno> {
        let address = Address::of(address)?;
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        state.parts.world.connect(id, &address)
    }

    pub(in crate::kernel) fn shutdown(&self, fd: BorrowedFd<'_>, how: i32) -> Result<(), Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        state.parts.world.shutdown(id, how)
    }

    pub(in crate::kernel) fn getsockname(&self, fd: BorrowedFd<'_>) -> Result<SockAddr, Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        let object = state.parts.world.object(id)?;
        let unspecified = match object.family {
            libc::AF_INET => Address::Inet(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)),
            libc::AF_INET6 => Address::Inet(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)),
            libc::AF_UNIX => Address::Unix(Name::Unnamed),
            _ => return Err(Errno::ENOTSOCK),
        };
        Ok(object.address.clone().unwrap_or(unspecified).to_sock_addr())
    }

    pub(in crate::kernel) fn getpeername(&self, fd: BorrowedFd<'_>) -> Result<SockAddr, Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        match &state.parts.world.object(id)?.body {
            Body::Stream(stream) if stream.state == stream::State::Open && !stream.is_over() => {
                Ok(stream.peer_address.to_sock_addr())
            }
            Body::Datagrams(datagrams) => {
                let peer = datagrams.peer.as_ref().ok_or(Errno::ENOTCONN)?;
                Ok(peer.to_sock_addr())
            }
            Body::Counter(_) | Body::Placeholder => Err(Errno::ENOTSOCK),
            _ => Err(Errno::ENOTCONN),
        }
    }

    pub(in crate::kernel) fn setsockopt(
        &self,
        fd: BorrowedFd<'_>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        let object = state.parts.world.object(id)?;
        let mut value = value.to_vec();
        if let (libc::SOL_SOCKET, libc::SO_RCVBUF | libc::SO_SNDBUF) = (level, name)
            && let Some(bytes) = value.first_chunk_mut()
        {
            // As Linux does, for what it keeps besides the bytes.
            *bytes = i32::from_ne_bytes(*bytes).saturating_mul(2).to_ne_bytes();
        }
        object.options.insert((level, name), value);
        Ok(())
    }

    pub(in crate::kernel) fn getsockopt(
        &self,
        fd: BorrowedFd<'_>,
        level: i32,
        name: i32,
        value: &mut [u8],
    ) -> Result<usize, Errno> {
        let mut state = self.state();
        let id = self.object(&state, fd)?;
        let object = state.parts.world.object(id)?;
        let known = object.options.get(&(level, name)).cloned();
        let number = match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ERROR) => match &mut object.body {
                Body::Stream(stream) => stream.error.take(),
                Body::Datagrams(datagrams) => datagrams.error.take(),
                _ => None,
            }
            .map_or(0, Errno::raw),
            (libc::SOL_SOCKET, libc::SO_DOMAIN) => object.family,
            (libc::SOL_SOCKET, libc::SO_TYPE) => match object.body {
                Body::Datagrams(_) => libc::SOCK_DGRAM,
                _ => libc::SOCK_STREAM,
            },
            (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => {
                i32::from(matches!(object.body, Body::Listener(_)))
            }
            (libc::SOL_SOCKET, libc::SO_RCVBUF | libc::SO_SNDBUF) if known.is_none() => {
                BUFFER_BYTES
            }
            (libc::SOL_SOCKET, libc::SO_LINGER) if known.is_none() => return Ok(zeroed(value, 8)),
            (libc::IPPROTO_IP, libc::IP_TTL) if known.is_none() => TTL,
            _ => 0,
        };
        let bytes = known.unwrap_or_else(|| number.to_ne_bytes().to_vec());
        let len = bytes.len().min(value.len());
        value[..len].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    // ---- Descriptors and names ----------------------------------------------------------

    pub(in crate::kernel) fn placeholder(&self) -> Result<OwnedFd, Errno> {
        let mut state = self.state();
        let id = state.parts.world.make(self.host, 0, Body::Placeholder)?;
        state.parts.name(id)
    }

    pub(in crate::kernel) fn close(&self, fd: OwnedFd) -> Result<(), Errno> {
        self.state().closed(fd.as_raw_fd());
        // What is left is the placeholder, or a file that nothing was written through.
        drop(fd);
        Ok(())
    }

    pub(in crate::kernel) fn replace(&self, over: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut state = self.state();
        let before = self.object(&state, over)?;
        state.parts.world.close(before);
        let id = state.parts.world.make(self.host, 0, Body::Placeholder)?;
        state.parts.descriptors.rename(over.as_raw_fd(), id);
        Ok(())
    }

    pub(in crate::kernel) fn now_ns(&self) -> u64 {
        self.whole.now_ns.load(Ordering::Relaxed)
    }

    pub(in crate::kernel) fn random_u64(&self) -> u64 {
        self.state().parts.world.rng.next()
    }

    /// The addresses of a host of the world, by its name or as text.
    ///
    /// # Errors
    /// NotFound for a host that is not of the world.
    pub(in crate::kernel) fn getaddrinfo(
        &self,
        host: &str,
        port: u16,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok([SocketAddr::new(ip, port)].into());
        }
        if host == "localhost" {
            return Ok([SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)].into());
        }
        let state = self.state();
        let Some(found) = state.parts.world.wires.by_name(host) else {
            let text = std::format!("there is no host {host:?} in this simulated world");
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        };
        Ok([SocketAddr::new(found.v4.into(), port)].into())
    }
}

/// The size of the socket buffers that are told; what counts is the stream's window.
const BUFFER_BYTES: i32 = 212_992;
/// net.ipv4.ip_default_ttl.
const TTL: i32 = 64;

fn zeroed(value: &mut [u8], len: usize) -> usize {
    let len = len.min(value.len());
    value[..len].fill(0);
    len
}

pub(super) fn kind_of(kind: i32, protocol: i32) -> Result<Kind, Errno> {
    let any = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP];
    match kind & !(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) {
        _ if !any.contains(&protocol) => Err(Errno::EPROTONOSUPPORT),
        libc::SOCK_STREAM => Ok(Kind::Stream),
        libc::SOCK_DGRAM => Ok(Kind::Datagram),
        _ => Err(Errno::EPROTONOSUPPORT),
    }
}

/// Where received bytes go.
pub(super) trait Sink {
    fn take(&mut self, part: &[u8]);
}

impl Sink for Vec<u8> {
    fn take(&mut self, part: &[u8]) {
        self.extend_from_slice(part);
    }
}

/// A buffer that is filled from its start.
pub(super) struct Filling<'a>(&'a mut [MaybeUninit<u8>]);

impl<'a> Filling<'a> {
    pub(super) fn new(buf: &'a mut [MaybeUninit<u8>]) -> Filling<'a> {
        Filling(buf)
    }

    pub(super) fn left(&self) -> usize {
        self.0.len()
    }
}

impl Sink for Filling<'_> {
    /// # Panics
    /// If there are more bytes than there is room.
    fn take(&mut self, part: &[u8]) {
        let (now, later) = std::mem::take(&mut self.0).split_at_mut(part.len());
        for (to, &from) in now.iter_mut().zip(part) {
            to.write(from);
        }
        self.0 = later;
    }
}

//! Bytes in and out of sockets and pipes. No call waits: EAGAIN means that the object stirs when
//! to try again.

use std::net::SocketAddr;

use super::address::{Address, Name, plain};
use super::faults::Fault;
use super::stream::{Packet, PipeEnd};
use super::world::{Body, Datagrams, Id, World};
use crate::Errno;

/// The largest datagram: 64 KiB less the headers.
const DATAGRAM_BYTES_MAX: usize = 65_507;

impl World {
    /// Sends bytes of a stream, or one datagram; answers how many went.
    pub(super) fn send(
        &mut self,
        id: Id,
        bytes: &[u8],
        to: Option<&Address>,
    ) -> Result<usize, Errno> {
        let object = self.object(id)?;
        let (host, family) = (object.host, object.family);
        let can_be_reset = match &self.object(id)?.body {
            Body::Datagrams(_) => return self.send_datagram_from(id, bytes, to),
            Body::Stream(stream) => stream.can_be_reset(),
            _ => false,
        };
        if can_be_reset && self.strikes(Fault::Reset) {
            self.reset_both(id);
        }
        let stream = match &mut self.object(id)?.body {
            Body::Stream(stream) if stream.pipe == Some(PipeEnd::Reading) => {
                return Err(Errno::EBADF);
            }
            Body::Stream(stream) => stream,
            Body::Fresh | Body::Listener(_) if family != libc::AF_UNIX => return Err(Errno::EPIPE),
            Body::Placeholder => return Err(Errno::EBADF),
            _ => return Err(Errno::ENOTCONN),
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        let room = stream.room()?.min(bytes.len());
        let peer = stream.peer.ok_or(Errno::EPIPE)?;
        let len = if room > 1 && self.strikes(Fault::ShortWrite) {
            self.rng.between(1, room as u64 - 1) as usize
        } else {
            room
        };
        if let Body::Stream(stream) = &mut self.object(id)?.body {
            stream.credit -= len;
        }
        self.send_packet(host, id, peer, Packet::Data(bytes[..len].to_vec()));
        Ok(len)
    }

    fn send_datagram_from(
        &mut self,
        id: Id,
        bytes: &[u8],
        to: Option<&Address>,
    ) -> Result<usize, Errno> {
        let object = self.object(id)?;
        let host = object.host;
        let Body::Datagrams(datagrams) = &mut object.body else {
            return Err(Errno::ENOTSOCK);
        };
        if let Some(errno) = datagrams.error.take() {
            return Err(errno);
        }
        let target = match (to, &datagrams.peer) {
            (Some(to), _) => to.clone(),
            (None, Some(peer)) => peer.clone(),
            (None, None) if object.family == libc::AF_UNIX => return Err(Errno::ENOTCONN),
            (None, None) => return Err(Errno::EDESTADDRREQ),
        };
        if bytes.len() > DATAGRAM_BYTES_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let (reached, target) = match target {
            Address::Inet(inet) => {
                let inet = self.target(host, plain(inet));
                self.bind_for(id, inet.ip())?;
                let reached = self
                    .wires
                    .route(host, inet.ip())
                    .ok_or(Errno::ENETUNREACH)?;
                (reached, Address::Inet(inet))
            }
            Address::Unix(_) => {
                let source = Address::Unix(Name::Unnamed);
                if self.datagrams_at(host, &target, &source).is_none() {
                    if to.is_none()
                        && let Body::Datagrams(datagrams) = &mut self.object(id)?.body
                    {
                        // A peer that is gone is told once.
                        datagrams.peer = None;
                    }
                    return Err(match target {
                        Address::Unix(Name::Path(_)) => Errno::ENOENT,
                        _ => Errno::ECONNREFUSED,
                    });
                }
                (host, target)
            }
        };
        let source = match (&self.objects[&id].address, &target) {
            (Some(Address::Inet(own)), Address::Inet(target)) => {
                let own = plain(*own);
                let ip = if own.ip().is_unspecified() {
                    self.wires.own_address(host, target.ip())
                } else {
                    own.ip()
                };
                Address::Inet(SocketAddr::new(ip, own.port()))
            }
            (Some(own), _) => own.clone(),
            (None, _) => Address::Unix(Name::Unnamed),
        };
        self.send_datagram(id, source, reached, target, bytes.to_vec());
        Ok(bytes.len())
    }

    /// Receives up to `len` bytes, which `sink` gets in order, and the source of a datagram.
    /// Answers how many bytes there were; a datagram's rest is dropped.
    pub(super) fn recv(
        &mut self,
        id: Id,
        len: usize,
        peek: bool,
        sink: impl FnMut(&[u8]),
    ) -> Result<(usize, Option<Address>), Errno> {
        let object = self.object(id)?;
        let (host, family) = (object.host, object.family);
        let there = match &mut self.object(id)?.body {
            Body::Stream(stream) if stream.pipe == Some(PipeEnd::Writing) => {
                return Err(Errno::EBADF);
            }
            Body::Stream(stream) => stream.readable()?,
            Body::Datagrams(datagrams) => {
                return datagrams.receive(len, peek, sink);
            }
            Body::Fresh | Body::Listener(_) if family == libc::AF_UNIX => {
                return Err(Errno::EINVAL);
            }
            Body::Fresh | Body::Listener(_) => return Err(Errno::ENOTCONN),
            Body::Placeholder => return Err(Errno::EBADF),
            Body::Counter(_) => return Err(Errno::ENOTSOCK),
        };
        let most = there.min(len);
        let len = if most > 1 && self.strikes(Fault::ShortRead) {
            // As if the rest came a moment later: so it stirs once more, for a short read of a
            // stream tells that it was emptied (epoll(7)).
            self.stir(id);
            self.rng.between(1, most as u64 - 1) as usize
        } else {
            most
        };
        let Body::Stream(stream) = &mut self.object(id)?.body else {
            return Err(Errno::ENOTCONN);
        };
        let read = stream.read(len, peek, sink);
        if len < most {
            // To whoever reads, what is left came just after: a new edge.
            self.stir(id);
        }
        let Body::Stream(stream) = &mut self.object(id)?.body else {
            return Err(Errno::ENOTCONN);
        };
        // The window is told when a good part of it is free, or nothing is left to read.
        let tell = stream.consumed * 2 >= stream.window || stream.received.is_empty();
        if tell
            && stream.consumed > 0
            && let Some(peer) = stream.peer
        {
            let consumed = std::mem::take(&mut stream.consumed);
            if self.objects.contains_key(&peer) {
                self.send_packet(host, id, peer, Packet::Window(consumed));
            }
        }
        Ok((read, None))
    }
}

impl Datagrams {
    fn receive(
        &mut self,
        len: usize,
        peek: bool,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<(usize, Option<Address>), Errno> {
        if let Some(errno) = self.error.take() {
            return Err(errno);
        }
        let (source, bytes) = self.received.front().ok_or(Errno::EAGAIN)?;
        let len = len.min(bytes.len());
        sink(&bytes[..len]);
        let source = source.clone();
        if !peek {
            self.received.pop_front();
        }
        Ok((len, Some(source)))
    }
}

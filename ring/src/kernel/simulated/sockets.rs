//! The calls of sockets. None waits: EAGAIN means that the object stirs when to try again.

use std::net::{IpAddr, SocketAddr};
use std::vec::Vec;

use super::address::{Address, Name, mapped, plain, unspecified};
use super::deliver::Event;
use super::faults::Fault;
use super::network::HostId;
use super::stream::{Packet, PipeEnd, State, Stream};
use super::world::{Body, Datagrams, Id, Listener, Object, World};
use crate::Errno;

/// What kind of socket is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Stream,
    Datagram,
}

impl World {
    pub(super) fn socket(&mut self, host: HostId, family: i32, kind: Kind) -> Result<Id, Errno> {
        if ![libc::AF_INET, libc::AF_INET6, libc::AF_UNIX].contains(&family) {
            return Err(Errno::EAFNOSUPPORT);
        }
        let body = match kind {
            Kind::Stream => Body::Fresh,
            Kind::Datagram => Body::Datagrams(Datagrams::default()),
        };
        self.make(host, family, body)
    }

    /// Two connected ends: a socketpair, or the ends of a pipe.
    pub(super) fn pair(&mut self, host: HostId, kind: Kind) -> Result<(Id, Id), Errno> {
        let unnamed = Address::Unix(Name::Unnamed);
        let one = self.socket(host, libc::AF_UNIX, kind)?;
        let other = match self.socket(host, libc::AF_UNIX, kind) {
            Ok(other) => other,
            Err(errno) => {
                self.close(one);
                return Err(errno);
            }
        };
        let window = self.wires.window(&mut self.rng);
        for (id, peer) in [(one, other), (other, one)] {
            let object = self.objects.get_mut(&id).expect("just made");
            match &mut object.body {
                Body::Datagrams(datagrams) => datagrams.peer = Some(pair_address(peer)),
                body => {
                    *body = Body::Stream(Stream::open(peer, unnamed.clone(), window, window));
                }
            }
            if kind == Kind::Datagram {
                object.address = Some(pair_address(id));
            }
        }
        Ok((one, other))
    }

    /// A pipe: the reading end, then the writing end.
    pub(super) fn pipe(&mut self, host: HostId) -> Result<(Id, Id), Errno> {
        let (reading, writing) = self.pair(host, Kind::Stream)?;
        for (id, is_reader) in [(reading, true), (writing, false)] {
            if let Body::Stream(stream) = &mut self.object(id)?.body {
                stream.pipe = Some(if is_reader {
                    PipeEnd::Reading
                } else {
                    PipeEnd::Writing
                });
            }
        }
        Ok((reading, writing))
    }

    pub(super) fn bind(&mut self, id: Id, address: &Address) -> Result<(), Errno> {
        let object = self.object(id)?;
        let (host, family) = (object.host, object.family);
        if object.address.is_some() {
            return Err(Errno::EINVAL);
        }
        let address = match address {
            Address::Inet(inet) => {
                check_family(family, *inet)?;
                let ip = plain(*inet).ip();
                if !self.wires.is_own(host, ip) {
                    return Err(Errno::EADDRNOTAVAIL);
                }
                Address::Inet(self.free_port(id, *inet)?)
            }
            Address::Unix(_) if family != libc::AF_UNIX => return Err(Errno::EAFNOSUPPORT),
            Address::Unix(Name::Unnamed) => {
                Address::Unix(Name::Abstract(std::format!("{:05x}", id.0).into_bytes()))
            }
            Address::Unix(_) => {
                if self.bound(host).any(|(_, taken)| taken == address) {
                    return Err(Errno::EADDRINUSE);
                }
                address.clone()
            }
        };
        self.object(id)?.address = Some(address);
        Ok(())
    }

    /// The address with a port that nobody has: the one asked for, or any for port 0.
    fn free_port(&mut self, id: Id, wanted: SocketAddr) -> Result<SocketAddr, Errno> {
        let host = self.objects[&id].host;
        if wanted.port() != 0 {
            let taken = self.conflicts(id, wanted);
            return if taken {
                Err(Errno::EADDRINUSE)
            } else {
                Ok(wanted)
            };
        }
        for _ in 0..u16::MAX {
            let address = SocketAddr::new(wanted.ip(), self.wires.port(host));
            if !self.conflicts(id, address) {
                return Ok(address);
            }
        }
        Err(Errno::EADDRINUSE)
    }

    fn conflicts(&self, id: Id, wanted: SocketAddr) -> bool {
        let own = &self.objects[&id];
        let shares = |object: &Object| is_on(object, libc::SO_REUSEPORT);
        let reuses = |object: &Object| is_on(object, libc::SO_REUSEADDR);
        self.objects.iter().any(|(&other, object)| {
            let Some(Address::Inet(taken)) = &object.address else {
                return false;
            };
            let (taken, wanted) = (plain(*taken), plain(wanted));
            let overlap = taken.ip() == wanted.ip()
                || taken.ip().is_unspecified()
                || wanted.ip().is_unspecified();
            let same_kind =
                matches!(object.body, Body::Datagrams(_)) == matches!(own.body, Body::Datagrams(_));
            // A connection keeps its port from those only that do not reuse addresses.
            let connected = matches!(object.body, Body::Stream(_));
            other != id
                && object.host == own.host
                && same_kind
                && taken.port() == wanted.port()
                && overlap
                && !(shares(object) && shares(own))
                && !(connected && reuses(own))
        })
    }

    fn bound(&self, host: HostId) -> impl Iterator<Item = (Id, &Address)> {
        self.objects
            .iter()
            .filter(move |(_, object)| object.host == host)
            .filter(|(_, object)| !matches!(object.body, Body::Stream(_)))
            .filter_map(|(&id, object)| object.address.as_ref().map(|address| (id, address)))
    }

    pub(super) fn listen(&mut self, id: Id, backlog: i32) -> Result<(), Errno> {
        let family = self.object(id)?.family;
        let backlog = usize::try_from(backlog)
            .unwrap_or(BACKLOG_MAX)
            .min(BACKLOG_MAX);
        match &mut self.object(id)?.body {
            Body::Listener(listener) => listener.backlog = backlog,
            Body::Fresh => {
                if self.object(id)?.address.is_none() {
                    if family == libc::AF_UNIX {
                        return Err(Errno::EINVAL);
                    }
                    let any = SocketAddr::new(unspecified(family == libc::AF_INET6), 0);
                    self.bind(id, &Address::Inet(any))?;
                }
                self.object(id)?.body = Body::Listener(Listener {
                    backlog,
                    waiting: Vec::new(),
                });
            }
            Body::Stream(_) => return Err(Errno::EINVAL),
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok(())
    }

    /// Starts to connect a stream, or names the peer of a datagram socket.
    ///
    /// # Errors
    /// EINPROGRESS for TCP, whose socket stirs at the end; EAGAIN for a Unix listener whose
    /// backlog is full; EISCONN, EALREADY, ECONNREFUSED, ENETUNREACH and the others.
    pub(super) fn connect(&mut self, id: Id, to: &Address) -> Result<(), Errno> {
        let object = self.object(id)?;
        let (host, family) = (object.host, object.family);
        match &mut object.body {
            Body::Fresh => {}
            Body::Datagrams(_) => return self.connect_datagrams(id, to),
            Body::Stream(stream) => {
                let told = std::mem::replace(&mut stream.told, true);
                if stream.state == State::Open && !told {
                    return Ok(());
                }
                return Err(match (stream.state, stream.error.take()) {
                    (_, Some(errno)) => errno,
                    (State::Connecting, None) => Errno::EALREADY,
                    (State::Open, None) => Errno::EISCONN,
                    (State::Broken, None) => Errno::ECONNABORTED,
                });
            }
            Body::Listener(_) => return Err(Errno::EISCONN),
            Body::Counter(_) | Body::Placeholder => return Err(Errno::ENOTSOCK),
        }
        match to {
            Address::Unix(_) if family == libc::AF_UNIX => self.connect_unix(id, host, to),
            Address::Inet(inet) if family != libc::AF_UNIX => {
                check_family(family, *inet)?;
                self.connect_inet(id, host, *inet)
            }
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    fn connect_inet(&mut self, id: Id, host: HostId, to: SocketAddr) -> Result<(), Errno> {
        let target = self.target(host, plain(to));
        if self.wires.route(host, target.ip()).is_none() {
            return Err(Errno::ENETUNREACH);
        }
        let own = match self.objects[&id].address.clone() {
            Some(Address::Inet(own)) if own.ip().is_unspecified() => {
                SocketAddr::new(self.wires.own_address(host, target.ip()), own.port())
            }
            Some(Address::Inet(own)) => own,
            _ => {
                let ip = self.wires.own_address(host, target.ip());
                self.free_port(id, SocketAddr::new(ip, 0))?
            }
        };
        let window = self.wires.window(&mut self.rng);
        let object = self.object(id)?;
        let v6 = object.family == libc::AF_INET6;
        let shown = |address| Address::Inet(if v6 { mapped(address) } else { address });
        object.address = Some(shown(own));
        object.body = Body::Stream(Stream::connecting(shown(target), window));
        let far = self.wires.route(host, target.ip()).unwrap_or(host);
        let at_ns = self.now_ns() + self.wires.latency_ns(&mut self.rng, host, far);
        let knock = Event::Knock {
            from: id,
            target,
            tries: 0,
        };
        self.events.put(at_ns, knock);
        Err(Errno::EINPROGRESS)
    }

    /// Where an address leads that may stand for this host.
    pub(super) fn target(&self, host: HostId, to: SocketAddr) -> SocketAddr {
        if to.ip().is_unspecified() {
            SocketAddr::new(self.wires.own_address(host, to.ip()), to.port())
        } else {
            to
        }
    }

    fn connect_unix(&mut self, id: Id, host: HostId, to: &Address) -> Result<(), Errno> {
        let found = self.bound(host).find(|(_, address)| *address == to);
        let listener = found.map(|(listener, _)| listener).ok_or(match to {
            Address::Unix(Name::Path(_)) => Errno::ENOENT,
            _ => Errno::ECONNREFUSED,
        })?;
        if !matches!(self.objects[&listener].body, Body::Listener(_)) {
            return Err(Errno::ECONNREFUSED);
        }
        if !self.has_room(listener) {
            return Err(Errno::EAGAIN);
        }
        let window = self.wires.window(&mut self.rng);
        let object = self.object(id)?;
        let peer = object.address.clone();
        object.body = Body::Stream(Stream::connecting(to.clone(), window));
        let peer = peer.unwrap_or(Address::Unix(Name::Unnamed));
        let (server, credit) = self
            .connect_to(listener, id, to.clone(), peer)
            .ok_or(Errno::ECONNREFUSED)?;
        // The ends of a Unix connection know one another at once.
        if let Body::Stream(stream) = &mut self.object(id)?.body {
            stream.told = true;
            stream.arrive(Packet::Accepted {
                peer: server,
                credit,
            });
        }
        Ok(())
    }

    fn connect_datagrams(&mut self, id: Id, to: &Address) -> Result<(), Errno> {
        let to = match to {
            Address::Inet(inet) => Address::Inet(plain(*inet)),
            Address::Unix(_) => to.clone(),
        };
        if let Address::Inet(target) = &to {
            self.bind_for(id, target.ip())?;
        }
        if let Body::Datagrams(datagrams) = &mut self.object(id)?.body {
            datagrams.peer = Some(to);
        }
        Ok(())
    }

    /// A datagram socket that sends has an address.
    pub(super) fn bind_for(&mut self, id: Id, to: IpAddr) -> Result<(), Errno> {
        let object = self.object(id)?;
        let host = object.host;
        if object.address.is_none() {
            let ip = self.wires.own_address(host, to);
            let address = self.free_port(id, SocketAddr::new(ip, 0))?;
            self.object(id)?.address = Some(Address::Inet(address));
        }
        Ok(())
    }

    pub(super) fn accept(&mut self, id: Id) -> Result<(Id, Address), Errno> {
        if self.strikes(Fault::AcceptNoDescriptors) {
            return Err(Errno::EMFILE);
        }
        let host = self.object(id)?.host;
        let listener = match &mut self.object(id)?.body {
            Body::Listener(listener) => listener,
            Body::Datagrams(_) => return Err(Errno::EOPNOTSUPP),
            Body::Counter(_) => return Err(Errno::ENOTSOCK),
            _ => return Err(Errno::EINVAL),
        };
        if listener.waiting.is_empty() {
            return Err(Errno::EAGAIN);
        }
        let owner = self.wires.host_mut(host);
        if owner.descriptors >= owner.descriptors_max {
            return Err(Errno::EMFILE);
        }
        let aborted = self.strikes(Fault::AcceptAborted);
        let Body::Listener(listener) = &mut self.object(id)?.body else {
            return Err(Errno::EINVAL);
        };
        let accepted = listener.waiting.remove(0);
        if aborted {
            // The connection was reset while it waited: the next call finds the next one.
            self.reset_both(accepted);
            self.release(accepted);
            return Err(Errno::ECONNABORTED);
        }
        self.wires.host_mut(host).descriptors += 1;
        match &self.object(accepted)?.body {
            Body::Stream(stream) => Ok((accepted, stream.peer_address.clone())),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Breaks a connection for both of its ends.
    pub(super) fn reset_both(&mut self, id: Id) {
        let Some(Object {
            body: Body::Stream(stream),
            host,
            ..
        }) = self.objects.get(&id)
        else {
            return;
        };
        let (host, peer) = (*host, stream.peer);
        if let Some(peer) = peer {
            self.reset(host, id, peer);
        }
        self.break_stream(id, Errno::ECONNRESET);
    }

    pub(super) fn shutdown(&mut self, id: Id, how: i32) -> Result<(), Errno> {
        let object = self.object(id)?;
        let host = object.host;
        let stream = match &mut object.body {
            Body::Stream(stream) if stream.state == State::Open && !stream.is_over() => stream,
            Body::Counter(_) => return Err(Errno::ENOTSOCK),
            Body::Placeholder => return Err(Errno::EBADF),
            Body::Listener(_) if how != libc::SHUT_WR => {
                object.body = Body::Fresh;
                self.stir(id);
                return Ok(());
            }
            _ => return Err(Errno::ENOTCONN),
        };
        if how != libc::SHUT_WR {
            stream.deaf = true;
        }
        let (peer, is_inet) = (stream.peer, stream.is_inet());
        if how != libc::SHUT_RD
            && !std::mem::replace(&mut stream.shut, true)
            && let Some(peer) = peer
        {
            self.send_packet(host, id, peer, Packet::Fin);
        }
        if how != libc::SHUT_WR
            && !is_inet
            && let Some(peer) = peer
        {
            self.send_packet(host, id, peer, Packet::Deaf);
        }
        self.stir(id);
        Ok(())
    }

    // ---- Who is where -------------------------------------------------------------------

    /// The listener that takes connections to `target`; of several the seed chooses.
    pub(super) fn listener_at(&mut self, host: HostId, target: SocketAddr) -> Option<Id> {
        let candidates: Vec<Id> = self
            .objects
            .iter()
            .filter(|(_, object)| object.host == host)
            .filter(|(_, object)| matches!(object.body, Body::Listener(_)))
            .filter(|(_, object)| takes(object, target))
            .map(|(&id, _)| id)
            .collect();
        self.choose(&candidates)
    }

    /// The socket that takes a datagram from `source` to `target`.
    pub(super) fn datagrams_at(
        &mut self,
        host: HostId,
        target: &Address,
        source: &Address,
    ) -> Option<Id> {
        let fits = |object: &Object| {
            let Body::Datagrams(datagrams) = &object.body else {
                return false;
            };
            let from_peer = match (&datagrams.peer, source) {
                (Some(Address::Inet(peer)), Address::Inet(source)) => {
                    plain(*peer) == plain(*source)
                }
                _ => true,
            };
            let here = match target {
                Address::Inet(target) => takes(object, *target),
                Address::Unix(_) => object.address.as_ref() == Some(target),
            };
            object.host == host && from_peer && here
        };
        let candidates: Vec<Id> = self
            .objects
            .iter()
            .filter(|(_, object)| fits(object))
            .map(|(&id, _)| id)
            .collect();
        self.choose(&candidates)
    }

    fn choose(&mut self, candidates: &[Id]) -> Option<Id> {
        match candidates {
            [] => None,
            [only] => Some(*only),
            several => {
                let place = self.rng.below(several.len() as u64);
                Some(several[place as usize])
            }
        }
    }
}

/// net.core.somaxconn.
const BACKLOG_MAX: usize = 4096;

/// The ends of a pair of datagram sockets find one another by a name nobody else can have.
fn pair_address(id: Id) -> Address {
    Address::Unix(Name::Abstract(std::format!("\0pair {}", id.0).into_bytes()))
}

fn check_family(family: i32, address: SocketAddr) -> Result<(), Errno> {
    match (family, address) {
        (libc::AF_INET, SocketAddr::V4(_)) | (libc::AF_INET6, SocketAddr::V6(_)) => Ok(()),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// Whether an option of SOL_SOCKET is on.
fn is_on(object: &Object, name: i32) -> bool {
    let value = object.options.get(&(libc::SOL_SOCKET, name));
    value.is_some_and(|value| value.iter().any(|&byte| byte != 0))
}

/// Whether a bound socket takes what comes to `target`.
fn takes(object: &Object, target: SocketAddr) -> bool {
    let Some(Address::Inet(bound)) = &object.address else {
        return false;
    };
    let (own, target) = (plain(*bound), plain(target));
    let any = bound.ip().is_unspecified();
    let dual = bound.is_ipv6()
        && !object
            .options
            .get(&(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY))
            .is_some_and(|value| value.iter().any(|&byte| byte != 0));
    let family = own.is_ipv4() == target.is_ipv4() || (any && dual);
    own.port() == target.port() && family && (any || own.ip() == target.ip())
}

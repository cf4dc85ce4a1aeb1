//! What happens by itself: packets arrive, wait for a wire, or are lost.

use std::net::SocketAddr;
use std::vec::Vec;

use super::address::{Address, mapped, plain};
use super::faults::Fault;
use super::network::HostId;
use super::stream::{Packet, State, Stream};
use super::world::{Body, Id, Listener, Object, World};
use crate::Errno;

/// Something that happens at its time.
#[derive(Debug)]
pub(super) enum Event {
    /// A packet of a stream arrives at `to`.
    Packet {
        from: HostId,
        sender: Id,
        to: Id,
        /// Its place among the packets towards `to`; None for an answer from nowhere.
        number: Option<u64>,
        packet: Packet,
    },
    /// A connecting socket knocks at a listener.
    Knock {
        from: Id,
        target: SocketAddr,
        tries: u32,
    },
    /// A datagram arrives where it was sent to.
    Datagram {
        from: HostId,
        sender: Id,
        source: Address,
        to: HostId,
        target: Address,
        bytes: Vec<u8>,
    },
    /// A datagram that was sent from this socket found nobody.
    Unreachable(Id),
    /// A packet has waited long for a wire: its sender gives up, if it waits still since then.
    GiveUp { sender: Id, hold: u64 },
    /// Work on a file has ended, or what a fault delayed is due.
    Job(u64),
    /// A wire that a fault has cut is mended.
    Mend(HostId, HostId),
}

/// A packet that waits for a wire.
#[derive(Debug)]
pub(super) struct Held {
    number: u64,
    packet: Event,
}

impl Event {
    /// A number that tells events apart, for a trace.
    pub(super) fn digest(&self) -> u64 {
        match self {
            Event::Packet { to, packet, .. } => match packet {
                Packet::Accepted { credit, .. } => to.0 << 24 ^ 1 << 20 ^ *credit as u64,
                Packet::Reset => to.0 << 24 ^ 2 << 20,
                Packet::Data(bytes) => to.0 << 24 ^ 3 << 20 ^ bytes.len() as u64,
                Packet::Fin => to.0 << 24 ^ 4 << 20,
                Packet::Deaf => to.0 << 24 ^ 13 << 20,
                Packet::Gone => to.0 << 24 ^ 12 << 20,
                Packet::Window(bytes) => to.0 << 24 ^ 5 << 20 ^ *bytes as u64,
            },
            Event::Knock { from, tries, .. } => from.0 << 24 ^ 6 << 20 ^ u64::from(*tries),
            Event::Datagram { sender, bytes, .. } => sender.0 << 24 ^ 7 << 20 ^ bytes.len() as u64,
            Event::Unreachable(id) => id.0 << 24 ^ 8 << 20,
            Event::GiveUp { sender, .. } => sender.0 << 24 ^ 9 << 20,
            Event::Job(number) => number << 24 ^ 10 << 20,
            Event::Mend(one, other) => (one.0 as u64) << 24 ^ 11 << 20 ^ other.0 as u64,
        }
    }
}

/// After how long a connecting socket knocks again: TCP's first retransmission.
const KNOCK_AGAIN_NS: u64 = 1_000_000_000;
/// How often it knocks before ETIMEDOUT: net.ipv4.tcp_syn_retries and the first one.
const KNOCKS_MAX: u32 = 7;
/// How long a sender waits for a wire before ETIMEDOUT: about net.ipv4.tcp_retries2.
const GIVE_UP_NS: u64 = 924_000_000_000;
/// How long a fault cuts a wire, mostly.
const SHORT_CUT_NS: (u64, u64) = (1_000_000, 200_000_000);
/// How long it does now and then: longer than TCP takes to try again.
const LONG_CUT_NS: (u64, u64) = (200_000_000, 5_000_000_000);
/// Datagrams that wait in a socket; more are dropped, as a full receive buffer does.
const DATAGRAMS_MAX: usize = 256;

impl World {
    /// Sends a packet of a stream, behind those sent before.
    pub(super) fn send_packet(&mut self, from: HostId, sender: Id, to: Id, packet: Packet) {
        let Some(target) = self.objects.get(&to) else {
            return self.answer_from_nowhere(from, sender, to, &packet);
        };
        let host = target.host;
        self.disturb(from, host);
        let latency = self.wires.latency_ns(&mut self.rng, from, host);
        let earliest = self.now_ns() + latency;
        let target = self.objects.get_mut(&to).expect("it was just there");
        let Body::Stream(stream) = &mut target.body else {
            return;
        };
        stream.last_arrival_ns = stream.last_arrival_ns.max(earliest);
        let at_ns = stream.last_arrival_ns;
        let number = Some(stream.next_number());
        let event = Event::Packet {
            from,
            sender,
            to,
            number,
            packet,
        };
        self.events.put(at_ns, event);
    }

    /// Something takes the wire between two hosts: a fault may cut it for a while.
    fn disturb(&mut self, from: HostId, to: HostId) {
        if from == to || self.wires.is_cut(from, to) || !self.strikes(Fault::Partition) {
            return;
        }
        let (low, high) = match self.rng.below(8) {
            0 => LONG_CUT_NS,
            _ => SHORT_CUT_NS,
        };
        let at_ns = self.now_ns() + self.rng.between(low, high);
        self.wires.set_disturbed(from, to, true);
        self.events.put(at_ns, Event::Mend(from, to));
    }

    /// Who sends to an end that is gone gets a reset. But its own end is expected there: a closed
    /// socket stays in FIN_WAIT for it.
    fn answer_from_nowhere(&mut self, from: HostId, sender: Id, to: Id, packet: &Packet) {
        if matches!(packet, Packet::Data(_)) {
            let at_ns = self.now_ns() + self.wires.latency_ns(&mut self.rng, from, from);
            let event = Event::Packet {
                from,
                sender: to,
                to: sender,
                number: None,
                packet: Packet::Reset,
            };
            self.events.put(at_ns, event);
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Packet {
                from, sender, to, ..
            } if self.waits_for_wire(from, to) => {
                let hold = self.hold_back(event);
                let at_ns = self.now_ns() + GIVE_UP_NS;
                self.events.put(at_ns, Event::GiveUp { sender, hold });
            }
            Event::Packet {
                from,
                sender,
                to,
                number,
                packet,
            } => self.arrive(from, sender, to, number, packet),
            Event::Knock {
                from,
                target,
                tries,
            } => self.knock(from, target, tries),
            Event::Datagram {
                from,
                sender,
                source,
                to,
                target,
                bytes,
            } => {
                if from == to || !self.wires.is_cut(from, to) {
                    self.receive_datagram(sender, source, to, &target, bytes);
                }
            }
            Event::Unreachable(id) => {
                if let Some(Object {
                    body: Body::Datagrams(datagrams),
                    ..
                }) = self.objects.get_mut(&id)
                    && datagrams.peer.is_some()
                {
                    datagrams.error = Some(Errno::ECONNREFUSED);
                    self.stir(id);
                }
            }
            Event::GiveUp { sender, hold } => {
                if self.held.iter().any(|held| held.number == hold) {
                    self.break_stream(sender, Errno::ETIMEDOUT);
                }
            }
            Event::Job(number) => self.job_finished(number),
            Event::Mend(one, other) => {
                self.wires.set_disturbed(one, other, false);
                self.retransmit();
            }
        }
    }

    fn waits_for_wire(&self, from: HostId, to: Id) -> bool {
        let host = self.objects.get(&to).map(|target| target.host);
        host.is_some_and(|host| host != from && self.wires.is_cut(from, host))
    }

    fn arrive(&mut self, from: HostId, sender: Id, to: Id, number: Option<u64>, packet: Packet) {
        let Some(target) = self.objects.get_mut(&to) else {
            return self.answer_from_nowhere(from, sender, to, &packet);
        };
        let Body::Stream(stream) = &mut target.body else {
            return;
        };
        if stream.arrive_in_order(number, packet) {
            self.stir(to);
        }
    }

    /// Keeps a packet until its wire is mended, under a number of its own.
    fn hold_back(&mut self, packet: Event) -> u64 {
        self.holds += 1;
        let number = self.holds;
        self.held.push(Held { number, packet });
        number
    }

    /// Breaks one end of a stream, without telling the other.
    pub(super) fn break_stream(&mut self, id: Id, errno: Errno) {
        if let Some(Object {
            body: Body::Stream(stream),
            ..
        }) = self.objects.get_mut(&id)
        {
            stream.break_with(errno);
            self.stir(id);
        }
    }

    /// Packets that have waited for a wire go on their way, if it is mended.
    pub(super) fn retransmit(&mut self) {
        for held in std::mem::take(&mut self.held) {
            let Event::Packet { from, to, .. } = held.packet else {
                continue;
            };
            if self.waits_for_wire(from, to) {
                self.held.push(held);
                continue;
            }
            let host = self.objects.get(&to).map_or(from, |target| target.host);
            let at_ns = self.now_ns() + self.wires.latency_ns(&mut self.rng, from, host);
            self.events.put(at_ns, held.packet);
        }
    }

    // ---- Connections --------------------------------------------------------------------

    /// A first packet comes to where `target` leads, after `tries` that were not answered.
    fn knock(&mut self, from: Id, target: SocketAddr, tries: u32) {
        let Some(client) = self.objects.get(&from) else {
            return;
        };
        let (host, source) = (client.host, client.address.clone());
        let Body::Stream(Stream {
            state: State::Connecting,
            ..
        }) = client.body
        else {
            return;
        };
        let reached = self.wires.route(host, target.ip());
        let server = reached.filter(|&to| to == host || !self.wires.is_cut(host, to));
        let Some(server) = server else {
            return self.knock_again(from, target, tries);
        };
        let Some(listener) = self.listener_at(server, target) else {
            return self.reset(server, from, from);
        };
        let Some(Address::Inet(source)) = source else {
            return;
        };
        if !self.has_room(listener) {
            return self.knock_again(from, target, tries);
        }
        let v6 = self.objects[&listener].family == libc::AF_INET6;
        let [own, peer] = [target, source]
            .map(|address| Address::Inet(if v6 { mapped(address) } else { plain(address) }));
        if let Some((end, credit)) = self.connect_to(listener, from, own, peer) {
            self.send_packet(server, end, from, Packet::Accepted { peer: end, credit });
        }
    }

    fn knock_again(&mut self, from: Id, target: SocketAddr, tries: u32) {
        if tries + 1 == KNOCKS_MAX {
            return self.break_stream(from, Errno::ETIMEDOUT);
        }
        let at_ns = self.now_ns() + (KNOCK_AGAIN_NS << tries);
        let tries = tries + 1;
        self.events.put(
            at_ns,
            Event::Knock {
                from,
                target,
                tries,
            },
        );
    }

    pub(super) fn reset(&mut self, from: HostId, sender: Id, to: Id) {
        self.send_packet(from, sender, to, Packet::Reset);
    }

    pub(super) fn has_room(&self, listener: Id) -> bool {
        match &self.objects[&listener].body {
            Body::Listener(listener) => listener.waiting.len() <= listener.backlog,
            _ => false,
        }
    }

    /// Makes the listener's end of a connection to `client`, and puts it into the backlog. Answers
    /// what the client has to be told: that end, and how many bytes it takes in.
    pub(super) fn connect_to(
        &mut self,
        listener: Id,
        client: Id,
        own: Address,
        peer: Address,
    ) -> Option<(Id, usize)> {
        let Body::Stream(connecting) = &self.objects.get(&client)?.body else {
            return None;
        };
        let credit = connecting.window;
        let window = self.wires.window(&mut self.rng);
        let object = self.objects.get(&listener)?;
        let (host, family) = (object.host, object.family);
        let end = Stream::open(client, peer, credit, window);
        let server = self.make_unnamed(host, family, Body::Stream(end), 1);
        self.objects.get_mut(&server)?.address = Some(own);
        if let Body::Listener(Listener { waiting, .. }) = &mut self.objects.get_mut(&listener)?.body
        {
            waiting.push(server);
        }
        self.stir(listener);
        Some((server, window))
    }

    // ---- Datagrams ----------------------------------------------------------------------

    /// Sends a datagram on its way, or loses it.
    pub(super) fn send_datagram(
        &mut self,
        sender: Id,
        source: Address,
        to: HostId,
        target: Address,
        bytes: Vec<u8>,
    ) {
        let from = self.objects[&sender].host;
        if !matches!(target, Address::Unix(_)) {
            self.disturb(from, to);
        }
        let copies = if from == to || matches!(target, Address::Unix(_)) {
            1
        } else if self.rng.chance(self.wires.network.lost_per_mille) {
            0
        } else if self.rng.chance(self.wires.network.doubled_per_mille) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let at_ns = self.now_ns() + self.wires.latency_ns(&mut self.rng, from, to);
            let event = Event::Datagram {
                from,
                sender,
                source: source.clone(),
                to,
                target: target.clone(),
                bytes: bytes.clone(),
            };
            self.events.put(at_ns, event);
        }
    }

    fn receive_datagram(
        &mut self,
        sender: Id,
        source: Address,
        to: HostId,
        target: &Address,
        bytes: Vec<u8>,
    ) {
        let Some(id) = self.datagrams_at(to, target, &source) else {
            let at_ns = self.now_ns() + self.wires.latency_ns(&mut self.rng, to, to);
            return self.events.put(at_ns, Event::Unreachable(sender));
        };
        let object = self.objects.get_mut(&id).expect("it was just found");
        let source = match source {
            Address::Inet(inet) if object.family == libc::AF_INET6 => Address::Inet(mapped(inet)),
            other => other,
        };
        if let Body::Datagrams(datagrams) = &mut object.body
            && datagrams.received.len() < DATAGRAMS_MAX
        {
            datagrams.received.push_back((source, bytes));
            self.stir(id);
        }
    }

    // ---- The end of an object -----------------------------------------------------------

    /// Nobody refers to the object any more: tells whom it was connected with.
    pub(super) fn end(&mut self, id: Id, object: Object) {
        match object.body {
            Body::Stream(stream) => {
                let Some(peer) = stream.peer else { return };
                let unread = !stream.received.is_empty();
                let lingers = object
                    .options
                    .get(&(libc::SOL_SOCKET, libc::SO_LINGER))
                    .is_some_and(|value| {
                        // `struct linger`: on, and for no time: the connection is reset.
                        value.len() == 8 && value[..4] != [0; 4] && value[4..] == [0; 4]
                    });
                let last = if stream.pipe.is_some() || (!stream.is_inet() && !unread) {
                    Packet::Gone
                } else if unread || lingers {
                    Packet::Reset
                } else {
                    Packet::Fin
                };
                if !matches!(last, Packet::Fin) || !stream.shut {
                    self.send_packet(object.host, id, peer, last);
                }
            }
            Body::Listener(listener) => {
                // Connections that nobody has accepted are reset.
                for waiting in listener.waiting {
                    let end = self.objects.remove(&waiting);
                    if let Some(Object {
                        body: Body::Stream(stream),
                        host,
                        ..
                    }) = end
                        && let Some(peer) = stream.peer
                    {
                        self.reset(host, waiting, peer);
                    }
                }
            }
            Body::Fresh | Body::Datagrams(_) | Body::Counter(_) | Body::Placeholder => {}
        }
    }

    /// A fault that strikes where it could, if the seed says so.
    pub(super) fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.might_strike(fault);
        if strikes {
            self.faults.count(fault);
        }
        strikes
    }

    /// As [`strikes`](World::strikes), for one that is counted when it has happened.
    pub(super) fn might_strike(&mut self, fault: Fault) -> bool {
        self.rng.chance(self.faults.per_mille(fault))
    }
}

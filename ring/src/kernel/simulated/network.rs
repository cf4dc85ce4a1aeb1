//! The wires between hosts: how long a packet takes, and whether it arrives.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::string::String;
use std::vec::Vec;

use super::rng::Rng;

/// A host of the world, by the order in which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(super) usize);

/// What a network does to packets.
#[derive(Clone, Debug)]
pub struct Network {
    /// The shortest and the longest time from one host to another, in nanoseconds. 200 us to 2 ms
    /// by default.
    pub latency_ns: (u64, u64),
    /// Of 1,000 datagrams between hosts, how many are lost. 0 by default.
    pub lost_per_mille: u32,
    /// Of 1,000 datagrams between hosts, how many arrive twice. 0 by default.
    pub doubled_per_mille: u32,
    /// The largest number of bytes that a stream has under way or unread. A seed chooses windows
    /// up to this, mostly large ones. 64 KiB by default.
    pub window_bytes_max: usize,
    /// The smallest; 1 byte by default.
    pub window_bytes_min: usize,
}

impl Default for Network {
    fn default() -> Network {
        Network {
            latency_ns: (200_000, 2_000_000),
            lost_per_mille: 0,
            doubled_per_mille: 0,
            window_bytes_max: 64 * 1024,
            window_bytes_min: 1,
        }
    }
}

/// What a packet takes inside of a host.
const LOOPBACK_NS: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
    /// Counts up with each crash: what was under way before belongs to nobody.
    pub(super) up: bool,
    pub(super) next_port: u16,
    /// Descriptors that may be open at once, and that are.
    pub(super) descriptors_max: usize,
    pub(super) descriptors: usize,
}

/// Hosts and the wires between them.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    /// Cut until the test mends them.
    cut: BTreeSet<(HostId, HostId)>,
    /// Cut by a fault for a while.
    disturbed: BTreeSet<(HostId, HostId)>,
}

/// The first of the ports that connecting sockets get: the kernel's default range.
const FIRST_PORT: u16 = 32_768;
/// The last of them.
const LAST_PORT: u16 = 60_999;

impl Wires {
    pub(super) fn new(network: Network) -> Wires {
        Wires {
            hosts: Vec::new(),
            network,
            cut: BTreeSet::new(),
            disturbed: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, descriptors_max: usize) -> HostId {
        let number = self.hosts.len() + 1;
        let [_, _, high, low] = (number as u32).to_be_bytes();
        self.hosts.push(Host {
            name: name.into(),
            v4: Ipv4Addr::new(10, 0, high, low),
            v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number as u16),
            up: true,
            next_port: FIRST_PORT,
            descriptors_max,
            descriptors: 0,
        });
        HostId(number - 1)
    }

    pub(super) fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0]
    }

    pub(super) fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0]
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The host that an address leads to from `from`.
    pub(super) fn route(&self, from: HostId, to: IpAddr) -> Option<HostId> {
        if to.is_loopback() || to.is_unspecified() {
            return Some(from);
        }
        let found = self
            .hosts
            .iter()
            .position(|host| IpAddr::V4(host.v4) == to || IpAddr::V6(host.v6) == to);
        found.map(HostId)
    }

    /// The address that `host` has towards `to`.
    pub(super) fn own_address(&self, host: HostId, to: IpAddr) -> IpAddr {
        match to {
            IpAddr::V4(_) if to.is_loopback() || to.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(_) => self.host(host).v4.into(),
            IpAddr::V6(_) if to.is_loopback() || to.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V6(_) => self.host(host).v6.into(),
        }
    }

    /// Whether `ip` is an address that a socket of `host` may have.
    pub(super) fn is_own(&self, host: HostId, ip: IpAddr) -> bool {
        let host = self.host(host);
        ip.is_unspecified() || ip.is_loopback() || ip == host.v4 || ip == host.v6
    }

    /// The next port for a socket that asks for any.
    pub(super) fn port(&mut self, host: HostId) -> u16 {
        let host = self.host_mut(host);
        let port = host.next_port;
        host.next_port = if port == LAST_PORT {
            FIRST_PORT
        } else {
            port + 1
        };
        port
    }

    /// Cuts or mends the wire between two hosts, both ways.
    pub(super) fn set_cut(&mut self, one: HostId, other: HostId, cut: bool) {
        let wire = (one.min(other), one.max(other));
        if cut {
            self.cut.insert(wire);
        } else {
            self.cut.remove(&wire);
        }
    }

    /// As [`set_cut`](Wires::set_cut), by a fault: what the test cut stays cut.
    pub(super) fn set_disturbed(&mut self, one: HostId, other: HostId, disturbed: bool) {
        let wire = (one.min(other), one.max(other));
        if disturbed {
            self.disturbed.insert(wire);
        } else {
            self.disturbed.remove(&wire);
        }
    }

    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        let down = !self.host(from).up || !self.host(to).up;
        let wire = (from.min(to), from.max(to));
        down || self.cut.contains(&wire) || self.disturbed.contains(&wire)
    }

    /// How long a packet takes.
    pub(super) fn latency_ns(&self, rng: &mut Rng, from: HostId, to: HostId) -> u64 {
        if from == to {
            return LOOPBACK_NS;
        }
        let (low, high) = self.network.latency_ns;
        rng.between(low, high.max(low))
    }

    /// How many bytes one end of a new stream takes in: mostly many, sometimes very few.
    pub(super) fn window(&self, rng: &mut Rng) -> usize {
        let most = self.network.window_bytes_max.max(1) as u64;
        let least = self.network.window_bytes_min.max(1) as u64;
        let window = match rng.below(8) {
            0 => rng.between(1, most.min(16)),
            1 => rng.between(1, most),
            _ => most,
        };
        window.max(least.min(most)) as usize
    }
}

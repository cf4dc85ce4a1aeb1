//! The objects of a simulated world: who refers to them, and when they are gone.
//!
//! An object lives while a descriptor names it or a request of a ring holds it, as a file does in
//! the kernel. What its end means to a peer is said in `sockets` and `deliver`.

use std::collections::BTreeMap;
use std::vec::Vec;

use super::address::Address;
use super::deliver::{Event, Held};
use super::events::Events;
use super::faults::Faults;
use super::network::{HostId, Network, Wires};
use super::rng::Rng;
use super::stream::Stream;
use crate::Errno;

/// An object of the world; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) u64);

/// Everything there is. One thread at a time has it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    pub(super) wires: Wires,
    pub(super) events: Events<Event>,
    /// Packets of streams that wait for a wire to be mended, in their order.
    pub(super) held: Vec<Held>,
    /// Packets that have waited so far.
    pub(super) holds: u64,
    pub(super) objects: BTreeMap<Id, Object>,
    now_ns: u64,
    made: u64,
    /// Objects that may have become ready since somebody asked.
    stirred: Vec<Id>,
    finished_jobs: Vec<u64>,
    /// What has happened, digested.
    trace: u64,
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) host: HostId,
    /// Descriptors and requests.
    pub(super) references: u32,
    pub(super) family: i32,
    pub(super) address: Option<Address>,
    pub(super) options: BTreeMap<(i32, i32), Vec<u8>>,
    pub(super) body: Body,
}

/// What an object is.
#[derive(Debug)]
pub(super) enum Body {
    /// A stream socket that neither listens nor is connected.
    Fresh,
    Listener(Listener),
    Stream(Stream),
    Datagrams(Datagrams),
    /// An eventfd.
    Counter(u64),
    /// Nothing can be done with it: O_PATH.
    Placeholder,
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) backlog: usize,
    /// Connections that were made and not accepted.
    pub(super) waiting: Vec<Id>,
}

/// A datagram socket, UDP or Unix.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    pub(super) received: std::collections::VecDeque<(Address, Vec<u8>)>,
    pub(super) peer: Option<Address>,
    pub(super) error: Option<Errno>,
}

impl World {
    pub(super) fn new(seed: u64, network: Network, faults: Faults) -> World {
        World {
            rng: Rng::new(seed),
            faults,
            wires: Wires::new(network),
            events: Events::new(),
            held: Vec::new(),
            holds: 0,
            objects: BTreeMap::new(),
            now_ns: START_NS,
            made: 0,
            stirred: Vec::new(),
            finished_jobs: Vec::new(),
            trace: seed,
        }
    }

    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Lets everything happen that is due at `now_ns`, which is not before the time it was.
    pub(super) fn advance_to(&mut self, now_ns: u64) {
        assert!(
            now_ns >= self.now_ns,
            "simulated time does not run backwards"
        );
        while let Some(at_ns) = self.events.next_ns().filter(|&at_ns| at_ns <= now_ns) {
            self.now_ns = self.now_ns.max(at_ns);
            let event = self.events.take(at_ns).expect("it is due");
            self.trace = Rng::new(self.trace ^ at_ns ^ event.digest()).next();
            self.happen(event);
        }
        self.now_ns = now_ns;
    }

    /// When something happens next by itself.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.events.next_ns()
    }

    /// A number that stands for all that has happened so far.
    pub(super) fn trace(&self) -> u64 {
        Rng::new(self.trace ^ self.now_ns ^ self.rng.clone().next()).next()
    }

    /// Work on a file that ends in `takes_ns`, under a number of its own.
    pub(super) fn finish_job_in(&mut self, takes_ns: u64, number: u64) {
        self.events.put(self.now_ns + takes_ns, Event::Job(number));
    }

    pub(super) fn job_finished(&mut self, number: u64) {
        self.finished_jobs.push(number);
    }

    /// Work on files that has ended since the last call.
    pub(super) fn take_finished_jobs(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.finished_jobs)
    }

    /// Stops a host, whose objects are gone without a word to their peers, or lets it begin again.
    pub(super) fn set_up(&mut self, host: HostId, up: bool) {
        let owner = self.wires.host_mut(host);
        owner.up = up;
        if up {
            return self.retransmit();
        }
        owner.descriptors = 0;
        self.objects.retain(|_, object| object.host != host);
    }

    // ---- Objects ------------------------------------------------------------------------

    /// Makes an object with one reference.
    ///
    /// # Errors
    /// EMFILE when the host has as many descriptors as it may have.
    pub(super) fn make(&mut self, host: HostId, family: i32, body: Body) -> Result<Id, Errno> {
        let owner = self.wires.host_mut(host);
        if owner.descriptors >= owner.descriptors_max {
            return Err(Errno::EMFILE);
        }
        owner.descriptors += 1;
        Ok(self.make_unnamed(host, family, body, 1))
    }

    /// Makes an object that no descriptor names yet: a connection in a backlog.
    pub(super) fn make_unnamed(
        &mut self,
        host: HostId,
        family: i32,
        body: Body,
        references: u32,
    ) -> Id {
        self.made += 1;
        let id = Id(self.made);
        let object = Object {
            host,
            references,
            family,
            address: None,
            options: BTreeMap::new(),
            body,
        };
        self.objects.insert(id, object);
        id
    }

    /// # Errors
    /// EBADF if it is gone.
    pub(super) fn object(&mut self, id: Id) -> Result<&mut Object, Errno> {
        self.objects.get_mut(&id).ok_or(Errno::EBADF)
    }

    /// A request uses the object.
    pub(super) fn hold(&mut self, id: Id) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.references += 1;
        }
    }

    /// A descriptor of the object was closed.
    pub(super) fn close(&mut self, id: Id) {
        let Some(object) = self.objects.get(&id) else {
            return;
        };
        self.wires.host_mut(object.host).descriptors -= 1;
        self.release(id);
    }

    /// A descriptor or a request refers to the object no more. The last one ends it.
    pub(super) fn release(&mut self, id: Id) {
        let Some(object) = self.objects.get_mut(&id) else {
            return;
        };
        object.references -= 1;
        if object.references == 0 {
            let object = self.objects.remove(&id).expect("it was just there");
            self.end(id, object);
        }
    }

    /// An object may have become ready for something.
    pub(super) fn stir(&mut self, id: Id) {
        self.stirred.push(id);
    }

    /// The objects that may have become ready, each time they may have, in that order.
    pub(super) fn take_stirred(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.stirred)
    }

    /// `POLL*` of an object, as poll(2) would say.
    ///
    /// # Errors
    /// EBADF if it is gone.
    pub(super) fn readiness(&self, id: Id) -> Result<u32, Errno> {
        let object = self.objects.get(&id).ok_or(Errno::EBADF)?;
        let mask = match &object.body {
            Body::Fresh => libc::POLLOUT | libc::POLLHUP,
            Body::Listener(listener) if listener.waiting.is_empty() => 0,
            Body::Listener(_) => libc::POLLIN | libc::POLLRDNORM,
            Body::Stream(stream) => return Ok(stream.readiness()),
            Body::Datagrams(datagrams) => {
                let mut mask = libc::POLLOUT | libc::POLLWRNORM;
                if !datagrams.received.is_empty() {
                    mask |= libc::POLLIN | libc::POLLRDNORM;
                }
                if datagrams.error.is_some() {
                    mask |= libc::POLLERR;
                }
                mask
            }
            Body::Counter(0) => libc::POLLOUT,
            Body::Counter(_) => libc::POLLIN | libc::POLLOUT,
            Body::Placeholder => return Err(Errno::EBADF),
        };
        Ok(mask as u16 as u32)
    }
}

/// When the world begins: an hour after its machines were started.
const START_NS: u64 = 3_600_000_000_000;

//! One end of a byte stream: TCP, Unix, or a pipe.
//!
//! ```text
//!   Connecting --SynAck--> Open --(FIN of both)--> still Open, at its end both ways
//!       |                   |
//!       +--RST, time out----+--RST--> Broken: one error, then end of stream
//! ```
//!
//! A sender may have as many bytes under way as the receiver has room for: `credit`. Reading opens
//! the window again, which the sender learns one latency later. So a byte is either in flight or
//! received, and each is counted once against the window.

use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

use super::address::Address;
use super::world::Id;
use crate::Errno;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting,
    Open,
    Broken,
}

/// Which end of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PipeEnd {
    Reading,
    Writing,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) state: State,
    /// None for a socket.
    pub(super) pipe: Option<PipeEnd>,
    /// A connect has answered that the connection is there: the next one is one too many.
    pub(super) told: bool,
    pub(super) peer: Option<Id>,
    pub(super) peer_address: Address,
    /// Arrived and not read.
    pub(super) received: VecDeque<u8>,
    /// Bytes read since the peer was told last that there is room.
    pub(super) consumed: usize,
    /// Bytes that may still be sent.
    pub(super) credit: usize,
    /// Bytes that the peer may have under way or unread here.
    pub(super) window: usize,
    /// The peer's FIN has arrived.
    pub(super) at_end: bool,
    /// This end has sent its FIN.
    pub(super) shut: bool,
    /// Reading was shut down here.
    pub(super) deaf: bool,
    /// What the next call, or SO_ERROR, tells.
    pub(super) error: Option<Errno>,
    /// When the last packet towards this end arrives: a stream keeps its order.
    pub(super) last_arrival_ns: u64,
    /// Packets sent towards this end, and those that have arrived in their order.
    sent: u64,
    arrived: u64,
    /// Packets that have overtaken one that a cut wire held back.
    early: BTreeMap<u64, Packet>,
}

/// What travels towards one end of a stream.
#[derive(Debug)]
pub(super) enum Packet {
    /// The connection is there; the sender may have so many bytes under way.
    Accepted {
        peer: Id,
        credit: usize,
    },
    /// There is no listener, or the connection was broken.
    Reset,
    Data(Vec<u8>),
    Fin,
    /// The other end reads no more, which a Unix socket is told.
    Deaf,
    /// The other end is gone, where it is on the same host and so both ways end: Unix, pipes.
    Gone,
    /// The receiver has read so many bytes.
    Window(usize),
}

impl Stream {
    pub(super) fn connecting(to: Address, window: usize) -> Stream {
        Stream {
            state: State::Connecting,
            pipe: None,
            told: false,
            peer: None,
            peer_address: to,
            received: VecDeque::new(),
            consumed: 0,
            credit: 0,
            window,
            at_end: false,
            shut: false,
            deaf: false,
            error: None,
            last_arrival_ns: 0,
            sent: 0,
            arrived: 0,
            early: BTreeMap::new(),
        }
    }

    pub(super) fn open(peer: Id, peer_address: Address, credit: usize, window: usize) -> Stream {
        Stream {
            state: State::Open,
            told: true,
            peer: Some(peer),
            credit,
            ..Stream::connecting(peer_address, window)
        }
    }

    /// The place of the next packet that is sent towards this end.
    pub(super) fn next_number(&mut self) -> u64 {
        self.sent += 1;
        self.sent - 1
    }

    /// Takes in what has arrived, and what has waited for it; keeps what came too early. Answers
    /// whether a reader or writer might go on.
    pub(super) fn arrive_in_order(&mut self, number: Option<u64>, packet: Packet) -> bool {
        let Some(number) = number else {
            return self.arrive(packet);
        };
        self.early.insert(number, packet);
        let mut progress = false;
        while let Some(packet) = self.early.remove(&self.arrived) {
            self.arrived += 1;
            progress |= self.arrive(packet);
        }
        progress
    }

    /// Takes in what has arrived. Answers whether a reader or writer might go on.
    pub(super) fn arrive(&mut self, packet: Packet) -> bool {
        match packet {
            Packet::Accepted { peer, credit } => {
                self.state = State::Open;
                self.peer = Some(peer);
                self.credit = credit;
            }
            Packet::Reset => {
                // As tcp_reset() of the kernel: a peer that has said its last word hears no more.
                self.break_with(match self.state {
                    State::Connecting => Errno::ECONNREFUSED,
                    // What a pipe's reader has left unread is nobody's error but the writer's.
                    _ if self.pipe.is_some() => Errno::EPIPE,
                    _ if self.at_end && !self.shut => Errno::EPIPE,
                    _ => Errno::ECONNRESET,
                });
            }
            Packet::Data(bytes) if self.deaf => self.consumed += bytes.len(),
            Packet::Data(bytes) => self.received.extend(bytes),
            Packet::Fin => self.at_end = true,
            Packet::Deaf => self.shut = true,
            Packet::Gone => {
                self.at_end = true;
                self.shut = true;
            }
            Packet::Window(bytes) => self.credit += bytes,
        }
        true
    }

    /// Ends the connection with an error that is told once, after what has arrived was read.
    pub(super) fn break_with(&mut self, errno: Errno) {
        self.state = State::Broken;
        self.error = Some(errno);
        self.peer = None;
    }

    /// Whether it is TCP.
    pub(super) fn is_inet(&self) -> bool {
        matches!(self.peer_address, Address::Inet(_))
    }

    /// Whether it is a connection that a network may break.
    pub(super) fn can_be_reset(&self) -> bool {
        self.state == State::Open && self.is_inet()
    }

    /// Whether both ends have said their last word: TCP knows no peer any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_inet() && self.at_end && self.shut
    }

    /// How many bytes can be sent now.
    ///
    /// # Errors
    /// EAGAIN while there is no room or no connection yet; EPIPE; the error of the connection.
    pub(super) fn room(&mut self) -> Result<usize, Errno> {
        if let Some(errno) = self.error.take() {
            return Err(errno);
        }
        match self.state {
            State::Connecting => Err(Errno::EAGAIN),
            State::Broken => Err(Errno::EPIPE),
            State::Open if self.shut => Err(Errno::EPIPE),
            State::Open if self.credit == 0 => Err(Errno::EAGAIN),
            State::Open => Ok(self.credit),
        }
    }

    /// How many bytes can be read now; 0 at the end of the stream.
    ///
    /// # Errors
    /// EAGAIN while there are none; the error of the connection, once.
    pub(super) fn readable(&mut self) -> Result<usize, Errno> {
        if !self.received.is_empty() {
            return Ok(self.received.len());
        }
        // An error that came after the end waits for who writes, or asks.
        if self.at_end || self.deaf {
            return Ok(0);
        }
        if let Some(errno) = self.error.take() {
            return Err(errno);
        }
        if self.state == State::Broken {
            Ok(0)
        } else {
            Err(Errno::EAGAIN)
        }
    }

    /// Hands up to `len` received bytes to `sink`, and takes them out unless they are only looked
    /// at.
    pub(super) fn read(&mut self, len: usize, peek: bool, mut sink: impl FnMut(&[u8])) -> usize {
        let len = len.min(self.received.len());
        let (front, back) = self.received.as_slices();
        let split = len.min(front.len());
        sink(&front[..split]);
        sink(&back[..len - split]);
        if !peek {
            self.received.drain(..len);
            self.consumed += len;
        }
        len
    }

    /// `POLL*` as poll(2) would say.
    pub(super) fn readiness(&self) -> u32 {
        match self.pipe {
            None => self.socket_readiness(),
            Some(end) => self.pipe_readiness(end),
        }
    }

    fn pipe_readiness(&self, end: PipeEnd) -> u32 {
        let mut mask = 0;
        match end {
            PipeEnd::Reading => {
                if !self.received.is_empty() {
                    mask |= libc::POLLIN | libc::POLLRDNORM;
                }
                if self.at_end {
                    mask |= libc::POLLHUP;
                }
            }
            PipeEnd::Writing => {
                if self.credit > 0 {
                    mask |= libc::POLLOUT | libc::POLLWRNORM;
                }
                if self.shut {
                    mask |= libc::POLLERR;
                }
            }
        }
        mask as u16 as u32
    }

    fn socket_readiness(&self) -> u32 {
        let mut mask = 0;
        let broken = self.state == State::Broken;
        if self.state == State::Connecting {
            return 0;
        }
        if !self.received.is_empty() || self.at_end || self.deaf || broken {
            mask |= libc::POLLIN | libc::POLLRDNORM;
        }
        if self.credit > 0 || self.shut || broken {
            mask |= libc::POLLOUT | libc::POLLWRNORM;
        }
        if self.at_end || self.deaf || broken {
            mask |= libc::POLLRDHUP;
        }
        if broken || ((self.at_end || self.deaf) && self.shut) {
            mask |= libc::POLLHUP;
        }
        if self.error.is_some() {
            mask |= libc::POLLERR;
        }
        mask as u16 as u32
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Packet, Stream};
    use crate::Errno;
    use crate::kernel::simulated::address::Name;
    use crate::kernel::simulated::world::Id;

    fn stream() -> Stream {
        Stream::open(Id(2), Address::Unix(Name::Unnamed), 4, 4)
    }

    #[test]
    fn bytes_before_the_end_are_read_before_it() {
        let mut stream = stream();
        stream.arrive(Packet::Data(b"abc".to_vec()));
        stream.arrive(Packet::Fin);
        let mut seen: std::vec::Vec<u8> = std::vec::Vec::new();
        assert_eq!(stream.read(2, true, |bytes| seen.extend(bytes)), 2);
        assert_eq!(stream.read(9, false, |bytes| seen.extend(bytes)), 3);
        assert_eq!(seen, b"ababc");
        assert_eq!(stream.consumed, 3);
        assert_eq!(stream.readable(), Ok(0));
    }

    #[test]
    fn bytes_that_overtake_others_wait_for_them() {
        let mut stream = stream();
        let [first, second] = [(); 2].map(|()| Some(stream.next_number()));
        assert!(!stream.arrive_in_order(second, Packet::Data(b"b".to_vec())));
        assert!(stream.arrive_in_order(first, Packet::Data(b"a".to_vec())));
        assert_eq!(stream.received, b"ab");
    }

    #[test]
    fn a_reset_is_told_once_and_then_it_is_the_end() {
        let mut stream = stream();
        stream.arrive(Packet::Reset);
        assert_eq!(stream.readable(), Err(Errno::ECONNRESET));
        assert_eq!(stream.readable(), Ok(0));
        assert_eq!(stream.room(), Err(Errno::EPIPE));
    }

    #[test]
    fn without_credit_nothing_is_sent() {
        let mut stream = stream();
        assert_eq!(stream.room(), Ok(4));
        stream.credit = 0;
        assert_eq!(stream.room(), Err(Errno::EAGAIN));
        stream.arrive(Packet::Window(3));
        assert_eq!(stream.room(), Ok(3));
    }
}

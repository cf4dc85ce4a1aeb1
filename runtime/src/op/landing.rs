//! Where a stream's receive lands: one word, written by the home and taken by readers.
//!
//! ```text
//!            begin                  land: bytes
//!   Idle ───────────────► Lent ──────────────────► Held ◄────┐ some are left
//!    ▲                     │                        │ claim  │
//!    │ called off, or      │
//!    │ land: cancelled     │ land: error, ENOBUFS   ▼        │
//!    ├─────────────────────┤                       Busy ─────┤
//!    │                     ▼                                 │ all copied:
//!    │  taken            Failed                              │ the buffer goes back
//!    └─────────────────────┴─────────────────────────────────┘
//! ```
//!
//! - *Lent*: a receive is in flight; whoever began it may be gone. There is never a second.
//! - *Held*: a buffer of the pool holds bytes that no read has copied yet. It is this word's:
//!   no reader touches it without having made the word Busy.
//! - *Busy*: a reader copies, on whatever thread.
#![allow(
    clippy::cast_possible_truncation,
    reason = "fields are unpacked by truncation"
)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use annulus_ring::Cqe;

use super::pool::Pool;
use crate::io::{ReadBuf, Ready};
use crate::reactor::Home;

pub(crate) struct Landing {
    word: AtomicU64,
    home: Arc<Home>,
}

/// What a read found.
pub(crate) enum Taken {
    /// No receive, and no bytes.
    Nothing,
    /// A receive is in flight: it will say so when it lands.
    Lent,
    /// Another reader is taking the bytes at this moment.
    Busy,
    /// So many bytes were copied; whether the receive had emptied the socket, and all of its
    /// bytes are taken now.
    Bytes { len: usize, drained: bool },
    /// The receive found the pool empty, and the socket as it is.
    Starved,
    /// The receive failed.
    Failed(io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Lent,
    Busy,
    Failed(u16),
    Held(Bytes),
}

/// The part of a pool buffer that nobody has copied yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bytes {
    buffer: u16,
    from: u16,
    to: u16,
    /// The socket held more when the receive ended.
    more: bool,
}

impl Landing {
    /// A place for receives that select from `home`'s pool.
    pub(crate) fn new(home: &Arc<Home>) -> Landing {
        Landing {
            word: AtomicU64::new(State::Idle.pack()),
            home: Arc::clone(home),
        }
    }

    pub(super) fn pool(&self) -> &Pool {
        self.home.pool()
    }

    /// Claims the right and the duty to submit a receive.
    pub(crate) fn begin(&self) -> bool {
        self.change(State::Idle, State::Lent)
    }

    /// Whether neither a receive is in flight nor bytes are held.
    pub(crate) fn is_idle(&self) -> bool {
        self.state() == State::Idle
    }

    /// Whether a receive is in flight.
    pub(crate) fn is_lent(&self) -> bool {
        self.state() == State::Lent
    }

    /// The receive has ended; what that says of the socket's readiness.
    pub(crate) fn land(&self, cqe: Cqe) -> Ready {
        let buffer = cqe.buffer_id().filter(|id| self.pool().has(*id));
        let (next, ready) = match (cqe.result(), buffer) {
            (Ok(len @ 1..), Some(buffer)) => {
                let to = len.min(self.pool().buffer_bytes()) as u16;
                self.home.stats().hot_recv_bytes.add(u64::from(to));
                let bytes = Bytes {
                    buffer,
                    from: 0,
                    to,
                    more: cqe.sock_nonempty(),
                };
                (State::Held(bytes), Ready::READABLE)
            }
            (result, buffer) => {
                if let Some(buffer) = buffer {
                    self.pool().give_back(buffer);
                }
                match result {
                    Ok(_) => (State::Idle, Ready::READABLE | Ready::READ_CLOSED),
                    Err(error) if error.raw() == os::ECANCELED => (State::Idle, Ready::EMPTY),
                    Err(error) => {
                        let starved = error.raw() == os::ENOBUFS;
                        self.home.stats().enobufs.add(starved.into());
                        let failed = State::Failed(error.raw() as u16);
                        (failed, Ready::READABLE | Ready::ERROR)
                    }
                }
            }
        };
        self.word.store(next.pack(), Ordering::Release);
        ready
    }

    /// The receive never reached the kernel.
    pub(super) fn call_off(&self) {
        let called_off = self.change(State::Lent, State::Idle);
        debug_assert!(called_off, "a receive that had begun, and not landed");
    }

    /// Copies what is held into `buf`, and takes it unless `peek`.
    pub(crate) fn take(&self, buf: &mut ReadBuf<'_>, peek: bool) -> Taken {
        let state = self.state();
        match state {
            State::Idle => Taken::Nothing,
            State::Lent => Taken::Lent,
            State::Busy => Taken::Busy,
            State::Failed(errno) => {
                if !self.change(state, State::Idle) {
                    return Taken::Busy;
                }
                match i32::from(errno) {
                    os::ENOBUFS => Taken::Starved,
                    errno => Taken::Failed(io::Error::from_raw_os_error(errno)),
                }
            }
            State::Held(bytes) => {
                if !self.change(state, State::Busy) {
                    return Taken::Busy;
                }
                self.copy(bytes, buf, peek)
            }
        }
    }

    fn copy(&self, bytes: Bytes, buf: &mut ReadBuf<'_>, peek: bool) -> Taken {
        // SAFETY: the word was Held with this buffer and this call made it Busy: the kernel has
        // let go of the buffer with the CQE, and nobody else reads it or gives it back.
        let held = unsafe { self.pool().bytes(bytes.buffer, bytes.from, bytes.to) };
        let len = held.len().min(buf.remaining());
        buf.put_slice(&held[..len]);
        let taken = if peek { 0 } else { len as u16 };
        let left = Bytes {
            from: bytes.from + taken,
            ..bytes
        };
        let empty = left.from == left.to;
        if empty {
            self.pool().give_back(bytes.buffer);
        }
        let next = if empty {
            State::Idle
        } else {
            State::Held(left)
        };
        self.word.store(next.pack(), Ordering::Release);
        Taken::Bytes {
            len,
            drained: empty && !bytes.more,
        }
    }

    fn state(&self) -> State {
        State::unpack(self.word.load(Ordering::Acquire))
    }

    fn change(&self, from: State, to: State) -> bool {
        let (from, to) = (from.pack(), to.pack());
        let changed = self
            .word
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        changed.is_ok()
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let State::Held(bytes) = self.state() {
            self.pool().give_back(bytes.buffer);
        }
    }
}

impl State {
    fn pack(self) -> u64 {
        match self {
            State::Idle => 0,
            State::Lent => 1,
            State::Busy => 2,
            State::Failed(errno) => 3 | u64::from(errno) << 16,
            State::Held(bytes) => {
                let more = u64::from(bytes.more) << 8;
                let place = u64::from(bytes.buffer) << 16;
                4 | more | place | u64::from(bytes.from) << 32 | u64::from(bytes.to) << 48
            }
        }
    }

    fn unpack(word: u64) -> State {
        match word as u8 {
            0 => State::Idle,
            1 => State::Lent,
            2 => State::Busy,
            3 => State::Failed((word >> 16) as u16),
            _ => State::Held(Bytes {
                buffer: (word >> 16) as u16,
                from: (word >> 32) as u16,
                to: (word >> 48) as u16,
                more: word & 1 << 8 != 0,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_survive_their_packing() {
        let bytes = Bytes {
            buffer: 65_535,
            from: 1,
            to: 4096,
            more: true,
        };
        for state in [
            State::Idle,
            State::Lent,
            State::Busy,
            State::Failed(105),
            State::Held(bytes),
            State::Held(Bytes {
                more: false,
                ..bytes
            }),
        ] {
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
}

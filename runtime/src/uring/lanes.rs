//! What operations with owned buffers mean for everybody else who uses their socket.
//!
//! A dropped operation is still in the kernel's hands for a moment, and may have moved bytes by
//! then. So each direction of a socket is a lane with room for one operation:
//!
//! ```text
//!   free --enter--> taken --its result is handed out--> free
//!                     |
//!                     +-- future dropped: cancelled --terminal CQE--> free
//!                             receive: its bytes go to the stash, which is read first
//!                             send:    it sent all, or the stream is poisoned with the count
//! ```
//!
//! Whoever reads or writes the socket otherwise waits while the lane is taken, so that bytes keep
//! their order. A socket that never met such an operation has no lanes.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use real::io::ReadBuf;
use real::sync::Notify;

use crate::io::Ready;
use crate::io::readiness::Readiness;
use crate::reactor::Home;

/// How often a core turns for a cancelled operation to end: once to ask, once to be told.
const SETTLE_TURNS: u32 = 4;

/// Stands in `Lane::lent` for no operation: no operation has this user data.
const NONE: u64 = 0;

pub(crate) struct Lanes {
    recv: Lane,
    send: Lane,
    /// Bytes that dropped receives brought.
    stash: Mutex<VecDeque<u8>>,
    stash_len: AtomicUsize,
    poison: OnceLock<Poison>,
    /// The same of one that was dropped in line: it comes behind the one in flight, whose count is
    /// the one to tell if it ends short too.
    poison_in_line: OnceLock<Poison>,
    /// Whoever waits in tokio's way is woken through it.
    readiness: Arc<Readiness>,
}

#[derive(Default)]
struct Lane {
    taken: AtomicBool,
    /// The user data of an operation whose future is gone.
    lent: AtomicU64,
    turn: Notify,
}

/// A dropped send that ended short.
#[derive(Clone, Copy, Debug)]
struct Poison {
    sent: u32,
    len: u32,
}

impl Lanes {
    pub(crate) fn new(readiness: Arc<Readiness>) -> Lanes {
        Lanes {
            recv: Lane::default(),
            send: Lane::default(),
            stash: Mutex::default(),
            stash_len: AtomicUsize::new(0),
            poison: OnceLock::new(),
            poison_in_line: OnceLock::new(),
            readiness,
        }
    }

    /// Whether a receive is in flight: other reads wait, to be woken when it has ended.
    pub(crate) fn is_receiving(&self) -> bool {
        self.recv.taken.load(Ordering::SeqCst)
    }

    /// Whether a send is in flight: other writes wait, to be woken when it has ended.
    pub(crate) fn is_sending(&self) -> bool {
        self.send.taken.load(Ordering::SeqCst)
    }

    /// The error of every write after a dropped send that ended short.
    pub(crate) fn check_send(&self) -> io::Result<()> {
        match self.poison.get().or_else(|| self.poison_in_line.get()) {
            None => Ok(()),
            Some(Poison { sent, len }) => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                format!("{sent} of {len} bytes of a dropped send were sent"),
            )),
        }
    }

    /// How many bytes are to be read before the socket's own.
    pub(crate) fn stash_len(&self) -> usize {
        self.stash_len.load(Ordering::SeqCst)
    }

    /// Moves bytes from the stash into `buf`, or copies them if `peek`. Returns how many.
    pub(crate) fn read_stash(&self, buf: &mut ReadBuf<'_>, peek: bool) -> usize {
        if self.stash_len() == 0 {
            return 0;
        }
        let mut stash = self.lock_stash();
        let before = buf.filled().len();
        let (front, back) = stash.as_slices();
        for part in [front, back] {
            buf.put_slice(&part[..part.len().min(buf.remaining())]);
        }
        let len = buf.filled().len() - before;
        if !peek {
            stash.drain(..len);
            if stash.is_empty() {
                // An idle stream holds no memory.
                *stash = VecDeque::new();
            }
            self.stash_len.store(stash.len(), Ordering::SeqCst);
        }
        len
    }

    /// Sees to it that the kernel holds every byte, and owes none.
    ///
    /// # Errors
    ///
    /// If it does not yet, because a dropped operation is still in flight, or if bytes of a
    /// dropped receive are in the stash.
    pub(crate) fn settle(&self, home: &Home) -> io::Result<()> {
        let is_busy = || self.is_receiving() || self.is_sending();
        for _ in 0..SETTLE_TURNS {
            // The cancels were asked for when the futures were dropped.
            if !is_busy() || home.with_core(|core| core.turn()).is_none() {
                break;
            }
        }
        if is_busy() {
            return Err(io::Error::other(
                "an operation of this stream was dropped and has not ended: convert the stream \
                 later, or on its own worker",
            ));
        }
        if self.stash_len() > 0 {
            return Err(io::Error::other(
                "the stream holds bytes of a dropped receive: read them before converting it",
            ));
        }
        Ok(())
    }

    /// What the kernel knows the operations by whose futures were dropped: for a socket that is
    /// about to be closed.
    pub(crate) fn lent(&self) -> impl Iterator<Item = u64> {
        [&self.recv, &self.send]
            .map(|lane| lane.lent.load(Ordering::SeqCst))
            .into_iter()
            .filter(|user_data| *user_data != NONE)
    }

    /// Says that a receive, or an accept, goes on without its future.
    pub(super) fn abandon_recv(&self, user_data: Option<u64>) {
        self.recv
            .lent
            .store(user_data.unwrap_or(NONE), Ordering::SeqCst);
    }

    /// Says that a send goes on without its future.
    pub(super) fn abandon_send(&self, user_data: Option<u64>) {
        self.send
            .lent
            .store(user_data.unwrap_or(NONE), Ordering::SeqCst);
    }

    /// Waits until no other receive is in flight.
    pub(super) async fn enter_recv(self: &Arc<Lanes>, is_stream: bool) -> RecvTicket {
        self.recv.enter().await;
        RecvTicket {
            lanes: Arc::clone(self),
            is_stream,
        }
    }

    /// Waits until no other send is in flight. Dropped meanwhile, this send has sent nothing, and
    /// poisons the stream as if it had begun: whoever dropped it cannot know.
    ///
    /// # Errors
    ///
    /// If a dropped one ended short.
    pub(super) async fn enter_send(
        self: &Arc<Lanes>,
        len: u32,
        is_stream: bool,
    ) -> io::Result<SendTicket> {
        let unsent = is_stream.then_some(Poison { sent: 0, len });
        let mut ticket = SendTicket {
            lanes: Arc::clone(self),
            entered: false,
            unsent,
        };
        self.send.enter().await;
        ticket.entered = true;
        match self.check_send() {
            Ok(()) => Ok(ticket),
            Err(error) => {
                ticket.settle();
                Err(error)
            }
        }
    }

    fn lock_stash(&self) -> MutexGuard<'_, VecDeque<u8>> {
        self.stash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    async fn enter(&self) {
        while self.taken.swap(true, Ordering::SeqCst) {
            let turn = self.turn.notified();
            // Freed between the swap and here: nobody would be notified.
            if self.taken.load(Ordering::SeqCst) {
                turn.await;
            }
        }
    }

    fn leave(&self) {
        self.lent.store(NONE, Ordering::SeqCst);
        self.taken.store(false, Ordering::SeqCst);
        self.turn.notify_one();
    }
}

/// The right to receive. It lies in the operation, then in its output; with it ends the turn.
pub(crate) struct RecvTicket {
    lanes: Arc<Lanes>,
    is_stream: bool,
}

impl RecvTicket {
    /// Keeps for the next read what a dropped receive has brought; not so a datagram, which would
    /// lose its bounds.
    pub(crate) fn stash(&self, bytes: &[u8]) {
        if !self.is_stream {
            return;
        }
        let mut stash = self.lanes.lock_stash();
        stash.extend(bytes);
        self.lanes.stash_len.store(stash.len(), Ordering::SeqCst);
    }
}

impl RecvTicket {
    /// The ring has failed and keeps the operation: whoever waits for the turn is told by their
    /// own operation.
    pub(crate) fn adrift(&self) {
        self.end();
    }

    fn end(&self) {
        self.lanes.recv.leave();
        // There may be more to read, of which nobody was told while the lane was taken.
        self.lanes.readiness.land(Ready::READABLE);
    }
}

impl Drop for RecvTicket {
    fn drop(&mut self) {
        self.end();
    }
}

/// The right to send. It lies in the operation, then in its output; with it ends the turn.
pub(crate) struct SendTicket {
    lanes: Arc<Lanes>,
    entered: bool,
    /// What the stream is poisoned with if nobody is told the result.
    unsent: Option<Poison>,
}

impl SendTicket {
    /// Says how many bytes were sent.
    pub(crate) fn sent(&mut self, sent: u32) {
        if let Some(poison) = &mut self.unsent {
            poison.sent = sent;
        }
    }

    /// The result was handed out: a short count is the caller's to deal with.
    pub(super) fn settle(mut self) {
        self.unsent = None;
    }
}

impl SendTicket {
    /// As [`RecvTicket::adrift`].
    pub(crate) fn adrift(&self) {
        self.end();
    }

    fn end(&self) {
        if self.entered {
            self.lanes.send.leave();
        }
        self.lanes.readiness.land(Ready::WRITABLE);
    }
}

impl Drop for SendTicket {
    fn drop(&mut self) {
        if let Some(poison) = self.unsent
            && poison.sent < poison.len
        {
            let lanes = &self.lanes;
            let place = if self.entered {
                &lanes.poison
            } else {
                &lanes.poison_in_line
            };
            let _ = place.set(poison);
        }
        self.end();
    }
}

//! What a kernel does with SQEs, but for the operations themselves: those a [`World`] performs.
//!
//! ```text
//!   SQ --consume--> Request --place--> chain, or behind a drain
//!                                         | start
//!                                         v
//!                     attempt: Done --------------------> finish --> CQE, and the rest of the chain
//!                              Wait ----> armed --ready--> attempt
//!                              Offload -> thread --arrive--> finish
//! ```
//!
//! Nothing here blocks or calls a system. What one request causes for another (the next of a
//! chain, the end of a cancelled one) is work that runs when the entry at hand is done with, so
//! completions come in io_uring's order.

mod args;
mod attempt;
mod buffers;
mod cancel;
mod chain;
mod check;
mod finish;
mod fixed;
mod issue;
mod poll;
mod queues;
mod request;
#[cfg(test)]
mod tests;
mod timeout;
mod world;

pub(crate) use args::Args;
pub(crate) use buffers::Groups;
pub(crate) use cancel::Pattern;
pub(crate) use check::is_known;
pub(crate) use fixed::pattern;
pub(crate) use queues::{Flags, Memory, Queues};
pub(crate) use request::{Key, Operation, Selected};
pub(crate) use world::{Attempt, Clock, Lease, World};

use std::collections::{HashMap, VecDeque};

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::io_uring_sqe;
use slab::Slab;

use self::chain::Chain;
use self::check::check_args;
use self::request::{Request, State};
use self::timeout::Timeouts;

/// The kernel's side of one ring.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) queues: Queues,
    pub(crate) groups: Groups,
    requests: Slab<Request>,
    /// Entries taken in so far.
    sequence: u64,
    /// The newest request that can be cancelled, by its user data.
    by_user_data: HashMap<u64, Key>,
    work: VecDeque<Work>,
    chain: Option<Chain>,
    /// Chains behind a drain: the head, whether it waits for all before it, its length.
    held: VecDeque<(Key, bool, usize)>,
    held_count: usize,
    /// What comes next waits for all before it.
    drain_next: bool,
    timeouts: Timeouts,
    /// CQEs, but for those of timeouts.
    completions: u64,
}

/// What remains to be done about a request.
#[derive(Debug)]
enum Work {
    Start(Key),
    Again(Key),
    Finish(Key, i32),
    /// The rest of a chain ends, without a CQE if so said.
    Break(Key, bool),
}

impl Engine {
    pub(crate) fn new(queues: Queues) -> Engine {
        Engine {
            queues,
            groups: Groups::default(),
            requests: Slab::new(),
            sequence: 0,
            by_user_data: HashMap::new(),
            work: VecDeque::new(),
            chain: None,
            held: VecDeque::new(),
            held_count: 0,
            drain_next: false,
            timeouts: Timeouts::default(),
            completions: 0,
        }
    }

    /// Takes up to `count` entries from the SQ and starts them. Returns how many there were.
    pub(crate) fn submit(&mut self, count: u32, world: &mut impl World) -> u32 {
        self.groups.look(world);
        let mut consumed = 0;
        while consumed < count
            && let Some(sqe) = self.queues.consume()
        {
            consumed += 1;
            if let Some(key) = self.take_in(sqe, world) {
                self.start(key, world);
            }
        }
        if let Some(key) = self.close_chain() {
            self.start(key, world);
        }
        self.run(world);
        consumed
    }

    /// Posts a CQE that no request of this ring caused.
    pub(crate) fn receive(&mut self, user_data: u64, res: i32, flags: u32) {
        self.post(user_data, res, flags);
    }

    /// Does what is left to do about requests, until nothing is.
    pub(crate) fn run(&mut self, world: &mut impl World) {
        loop {
            while let Some(key) = world.take_evicted() {
                if let Some(request) = self.get(key)
                    && let State::Waiting { .. } = request.state
                {
                    request.state = State::Ended;
                    self.work.push_back(Work::Finish(key, -Errno::EBADF.raw()));
                }
            }
            match self.work.pop_front() {
                Some(Work::Start(key)) => self.start(key, world),
                Some(Work::Again(key)) => self.attempt(key, true, world),
                Some(Work::Break(key, quiet)) => self.break_chain(key, quiet, world),
                Some(Work::Finish(key, res)) => self.finish(key, res, 0, world),
                None if self.end_counted(world) || self.release_held() => {}
                None => return,
            }
        }
    }

    /// Makes a request of an entry. Returns what can start.
    fn take_in(&mut self, sqe: io_uring_sqe, world: &mut impl World) -> Option<Key> {
        let args = self.check(&sqe).and_then(|()| {
            let args = Args::of(&sqe)?;
            check_args(&sqe, &args).map(|()| args)
        });
        self.sequence += 1;
        let sequence = self.sequence;
        let mut request = Request::new(sqe, Args::None, sequence);
        let is_valid = args.is_ok();
        match args {
            Ok(args) => {
                request.whole = args.iov_bytes() as i32;
                request.op.args = args;
            }
            Err(errno) => request.preset = Some(-errno.raw()),
        }
        let lends = is_valid && !request.op.selects();
        let index = self.requests.insert(request);
        let key = Key { index, sequence };
        if lends && let Some(request) = self.peek(key) {
            world.lend(key, &request.op);
        }
        self.place(key)
    }

    fn peek(&self, key: Key) -> Option<&Request> {
        let request = self.requests.get(key.index)?;
        (request.sequence == key.sequence).then_some(request)
    }

    fn get(&mut self, key: Key) -> Option<&mut Request> {
        let request = self.requests.get_mut(key.index)?;
        (request.sequence == key.sequence).then_some(request)
    }

    fn remove(&mut self, key: Key) -> Option<Request> {
        self.unindex(key);
        self.peek(key)?;
        self.requests.try_remove(key.index)
    }
}

fn result(done: Result<i32, Errno>) -> i32 {
    done.unwrap_or_else(|errno| -errno.raw())
}

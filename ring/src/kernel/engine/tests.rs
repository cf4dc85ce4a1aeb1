//! The engine over a world that does what a test says.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_params};

use super::{Attempt, Clock, Engine, Key, Memory, Operation, Pattern, Queues, World};
use crate::fork::Origin;
use crate::queue::{CompletionQueue, SubmissionQueue};
use crate::{Cqe, Sqe, SqeFlags};

/// What a test says: answers to attempts by descriptor, and the time.
#[derive(Default)]
struct Script {
    answers: HashMap<i32, VecDeque<Attempt>>,
    armed: Vec<(Key, i32)>,
    offloaded: Vec<Key>,
    /// Offloaded operations can be taken back.
    recalls: bool,
    now_ns: u64,
}

impl World for Script {
    fn attempt(&mut self, _key: Key, op: &mut Operation, _ready: bool) -> Attempt {
        let answers = self.answers.entry(op.sqe.fd).or_default();
        answers.pop_front().unwrap_or(Attempt::Wait(1))
    }

    fn arm(&mut self, key: Key, fd: i32, _mask: u32) -> Result<(), Errno> {
        self.armed.push((key, fd));
        Ok(())
    }

    fn readiness(&mut self, _fd: i32, _mask: u32) -> u32 {
        0
    }

    fn disarm(&mut self, key: Key, _fd: i32) {
        self.armed.retain(|(armed, _)| *armed != key);
    }

    fn offload(&mut self, key: Key, _op: Operation) {
        self.offloaded.push(key);
    }

    fn recall(&mut self, key: Key) -> bool {
        self.offloaded
            .retain(|offloaded| !self.recalls || *offloaded != key);
        self.recalls
    }

    fn take_evicted(&mut self) -> Option<Key> {
        None
    }

    fn message(&mut self, _: i32, _: u64, _: i32, _: u32) -> Result<(), Errno> {
        Err(Errno::EBADFD)
    }

    fn now_ns(&self, _clock: Clock) -> u64 {
        self.now_ns
    }
}

/// Both sides of a ring.
struct Rig {
    engine: Engine,
    world: Script,
    sq: SubmissionQueue<Sqe>,
    cq: CompletionQueue<Cqe>,
    _memory: Arc<Memory>,
}

impl Rig {
    fn new() -> Rig {
        Rig::with_entries(16, 32)
    }

    fn next_timeout_ns(&self) -> Option<u64> {
        self.engine
            .next_timeout_ns(|clock| self.world.now_ns(clock))
    }

    fn with_entries(sq_entries: u32, cq_entries: u32) -> Rig {
        let params = io_uring_params {
            sq_entries,
            cq_entries,
            ..io_uring_params::default()
        };
        let memory = Memory::new(&params, Origin::current().expect("a word")).expect("memory");
        let memory = Arc::new(memory);
        // SAFETY: the memory is kept beside the queues, of which there is one each.
        let sq = unsafe { SubmissionQueue::new(&memory.rings, &memory.slots, &memory.params) };
        // SAFETY: as above.
        let cq = unsafe { CompletionQueue::new(&memory.rings, &memory.params) };
        // SAFETY: this is the one kernel's side.
        let queues = unsafe { Queues::new(Arc::clone(&memory)) };
        Rig {
            engine: Engine::new(queues),
            world: Script::default(),
            sq,
            cq,
            _memory: memory,
        }
    }

    fn push(&mut self, user_data: u64, prep: impl FnOnce(&mut Sqe)) {
        let sqe = self.sq.next().expect("room");
        prep(sqe);
        sqe.set_user_data(user_data);
    }

    /// A receive from `fd`, as the script answers.
    fn recv(&mut self, user_data: u64, fd: i32, flags: SqeFlags) {
        self.push(user_data, |sqe| {
            // SAFETY: the script touches no memory.
            unsafe { sqe.prep_recv(fd, core::ptr::null_mut(), 0, 0) };
            sqe.set_flags(flags);
        });
    }

    fn submit(&mut self) -> Vec<(u64, i32)> {
        let count = self.sq.publish();
        assert_eq!(self.engine.submit(count, &mut self.world), count);
        self.pop()
    }

    fn pop(&mut self) -> Vec<(u64, i32)> {
        let all = std::iter::from_fn(|| self.cq.pop());
        let all = all.map(|cqe| (cqe.user_data(), cqe.res())).collect();
        self.cq.publish();
        self.engine.queues.flush();
        all
    }

    fn ready(&mut self, fd: i32) -> Vec<(u64, i32)> {
        for (key, _) in self
            .world
            .armed
            .clone()
            .iter()
            .filter(|(_, armed)| *armed == fd)
        {
            self.engine.ready(*key, 1, &mut self.world);
        }
        self.engine.run(&mut self.world);
        self.pop()
    }
}

const CANCELED: i32 = -125;
const TIME: i32 = -62;

#[test]
fn what_waits_is_tried_again_when_it_is_ready() {
    let mut rig = Rig::new();
    rig.world.answers.insert(
        5,
        [Attempt::Wait(1), Attempt::Wait(1), Attempt::Done(3, 0)].into(),
    );
    rig.recv(1, 5, SqeFlags::NONE);
    assert_eq!(rig.submit(), []);
    assert_eq!(rig.ready(5), [], "for nothing");
    assert_eq!(rig.world.armed.len(), 1, "it is registered once");
    assert_eq!(rig.ready(5), [(1, 3)]);
    assert!(rig.world.armed.is_empty(), "nobody waits any more");
}

#[test]
fn a_chain_goes_on_after_success_only() {
    for (answer, expected) in [
        (Attempt::Done(0, 0), [(1, 0), (2, 0)]),
        (Attempt::Done(-9, 0), [(1, -9), (2, CANCELED)]),
    ] {
        let mut rig = Rig::new();
        rig.world
            .answers
            .insert(5, [Attempt::Wait(1), answer].into());
        rig.recv(1, 5, SqeFlags::IO_LINK);
        rig.push(2, |sqe| {
            sqe.prep_nop();
        });
        assert_eq!(rig.submit(), []);
        assert_eq!(rig.ready(5), expected);
    }
}

#[test]
fn a_linked_timeout_starts_with_what_it_limits() {
    let time = __kernel_timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let mut rig = Rig::new();
    rig.recv(1, 5, SqeFlags::IO_LINK);
    rig.push(2, |sqe| {
        // SAFETY: the time outlives the submission.
        unsafe { sqe.prep_link_timeout(&raw const time, 0) };
    });
    assert_eq!(rig.submit(), []);
    assert_eq!(rig.next_timeout_ns(), Some(1_000_000_000));
    rig.world.now_ns = 999_999_999;
    rig.engine.expire(&mut rig.world);
    assert_eq!(rig.pop(), [], "not before its time");
    rig.world.now_ns += 1;
    rig.engine.expire(&mut rig.world);
    assert_eq!(rig.pop(), [(2, TIME), (1, CANCELED)]);
    assert_eq!(rig.next_timeout_ns(), None);
}

#[test]
fn what_runs_on_a_thread_is_cancelled_only_if_it_can_be_taken_back() {
    for (recalls, asked, ended) in [(true, 0, Some((1, CANCELED))), (false, -114, None)] {
        let mut rig = Rig::new();
        rig.world.recalls = recalls;
        rig.world.answers.insert(5, [Attempt::Offload].into());
        rig.recv(1, 5, SqeFlags::NONE);
        assert_eq!(rig.submit(), []);
        let key = rig.world.offloaded[0];
        let pattern = Pattern::of(1, -1, 0, 0).expect("valid");
        assert_eq!(rig.engine.cancel(pattern, &mut rig.world), asked);
        rig.engine.run(&mut rig.world);
        assert_eq!(rig.pop(), ended.into_iter().collect::<Vec<_>>());
        // What comes late belongs to nobody, or ends it.
        rig.engine.arrive(key, 7, 0, &mut rig.world);
        let late = if recalls { Vec::new() } else { vec![(1, 7)] };
        assert_eq!(rig.pop(), late);
    }
}

#[test]
fn of_namesakes_the_newest_is_cancelled_and_each_can_be_found() {
    let mut rig = Rig::new();
    for fd in [5, 6, 7] {
        rig.recv(1, fd, SqeFlags::NONE);
    }
    assert_eq!(rig.submit(), []);
    // The one in the middle ends by itself.
    rig.world.answers.insert(6, [Attempt::Done(6, 0)].into());
    assert_eq!(rig.ready(6), [(1, 6)]);
    let pattern = Pattern::of(1, -1, 0, 0).expect("valid");
    for left in [1, 0] {
        assert_eq!(rig.engine.cancel(pattern, &mut rig.world), 0);
        rig.engine.run(&mut rig.world);
        assert_eq!(rig.pop(), [(1, CANCELED)]);
        assert_eq!(rig.world.armed.len(), left);
    }
    assert_eq!(rig.engine.cancel(pattern, &mut rig.world), -2);
}

#[test]
fn a_drain_starts_when_everything_before_is_gone() {
    let mut rig = Rig::new();
    rig.recv(1, 5, SqeFlags::NONE);
    rig.recv(2, 6, SqeFlags::IO_DRAIN);
    rig.push(3, |sqe| {
        sqe.prep_nop();
    });
    assert_eq!(rig.submit(), []);
    rig.push(4, |sqe| {
        sqe.prep_nop();
    });
    assert_eq!(rig.submit(), [], "in line behind the drain");
    rig.world.answers.insert(5, [Attempt::Done(0, 0)].into());
    assert_eq!(rig.ready(5), [(1, 0)]);
    rig.world.answers.insert(6, [Attempt::Done(0, 0)].into());
    assert_eq!(rig.ready(6), [(2, 0), (3, 0), (4, 0)]);
}

#[test]
fn a_multishot_request_ends_where_the_queue_is_full_and_nothing_is_lost() {
    let mut rig = Rig::with_entries(4, 4);
    let accepted = (0..10).map(|fd| Attempt::Done(fd, 0));
    rig.world.answers.insert(5, accepted.collect());
    rig.push(1, |sqe| {
        sqe.prep_multishot_accept(5, 0);
    });
    let first = rig.submit();
    assert_eq!(first, [(1, 0), (1, 1), (1, 2), (1, 3)]);
    // The fifth waited for room, and was the last.
    assert_eq!(rig.pop(), [(1, 4)]);
    assert!(rig.world.armed.is_empty());
    assert_eq!(rig.world.answers[&5].len(), 5, "nobody took the others");
}

#[test]
fn a_flood_on_one_descriptor_leaves_room_for_others() {
    let mut rig = Rig::with_entries(4, 256);
    rig.world
        .answers
        .insert(5, (0..100).map(|fd| Attempt::Done(fd, 0)).collect());
    for (user_data, fd) in [(1, 5), (2, 6)] {
        rig.world
            .answers
            .entry(6)
            .or_default()
            .push_back(Attempt::Done(60, 0));
        rig.push(user_data, |sqe| {
            sqe.prep_multishot_accept(fd, 0);
        });
    }
    let all = rig.submit();
    assert_eq!(all.len(), 102);
    let first_of_other = all.iter().position(|(user_data, _)| *user_data == 2);
    assert_eq!(first_of_other, Some(32), "after one's share, not after all");
}

//! What is shared by all that is simulated: the world, who waits in it, and the rings.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{OwnedFd, RawFd};
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::io_uring_cqe;
use annulus_syscalls::io_uring::queue::IORING_SQ_TASKRUN;

use super::descriptors::Descriptors;
use super::faults::Fault;
use super::files::{self, Roots};
use super::lent::Lent;
use super::machine::Machine;
use super::network::HostId;
use super::waiting::Waiting;
use super::world::{Id, World};
use crate::kernel::engine::{Engine, Flags, Key, Operation};
use crate::opcode::Opcode;

#[derive(Debug)]
pub(super) struct State {
    pub(super) parts: Parts,
    rings: BTreeMap<Id, Ring>,
}

/// What operations work on, whichever ring they come from.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) world: World,
    pub(super) descriptors: Descriptors,
    pub(super) waiting: Waiting,
    /// What rings have to look at, each with the flags by which it is told so.
    mail: BTreeMap<Id, (Flags, Vec<Letter>)>,
    jobs: BTreeMap<u64, Job>,
    jobs_begun: u64,
    /// What was completed lately in each ring, where a later completion of the same may come.
    past: BTreeMap<Id, VecDeque<io_uring_cqe>>,
    /// Whether completions with these user data may come again: a ring's user must tell them from
    /// others by more than that.
    may_repeat: fn(u64) -> bool,
    pub(super) roots: Roots,
    pub(super) lent: Lent,
    /// An operation that is not simulated and was asked for.
    left_by: Option<Opcode>,
}

#[derive(Debug)]
struct Ring {
    host: HostId,
    engine: Engine,
}

/// Something that others have for a ring.
#[derive(Clone, Copy, Debug)]
pub(super) enum Letter {
    /// What a fault delayed.
    Late(Key),
    Done {
        key: Key,
        res: i32,
    },
    Message {
        user_data: u64,
        res: i32,
        flags: u32,
    },
}

/// What takes its time.
#[derive(Debug)]
struct Job {
    ring: Id,
    host: HostId,
    key: Key,
    /// The work on a file; without one the ring only wants to be called.
    op: Option<Operation>,
}

/// Something that a ring is told when it looks.
#[derive(Clone, Copy, Debug)]
enum News {
    Letter(Letter),
    /// The object of a request stirred, and is ready for this.
    Ready(Key, u32),
}

/// The shortest and the longest time that work on a file takes.
const JOB_NS: (u64, u64) = (20_000, 5_000_000);
/// How long a fault delays something.
const LATE_NS: (u64, u64) = (1_000, 20_000_000);
/// Completions of each ring that may come again.
const PAST_MAX: usize = 64;

impl State {
    pub(super) fn new(world: World, descriptors: Descriptors) -> State {
        State {
            parts: Parts {
                world,
                descriptors,
                waiting: Waiting::default(),
                mail: BTreeMap::new(),
                jobs: BTreeMap::new(),
                jobs_begun: 0,
                lent: Lent::default(),
                past: BTreeMap::new(),
                may_repeat: |_| false,
                roots: Roots::new(),
                left_by: None,
            },
            rings: BTreeMap::new(),
        }
    }

    pub(super) fn add_ring(&mut self, ring: Id, host: HostId, engine: Engine, flags: Flags) {
        self.parts.mail.insert(ring, (flags, Vec::new()));
        self.rings.insert(ring, Ring { host, engine });
    }

    /// A ring is gone. What it had asked of files is not done if it has not begun.
    pub(super) fn remove_ring(&mut self, ring: Id) {
        self.rings.remove(&ring);
        let Parts {
            world,
            waiting,
            mail,
            jobs,
            past,
            lent,
            ..
        } = &mut self.parts;
        mail.remove(&ring);
        past.remove(&ring);
        lent.forget(ring);
        jobs.retain(|_, job| job.ring != ring);
        waiting.forget(world, ring);
    }

    /// Calls `f` with a ring's engine and the world as its operations see it.
    ///
    /// # Errors
    /// EBADF if the ring is gone.
    pub(super) fn with_ring<R>(
        &mut self,
        ring: Id,
        f: impl FnOnce(&mut Engine, &mut Machine<'_>) -> R,
    ) -> Result<R, Errno> {
        let Ring { host, engine } = self.rings.get_mut(&ring).ok_or(Errno::EBADF)?;
        let mut machine = Machine {
            parts: &mut self.parts,
            host: *host,
            ring,
        };
        let result = f(engine, &mut machine);
        self.tell_stirred();
        Ok(result)
    }

    /// Gives a ring what came for it, tries again what is to look again, ends timeouts that have
    /// run out, and moves what overflowed.
    ///
    /// # Errors
    /// EBADF if the ring is gone.
    pub(super) fn settle(&mut self, ring: Id) -> Result<(), Errno> {
        let letters = self.parts.take_mail(ring);
        let told = self.parts.waiting.take_told(&self.parts.world, ring);
        let letters = letters.into_iter().map(News::Letter);
        let told = told.into_iter().map(|(key, ready)| News::Ready(key, ready));
        let mut news: Vec<News> = letters.chain(told).collect();
        self.parts.world.reorder(&mut news);
        let past = self.parts.take_past(ring);
        self.with_ring(ring, |engine, machine| {
            if let Some(cqe) = past {
                engine.queues.post(cqe);
            }
            for one in news {
                match one {
                    News::Ready(key, ready) => engine.ready(key, ready, machine),
                    News::Letter(Letter::Late(key)) => engine.late(key, machine),
                    News::Letter(Letter::Done { key, res }) => {
                        engine.arrive(key, res, 0, machine);
                    }
                    News::Letter(Letter::Message {
                        user_data,
                        res,
                        flags,
                    }) => engine.receive(user_data, res, flags),
                }
            }
            engine.expire(machine);
            engine.queues.flush();
        })
    }

    /// Whether a settle of this ring would do anything now.
    pub(super) fn is_unsettled(&self, ring: Id) -> bool {
        let has_mail = self.parts.mail.get(&ring);
        has_mail.is_some_and(|(_, letters)| !letters.is_empty())
            || self.parts.waiting.has_told(ring)
    }

    /// When something happens next by itself, timeouts of rings included.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let now_ns = self.parts.world.now_ns();
        let rings = self.rings.values();
        let timeouts = rings.filter_map(|ring| ring.engine.next_timeout_ns(|_clock| now_ns));
        let next = timeouts.map(|left_ns| now_ns + left_ns);
        next.chain(self.parts.world.next_ns()).min()
    }

    /// Lets everything happen that is due by `now_ns`, and tells the rings that it concerns.
    pub(super) fn advance_to(&mut self, now_ns: u64) {
        self.parts.world.advance_to(now_ns);
        for number in self.parts.world.take_finished_jobs() {
            self.parts.finish_job(number);
        }
        self.tell_stirred();
        // A timeout that has run out is told like anything else.
        for (id, ring) in &self.rings {
            if ring.engine.next_timeout_ns(|_clock| now_ns) == Some(0) {
                self.parts.flag(*id);
            }
        }
    }

    /// A descriptor of this process was closed: if it belongs to the world, so does what it named.
    pub(super) fn closed(&mut self, fd: RawFd) {
        if let Some(id) = self.parts.descriptors.forget(fd) {
            self.parts.world.close(id);
            self.tell_stirred();
        }
    }

    pub(super) fn tell_stirred(&mut self) {
        let stirred = self.parts.world.take_stirred();
        if stirred.is_empty() {
            return;
        }
        let Parts { world, waiting, .. } = &mut self.parts;
        waiting.stirred(world, &stirred);
        for ring in self.rings.keys() {
            if self.parts.waiting.has_told(*ring) {
                self.parts.flag(*ring);
            }
        }
    }
}

impl World {
    /// Mixes up news of requests, if a fault strikes. Messages keep their order among themselves,
    /// as those from one ring to another do.
    fn reorder(&mut self, news: &mut [News]) {
        let is_message = |one: &News| matches!(one, News::Letter(Letter::Message { .. }));
        news.sort_by_key(|one| !is_message(one));
        let messages = news.iter().filter(|one| is_message(one)).count();
        let rest = &mut news[messages..];
        if rest.len() < 2 || !self.strikes(Fault::Reordered) {
            return;
        }
        // Never what it was: the first goes behind another, and all after it go anywhere.
        let last = rest.len() as u64 - 1;
        rest.swap(0, self.rng.between(1, last) as usize);
        for place in 1..rest.len() {
            let other = self.rng.between(place as u64, last) as usize;
            rest.swap(place, other);
        }
    }
}

impl Parts {
    /// A descriptor for a new object; without one the object is gone again.
    pub(super) fn name(&mut self, id: Id) -> Result<OwnedFd, Errno> {
        let named = self.descriptors.name(id);
        if named.is_err() {
            self.world.close(id);
        }
        named
    }

    /// The program has asked for something that is not simulated.
    pub(super) fn leave(&mut self, opcode: Opcode) {
        self.left_by.get_or_insert(opcode);
    }

    pub(super) fn take_left_by(&mut self) -> Option<Opcode> {
        self.left_by.take()
    }

    /// # Errors
    /// EBADFD if there is no such ring.
    pub(super) fn post(&mut self, ring: Id, letter: Letter) -> Result<(), Errno> {
        let (flags, letters) = self.mail.get_mut(&ring).ok_or(Errno::EBADFD)?;
        flags.set(IORING_SQ_TASKRUN);
        letters.push(letter);
        Ok(())
    }

    fn flag(&self, ring: Id) {
        if let Some((flags, _)) = self.mail.get(&ring) {
            flags.set(IORING_SQ_TASKRUN);
        }
    }

    fn take_mail(&mut self, ring: Id) -> Vec<Letter> {
        let Some((flags, letters)) = self.mail.get_mut(&ring) else {
            return Vec::new();
        };
        flags.clear(IORING_SQ_TASKRUN);
        std::mem::take(letters)
    }

    pub(super) fn start_job(&mut self, ring: Id, host: HostId, key: Key, op: Operation) {
        self.jobs_begun += 1;
        let number = self.jobs_begun;
        let (low, high) = JOB_NS;
        let takes_ns = self.world.rng.between(low, high);
        self.world.finish_job_in(takes_ns, number);
        let job = Job {
            ring,
            host,
            key,
            op: Some(op),
        };
        self.jobs.insert(number, job);
    }

    /// Has the ring look at a request after a while, because of a fault.
    pub(super) fn call_later(&mut self, ring: Id, host: HostId, key: Key) {
        self.jobs_begun += 1;
        let number = self.jobs_begun;
        let (low, high) = LATE_NS;
        let delay_ns = self.world.rng.between(low, high);
        self.world.finish_job_in(delay_ns, number);
        let job = Job {
            ring,
            host,
            key,
            op: None,
        };
        self.jobs.insert(number, job);
    }

    /// The last completion of a request was posted. True if it comes twice.
    pub(super) fn ended(&mut self, ring: Id, cqe: &io_uring_cqe) -> bool {
        if !(self.may_repeat)(cqe.user_data) {
            return false;
        }
        let past = self.past.entry(ring).or_default();
        if past.len() == PAST_MAX {
            past.pop_front();
        }
        past.push_back(*cqe);
        self.world.strikes(Fault::DoubledCompletion)
    }

    /// A completion that comes again, long after the first time.
    fn take_past(&mut self, ring: Id) -> Option<io_uring_cqe> {
        let past = self.past.get_mut(&ring)?;
        if past.is_empty() || !self.world.strikes(Fault::StaleCompletion) {
            return None;
        }
        let place = self.world.rng.below(past.len() as u64) as usize;
        past.remove(place)
    }

    pub(super) fn set_may_repeat(&mut self, may_repeat: fn(u64) -> bool) {
        self.may_repeat = may_repeat;
    }

    /// Takes a job back. In a simulated world all that has not ended has not begun.
    pub(super) fn recall_job(&mut self, ring: Id, key: Key) -> bool {
        let before = self.jobs.len();
        self.jobs
            .retain(|_, job| job.ring != ring || job.key != key || job.op.is_none());
        self.jobs.len() < before
    }

    fn finish_job(&mut self, number: u64) {
        let Some(job) = self.jobs.remove(&number) else {
            return;
        };
        let key = job.key;
        let letter = match job.op {
            None => Letter::Late(key),
            Some(mut op) => {
                self.lent.uncover(job.ring, key);
                let done = files::perform(&mut self.world, &self.roots, job.host, &mut op);
                let res = done.unwrap_or_else(|errno| -errno.raw());
                Letter::Done { key, res }
            }
        };
        // A ring that is gone wants no result.
        let _ = self.post(job.ring, letter);
    }
}

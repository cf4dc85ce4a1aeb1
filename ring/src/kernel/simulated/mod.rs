//! `Simulated`: a world that a seed decides.
//!
//! ```text
//!   world     objects, who refers to them, the clock
//!   sockets   what calls do with them; data: bytes in and out
//!   deliver   what happens by itself: packets arrive, wait, are lost
//!   network   hosts and wires; faults: what goes wrong, and how often it did
//! ```

mod address;
mod calls;
mod data;
mod deliver;
mod descriptors;
mod events;
mod faults;
mod files;
pub mod hooks;
mod lent;
mod machine;
mod network;
mod pages;
mod ring;
mod rng;
mod sockets;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod waiting;
mod world;

pub use faults::{Fault, Faults};
pub use hooks::Installed;
pub use lent::{Act, Borrower, Violation, freed_while_lent};
pub use network::{HostId, Network};
pub(super) use ring::Shared;

use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::feat::{
    IORING_FEAT_CQE_SKIP, IORING_FEAT_EXT_ARG, IORING_FEAT_FAST_POLL, IORING_FEAT_NODROP,
    IORING_FEAT_SINGLE_MMAP, IORING_FEAT_SUBMIT_STABLE,
};
use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_CLAMP, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQSIZE, IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_NO_SQARRAY, IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_TASKRUN_FLAG,
};

use self::descriptors::Descriptors;
use self::state::State;
use self::world::World;
use super::UserSide;
use super::engine::Memory;
use crate::fork::Origin;
use crate::mask::Mask;
use crate::opcode::Opcode;
use crate::ring::Ring;
use crate::setup::RingConfig;
use crate::version::Version;

/// A world that a seed decides, to which hosts are added. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct SimulatedWorld(Arc<Whole>);

/// A host of a simulated world, as the kernel of what runs on it. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Simulated {
    whole: Arc<Whole>,
    host: HostId,
}

/// Everything that is simulated together.
#[derive(Debug)]
struct Whole {
    /// The clock, for whoever only reads it.
    now_ns: AtomicU64,
    /// Nobody steps it any more: hooks that were left to ask it ask the system.
    ended: AtomicBool,
    state: Mutex<State>,
}

/// Descriptors that a host may have at once, unless it is told otherwise.
const DESCRIPTORS_MAX: usize = 1024;

/// The clock may jump when it moves as far.
const JUMP_AFTER_NS: u64 = 100_000;
/// How far it jumps, mostly: as after a scheduler that was busy.
const SHORT_JUMP_NS: (u64, u64) = (1_000_000, 50_000_000);
/// How far it jumps now and then: as after a machine that was suspended.
const LONG_JUMP_NS: (u64, u64) = (50_000_000, 2_000_000_000);

/// What a simulated ring can do, as a kernel tells at setup.
const FEATURES: u32 = IORING_FEAT_SINGLE_MMAP
    | IORING_FEAT_NODROP
    | IORING_FEAT_SUBMIT_STABLE
    | IORING_FEAT_FAST_POLL
    | IORING_FEAT_EXT_ARG
    | IORING_FEAT_CQE_SKIP;

/// The setup flags that mean nothing, or are so anyway, in a simulated ring.
const SETUP_FLAGS: u32 = IORING_SETUP_CLAMP
    | IORING_SETUP_CQSIZE
    | IORING_SETUP_NO_SQARRAY
    | IORING_SETUP_SUBMIT_ALL
    | IORING_SETUP_COOP_TASKRUN
    | IORING_SETUP_TASKRUN_FLAG
    | IORING_SETUP_SINGLE_ISSUER
    | IORING_SETUP_DEFER_TASKRUN;

impl SimulatedWorld {
    /// A world without hosts, whose network and faults are as they say.
    ///
    /// # Errors
    /// EMFILE when the process has no descriptor left.
    pub fn new(seed: u64, network: Network, faults: Faults) -> std::io::Result<SimulatedWorld> {
        let placeholder = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
            .open("/")?;
        let world = World::new(seed, network, faults);
        let now_ns = AtomicU64::new(world.now_ns());
        let descriptors = Descriptors::new(placeholder.into());
        let state = Mutex::new(State::new(world, descriptors));
        let ended = AtomicBool::new(false);
        Ok(SimulatedWorld(Arc::new(Whole {
            now_ns,
            ended,
            state,
        })))
    }

    /// Lets the hooks of this thread ask this world, while the result lives.
    ///
    /// # Panics
    /// If they ask another world already.
    #[must_use]
    pub fn install(&self, seed: u64) -> Installed {
        assert!(
            !hooks::is_installed(),
            "this thread simulates another world"
        );
        Installed::new(&self.0, seed)
    }

    /// As [`install`](SimulatedWorld::install), but for a while they may leave another world.
    #[must_use]
    pub fn visit(&self, seed: u64) -> Installed {
        Installed::new(&self.0, seed)
    }

    /// Nothing happens here any more. Hooks that still ask it ask the system from now on.
    pub fn end(&self) {
        self.0.ended.store(true, Ordering::Relaxed);
    }

    /// Another host, found by its name and by an address of its own.
    #[must_use]
    pub fn add_host(&self, name: &str) -> Simulated {
        let host = self.0.state().parts.world.wires.add(name, DESCRIPTORS_MAX);
        Simulated {
            whole: Arc::clone(&self.0),
            host,
        }
    }

    /// The time in nanoseconds, as [`Kernel::now_ns`](crate::Kernel::now_ns) tells it.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.0.now_ns.load(Ordering::Relaxed)
    }

    /// When something happens next by itself.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        self.0.state().next_ns()
    }

    /// Lets everything happen that is due by `now_ns`, or by a later time if the clock jumps.
    ///
    /// # Panics
    /// If it is in the past.
    pub fn advance_to(&self, now_ns: u64) {
        let mut state = self.0.state();
        let world = &mut state.parts.world;
        // What is shorter is a step of the program, of which there are too many.
        let may_jump = now_ns.saturating_sub(world.now_ns()) >= JUMP_AFTER_NS;
        let jump_ns = if may_jump && world.strikes(Fault::ClockJump) {
            let (low, high) = match world.rng.below(8) {
                0 => LONG_JUMP_NS,
                _ => SHORT_JUMP_NS,
            };
            world.rng.between(low, high)
        } else {
            0
        };
        self.0.advance(&mut state, now_ns + jump_ns);
    }

    /// A number below `end` that follows from the seed.
    ///
    /// # Panics
    /// If `end` is 0.
    #[must_use]
    pub fn choose(&self, end: u64) -> u64 {
        assert!(end > 0, "there is no number below 0");
        self.0.state().parts.world.rng.below(end)
    }

    /// Which completions may come twice or late, told by their user data: those that a ring's
    /// user tells from others of the same place, by a generation say. None at first.
    pub fn set_may_repeat(&self, may_repeat: fn(u64) -> bool) {
        self.0.state().parts.set_may_repeat(may_repeat);
    }

    /// How the network is from now on.
    pub fn set_network(&self, network: Network) {
        self.0.state().parts.world.wires.network = network;
    }

    /// How often each fault happens from now on; what has happened stays counted.
    pub fn set_faults(&self, faults: &Faults) {
        self.0.state().parts.world.faults.set_rates(faults);
    }

    /// How often each fault happens, and has happened.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.0.state().parts.world.faults.clone()
    }

    /// Cuts or mends the wire between two hosts.
    pub fn set_cut(&self, one: &Simulated, other: &Simulated, cut: bool) {
        let mut state = self.0.state();
        state.parts.world.wires.set_cut(one.host, other.host, cut);
        state.parts.world.retransmit();
    }

    /// An operation that is not simulated and was asked for since the last call.
    #[must_use]
    pub fn take_left_by(&self) -> Option<Opcode> {
        self.0.state().parts.take_left_by()
    }

    /// Lent memory that was not left alone, since the last call: the first such.
    #[must_use]
    pub fn take_violation(&self) -> Option<Violation> {
        self.0.state().parts.lent.take_violation()
    }

    /// A number that stands for all that has happened so far.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.0.state().parts.world.trace()
    }
}

impl Simulated {
    /// The release whose operations are simulated: those that a runtime needs.
    pub(super) const VERSION: Version = Version::new(6, 13);

    /// Stops the host at once, or lets it begin again. What it had is gone, without a word to its
    /// peers.
    pub fn set_up(&self, up: bool) {
        let mut state = self.state();
        state.parts.world.set_up(self.host, up);
        state.tell_stirred();
    }

    /// How many descriptors the host may have at once.
    pub fn set_descriptors_max(&self, descriptors: usize) {
        let mut state = self.state();
        state.parts.world.wires.host_mut(self.host).descriptors_max = descriptors;
    }

    /// Moves the clock on: a thread sleeps, and the world has one.
    pub(super) fn sleep(&self, duration: Duration) {
        let mut state = self.state();
        let duration_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let until_ns = state.parts.world.now_ns().saturating_add(duration_ns);
        self.whole.advance(&mut state, until_ns);
    }

    pub(super) fn open(&self, config: &RingConfig) -> Result<Ring, Errno> {
        let flags = config.flags() & !config.mask.hidden_setup_flags();
        if flags & !SETUP_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        let origin = Origin::current()?;
        let asked = io_uring_params {
            sq_entries: config.sq_entries,
            cq_entries: config.cq_entries,
            flags,
            features: FEATURES,
            ..io_uring_params::default()
        };
        let memory = Arc::new(Memory::new(&asked, origin)?);
        let shared = Shared::new(self, &memory)?;
        let side = Arc::new(UserSide::Simulated(shared));
        Ok(Ring::with_user_side(side, origin, Mask::NONE))
    }

    pub(super) fn supports(opcode: Opcode) -> bool {
        machine::is_simulated(opcode)
    }

    pub(super) fn features() -> u32 {
        FEATURES
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.whole.state()
    }
}

impl Whole {
    fn state(&self) -> MutexGuard<'_, State> {
        // What the world does is done whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, state: &mut State, now_ns: u64) {
        // First, for what happens on the way asks for the time.
        self.now_ns.store(now_ns, Ordering::Relaxed);
        state.advance_to(now_ns);
    }
}

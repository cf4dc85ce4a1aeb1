//! What goes on next: a worker, a blocking closure, or else the clock.
#![forbid(unsafe_code)]

use annulus_ring::kernel::SimulatedWorld;

use super::watch::Watch;
use crate::runtime::{Handle, worker};

/// What a step of a worker takes at most.
const STEP_NS_MAX: u64 = 20_000;
/// Tasks that a worker polls in a step at most; the seed chooses.
const POLLS_MAX: u64 = 8;

/// A world, and whoever watches that its one thread comes back.
pub(super) struct Steps {
    pub(super) world: SimulatedWorld,
    watch: Watch,
}

/// A runtime whose workers may be stepped.
pub(super) struct Stepped<'a> {
    pub(super) name: &'a str,
    pub(super) handle: &'a Handle,
    /// Of its workers; those behind stand still. Its blocking closures run either way.
    pub(super) workers: usize,
}

/// A future that somebody blocks on, and that has been woken.
pub(super) struct Root<'a> {
    pub(super) name: &'a str,
    pub(super) poll: &'a mut dyn FnMut(),
}

/// Something that can go on.
#[derive(Clone, Copy)]
enum Actor {
    Worker {
        runtime: usize,
        index: usize,
    },
    /// A blocking closure.
    Closure {
        runtime: usize,
    },
    Root,
}

impl Steps {
    /// Before the hooks are installed: the clock of the thread that watches is a real one.
    pub(super) fn new(world: SimulatedWorld, seed: u64) -> Steps {
        world.set_may_repeat(crate::op::may_repeat);
        Steps {
            world,
            watch: Watch::start(seed),
        }
    }

    /// Lets one actor go on, or moves the clock, not beyond `until_ns`. False when nothing is left
    /// that could happen.
    ///
    /// # Errors
    ///
    /// What the actor did that no simulation allows.
    pub(super) fn go_on(
        &self,
        runtimes: &[Stepped<'_>],
        root: Option<Root<'_>>,
        until_ns: u64,
    ) -> Result<bool, String> {
        let mut actors = actors(runtimes);
        actors.extend(root.is_some().then_some(Actor::Root));
        if actors.is_empty() {
            return Ok(self.advance(runtimes, until_ns));
        }
        let place = self.world.choose(actors.len() as u64) as usize;
        self.step(runtimes, root, actors[place])?;
        Ok(true)
    }

    /// Lets one actor go on for a moment.
    fn step(
        &self,
        runtimes: &[Stepped<'_>],
        root: Option<Root<'_>>,
        actor: Actor,
    ) -> Result<(), String> {
        let polls = 1 + self.world.choose(POLLS_MAX) as u32;
        let name = match (actor, &root) {
            (Actor::Worker { runtime, .. } | Actor::Closure { runtime }, _) => {
                runtimes[runtime].name
            }
            (Actor::Root, root) => root.as_ref().map_or("", |root| root.name),
        };
        {
            let step = self.watch.step(name);
            match actor {
                Actor::Worker { runtime, index } => {
                    worker::step(runtimes[runtime].handle, index, polls);
                }
                Actor::Closure { runtime } => {
                    let handle = runtimes[runtime].handle;
                    let _entered = handle.enter();
                    let blocking = &handle.scheduler().blocking;
                    blocking.run_one(|site| step.runs_closure(site));
                }
                Actor::Root => root.into_iter().for_each(|root| (root.poll)()),
            }
        }
        if let Some(opcode) = self.world.take_left_by() {
            return Err(format!(
                "{name} left the simulated world: the operation {opcode} is not simulated"
            ));
        }
        if let Some(violation) = self.world.take_violation() {
            return Err(format!("on {name}: {violation}"));
        }
        let step_ns = 1 + self.world.choose(STEP_NS_MAX);
        self.world.advance_to(self.world.now_ns() + step_ns);
        Ok(())
    }

    /// Moves the clock to whatever happens next. False if nothing does.
    fn advance(&self, runtimes: &[Stepped<'_>], until_ns: u64) -> bool {
        let now_ns = self.world.now_ns();
        let workers = || {
            runtimes
                .iter()
                .flat_map(|it| (0..it.workers).map(|index| (it.handle, index)))
        };
        let timer = workers()
            .filter_map(|(handle, index)| worker::next_timer(handle, index))
            .min()
            .map(|left| now_ns.saturating_add(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX)));
        let next = timer.into_iter().chain(self.world.next_ns()).min();
        if let Some(next) = next {
            self.world.advance_to(next.clamp(now_ns, until_ns));
            return true;
        }
        // Clocks that stand move when nothing else does.
        workers().any(|(handle, index)| worker::advance_paused(handle, index))
    }
}

fn actors(runtimes: &[Stepped<'_>]) -> Vec<Actor> {
    let mut actors = Vec::new();
    for (runtime, it) in runtimes.iter().enumerate() {
        let busy = (0..it.workers).filter(|&index| worker::has_work(it.handle, index));
        actors.extend(busy.map(|index| Actor::Worker { runtime, index }));
        if it.handle.scheduler().blocking.has_queued() {
            actors.push(Actor::Closure { runtime });
        }
    }
    actors
}

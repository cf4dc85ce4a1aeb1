//! Random mixes of links, hard links, drains and failures, against a model of what they mean.
//!
//! An entry either succeeds or fails by itself, at once or in a worker thread. The model says what
//! each comes to, and what must come before what: within a chain the order of the chain, across a
//! drain everything before before everything after.

use annulus_ring::{Errno, Ring, RingConfig, SqeFlags};
use proptest::prelude::*;

use super::support::{entry, reap};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    None,
    Soft,
    Hard,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    fails: bool,
    link: Link,
    drains: bool,
    in_worker: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let link = prop_oneof![Just(Link::None), Just(Link::Soft), Just(Link::Hard)];
    (
        prop::bool::weighted(0.25),
        link,
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(fails, link, drains, in_worker)| Step {
            fails,
            link,
            drains,
            in_worker,
        })
}

/// The chains of `steps`, as ranges. The submission ends the last one.
fn chains(steps: &[Step]) -> Vec<std::ops::Range<usize>> {
    let mut chains = Vec::new();
    let mut start = 0;
    for (index, step) in steps.iter().enumerate() {
        if step.link == Link::None || index + 1 == steps.len() {
            chains.push(start..index + 1);
            start = index + 1;
        }
    }
    chains
}

/// What each step comes to.
fn expected(steps: &[Step]) -> Vec<Result<u32, Errno>> {
    let mut results = Vec::new();
    for chain in chains(steps) {
        let mut is_broken = false;
        for step in &steps[chain] {
            let result = match (is_broken, step.fails) {
                (true, _) => Err(Errno::ECANCELED),
                (false, true) => Err(Errno::EBADF),
                (false, false) => Ok(0),
            };
            // A soft link is broken by a failure, a hard one is not. Once broken, all the rest is
            // cancelled, whatever its links.
            is_broken |= result.is_err() && step.link != Link::Hard;
            results.push(result);
        }
    }
    results
}

fn queue(ring: &mut Ring, steps: &[Step]) {
    for (step, user_data) in steps.iter().zip(0..) {
        let mut flags = match step.link {
            Link::None => SqeFlags::NONE,
            Link::Soft => SqeFlags::IO_LINK,
            Link::Hard => SqeFlags::IO_HARDLINK,
        };
        if step.drains {
            flags |= SqeFlags::IO_DRAIN;
        }
        if step.in_worker {
            flags |= SqeFlags::ASYNC;
        }
        let sqe = entry(ring, user_data);
        if step.fails {
            sqe.prep_shutdown(-1, 0);
        } else {
            sqe.prep_nop();
        }
        sqe.add_flags(flags);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mix_of_links_and_drains_ends_as_the_model_says(
        steps in prop::collection::vec(step(), 1..40),
        pinned in any::<bool>(),
    ) {
        let config = RingConfig { pinned, ..RingConfig::default() };
        let mut ring = Ring::new(&config).expect("a ring");
        queue(&mut ring, &steps);
        let cqes = reap(&mut ring, steps.len());

        // 1. Each step completes once, as the model says.
        let mut places = vec![None; steps.len()];
        let expected = expected(&steps);
        for (place, cqe) in cqes.iter().enumerate() {
            let index = cqe.user_data() as usize;
            prop_assert!(places[index].replace(place).is_none(), "step {} twice", index);
            prop_assert_eq!(cqe.result(), expected[index], "step {}", index);
        }
        let places: Vec<usize> = places.into_iter().flatten().collect();
        prop_assert_eq!(places.len(), steps.len());

        // 2. A chain completes in its order.
        for chain in chains(&steps) {
            prop_assert!(places[chain.clone()].is_sorted(), "chain {:?} in {:?}", chain, places);
        }

        // 3. A chain with a drain starts when all before is done, and holds up all after.
        for chain in chains(&steps) {
            if !steps[chain.clone()].iter().any(|step| step.drains) {
                continue;
            }
            let before = places[..chain.start].iter().max();
            let first = places[chain.clone()].iter().min();
            prop_assert!(before < first, "chain {:?} did not wait: {:?}", chain, places);
            let last = places[chain.clone()].iter().max();
            let after = places[chain.end..].iter().min();
            prop_assert!(after.is_none() || last < after, "chain {:?} was passed: {:?}", chain, places);
        }
    }
}

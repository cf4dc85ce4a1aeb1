//! Rings, and operations submitted to them and waited for.

use std::time::Duration;

use annulus_ring::{Cqe, Errno, Kernel, Mask, Ring, RingConfig, Sqe};

use super::skip::skip_feature;

/// What [`complete`] marks its operation with.
const ALONE: u64 = 0xa10e;
/// What [`outcome`] marks its cancel with.
const CANCEL: u64 = 0xca9ce1;

/// A ring of 64 entries.
pub(crate) fn ring() -> Ring {
    let config = RingConfig {
        sq_entries: 64,
        ..RingConfig::default()
    };
    open(&config).expect("a ring")
}

/// A ring of the kernel that ANNULUS_KERNEL names: `uring`, the default, or `emulated`.
pub(crate) fn open(config: &RingConfig) -> Result<Ring, Errno> {
    if std::env::var("ANNULUS_KERNEL").is_ok_and(|kernel| kernel == "emulated") {
        let opened = Kernel::emulated(Mask::NONE).open(config);
        return opened.map_err(|error| Errno::from_raw(error.raw_os_error().expect("an errno")));
    }
    Ring::new(config)
}

/// A ring made as `config` says; without one, a skip that says which `feature` is missing.
pub(crate) fn ring_with(config: &RingConfig, feature: &str) -> Option<Ring> {
    match open(config) {
        Ok(ring) if ring.step_downs().is_empty() => Some(ring),
        Ok(_) | Err(Errno::EINVAL) => {
            skip_feature(feature);
            None
        }
        Err(errno) => panic!("a ring: {errno}"),
    }
}

/// Queues what `prep` prepares.
pub(crate) fn push(
    ring: &mut Ring,
    user_data: u64,
    prep: impl for<'a> FnOnce(&'a mut Sqe) -> &'a mut Sqe,
) {
    let sqe = ring.get_sqe().expect("room in the SQ");
    prep(sqe).set_user_data(user_data);
}

/// Submits what `prep` prepares, alone, and waits for its last completion.
pub(crate) fn complete(
    ring: &mut Ring,
    prep: impl for<'a> FnOnce(&'a mut Sqe) -> &'a mut Sqe,
) -> Cqe {
    push(ring, ALONE, prep);
    let cqe = collect(ring, 1)[0];
    assert_eq!(cqe.user_data(), ALONE, "it is alone");
    assert!(!cqe.more(), "this is its last completion");
    cqe
}

/// As [`complete`]; the result.
pub(crate) fn result(
    ring: &mut Ring,
    prep: impl for<'a> FnOnce(&'a mut Sqe) -> &'a mut Sqe,
) -> Result<u32, Errno> {
    complete(ring, prep).result()
}

/// Submits what is queued and waits until `count` completions were popped, in their order.
pub(crate) fn collect(ring: &mut Ring, count: usize) -> Vec<Cqe> {
    let mut cqes = Vec::with_capacity(count);
    while cqes.len() < count || ring.sq_queued() > 0 {
        ring.submit_and_wait(1.min(count - cqes.len()) as u32)
            .expect("entered");
        while let Some(cqe) = ring.pop() {
            cqes.push(cqe);
        }
    }
    assert_eq!(cqes.len(), count, "no more than expected: {cqes:?}");
    cqes
}

/// As [`collect`]; the raw results ordered by `user_data`, which counts from 0.
pub(crate) fn in_order(ring: &mut Ring, count: usize) -> Vec<i32> {
    let mut cqes = collect(ring, count);
    cqes.sort_by_key(Cqe::user_data);
    for (index, cqe) in cqes.iter().enumerate() {
        assert_eq!(cqe.user_data(), index as u64, "{cqes:?}");
    }
    cqes.iter().map(Cqe::res).collect()
}

/// The one completion that carries `user_data`.
pub(crate) fn of(cqes: &[Cqe], user_data: u64) -> Cqe {
    let mut found = cqes.iter().filter(|cqe| cqe.user_data() == user_data);
    let cqe = found.next().expect("it is among them");
    assert!(found.next().is_none(), "there is one: {cqes:?}");
    *cqe
}

/// Submits `prep` and cancels it again; the result it came to, `Err(ECANCELED)` if it waited.
pub(crate) fn outcome(
    ring: &mut Ring,
    prep: impl for<'a> FnOnce(&'a mut Sqe) -> &'a mut Sqe,
) -> Result<u32, Errno> {
    push(ring, ALONE, prep);
    ring.submit().expect("submitted");
    // It may complete by itself without delay, but not yet be seen: run its completion work.
    ring.enter(0, Some(Duration::ZERO)).expect("entered");
    push(ring, CANCEL, |sqe| sqe.prep_cancel64(ALONE, 0));
    let cqes = collect(ring, 2);
    of(&cqes, ALONE).result()
}

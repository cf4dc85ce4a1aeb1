//! Buffers that the kernel takes from by itself: rings of them, groups, bundles, and the zero-copy
//! sends whose memory is lent longest.

mod group;
mod incremental;
mod kinds;
mod ledger;
mod legacy;
mod lengths;
mod messages;
mod multishot;
mod raw;
mod recv_bundles;
mod send_bundles;
mod stress;
mod zcrx;
mod zero_copy;

use std::time::Duration;

use annulus_ring::{BufGroup, BufRingConfig, Cqe, Errno, Ring, RingConfig, Selected};

const GROUP: u16 = 3;

fn ring() -> Ring {
    Ring::new(&RingConfig::default()).expect("a ring")
}

fn group(ring: &Ring, count: u16, size_bytes: u32) -> BufGroup {
    BufGroup::new(ring, &BufRingConfig::new(GROUP, count, size_bytes)).expect("a group")
}

fn incremental(ring: &Ring, count: u16, size_bytes: u32) -> Option<BufGroup> {
    let config = BufRingConfig {
        incremental: true,
        ..BufRingConfig::new(GROUP, count, size_bytes)
    };
    let group = BufGroup::new(ring, &config).expect("a group");
    if group.buf_ring().is_incremental() {
        return Some(group);
    }
    skip("incremental buffer rings are newer than this kernel (6.12)");
    None
}

/// Says why a test shows nothing on this kernel.
fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Waits for one completion.
fn wait(ring: &mut Ring) -> Cqe {
    loop {
        if let Some(cqe) = ring.pop() {
            return cqe;
        }
        let waited = ring.enter(1, Some(Duration::from_secs(30)));
        match waited {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => panic!("waiting failed: {errno}"),
        }
        assert!(ring.cq_ready() > 0, "nothing completed within 30 s");
    }
}

/// What a completion of `group` delivered, with its result.
fn take(group: &mut BufGroup, cqe: &Cqe) -> (Result<u32, Errno>, Option<Selected>) {
    // SAFETY: the tests tell each completion once, in order, to the group that prepared it.
    let selected = unsafe { group.take(cqe) }.expect("the kernel and the ledger agree");
    (cqe.result(), selected)
}

/// What a bundle of `group` delivered.
fn take_bundle(group: &mut BufGroup, cqe: &Cqe) -> Vec<Selected> {
    let mut all = Vec::new();
    // SAFETY: the tests tell each completion once, in order, to the group that prepared it.
    unsafe { group.take_bundle(cqe, &mut all) }.expect("the kernel and the ledger agree");
    all
}

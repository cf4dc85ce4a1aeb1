//! Waits that are registered once and named by a number, and the memory they lie in.

use std::time::{Duration, Instant};

use annulus_ring::{
    Errno, Mask, MemRegion, RegionMemory, Ring, RingConfig, SignalSet, TimeLimit, Wait, WaitRegion,
};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::enter::{
    IORING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG_REG, IORING_ENTER_GETEVENTS,
};
use annulus_syscalls::io_uring::feat::IORING_FEAT_MIN_TIMEOUT;
use annulus_syscalls::io_uring::io_uring_reg_wait;

use crate::support::{NEVER, has, now, pop_all, push_nop, ring, ring_with, wait_for};

const SHORT: Duration = Duration::from_millis(10);
const KINDS: [RegionMemory; 2] = [RegionMemory::Process, RegionMemory::Kernel];
/// The size of one entry, as the kernel wants to hear it.
const ENTRY_BYTES: usize = 64;

fn disabled(pinned: bool) -> Ring {
    ring_with(RingConfig {
        disabled: true,
        pinned,
        ..RingConfig::default()
    })
}

/// A ring with registered waits, enabled; `None`, and why, before 6.13.
fn with_waits(pinned: bool, memory: RegionMemory, slots: u32) -> Option<(Ring, WaitRegion)> {
    let mut ring = disabled(pinned);
    let region = WaitRegion::register(&ring, memory, slots);
    ring.enable().expect("enabled");
    match region {
        Ok(region) => Some((ring, region)),
        Err(errno) => {
            eprintln!("skipped: the kernel has no wait regions (6.13): {errno}");
            None
        }
    }
}

fn every_kind(slots: u32) -> impl Iterator<Item = (Ring, WaitRegion)> {
    let kinds = KINDS
        .into_iter()
        .flat_map(|kind| [(false, kind), (true, kind)]);
    kinds.filter_map(move |(pinned, kind)| with_waits(pinned, kind, slots))
}

#[test]
fn each_slot_waits_as_it_was_told_to() {
    for (mut ring, mut region) in every_kind(4) {
        assert_eq!(region.slots(), 4);
        region.set(1, &wait_for(1, SHORT)).expect("set");
        region.set(3, &wait_for(2, NEVER)).expect("set");
        // 1. A slot that was never set waits for nothing.
        assert_eq!(region.get(0), Some(&Wait::default()));
        assert_eq!(ring.enter_slot(&region, 0), Ok(0));
        // 2. One with a limit runs out of time.
        let start = Instant::now();
        assert_eq!(ring.enter_slot(&region, 1), Ok(0));
        assert!(start.elapsed() >= SHORT);
        // 3. One for two completions ends with the second, having submitted both.
        push_nop(&mut ring, 7);
        push_nop(&mut ring, 8);
        assert_eq!(ring.enter_slot(&region, 3), Ok(2));
        assert_eq!(pop_all(&mut ring), [7, 8]);
        // 4. A slot that is set again is another wait.
        region.set(3, &wait_for(1, SHORT)).expect("set");
        assert_eq!(ring.enter_slot(&region, 3), Ok(0));
        assert_eq!(region.get(3), Some(&wait_for(1, SHORT)));
    }
}

#[test]
fn a_slot_has_a_shorter_limit_and_points_in_time_like_any_wait() {
    for (mut ring, mut region) in every_kind(2) {
        if !has(&ring, IORING_FEAT_MIN_TIMEOUT, "MIN_TIMEOUT (6.12)") {
            return;
        }
        let shorter = Wait {
            min_wait: Some(SHORT),
            ..wait_for(8, NEVER)
        };
        region.set(0, &shorter).expect("set");
        push_nop(&mut ring, 1);
        let start = Instant::now();
        assert_eq!(ring.enter_slot(&region, 0), Ok(1));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(pop_all(&mut ring), [1]);
        let then = now(libc::CLOCK_MONOTONIC) + SHORT;
        let point = Wait {
            min_complete: 1,
            limit: TimeLimit::At(then),
            ..Wait::default()
        };
        region.set(1, &point).expect("set");
        for _ in 0..2 {
            assert_eq!(ring.enter_slot(&region, 1), Ok(0));
            assert!(now(libc::CLOCK_MONOTONIC) >= then);
        }
    }
}

#[test]
fn a_slot_blocks_the_signals_it_was_told_to() {
    for (mut ring, mut region) in every_kind(3) {
        // A signal that is pending, and that slot 1 alone lets through.
        let signal = libc::SIGRTMIN() + 8;
        crate::signals::install(signal);
        let before = crate::signals::delivered(signal);
        crate::signals::mask(libc::SIG_BLOCK, signal);
        crate::signals::send_to(crate::signals::this_thread(), signal);
        let through = SignalSet::ALL.without(signal as u32);
        let waits = [
            crate::signals::with_signals(wait_for(1, SHORT), SignalSet::ALL),
            crate::signals::with_signals(wait_for(1, NEVER), through),
            wait_for(1, SHORT),
        ];
        for (slot, wait) in (0..).zip(&waits) {
            region.set(slot, wait).expect("set");
        }
        assert_eq!(ring.enter_slot(&region, 0), Ok(0));
        assert_eq!(ring.enter_slot(&region, 2), Ok(0));
        assert_eq!(crate::signals::delivered(signal), before);
        assert_eq!(ring.enter_slot(&region, 1), Err(Errno::EINTR));
        assert_eq!(crate::signals::delivered(signal), before + 1);
        crate::signals::mask(libc::SIG_UNBLOCK, signal);
    }
}

#[test]
fn a_slot_that_is_not_there_and_a_region_of_another_ring_are_refused_before_submitting() {
    let Some((mut ring, mut region)) = with_waits(false, RegionMemory::Process, 4) else {
        return;
    };
    let Some((_other, elsewhere)) = with_waits(false, RegionMemory::Process, 4) else {
        return;
    };
    assert_eq!(region.set(4, &Wait::default()), Err(Errno::EINVAL));
    assert_eq!(region.get(4), None);
    push_nop(&mut ring, 1);
    for slot in [4, 5, 1 << 20, u32::MAX] {
        assert_eq!(ring.enter_slot(&region, slot), Err(Errno::EINVAL));
    }
    assert_eq!(ring.enter_slot(&elsewhere, 0), Err(Errno::EINVAL));
    assert_eq!((ring.sq_queued(), ring.cq_ready()), (1, 0));
    assert_eq!(ring.enter_slot(&region, 3), Ok(1));
}

#[test]
fn a_slot_takes_nothing_that_the_ring_does_not_know() {
    let ring = ring_with(RingConfig {
        disabled: true,
        mask: Mask::up_to(annulus_ring::Version::new(6, 13)),
        ..RingConfig::default()
    });
    let Ok(mut region) = WaitRegion::register(&ring, RegionMemory::Process, 1) else {
        return eprintln!("skipped: the kernel has no wait regions (6.13)");
    };
    let too_new = Wait {
        iowait: Some(false),
        ..Wait::default()
    };
    assert_eq!(region.set(0, &too_new), Err(Errno::EOPNOTSUPP));
    assert_eq!(region.get(0), Some(&Wait::default()));
}

#[test]
fn waits_are_registered_with_a_disabled_ring_and_only_once() {
    let enabled = ring(8, 0);
    for kind in KINDS {
        let refused = WaitRegion::register(&enabled, kind, 4).map(drop);
        assert_eq!(refused, Err(Errno::EINVAL));
        let Some((ring, _region)) = with_waits(false, kind, 4) else {
            return;
        };
        let again = MemRegion::register(&ring, kind, 1).map(drop);
        assert_eq!(again, Err(Errno::EBUSY));
        let nothing = WaitRegion::register(&disabled(false), kind, 0).map(drop);
        assert_eq!(nothing, Err(Errno::EINVAL));
    }
}

#[test]
fn a_kernel_without_regions_refuses_them() {
    let config = RingConfig {
        disabled: true,
        mask: Mask::V6_12,
        ..RingConfig::default()
    };
    let ring = ring_with(config);
    let refused = WaitRegion::register(&ring, RegionMemory::Process, 4).map(drop);
    assert_eq!(refused, Err(Errno::EINVAL));
}

#[test]
fn a_region_is_zeroed_memory_that_stays_ours_to_write() {
    for kind in KINDS {
        let ring = ring(8, 0);
        let region = match MemRegion::register(&ring, kind, 5000) {
            Ok(region) => region,
            Err(errno) => return eprintln!("skipped: no memory regions (6.13): {errno}"),
        };
        assert!(region.size_bytes() >= 5000);
        for offset in [0, 4999, region.size_bytes() - 1] {
            // SAFETY: inside the region.
            let byte = unsafe { region.start().add(offset) };
            // SAFETY: as above, and the kernel makes no use of these bytes.
            assert_eq!(unsafe { byte.read() }, 0);
            // SAFETY: as above.
            unsafe { byte.write(7) };
        }
        // What the region was may go before the ring, and after it.
        drop(region);
        let mut ring = ring;
        push_nop(&mut ring, 1);
        assert_eq!(ring.enter(1, None), Ok(1));
    }
}

#[test]
fn a_region_may_outlive_its_ring_and_the_ring_its_region() {
    for (ring, mut region) in every_kind(4) {
        drop(ring);
        region.set(0, &wait_for(1, SHORT)).expect("plain memory");
    }
    for (mut ring, region) in every_kind(4) {
        drop(region);
        assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
    }
}

/// What the kernel itself says, to arguments that `enter_slot` never passes.
#[test]
fn the_kernel_refuses_offsets_that_are_not_an_entry_inside_the_region() {
    let raw = |ring: &Ring, offset: usize, size: usize| {
        let flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | IORING_ENTER_EXT_ARG_REG;
        // SAFETY: nothing is queued, and the argument is an offset that the kernel checks.
        unsafe { calls::io_uring_enter(ring.fd(), 0, 0, flags, offset, size) }
    };
    for (ring, region) in every_kind(4) {
        assert_eq!(raw(&ring, 0, ENTRY_BYTES), Ok(0));
        let registered_bytes = region.memory().size_bytes();
        assert!(region.slots() as usize * ENTRY_BYTES <= registered_bytes);
        assert_eq!(
            raw(&ring, registered_bytes - ENTRY_BYTES, ENTRY_BYTES),
            Ok(0)
        );
        let beyond = [
            registered_bytes - ENTRY_BYTES + 8,
            registered_bytes,
            usize::MAX - 63,
            1,
        ];
        for offset in beyond {
            assert_eq!(raw(&ring, offset, ENTRY_BYTES), Err(Errno::EFAULT));
        }
        for size in [0, 24, 63, 65] {
            assert_eq!(raw(&ring, 0, size), Err(Errno::EINVAL));
        }
    }
    // Without a region no offset is inside.
    let ring = ring(8, 0);
    if with_waits(false, RegionMemory::Process, 1).is_some() {
        assert_eq!(raw(&ring, 0, ENTRY_BYTES), Err(Errno::EFAULT));
    }
}

#[test]
fn the_kernel_refuses_flags_of_an_entry_that_it_does_not_know() {
    for (mut ring, mut region) in every_kind(2) {
        region.set(1, &wait_for(1, SHORT)).expect("set");
        let first = region.memory().start().cast::<io_uring_reg_wait>();
        for flags in [2, 1 << 31, u32::MAX] {
            let entry = io_uring_reg_wait {
                flags,
                ..io_uring_reg_wait::default()
            };
            // SAFETY: the first entry lies at the start, and nobody reads it meanwhile.
            unsafe { first.write(entry) };
            push_nop(&mut ring, 1);
            // The entries were submitted by then, which is what the number says.
            assert_eq!(ring.enter_slot(&region, 0), Ok(1));
            assert_eq!(pop_all(&mut ring), [1]);
            assert_eq!(ring.enter_slot(&region, 0), Err(Errno::EINVAL));
        }
        assert_eq!(
            ring.enter_slot(&region, 1),
            Ok(0),
            "others are not concerned"
        );
        region.set(0, &Wait::default()).expect("set");
        assert_eq!(ring.enter_slot(&region, 0), Ok(0));
    }
}

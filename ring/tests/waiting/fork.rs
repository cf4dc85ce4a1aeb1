//! A child made by `fork`: what it inherited is dead, and says so without harm.

use std::time::Duration;

use annulus_ring::{Clock, Errno, RegionMemory, Ring, RingConfig, Wait, WaitRegion};

use crate::support::{pop_all, push_nop, ring_with, wait_for};

/// What a child finds: the number of the first call that does not say EBADF, or 0.
fn first_that_is_not_refused(ring: &mut Ring, region: Option<&mut WaitRegion>) -> i32 {
    let wait = wait_for(1, Duration::from_secs(600));
    let said = [
        ring.enter_with(&wait).map(drop),
        ring.wait(&wait).map(drop),
        ring.register_clock(Clock::Boottime),
        ring.resize(16, 0),
    ];
    for (number, said) in (1..).zip(said) {
        if said != Err(Errno::EBADF) {
            return number;
        }
    }
    let Some(region) = region else { return 0 };
    if region.set(0, &wait) != Err(Errno::EBADF) {
        return 10;
    }
    if ring.enter_slot(region, 0) != Err(Errno::EBADF) {
        return 11;
    }
    0
}

#[test]
fn a_child_neither_waits_nor_resizes_nor_writes_to_a_region() {
    for memory in [RegionMemory::Process, RegionMemory::Kernel] {
        let mut ring = ring_with(RingConfig {
            disabled: true,
            pinned: true,
            ..RingConfig::default()
        });
        let mut region = WaitRegion::register(&ring, memory, 2).ok();
        ring.enable().expect("enabled");
        push_nop(&mut ring, 1);
        // SAFETY: the child leaves by `_exit`, and takes no lock of other threads but the
        // allocator's, which the C library makes usable after fork.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let found = first_that_is_not_refused(&mut ring, region.as_mut());
            drop(region);
            drop(ring);
            // SAFETY: leaves at once, running nothing of the parent's.
            unsafe { libc::_exit(found) };
        }
        assert!(child > 0, "forked");
        let mut status = 0;
        // SAFETY: `status` may be written to.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!((waited, status), (child, 0), "what the child found");
        // The parent's ring is as it was.
        assert_eq!(ring.enter_with(&Wait::default()), Ok(1));
        assert_eq!(pop_all(&mut ring), [1]);
        if let Some(region) = &mut region {
            region
                .set(1, &wait_for(1, Duration::from_millis(1)))
                .expect("set");
            assert_eq!(ring.enter_slot(region, 1), Ok(0));
        }
    }
}

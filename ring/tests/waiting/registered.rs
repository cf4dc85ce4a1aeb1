//! The registered descriptor: another name of the same ring.

use std::time::Duration;

use annulus_ring::{Errno, RegionMemory, Ring, RingConfig, Wait, WaitRegion};

use crate::support::{pinned, pop_all, push_nop, ring, ring_with, wait_for};

const SHORT: Duration = Duration::from_millis(1);

/// Everything that enters, with what it said.
fn every_enter(ring: &mut Ring) -> Vec<Result<u32, Errno>> {
    let mut said = Vec::new();
    push_nop(ring, 1);
    said.push(ring.submit());
    said.push(ring.enter(1, None));
    said.push(ring.wait(&wait_for(1, SHORT)));
    said.push(ring.wait(&wait_for(2, SHORT)));
    push_nop(ring, 2);
    said.push(ring.enter(1, Some(SHORT)));
    push_nop(ring, 3);
    said.push(ring.enter_with(&wait_for(9, SHORT)));
    push_nop(ring, 4);
    said.push(ring.submit_and_wait(4));
    said.push(ring.wait(&Wait::default()));
    assert_eq!(pop_all(ring), [1, 2, 3, 4]);
    // Registrations take the plain descriptor, and work all the same.
    assert!(annulus_ring::Probe::of(ring).is_ok());
    said
}

#[test]
fn by_its_index_a_ring_says_what_it_says_by_its_descriptor() {
    for mut ring in [Some(ring(8, 0)), pinned(8, 0)].into_iter().flatten() {
        let by_descriptor = every_enter(&mut ring);
        let expected = [1, 0, 1, 1, 1, 1, 1, 4].map(Ok);
        assert_eq!(by_descriptor, expected);
        for _ in 0..3 {
            ring.register_ring_fd().expect("registered");
            assert_eq!(every_enter(&mut ring), by_descriptor);
            ring.unregister_ring_fd().expect("unregistered");
            assert_eq!(every_enter(&mut ring), by_descriptor);
        }
    }
}

#[test]
fn registered_waits_and_other_sizes_go_with_the_index_too() {
    let mut ring = ring_with(RingConfig {
        disabled: true,
        pinned: true,
        ..RingConfig::default()
    });
    let region = WaitRegion::register(&ring, RegionMemory::Process, 2);
    ring.enable().expect("enabled");
    let Ok(mut region) = region else {
        return eprintln!("skipped: the kernel has no wait regions (6.13)");
    };
    region.set(1, &wait_for(2, SHORT)).expect("set");
    ring.register_ring_fd().expect("registered");
    push_nop(&mut ring, 1);
    assert_eq!(ring.enter_slot(&region, 1), Ok(1));
    assert_eq!(ring.resize(512, 0), Ok(()));
    push_nop(&mut ring, 2);
    assert_eq!(ring.enter_slot(&region, 1), Ok(1));
    assert_eq!(pop_all(&mut ring), [1, 2]);
    assert!(ring.is_ring_fd_registered());
}

#[test]
fn sixteen_rings_of_a_thread_are_each_entered_by_their_own_index() {
    std::thread::spawn(|| {
        let mut rings: Vec<Ring> = (0..16).map(|_| ring(4, 0)).collect();
        for ring in &mut rings {
            ring.register_ring_fd().expect("registered");
        }
        // 1. Each gets what is its own.
        for (user_data, ring) in (0..).zip(&mut rings) {
            push_nop(ring, user_data);
        }
        for ring in rings.iter_mut().rev() {
            assert_eq!(ring.enter(1, None), Ok(1));
        }
        for (user_data, ring) in (0..).zip(&mut rings) {
            assert_eq!(pop_all(ring), [user_data]);
        }
        // 2. Every other one gives its index back, and is entered on.
        for ring in rings.iter_mut().step_by(2) {
            ring.unregister_ring_fd().expect("unregistered");
        }
        for ring in &mut rings {
            assert_eq!(every_enter(ring).len(), 8);
        }
    })
    .join()
    .expect("no panic");
}

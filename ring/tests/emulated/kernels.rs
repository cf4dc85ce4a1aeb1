//! The kernel as a whole: what it says it can do, how it waits, how it ends.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use annulus_ring::{Errno, Kernel, Mask, Opcode, Probe, RingConfig, Version};

use crate::both::{emulated, emulated_with, now, push, reap};
use crate::support::unix_pair;

#[test]
fn what_it_says_it_has_is_what_a_probe_says() {
    let kernel = Kernel::emulated(Mask::NONE);
    let ring = kernel.open(&RingConfig::default()).expect("a ring");
    let probe = Probe::of(&ring).expect("a probe");
    for opcode in (0..=u8::MAX).map(Opcode) {
        assert_eq!(probe.supports(opcode), kernel.supports(opcode), "{opcode}");
    }
    assert_eq!(probe.version(), kernel.version());
    assert_eq!(probe.features(), kernel.features());
}

#[test]
fn a_mask_hides_of_it_what_it_hides_of_io_uring() {
    let kernel = Kernel::emulated(Mask::V5_19);
    assert_eq!(kernel.version(), Version::OLDEST);
    assert!(!kernel.supports(Opcode::SEND_ZC));
    let mut ring = kernel.open(&RingConfig::default()).expect("a ring");
    push(&mut ring, 0, |sqe| {
        // SAFETY: the data is static.
        unsafe { sqe.prep_send_zc(-1, b"x".as_ptr(), 1, 0, 0) };
    });
    assert_eq!(reap(&mut ring, 1), [(0, Err(Errno::EINVAL), 0)]);
    assert_eq!(ring.ring_ref().sync_cancel(0, None), Err(Errno::EINVAL));
}

#[test]
fn a_wait_with_a_limit_ends_not_before_it() {
    let mut ring = emulated();
    let start = Instant::now();
    let limit = Duration::from_millis(10);
    assert_eq!(ring.enter(1, Some(limit)), Ok(0));
    assert!(start.elapsed() >= limit);
    assert_eq!(ring.enter(1, Some(Duration::ZERO)), Ok(0));
}

#[test]
fn a_disabled_ring_takes_nothing_until_it_is_enabled() {
    let mut ring = emulated_with(&RingConfig {
        disabled: true,
        ..RingConfig::default()
    });
    push(&mut ring, 1, |sqe| {
        sqe.prep_nop();
    });
    assert_eq!(ring.submit(), Err(Errno::EBADFD));
    ring.enable().expect("enabled");
    assert_eq!(reap(&mut ring, 1), [(1, Ok(0), 0)]);
}

#[test]
fn what_has_no_emulation_is_refused_when_a_ring_is_made() {
    let kernel = Kernel::emulated(Mask::NONE);
    let configs = [
        RingConfig {
            sqpoll_idle_ms: Some(1),
            ..RingConfig::default()
        },
        RingConfig {
            iopoll: true,
            ..RingConfig::default()
        },
        RingConfig {
            sq_entries: 0,
            ..RingConfig::default()
        },
        RingConfig {
            sq_entries: 8,
            cq_entries: 4,
            ..RingConfig::default()
        },
    ];
    for config in configs {
        let error = kernel.open(&config).expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{config:?}");
    }
}

#[test]
fn a_ring_that_is_dropped_holds_no_file() {
    let (ours, mut theirs) = unix_pair();
    let fd = ours.as_raw_fd();
    let mut ring = emulated();
    push(&mut ring, 0, |sqe| {
        sqe.prep_poll_multishot(fd, libc::POLLIN as u32);
    });
    assert_eq!(now(&mut ring), []);
    drop(ring);
    drop(ours);
    // The peer sees the end at once: nobody else holds the socket.
    assert_eq!(
        std::io::Read::read(&mut theirs, &mut [0]).expect("the end"),
        0
    );
}

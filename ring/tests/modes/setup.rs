//! Flags and numbers: what is granted, what is cut, what is refused, and being disabled.

use annulus_ring::{Errno, Ring, RingConfig};
use annulus_syscalls::io_uring::setup;

use super::{nop_works, push_nop, small};

fn refused(config: &RingConfig) -> Errno {
    Ring::new(config).map(drop).expect_err("it is refused")
}

#[test]
fn too_many_entries_are_cut_with_clamp_and_refused_without() {
    let too_many = [(32_769, 0), (u32::MAX, 0), (8, 65_537), (32_769, 65_537)];
    for (sq_entries, cq_entries) in too_many {
        let clamped = RingConfig {
            sq_entries,
            cq_entries,
            ..RingConfig::default()
        };
        let exact = RingConfig {
            clamp: false,
            ..clamped.clone()
        };
        let ring = Ring::new(&clamped).expect("cut to the limits");
        assert_eq!(ring.sq_capacity(), sq_entries.min(32_768));
        assert_eq!(ring.cq_capacity(), 65_536);
        assert_eq!(refused(&exact), Errno::EINVAL);
    }
}

#[test]
fn without_clamp_what_is_within_the_limits_is_granted() {
    let config = RingConfig {
        clamp: false,
        cq_entries: 64,
        ..small()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    assert_eq!(ring.setup_flags() & setup::IORING_SETUP_CLAMP, 0);
    assert_eq!((ring.sq_capacity(), ring.cq_capacity()), (8, 64));
    nop_works(&mut ring);
}

#[test]
fn the_cq_has_the_size_asked_for_rounded_up() {
    for (wanted, granted) in [(8, 8), (9, 16), (16, 16), (100, 128), (4096, 4096)] {
        let config = RingConfig {
            cq_entries: wanted,
            ..small()
        };
        let ring = Ring::new(&config).expect("a ring");
        assert_eq!(ring.cq_capacity(), granted);
        assert_ne!(ring.setup_flags() & setup::IORING_SETUP_CQSIZE, 0);
    }
}

#[test]
fn a_cq_smaller_than_the_sq_is_refused() {
    let config = RingConfig {
        cq_entries: 4,
        ..small()
    };
    assert_eq!(refused(&config), Errno::EINVAL);
}

#[test]
fn combinations_that_make_no_sense_are_refused() {
    let wrong = [
        RingConfig {
            sqpoll_cpu: Some(0),
            ..small()
        },
        RingConfig {
            sqpoll_cpu: Some(100_000),
            sqpoll_idle_ms: Some(1),
            ..small()
        },
        RingConfig {
            hybrid_iopoll: true,
            ..small()
        },
        RingConfig {
            registered_fd_only: true,
            ..small()
        },
        RingConfig {
            sq_entries: 0,
            ..small()
        },
    ];
    for config in wrong {
        assert_eq!(refused(&config), Errno::EINVAL, "{config:?}");
    }
}

#[test]
fn a_ring_that_is_not_cooperative_asks_for_no_taskrun_flags() {
    let config = RingConfig {
        cooperative: false,
        submit_all: false,
        ..small()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let cooperative = setup::IORING_SETUP_COOP_TASKRUN
        | setup::IORING_SETUP_TASKRUN_FLAG
        | setup::IORING_SETUP_SUBMIT_ALL;
    assert_eq!(ring.setup_flags() & cooperative, 0);
    nop_works(&mut ring);
}

#[test]
fn without_submit_all_an_entry_that_fails_at_once_stops_the_submission() {
    for (submit_all, consumed) in [(false, 2), (true, 3)] {
        let config = RingConfig {
            submit_all,
            ..small()
        };
        let mut ring = Ring::new(&config).expect("a ring");
        push_nop(&mut ring, 1);
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_nop().set_user_data(2);
        // SAFETY: an opcode that no kernel has asks for nothing.
        unsafe { sqe.as_raw_mut() }.opcode = u8::MAX;
        push_nop(&mut ring, 3);
        assert_eq!(ring.submit(), Ok(consumed));
        assert_eq!(ring.sq_queued(), 3 - consumed);
        while ring.sq_queued() > 0 {
            ring.submit().expect("the rest");
        }
        let results = [(); 3].map(|()| ring.pop().expect("three").result());
        assert_eq!(results, [Ok(0), Err(Errno::EINVAL), Ok(0)]);
    }
}

#[test]
fn a_disabled_ring_works_once_it_is_enabled_and_is_enabled_once() {
    for pinned in [false, true] {
        let config = RingConfig {
            disabled: true,
            pinned,
            ..small()
        };
        let mut ring = Ring::new(&config).expect("a ring");
        push_nop(&mut ring, 1);
        assert_eq!(ring.submit_and_wait(1), Err(Errno::EBADFD));
        assert_eq!(ring.sq_queued(), 1, "it stays queued");
        assert_eq!(ring.enable(), Ok(()));
        assert_eq!(ring.enable(), Err(Errno::EBADFD));
        assert_eq!(ring.submit_and_wait(1), Ok(1));
        assert_eq!(ring.pop().expect("waited for").user_data(), 1);
    }
}

#[test]
fn a_pinned_ring_belongs_to_the_thread_that_enables_it() {
    let config = RingConfig {
        disabled: true,
        pinned: true,
        ..small()
    };
    // 1. Made here, enabled and used there.
    let mut ring = Ring::new(&config).expect("a ring");
    let mut ring = std::thread::spawn(move || {
        ring.enable().expect("enabled");
        nop_works(&mut ring);
        ring
    })
    .join()
    .expect("it works there");
    // 2. Here it is another thread's.
    push_nop(&mut ring, 1);
    assert_eq!(ring.submit_and_wait(1), Err(Errno::EEXIST));
}

#[test]
fn workers_are_shared_with_a_ring_only() {
    let first = Ring::new(&small()).expect("a ring");
    let attached = |attach_wq| {
        Ring::new(&RingConfig {
            attach_wq: Some(attach_wq),
            ..small()
        })
    };
    let mut second = attached(first.fd()).expect("attached");
    assert_ne!(second.setup_flags() & setup::IORING_SETUP_ATTACH_WQ, 0);
    drop(first);
    nop_works(&mut second);
    let (no_ring, _) = std::io::pipe().expect("a pipe");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&no_ring);
    assert_eq!(attached(fd).map(drop), Err(Errno::EINVAL));
    assert_eq!(attached(-1).map(drop), Err(Errno::ENXIO));
}

#[test]
fn each_refused_ring_leaves_no_descriptor_behind() {
    let lowest_free = || {
        let (end, _) = std::io::pipe().expect("a pipe");
        std::os::fd::AsRawFd::as_raw_fd(&end)
    };
    let config = RingConfig {
        cq_entries: 4,
        ..small()
    };
    // Other tests of this process come and go: it is enough that one round leaves nothing.
    let stayed = (0..1000).any(|_| {
        let before = lowest_free();
        for _ in 0..10 {
            assert_eq!(refused(&config), Errno::EINVAL);
        }
        lowest_free() == before
    });
    assert!(stayed);
}

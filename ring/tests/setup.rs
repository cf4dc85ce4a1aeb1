//! Making rings: flags granted, flags given up, what a mask hides.

use annulus_ring::{Errno, Kernel, Mask, Opcode, Ring, RingConfig, Version};
use annulus_syscalls::io_uring::{feat, setup};

fn config(pinned: bool, mask: Mask) -> RingConfig {
    RingConfig {
        sq_entries: 8,
        pinned,
        mask,
        ..RingConfig::default()
    }
}

fn given_up(ring: &Ring) -> Vec<&'static str> {
    ring.step_downs().iter().map(|step| step.name()).collect()
}

fn nop_works(ring: &mut Ring) {
    ring.get_sqe().expect("room").prep_nop().set_user_data(1);
    assert_eq!(ring.submit_and_wait(1), Ok(1));
    assert_eq!(ring.pop().expect("waited for").user_data(), 1);
}

#[test]
fn a_shared_ring_runs_completion_work_when_it_enters() {
    let ring = Ring::new(&config(false, Mask::NONE)).expect("a ring");
    let wanted = setup::IORING_SETUP_COOP_TASKRUN
        | setup::IORING_SETUP_TASKRUN_FLAG
        | setup::IORING_SETUP_SUBMIT_ALL
        | setup::IORING_SETUP_CLAMP;
    assert_eq!(ring.setup_flags() & wanted, wanted);
    let pinned = setup::IORING_SETUP_SINGLE_ISSUER | setup::IORING_SETUP_DEFER_TASKRUN;
    assert_eq!(ring.setup_flags() & pinned, 0);
    assert!(ring.step_downs().is_empty());
}

#[test]
fn each_mask_makes_a_pinned_ring_give_up_what_that_kernel_lacks() {
    let defer = "IORING_SETUP_DEFER_TASKRUN";
    let single = "IORING_SETUP_SINGLE_ISSUER";
    let array = "IORING_SETUP_NO_SQARRAY";
    let expected: [(Mask, &[&str]); 5] = [
        (Mask::V5_19, &[array, defer, single]),
        (Mask::V6_1, &[array]),
        (Mask::V6_6, &[]),
        (Mask::V6_12, &[]),
        (Mask::NONE, &[]),
    ];
    for (mask, names) in expected {
        let config = RingConfig {
            no_sqarray: true,
            ..config(true, mask)
        };
        let mut ring = Ring::new(&config).expect("a ring");
        assert_eq!(given_up(&ring), names, "{mask:?}");
        assert!(
            ring.step_downs()
                .iter()
                .all(|step| step.errno() == Errno::EINVAL)
        );
        assert_eq!(ring.features() & mask.hidden_features(), 0);
        nop_works(&mut ring);
    }
}

#[test]
fn with_sqpoll_the_kernel_takes_entries_by_itself() {
    let config = RingConfig {
        sqpoll_idle_ms: Some(1),
        ..config(false, Mask::NONE)
    };
    let mut ring = Ring::new(&config).expect("a ring");
    assert_ne!(ring.setup_flags() & setup::IORING_SETUP_SQPOLL, 0);
    for _ in 0..3 {
        ring.get_sqe().expect("room").prep_nop();
        ring.submit_and_wait(1).expect("submitted");
        assert!(ring.pop().is_some());
    }
}

#[test]
fn an_error_that_is_not_about_flags_is_told_as_it_is() {
    let config = RingConfig {
        attach_wq: Some(-1),
        ..config(false, Mask::NONE)
    };
    assert_eq!(Ring::new(&config).map(drop), Err(Errno::ENXIO));
}

#[test]
fn a_masked_kernel_refuses_opcodes_it_does_not_know() {
    let kernel = Kernel::uring(Mask::V5_19).expect("io_uring");
    assert!(!kernel.supports(Opcode::SEND_ZC));
    assert!(kernel.supports(Opcode::SOCKET));
    assert_eq!(kernel.version(), Version::new(5, 19));
    let mut ring = kernel.open(&RingConfig::default()).expect("a ring");
    ring.get_sqe().expect("room").prep_nop().set_user_data(1);
    ring.get_sqe()
        .expect("room")
        .prep_ftruncate(-1, 0)
        .set_user_data(2);
    ring.get_sqe().expect("room").prep_nop().set_user_data(3);
    ring.submit_and_wait(3).expect("submitted");
    let results = [(); 3].map(|()| ring.pop().expect("three").result());
    assert_eq!(results, [Ok(0), Err(Errno::EINVAL), Ok(0)]);
}

#[test]
fn the_version_never_exceeds_the_mask() {
    let version = |mask| Kernel::uring(mask).expect("io_uring").version();
    let all = version(Mask::NONE);
    for (mask, newest) in [
        (Mask::V6_1, Version::new(6, 1)),
        (Mask::V6_6, Version::new(6, 6)),
        (Mask::V6_12, Version::new(6, 12)),
    ] {
        assert!(version(mask) <= newest.min(all));
    }
}

#[test]
fn the_kernel_s_mask_reaches_the_rings_it_opens() {
    let kernel = Kernel::uring(Mask::V6_1).expect("io_uring");
    let ring = kernel.open(&config(true, Mask::NONE)).expect("a ring");
    assert_eq!(ring.mask(), Mask::V6_1);
    assert_eq!(ring.features() & feat::IORING_FEAT_NO_IOWAIT, 0);
}

#[test]
fn a_disabled_ring_says_so() {
    let config = RingConfig {
        disabled: true,
        ..config(false, Mask::NONE)
    };
    let mut ring = Ring::new(&config).expect("a ring");
    ring.get_sqe().expect("room").prep_nop();
    assert_eq!(ring.submit_and_wait(1), Err(Errno::EBADFD));
    let enable = annulus_syscalls::io_uring::register::op::IORING_REGISTER_ENABLE_RINGS;
    // SAFETY: this registration takes no argument.
    unsafe { ring.register(enable, 0, 0) }.expect("enabled");
    assert_eq!(ring.submit_and_wait(1), Ok(1));
}

#[test]
fn a_ring_s_descriptor_is_closed_on_exec() {
    let ring = Ring::new(&config(false, Mask::NONE)).expect("a ring");
    let (get_flags, close_on_exec) = (1, 1);
    // SAFETY: F_GETFD takes no pointer.
    let flags = unsafe { annulus_syscalls::calls::fcntl(ring.fd(), get_flags, 0) };
    assert_eq!(flags, Ok(close_on_exec));
}

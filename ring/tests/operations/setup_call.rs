//! `io_uring_setup`: which parameters are refused, and with which errno; what comes back.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use annulus_ring::Errno;
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_ATTACH_WQ, IORING_SETUP_CLAMP, IORING_SETUP_COOP_TASKRUN, IORING_SETUP_CQSIZE,
    IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_IOPOLL, IORING_SETUP_SINGLE_ISSUER,
    IORING_SETUP_SQ_AFF, IORING_SETUP_SQPOLL, IORING_SETUP_TASKRUN_FLAG,
};
use annulus_syscalls::io_uring::{feat, setup};

use crate::support::{pipe, skip_feature};

fn set_up(entries: u32, mut params: io_uring_params) -> Result<(OwnedFd, io_uring_params), Errno> {
    // SAFETY: nobody asks for a ring on memory of his own.
    let fd = unsafe { calls::io_uring_setup(entries, &mut params) }?;
    // SAFETY: just made, and nobody else's.
    Ok((unsafe { OwnedFd::from_raw_fd(fd) }, params))
}

fn refused(entries: u32, params: io_uring_params) -> Errno {
    set_up(entries, params)
        .map(drop)
        .expect_err("it is refused")
}

fn flags(flags: u32) -> io_uring_params {
    io_uring_params {
        flags,
        ..io_uring_params::default()
    }
}

#[test]
fn a_ring_of_none_or_of_too_many_entries_is_refused_and_clamping_cuts() {
    assert_eq!(refused(0, flags(0)), Errno::EINVAL);
    assert_eq!(refused(0, flags(IORING_SETUP_CLAMP)), Errno::EINVAL);
    assert_eq!(refused(32_769, flags(0)), Errno::EINVAL);
    assert_eq!(refused(u32::MAX, flags(0)), Errno::EINVAL);
    let (_fd, params) = set_up(u32::MAX, flags(IORING_SETUP_CLAMP)).expect("cut");
    assert_eq!((params.sq_entries, params.cq_entries), (32_768, 65_536));
}

#[test]
fn parameters_outside_of_the_address_space_are_efault() {
    let nowhere = std::ptr::null_mut::<io_uring_params>();
    // SAFETY: the kernel checks the address.
    let made = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, nowhere) };
    let errno = std::io::Error::last_os_error().raw_os_error();
    assert_eq!((made, errno), (-1, Some(libc::EFAULT)));
}

#[test]
fn reserved_places_must_be_zero_and_flags_known() {
    for place in 0..3 {
        let mut params = flags(0);
        params.resv[place] = 1;
        assert_eq!(refused(1, params), Errno::EINVAL);
    }
    assert_eq!(refused(1, flags(1 << 31)), Errno::EINVAL);
}

#[test]
fn the_cq_has_the_size_asked_for_and_at_least_that_of_the_sq() {
    let sized = |cq_entries, more| io_uring_params {
        cq_entries,
        ..flags(IORING_SETUP_CQSIZE | more)
    };
    let (_fd, params) = set_up(4, sized(64, 0)).expect("a ring");
    assert_eq!((params.sq_entries, params.cq_entries), (4, 64));
    let (_fd, params) = set_up(4, sized(65, 0)).expect("a ring");
    assert_eq!(params.cq_entries, 128);
    let (_fd, params) = set_up(4, sized(4, 0)).expect("a ring");
    assert_eq!(params.cq_entries, 4);
    assert_eq!(refused(4, sized(0, 0)), Errno::EINVAL);
    assert_eq!(refused(4, sized(2, 0)), Errno::EINVAL);
    assert_eq!(refused(4, sized(65_537, 0)), Errno::EINVAL);
    let (_fd, params) = set_up(4, sized(65_537, IORING_SETUP_CLAMP)).expect("cut");
    assert_eq!(params.cq_entries, 65_536);
    let (_fd, params) = set_up(4, flags(0)).expect("a ring");
    assert_eq!(params.cq_entries, 8, "twice the SQ without being asked");
}

#[test]
fn flags_that_exclude_or_need_each_other_are_refused() {
    let wrong = [
        IORING_SETUP_SQ_AFF,
        IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_DEFER_TASKRUN,
        setup::IORING_SETUP_REGISTERED_FD_ONLY,
        setup::IORING_SETUP_HYBRID_IOPOLL,
        setup::IORING_SETUP_CQE32 | setup::IORING_SETUP_CQE_MIXED,
    ];
    for wrong in wrong {
        assert_eq!(refused(1, flags(wrong)), Errno::EINVAL, "{wrong:#x}");
    }
    let right = [
        IORING_SETUP_IOPOLL,
        IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
        IORING_SETUP_SINGLE_ISSUER,
    ];
    for right in right {
        set_up(1, flags(right)).expect("a ring");
    }
}

#[test]
fn a_polling_thread_is_bound_to_a_processor_that_exists_only() {
    let bound_to = |cpu| io_uring_params {
        sq_thread_cpu: cpu,
        ..flags(IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF)
    };
    set_up(1, bound_to(0)).expect("a ring");
    assert_eq!(refused(1, bound_to(u32::MAX)), Errno::EINVAL);
    // One that is possible by number, yet not there: the mask of this machine ends far below.
    assert_eq!(refused(1, bound_to(8191)), Errno::EINVAL);
}

#[test]
fn workers_are_shared_with_a_ring_and_with_nothing_else() {
    let sharing = |fd: i32| io_uring_params {
        wq_fd: fd as u32,
        ..flags(IORING_SETUP_ATTACH_WQ)
    };
    let (first, _) = set_up(1, flags(0)).expect("a ring");
    set_up(1, sharing(first.as_raw_fd())).expect("a second");
    let (reading, _writing) = pipe(0);
    assert_eq!(refused(1, sharing(reading.as_raw_fd())), Errno::EINVAL);
    assert_eq!(refused(1, sharing(-1)), Errno::ENXIO);
}

#[test]
fn what_a_current_kernel_does_is_in_its_features_and_its_descriptor_closes_on_exec() {
    let (fd, params) = set_up(1, flags(0)).expect("a ring");
    let old = feat::IORING_FEAT_SINGLE_MMAP | feat::IORING_FEAT_NODROP;
    assert_eq!(params.features & old, old);
    // SAFETY: takes numbers only.
    let fd_flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(fd_flags, libc::FD_CLOEXEC);
    // The mask that came back is what was asked for: nothing was added behind our back.
    assert_eq!(params.flags, 0);
    if params.features & feat::IORING_FEAT_NO_IOWAIT == 0 {
        skip_feature("this kernel always counts a wait as I/O");
    }
}

#[test]
fn queues_can_be_mapped_apart_though_one_mapping_has_both() {
    use annulus_syscalls::io_uring::queue::{IORING_OFF_CQ_RING, IORING_OFF_SQ_RING};
    let (fd, params) = set_up(4, flags(0)).expect("a ring");
    assert_ne!(params.features & feat::IORING_FEAT_SINGLE_MMAP, 0);
    let (read_write, shared) = (3, 1);
    let entries = [IORING_OFF_SQ_RING, IORING_OFF_CQ_RING].map(|offset| {
        // SAFETY: no MAP_FIXED.
        let map = unsafe { calls::mmap(4096, read_write, shared, fd.as_raw_fd(), offset) };
        let map = map.expect("mapped");
        let place = params.cq_off.ring_entries as usize;
        // SAFETY: the offset lies inside the first page.
        let place = unsafe { map.add(place) }.cast::<u32>();
        // SAFETY: a word of the ring, written at setup and never again.
        let entries = unsafe { place.read_volatile() };
        // SAFETY: mapped above, and used no more.
        unsafe { calls::munmap(map, 4096) }.expect("unmapped");
        entries
    });
    assert_eq!(entries, [8, 8], "both show the same queues");
}

//! Zero-copy receive: it needs a card with queues of its own, so only refusals are shown here.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use annulus_ring::{Errno, Opcode, Probe};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_ZCRX_IFQ;
use annulus_syscalls::io_uring::setup::{
    IORING_SETUP_CQE32, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER,
};
use annulus_syscalls::io_uring::{io_uring_params, io_uring_zcrx_area_reg, io_uring_zcrx_ifq_reg};

use super::{ring, skip, wait};

/// A ring of the kind that zero-copy receive needs; nothing is ever queued in it.
fn wide_ring() -> Result<OwnedFd, Errno> {
    let mut params = io_uring_params {
        flags: IORING_SETUP_CQE32 | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
        ..io_uring_params::default()
    };
    // SAFETY: NO_MMAP is not asked for, so no memory is lent.
    let fd = unsafe { calls::io_uring_setup(4, &mut params) }?;
    // SAFETY: the kernel has just made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn register(fd: i32, request: &io_uring_zcrx_ifq_reg, count: u32) -> Result<u32, Errno> {
    let arg = std::ptr::from_ref(request).expose_provenance();
    // SAFETY: `arg` is the one request; whatever it names is refused, so nothing is registered.
    unsafe { calls::io_uring_register(fd, IORING_REGISTER_ZCRX_IFQ, arg, count) }
}

#[test]
fn a_queue_with_bad_arguments_is_refused() {
    let Ok(wide) = wide_ring() else {
        return skip("rings with wide completions and deferred work need 6.1");
    };
    let area = io_uring_zcrx_area_reg::default();
    let named = io_uring_zcrx_ifq_reg {
        if_idx: 1,
        rq_entries: 64,
        area_ptr: std::ptr::from_ref(&area).expose_provenance() as u64,
        ..io_uring_zcrx_ifq_reg::default()
    };
    let nothing = io_uring_zcrx_ifq_reg::default();
    let reserved = io_uring_zcrx_ifq_reg {
        __resv: [1, 0, 0],
        ..named
    };
    let flags = io_uring_zcrx_ifq_reg {
        flags: 1 << 31,
        ..named
    };
    for request in [nothing, named, reserved, flags] {
        let refused = register(wide.as_raw_fd(), &request, 1).expect_err("refused");
        let expected = [Errno::EINVAL, Errno::EFAULT, Errno::EPERM];
        assert!(expected.contains(&refused), "{refused}: {request:?}");
    }
    let two = register(wide.as_raw_fd(), &named, 2);
    assert_eq!(two, Err(Errno::EINVAL), "one at a time");
}

#[test]
fn a_ring_of_narrow_completions_takes_no_queue() {
    let ring = ring();
    let request = io_uring_zcrx_ifq_reg::default();
    let refused = register(ring.fd(), &request, 1).expect_err("refused");
    assert!(
        [Errno::EINVAL, Errno::EPERM].contains(&refused),
        "{refused}"
    );
}

#[test]
fn a_receive_without_a_queue_is_refused() {
    let mut ring = ring();
    let probe = Probe::of(&ring).expect("probed");
    if !probe.supports(Opcode::RECV_ZC) {
        return skip("RECV_ZC is newer than this kernel (6.15), or not built in");
    }
    let (_ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_recv_zc(theirs.as_raw_fd(), 0, 0);
    ring.submit().expect("submitted");
    assert_eq!(wait(&mut ring).result(), Err(Errno::EINVAL));
}

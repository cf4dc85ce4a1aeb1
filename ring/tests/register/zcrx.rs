//! Zero-copy receive, as far as it goes without a card that can do it.

use std::ptr::null_mut;

use annulus_ring::{CqEntry, Cqe32, Errno, Ring, RingConfig, Sqe};
use annulus_syscalls::io_uring::register::flags::IORING_MEM_REGION_TYPE_USER;
use annulus_syscalls::io_uring::register::{io_uring_region_desc, zcrx_ctrl};
use annulus_syscalls::io_uring::{io_uring_zcrx_area_reg, io_uring_zcrx_ifq_reg};

use super::{pinned_ring, ring, skip_newer};

const LOOPBACK: u32 = 1;
const BYTES: usize = 64 * 1024; // page sizes divide it

/// A ring as zero-copy receive needs it: of one thread, with large completions.
fn suitable() -> Ring<Sqe, Cqe32> {
    let config = RingConfig {
        sq_entries: 8,
        pinned: true,
        ..RingConfig::default()
    };
    Ring::with_entries(&config).expect("a small ring")
}

/// Asks for queue 0 of the interface `if_idx`, with an area and a refill queue of `BYTES` each.
fn register<C: CqEntry>(ring: &Ring<Sqe, C>, if_idx: u32) -> Errno {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: no fixed address.
    let start = unsafe { libc::mmap(null_mut(), 2 * BYTES, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    let address = start.expose_provenance() as u64;
    let mut area = io_uring_zcrx_area_reg {
        addr: address,
        len: BYTES as u64,
        ..io_uring_zcrx_area_reg::default()
    };
    let mut region = io_uring_region_desc {
        user_addr: address + BYTES as u64,
        size: BYTES as u64,
        flags: IORING_MEM_REGION_TYPE_USER,
        ..io_uring_region_desc::default()
    };
    let mut request = io_uring_zcrx_ifq_reg {
        if_idx,
        rq_entries: 16,
        area_ptr: (&raw mut area).expose_provenance() as u64,
        region_ptr: (&raw mut region).expose_provenance() as u64,
        ..io_uring_zcrx_ifq_reg::default()
    };
    // SAFETY: area and region are valid for reads and writes, and so is the memory of both. No
    // card here can do it, so that the memory is never given away.
    let refused = unsafe { ring.register_zcrx_ifq(&mut request) };
    // SAFETY: ours, and nobody refers to it.
    assert_eq!(unsafe { libc::munmap(start, 2 * BYTES) }, 0);
    refused.expect_err("no card here can do it")
}

#[test]
fn only_a_pinned_ring_with_large_completions_may_ask() {
    for refused in [
        register(&ring(), LOOPBACK),
        register(&pinned_ring(), LOOPBACK),
    ] {
        assert!(
            [Errno::EINVAL, Errno::EPERM].contains(&refused),
            "{refused:?}"
        );
    }
}

#[test]
fn an_interface_that_cannot_is_told_from_one_that_is_not_there() {
    let ring = suitable();
    let absent = register(&ring, i32::MAX as u32);
    if absent == Errno::EINVAL || absent == Errno::EPERM {
        return skip_newer("zero-copy receive for this user", absent);
    }
    assert_eq!(absent, Errno::ENODEV);
    assert_eq!(register(&ring, LOOPBACK), Errno::EOPNOTSUPP);
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let ring = suitable();
    let mut request = io_uring_zcrx_ifq_reg {
        if_idx: LOOPBACK,
        rq_entries: 16,
        ..io_uring_zcrx_ifq_reg::default()
    };
    // SAFETY: there is no memory at the addresses, which the kernel finds out.
    let refused = unsafe { ring.register_zcrx_ifq(&mut request) };
    let errno = refused.expect_err("no addresses");
    let expected = [Errno::EFAULT, Errno::EINVAL, Errno::EPERM];
    assert!(expected.contains(&errno), "{errno:?}");
    let mut control = zcrx_ctrl::default();
    let errno = ring.zcrx_ctrl(&mut control).expect_err("no queue");
    assert!([Errno::EINVAL, Errno::ENXIO].contains(&errno), "{errno:?}");
}

//! How much memory a ring takes: what we say against what the kernel maps.

use std::io::Read;
use std::os::fd::AsRawFd;

use annulus_ring::{
    CQ_ENTRIES_MAX, CqEntry, Cqe, Cqe32, MixedCqes, MixedSqes, Ring, RingBytes, RingConfig,
    SQ_ENTRIES_MAX, SqEntry, Sqe, Sqe128,
};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::queue::{IORING_OFF_SQ_RING, IORING_OFF_SQES};
use annulus_syscalls::io_uring::setup;

use super::{if_known, small};

const PROT_READ: u32 = 1;
const MAP_SHARED: u32 = 1;

fn page_bytes() -> usize {
    // SAFETY: takes a number only.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// How many pages the ring has at `offset`: a longer mapping is granted, but has nothing there.
fn mapped_pages(fd: i32, offset: u64, at_most: usize) -> usize {
    let len = at_most * page_bytes();
    // SAFETY: there is no MAP_FIXED, and the memory is not written.
    let start = unsafe { calls::mmap(len, PROT_READ, MAP_SHARED, fd, offset) }.expect("mapped");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let is_there = |page: &usize| {
        // SAFETY: inside the mapping.
        let byte = unsafe { start.add(page * page_bytes()) };
        // SAFETY: the kernel says EFAULT where there is nothing.
        let count = unsafe { libc::write(writer.as_raw_fd(), byte.as_ptr().cast(), 1) };
        if count == 1 {
            (&reader).read_exact(&mut [0]).expect("just written");
        } else {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
        }
        count == 1
    };
    let pages = (0..at_most).take_while(is_there).count();
    // SAFETY: mapped above, and nobody else's.
    unsafe { calls::munmap(start, len) }.expect("unmapped");
    pages
}

fn the_kernel_agrees<S: SqEntry, C: CqEntry>(entry_flags: u32, since: &str) {
    for (sq_entries, cq_entries, no_sqarray) in [
        (1, 2, false),
        (2, 0, true),
        (8, 0, false),
        (61, 64, false),
        (64, 100, true),
        (128, 0, false),
        (256, 4096, false),
        (1024, 0, true),
        (1000, 0, false),
    ] {
        let config = RingConfig {
            sq_entries,
            cq_entries,
            no_sqarray,
            ..small()
        };
        let made = Ring::<S, C>::with_entries(&config);
        let Some(ring) = if_known(made, std::any::type_name::<Ring<S, C>>(), since) else {
            return;
        };
        assert_eq!(ring.setup_flags() & entry_flags, entry_flags);
        let bytes = RingBytes::of(sq_entries, cq_entries, ring.setup_flags()).expect("granted");
        let pages = |bytes: usize| bytes.div_ceil(page_bytes());
        let (queues, sqes) = (pages(bytes.queues()), pages(bytes.sqes()));
        assert_eq!(
            (
                mapped_pages(ring.fd(), IORING_OFF_SQ_RING, 2 * queues + 2),
                mapped_pages(ring.fd(), IORING_OFF_SQES, 2 * sqes + 2)
            ),
            (queues, sqes),
            "{config:?}"
        );
        assert_eq!(bytes.on_pages(page_bytes()), (queues + sqes) * page_bytes());
        if !no_sqarray {
            let array = ring.params().sq_off.array as usize;
            assert_eq!(array + 4 * ring.sq_capacity() as usize, bytes.queues());
        }
    }
}

#[test]
fn the_bytes_of_a_plain_ring_are_what_the_kernel_maps() {
    the_kernel_agrees::<Sqe, Cqe>(0, "5.4");
}

#[test]
fn the_bytes_of_rings_with_wide_entries_are_what_the_kernel_maps() {
    let (sqe128, cqe32) = (setup::IORING_SETUP_SQE128, setup::IORING_SETUP_CQE32);
    the_kernel_agrees::<Sqe128, Cqe>(sqe128, "5.19");
    the_kernel_agrees::<Sqe, Cqe32>(cqe32, "5.19");
    the_kernel_agrees::<Sqe128, Cqe32>(sqe128 | cqe32, "5.19");
}

#[test]
fn the_bytes_of_rings_with_mixed_entries_are_what_the_kernel_maps() {
    let (cqe, sqe) = (setup::IORING_SETUP_CQE_MIXED, setup::IORING_SETUP_SQE_MIXED);
    the_kernel_agrees::<Sqe, MixedCqes>(cqe, "6.18");
    the_kernel_agrees::<Sqe128, MixedCqes>(cqe | setup::IORING_SETUP_SQE128, "6.18");
    the_kernel_agrees::<MixedSqes, Cqe>(sqe, "6.19");
}

#[test]
fn numbers_that_a_ring_refuses_have_no_bytes() {
    let clamp = setup::IORING_SETUP_CLAMP;
    let cqsize = setup::IORING_SETUP_CQSIZE;
    assert_eq!(RingBytes::of(0, 0, clamp), None);
    assert_eq!(RingBytes::of(8, 0, cqsize), None);
    assert_eq!(RingBytes::of(8, 4, cqsize), None);
    assert_eq!((SQ_ENTRIES_MAX, CQ_ENTRIES_MAX), (32_768, 65_536));
    assert_eq!(RingBytes::of(SQ_ENTRIES_MAX + 1, 0, 0), None);
    assert_eq!(RingBytes::of(8, CQ_ENTRIES_MAX + 1, cqsize), None);
    assert_eq!(
        RingBytes::of(u32::MAX, u32::MAX, clamp | cqsize),
        RingBytes::of(SQ_ENTRIES_MAX, CQ_ENTRIES_MAX, cqsize)
    );
    assert_eq!(
        RingBytes::of(1, 1, cqsize | setup::IORING_SETUP_CQE_MIXED),
        None
    );
}

//! The kinds of buffer rings, and what each costs on a kernel that lacks it.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{
    BufGroup, BufRing, BufRingConfig, Cqe32, Errno, Mask, Ring, RingConfig, RingMemory, Sqe128,
    Version,
};

use super::{GROUP, ring, skip, take, wait};

fn masked(mask: Mask) -> Ring {
    let config = RingConfig {
        mask,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a ring")
}

/// Three messages through two buffers, given back each time.
fn goes_around(ring: &mut Ring, group: &mut BufGroup) {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for message in [b"abc", b"def", b"ghi"] {
        ours.write_all(message).expect("written");
        let sqe = ring.get_sqe().expect("room");
        group.recv(sqe, theirs.as_raw_fd(), 0).expect("prepared");
        ring.submit_and_wait(1).expect("submitted");
        let cqe = wait(ring);
        let (result, selected) = take(group, &cqe);
        assert_eq!(result, Ok(3));
        let selected = selected.expect("a buffer");
        assert_eq!(&selected[..], message);
        group.put(selected);
    }
}

#[test]
fn a_ring_whose_entries_the_kernel_allocated_works_as_one_of_ours() {
    let mut ring = ring();
    let config = BufRingConfig {
        kernel_mapped: true,
        ..BufRingConfig::new(GROUP, 2, 16)
    };
    let mut group = match BufGroup::new(&ring, &config) {
        Err(Errno::EINVAL) => return skip("kernel-mapped buffer rings need 6.4"),
        made => made.expect("a group"),
    };
    goes_around(&mut ring, &mut group);
    // The group is free again afterwards, for either kind; groups have offsets up to 2047.
    drop(group);
    let ours = BufRing::new(&ring, GROUP, 2, 16).expect("free again");
    drop(ours);
    let last = BufRingConfig {
        group: 2047,
        ..config
    };
    let mut group = BufGroup::new(&ring, &last).expect("a group");
    goes_around(&mut ring, &mut group);
}

#[test]
fn wide_rings_and_rings_without_descriptor_have_groups_too() {
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    match Ring::<Sqe128, Cqe32>::with_entries(&RingConfig::default()) {
        Err(_) => skip("wide entries are newer than this kernel (5.19)"),
        Ok(mut ring) => {
            let config = BufRingConfig::new(GROUP, 2, 16);
            let mut group = BufGroup::new(&ring, &config).expect("a group");
            ours.write_all(b"wide").expect("written");
            let sqe = ring.get_sqe().expect("room");
            group.recv(sqe, theirs.as_raw_fd(), 0).expect("prepared");
            ring.submit_and_wait(1).expect("submitted");
            let cqe = ring.pop().expect("waited for");
            let selected = take(&mut group, &cqe).1.expect("a buffer");
            assert_eq!(&selected[..], b"wide");
        }
    }
    let config = RingConfig {
        registered_fd_only: true,
        ..RingConfig::default()
    };
    let memory = RingMemory::bytes_for(&config).and_then(RingMemory::new);
    let ring = memory.and_then(|memory| Ring::on_memory(&config, memory));
    let Ok(mut ring) = ring else {
        return skip("rings without descriptor are newer than this kernel (6.5)");
    };
    let plain = BufRingConfig::new(GROUP, 2, 16);
    let mapped = BufRingConfig {
        kernel_mapped: true,
        ..plain
    };
    // There is nothing to map the kernel's entries from.
    assert_eq!(
        BufRing::with_config(&ring, &mapped).map(drop),
        Err(Errno::EBADF)
    );
    let mut group = BufGroup::new(&ring, &plain).expect("nothing of the first stayed");
    goes_around(&mut ring, &mut group);
}

#[test]
fn a_kernel_that_lacks_a_kind_gives_a_plain_ring_or_none() {
    let config = BufRingConfig {
        incremental: true,
        min_left: 4,
        ..BufRingConfig::new(GROUP, 2, 16)
    };
    let mut old = masked(Mask::V6_6);
    let mut group = BufGroup::new(&old, &config).expect("without incremental");
    assert!(!group.buf_ring().is_incremental());
    assert_eq!(group.buf_ring().min_left(), 0);
    goes_around(&mut old, &mut group);
    let mapped = BufRingConfig {
        kernel_mapped: true,
        ..BufRingConfig::new(GROUP, 2, 16)
    };
    let older = masked(Mask::up_to(Version::new(6, 3)));
    let refused = BufGroup::new(&older, &mapped).map(drop);
    assert_eq!(refused, Err(Errno::EINVAL));
    // Nothing of a refused one stays behind.
    assert_eq!(BufRing::new(&older, GROUP, 2, 16).map(drop), Ok(()));
}

#[test]
fn what_makes_no_sense_is_refused_before_the_kernel_is_asked() {
    let ring = ring();
    let plain = BufRingConfig::new(GROUP, 2, 16);
    let min_left_alone = BufRingConfig {
        min_left: 4,
        ..plain
    };
    let min_left_too_large = BufRingConfig {
        incremental: true,
        min_left: 17,
        ..plain
    };
    let beyond_all_offsets = BufRingConfig {
        group: 2048,
        kernel_mapped: true,
        ..plain
    };
    for config in [min_left_alone, min_left_too_large, beyond_all_offsets] {
        let made = BufRing::with_config(&ring, &config).map(drop);
        assert_eq!(made, Err(Errno::EINVAL), "{config:?}");
    }
}

#[test]
fn the_kernels_end_of_the_ring_follows_what_it_takes() {
    let mut ring = ring();
    let config = BufRingConfig::new(GROUP, 4, 16);
    let mut group = BufGroup::new(&ring, &config).expect("a group");
    match group.buf_ring().head() {
        Err(Errno::EINVAL) => return skip("the status of a buffer ring needs 6.8"),
        head => assert_eq!(head, Ok(0)),
    }
    assert_eq!((group.buf_ring().tail(), group.buf_ring().mask()), (4, 3));
    goes_around(&mut ring, &mut group);
    assert_eq!(group.buf_ring().head(), Ok(3));
    assert_eq!(group.buf_ring().tail(), 7, "four, and three given back");
    assert_eq!(group.pushed(), 4);
    let old = masked(Mask::V6_6);
    let hidden = BufRing::new(&old, GROUP, 1, 1).expect("a ring").head();
    assert_eq!(hidden, Err(Errno::EINVAL));
}

#[test]
fn operations_of_a_group_that_is_gone_end_with_enobufs() {
    let mut ring = ring();
    let mut group = BufGroup::new(&ring, &BufRingConfig::new(GROUP, 2, 16)).expect("a group");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    group.recv(sqe, theirs.as_raw_fd(), 0).expect("prepared");
    ring.submit().expect("submitted");
    assert_eq!(group.under_way(), 1);
    drop(group);
    ours.write_all(b"late").expect("written");
    assert_eq!(wait(&mut ring).result(), Err(Errno::ENOBUFS));
}

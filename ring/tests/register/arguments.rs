//! Registrations with arguments that cannot be: each says so with its errno.

use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Ring};
use annulus_syscalls::calls::io_uring_register;
use annulus_syscalls::io_uring::register::op;

use super::{file_with, pinned_ring, ring};

/// An address that no process has memory at.
const NOWHERE: usize = 8;

fn register(ring: &Ring, opcode: u32, arg: usize, count: u32) -> Result<u32, Errno> {
    // SAFETY: every call of this file is one that the kernel refuses, or that reads nothing.
    unsafe { ring.register(opcode, arg, count) }
}

#[test]
fn an_unknown_registration_is_refused() {
    let ring = ring();
    for opcode in [38 + 100, 255, 0x7fff_ffff] {
        assert_eq!(
            register(&ring, opcode, 0, 0),
            Err(Errno::EINVAL),
            "{opcode}"
        );
    }
}

#[test]
fn a_registration_needs_the_descriptor_of_a_ring() {
    let file = file_with(b"");
    let probe = |fd| {
        // SAFETY: refused, or reads nothing.
        unsafe { io_uring_register(fd, op::IORING_REGISTER_PROBE, 0, 0) }
    };
    assert_eq!(probe(-1), Err(Errno::EINVAL), "no ring at all");
    assert_eq!(probe(i32::MAX), Err(Errno::EBADF));
    assert_eq!(probe(file.as_raw_fd()), Err(Errno::EOPNOTSUPP));
}

#[test]
fn memory_that_is_not_there_is_refused() {
    let ring = ring();
    let rows = [
        ("BUFFERS", op::IORING_REGISTER_BUFFERS, 1),
        ("FILES", op::IORING_REGISTER_FILES, 1),
        ("EVENTFD", op::IORING_REGISTER_EVENTFD, 1),
        ("EVENTFD_ASYNC", op::IORING_REGISTER_EVENTFD_ASYNC, 1),
        ("PROBE", op::IORING_REGISTER_PROBE, 256),
        ("FILES2", op::IORING_REGISTER_FILES2, 32),
        ("BUFFERS2", op::IORING_REGISTER_BUFFERS2, 32),
        ("IOWQ_AFF", op::IORING_REGISTER_IOWQ_AFF, 8),
        ("IOWQ_MAX_WORKERS", op::IORING_REGISTER_IOWQ_MAX_WORKERS, 2),
        ("RING_FDS", op::IORING_REGISTER_RING_FDS, 1),
        ("UNREGISTER_RING_FDS", op::IORING_UNREGISTER_RING_FDS, 1),
        ("PBUF_RING", op::IORING_REGISTER_PBUF_RING, 1),
        ("UNREGISTER_PBUF_RING", op::IORING_UNREGISTER_PBUF_RING, 1),
        ("SYNC_CANCEL", op::IORING_REGISTER_SYNC_CANCEL, 1),
        ("FILE_ALLOC_RANGE", op::IORING_REGISTER_FILE_ALLOC_RANGE, 0),
        ("PBUF_STATUS", op::IORING_REGISTER_PBUF_STATUS, 1),
        ("CLOCK", op::IORING_REGISTER_CLOCK, 0),
        ("CLONE_BUFFERS", op::IORING_REGISTER_CLONE_BUFFERS, 1),
        ("MEM_REGION", op::IORING_REGISTER_MEM_REGION, 1),
    ];
    for (name, opcode, count) in rows {
        let answer = register(&ring, opcode, NOWHERE, count);
        // An older kernel does not know some of them.
        let newer = opcode > op::IORING_REGISTER_PBUF_RING && answer == Err(Errno::EINVAL);
        assert!(answer == Err(Errno::EFAULT) || newer, "{name}: {answer:?}");
    }
}

#[test]
fn counts_that_cannot_be_are_refused() {
    let ring = ring();
    let some = [0_u64; 64];
    let arg = (&raw const some).expose_provenance();
    let rows = [
        ("UNREGISTER_BUFFERS", op::IORING_UNREGISTER_BUFFERS, arg, 1),
        ("UNREGISTER_FILES", op::IORING_UNREGISTER_FILES, arg, 1),
        ("EVENTFD of two", op::IORING_REGISTER_EVENTFD, arg, 2),
        ("UNREGISTER_EVENTFD", op::IORING_UNREGISTER_EVENTFD, arg, 1),
        ("PROBE without memory", op::IORING_REGISTER_PROBE, 0, 256),
        ("PROBE of too many", op::IORING_REGISTER_PROBE, arg, 257),
        ("PERSONALITY", op::IORING_REGISTER_PERSONALITY, arg, 1),
        (
            "UNREGISTER_PERSONALITY",
            op::IORING_UNREGISTER_PERSONALITY,
            arg,
            1,
        ),
        (
            "an unknown personality",
            op::IORING_UNREGISTER_PERSONALITY,
            0,
            77,
        ),
        ("ENABLE_RINGS", op::IORING_REGISTER_ENABLE_RINGS, arg, 1),
        ("FILES2 too short", op::IORING_REGISTER_FILES2, arg, 31),
        (
            "FILES_UPDATE2 too short",
            op::IORING_REGISTER_FILES_UPDATE2,
            arg,
            31,
        ),
        ("BUFFERS2 too short", op::IORING_REGISTER_BUFFERS2, arg, 31),
        (
            "BUFFERS_UPDATE too short",
            op::IORING_REGISTER_BUFFERS_UPDATE,
            arg,
            31,
        ),
        ("IOWQ_AFF of nothing", op::IORING_REGISTER_IOWQ_AFF, arg, 0),
        (
            "UNREGISTER_IOWQ_AFF",
            op::IORING_UNREGISTER_IOWQ_AFF,
            arg,
            1,
        ),
        (
            "IOWQ_MAX_WORKERS of one",
            op::IORING_REGISTER_IOWQ_MAX_WORKERS,
            arg,
            1,
        ),
        ("RING_FDS of none", op::IORING_REGISTER_RING_FDS, arg, 0),
        (
            "RING_FDS of too many",
            op::IORING_REGISTER_RING_FDS,
            arg,
            17,
        ),
        ("PBUF_RING of two", op::IORING_REGISTER_PBUF_RING, arg, 2),
        (
            "SYNC_CANCEL of two",
            op::IORING_REGISTER_SYNC_CANCEL,
            arg,
            2,
        ),
        (
            "FILE_ALLOC_RANGE of one",
            op::IORING_REGISTER_FILE_ALLOC_RANGE,
            arg,
            1,
        ),
        ("NAPI of none", op::IORING_REGISTER_NAPI, arg, 0),
        (
            "CLONE_BUFFERS of two",
            op::IORING_REGISTER_CLONE_BUFFERS,
            arg,
            2,
        ),
        (
            "SEND_MSG_RING on a ring",
            op::IORING_REGISTER_SEND_MSG_RING,
            arg,
            1,
        ),
        (
            "RESIZE_RINGS of none",
            op::IORING_REGISTER_RESIZE_RINGS,
            arg,
            0,
        ),
        ("MEM_REGION of none", op::IORING_REGISTER_MEM_REGION, arg, 0),
        ("QUERY of one", op::IORING_REGISTER_QUERY, arg, 1),
    ];
    for (name, opcode, arg, count) in rows {
        assert_eq!(
            register(&ring, opcode, arg, count),
            Err(Errno::EINVAL),
            "{name}"
        );
    }
}

#[test]
fn what_is_not_registered_cannot_be_changed() {
    let ring = ring();
    let update = [0_u64; 4];
    let arg = (&raw const update).expose_provenance();
    let rows = [
        ("UNREGISTER_BUFFERS", op::IORING_UNREGISTER_BUFFERS, 0, 0),
        ("UNREGISTER_FILES", op::IORING_UNREGISTER_FILES, 0, 0),
        ("UNREGISTER_EVENTFD", op::IORING_UNREGISTER_EVENTFD, 0, 0),
        ("FILES_UPDATE", op::IORING_REGISTER_FILES_UPDATE, arg, 1),
    ];
    for (name, opcode, arg, count) in rows {
        assert_eq!(
            register(&ring, opcode, arg, count),
            Err(Errno::ENXIO),
            "{name}"
        );
    }
    let not_disabled = register(&ring, op::IORING_REGISTER_ENABLE_RINGS, 0, 0);
    assert_eq!(not_disabled, Err(Errno::EBADFD));
}

#[test]
fn a_pinned_ring_is_registered_with_by_its_thread_only() {
    let ring = pinned_ring();
    let there = std::thread::scope(|scope| {
        let ring = ring.ring_ref();
        let cancel = move || ring.sync_cancel(1, None);
        scope.spawn(cancel).join().expect("no panic")
    });
    assert_eq!(there, Err(Errno::EEXIST));
    assert_eq!(ring.ring_ref().sync_cancel(1, None), Err(Errno::ENOENT));
}

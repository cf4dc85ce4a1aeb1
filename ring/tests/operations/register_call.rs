//! `io_uring_register`: wrong descriptors, opcodes and arguments get the right errno; what the
//! kernel tells about itself agrees with itself.

use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Mask, Opcode, Probe, Ring, RingConfig, Version};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::register::flags::IO_URING_OP_SUPPORTED;
use annulus_syscalls::io_uring::register::{
    io_uring_probe, io_uring_probe_op, io_uring_query_hdr, io_uring_query_opcode,
    io_uring_rsrc_update, op,
};

use crate::support::{
    in_a_child, no_more_than, pipe, register_empty_files, register_files, result, ring,
    skip_feature, unregister_files, update_files,
};

/// Registers what lends nothing, or is refused before it lends anything.
fn register(fd: i32, opcode: u32, arg: usize, count: u32) -> Result<u32, Errno> {
    // SAFETY: each caller names arguments that the kernel only reads, or that it refuses.
    unsafe { calls::io_uring_register(fd, opcode, arg, count) }
}

#[test]
fn a_descriptor_that_is_no_ring_is_refused() {
    let opcode = op::IORING_UNREGISTER_BUFFERS;
    assert_eq!(register(i32::MAX, opcode, 0, 0), Err(Errno::EBADF));
    let (reading, _writing) = pipe(0);
    assert_eq!(
        register(reading.as_raw_fd(), opcode, 0, 0),
        Err(Errno::EOPNOTSUPP)
    );
}

#[test]
fn an_unknown_opcode_is_refused() {
    let ring = ring();
    assert_eq!(register(ring.fd(), 0x7fff_ffff, 0, 0), Err(Errno::EINVAL));
    assert_eq!(
        register(i32::MAX, 0x7fff_ffff, 0, 0),
        Err(Errno::EINVAL),
        "before the descriptor"
    );
}

#[test]
fn buffers_that_make_no_sense_are_refused() {
    let ring = ring();
    let buffers = |iov: &[libc::iovec], count| {
        register(
            ring.fd(),
            op::IORING_REGISTER_BUFFERS,
            iov.as_ptr().addr(),
            count,
        )
    };
    let iovec = |base: usize, len| libc::iovec {
        iov_base: std::ptr::without_provenance_mut(base),
        iov_len: len,
    };
    assert_eq!(buffers(&[], 0), Err(Errno::EINVAL), "none");
    let at_null = register(ring.fd(), op::IORING_REGISTER_BUFFERS, 0, 1);
    assert_eq!(at_null, Err(Errno::EFAULT), "no array");
    let mut page = vec![0_u8; 4096];
    let at = page.as_mut_ptr().addr();
    assert_eq!(
        buffers(&[iovec(at, 4096)], 16_385),
        Err(Errno::EINVAL),
        "too many"
    );
    assert_eq!(
        buffers(&[iovec(at, (1 << 30) + 1)], 1),
        Err(Errno::EFAULT),
        "over a gibibyte"
    );
    assert_eq!(
        buffers(&[iovec(at, 0)], 1),
        Err(Errno::EFAULT),
        "an address of nothing"
    );
    assert_eq!(
        buffers(&[iovec(0, 4096)], 1),
        Err(Errno::EFAULT),
        "a length of nowhere"
    );
    assert_eq!(
        buffers(&[iovec(1 << 46, 4096)], 1),
        Err(Errno::EFAULT),
        "not mapped"
    );
    let none = register(ring.fd(), op::IORING_UNREGISTER_BUFFERS, 0, 0);
    assert_eq!(none, Err(Errno::ENXIO));
    assert_eq!(buffers(&[iovec(at, 4096)], 1), Ok(0));
    assert_eq!(buffers(&[iovec(at, 4096)], 1), Err(Errno::EBUSY), "twice");
    let count_given = register(ring.fd(), op::IORING_UNREGISTER_BUFFERS, 0, 1);
    assert_eq!(count_given, Err(Errno::EINVAL));
    assert_eq!(
        register(ring.fd(), op::IORING_UNREGISTER_BUFFERS, 0, 0),
        Ok(0)
    );
}

#[test]
fn a_process_locks_no_more_memory_in_buffers_than_it_may() {
    let held = in_a_child(|| {
        // Root may lock what it wants: become nobody.
        no_more_than(libc::RLIMIT_MEMLOCK, 64 << 10);
        // SAFETY: takes a number only, in a process of its own.
        let _ = unsafe { libc::setresuid(65_534, 65_534, 65_534) };
        let Ok(ring) = Ring::new(&RingConfig {
            sq_entries: 1,
            ..RingConfig::default()
        }) else {
            return false;
        };
        let memory = vec![1_u8; 1 << 20];
        let iov = libc::iovec {
            iov_base: memory.as_ptr().cast_mut().cast(),
            iov_len: memory.len(),
        };
        let at = (&raw const iov).addr();
        register(ring.fd(), op::IORING_REGISTER_BUFFERS, at, 1) == Err(Errno::ENOMEM)
    });
    assert!(held);
}

#[test]
fn files_that_make_no_sense_are_refused() {
    let ring = ring();
    let (reading, _writing) = pipe(0);
    let fd = reading.as_raw_fd();
    assert_eq!(register_files(&ring, &[]), Err(Errno::EINVAL), "none");
    let at_null = register(ring.fd(), op::IORING_REGISTER_FILES, 0, 1);
    assert_eq!(at_null, Err(Errno::EFAULT));
    assert_eq!(register_files(&ring, &[fd, i32::MAX]), Err(Errno::EBADF));
    assert_eq!(
        register_files(&ring, &[ring.fd()]),
        Err(Errno::EBADF),
        "a ring"
    );
    assert_eq!(
        unregister_files(&ring),
        Err(Errno::ENXIO),
        "nothing stays of what was refused"
    );
    assert_eq!(update_files(&ring, 0, &[fd]), Err(Errno::ENXIO));
    assert_eq!(register_files(&ring, &[fd]), Ok(()));
    assert_eq!(register_files(&ring, &[fd]), Err(Errno::EBUSY));
    assert_eq!(
        update_files(&ring, 1, &[fd]),
        Err(Errno::EINVAL),
        "beyond the table"
    );
    assert_eq!(
        update_files(&ring, u32::MAX, &[fd, fd]),
        Err(Errno::EOVERFLOW)
    );
    assert_eq!(update_files(&ring, 0, &[]), Err(Errno::EINVAL));
    assert_eq!(update_files(&ring, 0, &[i32::MAX]), Err(Errno::EBADF));
}

#[test]
fn a_file_table_has_no_more_slots_than_the_process_may_have_descriptors() {
    let held = in_a_child(|| {
        no_more_than(libc::RLIMIT_NOFILE, 1024);
        let ring = ring();
        register_empty_files(&ring, 1025) == Err(Errno::EMFILE)
            && register_empty_files(&ring, 1024) == Ok(())
    });
    assert!(held);
}

#[test]
fn eventfds_personalities_and_enabling_are_checked() {
    let ring = ring();
    let fd = -1_i32;
    let at = (&raw const fd).addr();
    assert_eq!(
        register(ring.fd(), op::IORING_REGISTER_EVENTFD, at, 1),
        Err(Errno::EBADF)
    );
    assert_eq!(
        register(ring.fd(), op::IORING_REGISTER_EVENTFD, at, 2),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        register(ring.fd(), op::IORING_UNREGISTER_EVENTFD, 0, 0),
        Err(Errno::ENXIO)
    );
    let unknown = register(ring.fd(), op::IORING_UNREGISTER_PERSONALITY, 0, 7);
    assert_eq!(unknown, Err(Errno::EINVAL));
    let enabled = register(ring.fd(), op::IORING_REGISTER_ENABLE_RINGS, 0, 0);
    assert_eq!(enabled, Err(Errno::EBADFD), "it never was disabled");
    let late = register(ring.fd(), op::IORING_REGISTER_RESTRICTIONS, 0, 0);
    assert_eq!(late, Err(Errno::EBADFD), "only while it is disabled");
}

#[test]
fn registrations_go_through_the_registered_ring_as_through_its_descriptor() {
    let mut ring = ring();
    let through = op::IORING_REGISTER_USE_REGISTERED_RING;
    let update = io_uring_rsrc_update {
        offset: 3,
        data: ring.fd() as u64,
        ..io_uring_rsrc_update::default()
    };
    // 1. Registered at a place we choose, by the plain descriptor.
    let at = (&raw const update).addr();
    assert_eq!(
        register(ring.fd(), op::IORING_REGISTER_RING_FDS, at, 1),
        Ok(1)
    );
    // 2. The place stands for it, in this thread; another place does not.
    let files = [-1_i32; 4];
    let at_files = files.as_ptr().addr();
    let by_place = |place, opcode: u32, arg, count| register(place, opcode | through, arg, count);
    let opcode = op::IORING_REGISTER_FILES;
    match by_place(3, opcode, at_files, 4) {
        Err(Errno::EINVAL) => return skip_feature("registering by place comes with 6.3"),
        done => assert_eq!(done, Ok(0)),
    }
    assert_eq!(by_place(3, op::IORING_UNREGISTER_FILES, 0, 0), Ok(0));
    assert_eq!(by_place(4, opcode, at_files, 4), Err(Errno::EBADF));
    assert_eq!(by_place(16, opcode, at_files, 4), Err(Errno::EINVAL));
    // 3. And takes itself back.
    let update = io_uring_rsrc_update { data: 0, ..update };
    let at = (&raw const update).addr();
    assert_eq!(by_place(3, op::IORING_UNREGISTER_RING_FDS, at, 1), Ok(1));
    let gone = by_place(3, opcode, at_files, 4).expect_err("gone");
    assert!([Errno::EBADF, Errno::EINVAL].contains(&gone));
    assert_eq!(result(&mut ring, |sqe| sqe.prep_nop()), Ok(0));
}

#[repr(C)]
struct Answer {
    head: io_uring_probe,
    ops: [io_uring_probe_op; 256],
}

#[test]
fn the_probe_counts_opcodes_and_refuses_what_is_not_zeroed() {
    let ring = ring();
    let mut answer = Answer {
        head: io_uring_probe::default(),
        ops: [io_uring_probe_op::default(); 256],
    };
    let at = (&raw mut answer).addr();
    let probe = |count| register(ring.fd(), op::IORING_REGISTER_PROBE, at, count);
    assert_eq!(probe(256), Ok(0));
    let last = answer.head.last_op;
    assert!(last >= Opcode::URING_CMD.0 - 1, "{last}");
    assert_eq!(answer.head.ops_len, last + 1);
    let typed = Probe::of(&ring).expect("probed");
    for (number, entry) in answer.ops.iter().enumerate() {
        let is_there = number <= usize::from(last);
        assert_eq!(usize::from(entry.op), if is_there { number } else { 0 });
        let supported = u32::from(entry.flags) & IO_URING_OP_SUPPORTED != 0;
        assert_eq!(typed.supports(Opcode(number as u8)), supported, "{number}");
    }
    assert_eq!(
        probe(256),
        Err(Errno::EINVAL),
        "the answer is not zero any more"
    );
    assert_eq!(probe(257), Err(Errno::EINVAL));
    assert_eq!(
        register(ring.fd(), op::IORING_REGISTER_PROBE, 1, 1),
        Err(Errno::EFAULT)
    );
}

#[test]
fn the_version_that_opcodes_and_features_tell_is_not_newer_than_the_kernel() {
    let ring = ring();
    let told = Probe::of(&ring).expect("probed").version();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok());
    let running = Version::new(
        numbers.next().expect("major"),
        numbers.next().expect("minor"),
    );
    assert!(told <= running, "{told} on {running}");
    assert!(told >= Version::new(5, 1));
    assert!(!Mask::up_to(told).hides(Version::new(5, 1)));
}

#[test]
fn the_query_agrees_with_the_probe_and_with_a_ring() {
    let ring = ring();
    let mut answer = io_uring_query_opcode::default();
    let mut header = io_uring_query_hdr {
        query_data: (&raw mut answer).addr() as u64,
        query_op: 0,
        size: size_of_val(&answer) as u32,
        ..io_uring_query_hdr::default()
    };
    let at = (&raw mut header).addr();
    // -1: it is no ring that is asked.
    match register(-1, op::IORING_REGISTER_QUERY, at, 0) {
        Err(Errno::EINVAL) => return skip_feature("asking comes with 6.18"),
        done => assert_eq!(done, Ok(0)),
    }
    assert_eq!(header.result, 0);
    let probe = Probe::of(&ring).expect("probed");
    for number in 0..=u8::MAX {
        if u32::from(number) >= answer.nr_request_opcodes {
            assert!(!probe.supports(Opcode(number)), "{number}");
        }
    }
    let features = u64::from(ring.features());
    assert_eq!(answer.feature_flags & features, features);
    let flags = u64::from(ring.setup_flags());
    assert_eq!(answer.ring_setup_flags & flags, flags);
    // Through the ring the answer is the same.
    assert_eq!(register(ring.fd(), op::IORING_REGISTER_QUERY, at, 0), Ok(0));
    // A question that nobody knows is answered in the header, not by the call.
    header.query_op = u32::MAX;
    assert_eq!(register(-1, op::IORING_REGISTER_QUERY, at, 0), Ok(0));
    assert_eq!(header.result, -Errno::EOPNOTSUPP.raw());
    assert_eq!(
        register(-1, op::IORING_REGISTER_QUERY, at, 1),
        Err(Errno::EINVAL)
    );
}

#[test]
fn the_kernel_chooses_the_slot_that_was_freed_and_starts_over_with_a_new_table() {
    let mut ring = ring();
    let take = |ring: &mut Ring| {
        result(ring, |sqe| {
            sqe.prep_socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)
                .set_direct_alloc()
        })
    };
    for _ in 0..2 {
        register_empty_files(&ring, 4).expect("registered");
        for slot in 0..4 {
            assert_eq!(take(&mut ring), Ok(slot));
        }
        assert_eq!(take(&mut ring), Err(Errno::ENFILE));
        assert_eq!(result(&mut ring, |sqe| sqe.prep_close_direct(2)), Ok(0));
        assert_eq!(take(&mut ring), Ok(2));
        unregister_files(&ring).expect("unregistered");
    }
}

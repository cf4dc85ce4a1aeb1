//! Sequences that no program should do: kernels once crashed or hung on such. They get errors or
//! end well, and the ring works afterwards.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use annulus_ring::{CURRENT_POSITION, Errno, Opcode, Ring, RingConfig, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::io_uring_sqe;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_EVENTFD, IORING_REGISTER_FILES, IORING_UNREGISTER_BUFFERS,
    IORING_UNREGISTER_EVENTFD, IORING_UNREGISTER_FILES,
};
use proptest::prelude::*;

use super::support::{
    FOREVER, assert_quiet, entry, eventfd, pinned_ring, pipe, reap, reap_one, results, ring,
};

const IN: u32 = libc::POLLIN as u32;

/// Whether a nop still gets through.
fn assert_works(ring: &mut Ring) {
    entry(ring, 0xabcd).prep_nop();
    while reap_one(ring).user_data() != 0xabcd {}
}

#[test]
fn a_descriptor_may_be_closed_while_its_operations_wait() {
    let mut ring = ring();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut buf = [0_u8; 8];
    let fd = ours.as_raw_fd();
    // SAFETY: `buf` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_recv(fd, buf.as_mut_ptr(), 8, 0) };
    entry(&mut ring, 2).prep_poll_multishot(fd, libc::POLLPRI as u32);
    ring.submit().expect("submitted");
    // 1. The number is free, and another file takes it: the operations stay with the first.
    drop(ours);
    let other = eventfd();
    calls::write(other.as_raw_fd(), &1_u64.to_ne_bytes()).expect("counted");
    assert_quiet(&mut ring);
    calls::write(theirs.as_raw_fd(), b"first").expect("still open");
    assert_eq!(reap_one(&mut ring).result(), Ok(5));
    assert_eq!(&buf[..5], b"first");
    // 2. The poll is the last that holds it.
    entry(&mut ring, 3).prep_cancel64(2, 0);
    reap(&mut ring, 2);
    assert_eq!(calls::write(theirs.as_raw_fd(), b"x"), Err(Errno::EPIPE));
}

#[test]
fn a_ring_closes_its_own_descriptor_while_it_is_used() {
    // The last number of a ring goes through the ring itself. It is dropped here as if nothing
    // had happened, so the number must not be anybody's: the duplicate is what the ring closes.
    let mut ring = ring();
    // SAFETY: takes numbers only.
    let duplicate = unsafe { libc::fcntl(ring.fd(), libc::F_DUPFD_CLOEXEC, 0) };
    entry(&mut ring, 1).prep_close(duplicate);
    let closed = reap_one(&mut ring).result();
    assert_eq!(closed, Err(Errno::EBADF), "rings are not closed by rings");
    // SAFETY: the duplicate is ours.
    drop(unsafe { OwnedFd::from_raw_fd(duplicate) });
    assert_works(&mut ring);
}

#[test]
fn what_is_registered_twice_or_was_never_is_refused() {
    let ring = ring();
    let counter = eventfd();
    let fd = counter.as_raw_fd();
    let address = (&raw const fd).expose_provenance();
    let register = |opcode, arg, count| {
        // SAFETY: no registration here lends memory: descriptors are copied.
        unsafe { ring.register(opcode, arg, count) }
    };
    for (register_op, unregister_op) in [
        (IORING_REGISTER_FILES, IORING_UNREGISTER_FILES),
        (IORING_REGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD),
    ] {
        assert_eq!(register(unregister_op, 0, 0), Err(Errno::ENXIO));
        assert!(register(register_op, address, 1).is_ok());
        assert_eq!(register(register_op, address, 1), Err(Errno::EBUSY));
        assert!(register(unregister_op, 0, 0).is_ok());
        assert_eq!(register(unregister_op, 0, 0), Err(Errno::ENXIO));
        assert_eq!(register(register_op, 0, 1), Err(Errno::EFAULT));
    }
    assert_eq!(register(IORING_UNREGISTER_BUFFERS, 0, 0), Err(Errno::ENXIO));
    assert_eq!(
        register(IORING_REGISTER_FILES, address, 0),
        Err(Errno::EINVAL)
    );
    assert_eq!(register(9_999, 0, 0), Err(Errno::EINVAL));
}

#[test]
fn tables_may_be_unregistered_under_operations_that_use_them() {
    for mut ring in [ring(), pinned_ring()] {
        let (reading, writing) = pipe();
        let fd = reading.as_raw_fd();
        let register = |ring: &Ring, opcode, arg, count| {
            // SAFETY: descriptors are copied.
            unsafe { ring.register(opcode, arg, count) }
        };
        let address = (&raw const fd).expose_provenance();
        register(&ring, IORING_REGISTER_FILES, address, 1).expect("registered");
        entry(&mut ring, 1)
            .prep_poll_add(0, IN)
            .add_flags(SqeFlags::FIXED_FILE);
        ring.submit().expect("submitted");
        drop(reading);
        register(&ring, IORING_UNREGISTER_FILES, 0, 0).expect("unregistered");
        // The poll holds the file on its own.
        calls::write(writing.as_raw_fd(), b"x").expect("somebody can read");
        assert_eq!(reap_one(&mut ring).result(), Ok(IN));
        // It was the last to.
        super::support::until("the pipe without reader", || {
            ring.enter(0, None).expect("entered");
            calls::write(writing.as_raw_fd(), b"x").is_err()
        });
    }
}

#[test]
fn huge_lengths_and_far_offsets_are_errors_or_short() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    let file = std::fs::File::open("/proc/self/exe").expect("this program");
    let mut buf = [0_u8; 16];
    calls::write(writing.as_raw_fd(), b"few").expect("written");
    let at = buf.as_mut_ptr();
    let fd = reading.as_raw_fd();
    // The kernel writes only what is there, which fits.
    // SAFETY: three bytes are in the pipe, and `buf` outlives the completion.
    unsafe { entry(&mut ring, 1).prep_read(fd, at, u32::MAX, CURRENT_POSITION) };
    let read = reap_one(&mut ring).result();
    assert!(
        matches!(read, Ok(3) | Err(Errno::EINVAL | Errno::EFAULT)),
        "{read:?}"
    );
    // SAFETY: behind the end of the file there is nothing to be written to `buf`.
    unsafe { entry(&mut ring, 2).prep_read(file.as_raw_fd(), at, 16, u64::MAX >> 2) };
    let far = reap_one(&mut ring).result();
    assert!(
        matches!(far, Ok(0) | Err(Errno::EINVAL | Errno::EOVERFLOW)),
        "{far:?}"
    );
    // SAFETY: as above.
    unsafe { entry(&mut ring, 3).prep_read(file.as_raw_fd(), at, 16, u64::MAX - 1) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    // SAFETY: more vectors than there may be, so none is read.
    unsafe { entry(&mut ring, 4).prep_readv(fd, std::ptr::null(), 1_025, 0, 0) };
    let vectors = reap_one(&mut ring).result();
    assert!(
        matches!(vectors, Err(Errno::EINVAL | Errno::EFAULT)),
        "{vectors:?}"
    );
    assert_works(&mut ring);
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    // 1. A buffer of a group for what takes none.
    entry(&mut ring, 1)
        .prep_poll_add(reading.as_raw_fd(), IN)
        .add_flags(SqeFlags::BUFFER_SELECT);
    assert!(reap_one(&mut ring).result().is_err());
    // 2. A slot where there is no table.
    entry(&mut ring, 2)
        .prep_poll_add(0, IN)
        .add_flags(SqeFlags::FIXED_FILE);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EBADF));
    // 3. Credentials that nobody registered.
    entry(&mut ring, 3).prep_nop().set_personality(77);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    // 4. All flags there are, on everything there is: an error each, or a nop's success.
    for opcode in 0..=u8::MAX {
        let sqe = entry(&mut ring, u64::from(opcode));
        // SAFETY: flag bits 0xff include ones that no kernel knows or that exclude each other,
        // and the addresses are null.
        *unsafe { sqe.as_raw_mut() } = io_uring_sqe {
            opcode,
            flags: 0xff,
            fd: -1,
            user_data: u64::from(opcode),
            ..io_uring_sqe::default()
        };
        assert!(reap_one(&mut ring).result().is_err(), "{opcode}");
    }
    assert_works(&mut ring);
}

#[test]
fn unknown_opcodes_are_refused_one_by_one() {
    let mut ring = ring();
    for opcode in 128..=u8::MAX {
        let sqe = entry(&mut ring, 1);
        // SAFETY: unknown, so it asks for nothing.
        unsafe { sqe.as_raw_mut() }.opcode = opcode;
        assert_eq!(sqe.opcode(), Opcode(opcode));
        assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    }
}

#[test]
fn a_drain_behind_an_endless_chain_does_not_hold_up_the_end() {
    for mut ring in [ring(), pinned_ring()] {
        let (reading, _writing) = pipe();
        for round in 0..20 {
            entry(&mut ring, round)
                .prep_poll_add(reading.as_raw_fd(), IN)
                .add_flags(SqeFlags::IO_LINK | SqeFlags::IO_DRAIN);
            // SAFETY: `FOREVER` is promoted to a static.
            unsafe { entry(&mut ring, 100 + round).prep_link_timeout(&FOREVER, 0) }
                .add_flags(SqeFlags::IO_DRAIN);
        }
        ring.submit().expect("submitted");
        drop(ring);
    }
}

#[test]
fn a_ring_in_its_own_file_table_polled_by_itself_ends() {
    let mut ring = ring();
    let fd = ring.fd();
    // SAFETY: the descriptor is copied.
    let registered = unsafe {
        ring.register(
            IORING_REGISTER_FILES,
            (&raw const fd).expose_provenance(),
            1,
        )
    };
    // A ring may not hold itself.
    assert_eq!(registered, Err(Errno::EBADF));
    entry(&mut ring, 1).prep_poll_add(fd, IN);
    entry(&mut ring, 2)
        .prep_poll_add(fd, IN)
        .add_flags(SqeFlags::ASYNC);
    ring.submit().expect("submitted");
    drop(ring);
}

#[test]
fn a_wait_for_more_than_there_can_be_ends_with_its_time() {
    let config = RingConfig {
        sq_entries: 1,
        cq_entries: 1,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    entry(&mut ring, 1).prep_nop();
    let entered = ring.enter(u32::MAX, Some(Duration::from_millis(5)));
    assert_eq!(entered, Ok(1));
    assert_eq!(results(&mut ring, 1)[&1], Ok(0));
}

#[test]
fn a_zero_copy_send_that_is_refused_in_a_chain_notifies_unannounced() {
    let mut ring = ring();
    entry(&mut ring, 1).prep_nop().add_flags(SqeFlags::IO_LINK);
    let sqe = entry(&mut ring, 2);
    let unknown_flag = 2;
    // SAFETY: there is neither a file nor memory.
    unsafe { sqe.prep_send_zc(-1, std::ptr::null(), 0, 0, unknown_flag) };
    ring.submit().expect("submitted");
    ring.enter(0, None).expect("entered");
    let cqes: Vec<_> = std::iter::from_fn(|| ring.pop()).collect();
    let of_send: Vec<_> = cqes.iter().filter(|cqe| cqe.user_data() == 2).collect();
    assert_eq!(of_send[0].result(), Err(Errno::EINVAL));
    // A kernel that announces nothing may notify all the same: so a notification that nobody
    // expects is nothing to fail on.
    let notified = of_send.iter().any(|cqe| cqe.notif());
    println!("announced {}, notified {notified}", of_send[0].more());
    assert!(notified || !of_send[0].more());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Operations on no file and no memory, with whatever else: they all end, and the ring
    /// goes on.
    #[test]
    fn random_entries_on_nothing_complete(
        entries in prop::collection::vec(
            (0_u8..64, any::<u8>(), any::<u16>(), any::<u32>(), any::<u32>(), any::<u64>()),
            1..24,
        ),
    ) {
        // Those that act without a file or memory: on processes, files by path, futexes, or time.
        let without_file = [
            Opcode::TIMEOUT, Opcode::LINK_TIMEOUT, Opcode::MADVISE, Opcode::FILES_UPDATE,
            Opcode::WAITID, Opcode::SOCKET, Opcode::PIPE, Opcode::PROVIDE_BUFFERS,
            Opcode::FUTEX_WAIT, Opcode::FUTEX_WAKE, Opcode::FUTEX_WAITV,
        ];
        let mut ring = ring();
        let mut total = 0;
        for (opcode, flags, ioprio, len, op_flags, off) in entries {
            if without_file.contains(&Opcode(opcode)) {
                continue;
            }
            // Completions that are left out could not be counted.
            let flags = flags & !SqeFlags::CQE_SKIP_SUCCESS.bits();
            let sqe = entry(&mut ring, total);
            // SAFETY: there is no file -1 and no memory at 0.
            *unsafe { sqe.as_raw_mut() } = io_uring_sqe {
                opcode, flags, ioprio, fd: -1, len, op_flags, off,
                user_data: total,
                ..io_uring_sqe::default()
            };
            total += 1;
        }
        // The result of each comes once. Zero-copy sends have a notification too, announced or not.
        let mut is_told = vec![false; total as usize];
        while is_told.contains(&false) {
            let cqe = reap_one(&mut ring);
            if !cqe.notif() {
                let was_told = std::mem::replace(&mut is_told[cqe.user_data() as usize], true);
                prop_assert!(!was_told, "{cqe:?} after its result");
            }
        }
        assert_works(&mut ring);
    }
}

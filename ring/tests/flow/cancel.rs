//! Asking for the end of operations: which are found, how many, and what both sides are told.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use annulus_ring::{CURRENT_POSITION, CancelMatch, Errno, Opcode, Ring, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::flags::cancel::{
    IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_FD_FIXED,
};
use annulus_syscalls::io_uring::register::op::{IORING_REGISTER_FILES, IORING_UNREGISTER_FILES};

use super::fifo::Fifo;
use super::support::{
    FOREVER, assert_quiet, entry, pipe, reap, reap_one, results, ring, rounds, until,
};

/// The kernel's own ERESTARTSYS: an interrupted open in a worker thread lets it through.
const RESTART: Errno = Errno::from_raw(512);
const CANCELLED: Result<u32, Errno> = Err(Errno::ECANCELED);

/// Queues a poll that nothing ends.
fn poll(ring: &mut Ring, user_data: u64, fd: &OwnedFd) {
    entry(ring, user_data).prep_poll_add(fd.as_raw_fd(), libc::POLLIN as u32);
}

#[test]
fn an_operation_is_cancelled_by_its_user_data() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    poll(&mut ring, 1, &reading);
    poll(&mut ring, 2, &reading);
    ring.submit().expect("submitted");
    entry(&mut ring, 3).prep_cancel64(1, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&3]), (CANCELLED, Ok(0)));
    entry(&mut ring, 4).prep_cancel64(1, 0);
    assert_eq!(
        reap_one(&mut ring).result(),
        Err(Errno::ENOENT),
        "it is gone"
    );
}

#[test]
fn a_cancelled_receive_took_nothing_and_one_that_was_done_is_not_found() {
    let mut ring = ring();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut buf = [0_u8; 8];
    let fd = ours.as_raw_fd();
    // 1. Waiting: it is cancelled, and later bytes stay in the socket.
    // SAFETY: `buf` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_recv(fd, buf.as_mut_ptr(), 8, 0) };
    entry(&mut ring, 2).prep_cancel64(1, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (CANCELLED, Ok(0)));
    calls::write(theirs.as_raw_fd(), b"later").expect("written");
    assert_eq!(buf, [0; 8]);
    // 2. Done: its own result stands, and the cancel finds nothing.
    // SAFETY: as above.
    unsafe { entry(&mut ring, 3).prep_recv(fd, buf.as_mut_ptr(), 8, 0) };
    entry(&mut ring, 4).prep_cancel64(3, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&3], ended[&4]), (Ok(5), Err(Errno::ENOENT)));
    assert_eq!(&buf[..5], b"later");
}

#[test]
fn operations_are_cancelled_by_their_descriptor() {
    let mut ring = ring();
    let (one, _one_writing) = pipe();
    let (other, _other_writing) = pipe();
    for user_data in 0..3 {
        poll(&mut ring, user_data, &one);
    }
    poll(&mut ring, 10, &other);
    ring.submit().expect("submitted");
    // 1. The first of them.
    entry(&mut ring, 20).prep_cancel_fd(one.as_raw_fd(), 0);
    let ended = results(&mut ring, 2);
    assert_eq!(ended[&20], Ok(0));
    // 2. The others; those of another descriptor stay.
    entry(&mut ring, 21).prep_cancel_fd(one.as_raw_fd(), IORING_ASYNC_CANCEL_ALL);
    let ended = results(&mut ring, 3);
    assert_eq!(ended[&21], Ok(2));
    assert_quiet(&mut ring);
    entry(&mut ring, 22).prep_cancel_fd(one.as_raw_fd(), IORING_ASYNC_CANCEL_ALL);
    assert_eq!(
        reap_one(&mut ring).result(),
        Ok(0),
        "there is none left to count"
    );
    entry(&mut ring, 23).prep_cancel_fd(one.as_raw_fd(), 0);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
    entry(&mut ring, 24).prep_cancel_fd(-1, 0);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EBADF));
}

#[test]
fn an_index_of_the_file_table_is_a_descriptor_too() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    let table = [reading.as_raw_fd()];
    // SAFETY: the table of one entry is copied by the call.
    unsafe { ring.register(IORING_REGISTER_FILES, table.as_ptr().expose_provenance(), 1) }
        .expect("registered");
    entry(&mut ring, 1)
        .prep_poll_add(0, libc::POLLIN as u32)
        .add_flags(SqeFlags::FIXED_FILE);
    ring.submit().expect("submitted");
    entry(&mut ring, 2).prep_cancel_fd(0, IORING_ASYNC_CANCEL_FD_FIXED);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (CANCELLED, Ok(0)));
    // The same file under its number.
    entry(&mut ring, 3)
        .prep_poll_add(0, libc::POLLIN as u32)
        .add_flags(SqeFlags::FIXED_FILE);
    entry(&mut ring, 4).prep_cancel_fd(reading.as_raw_fd(), 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&3], ended[&4]), (CANCELLED, Ok(0)));
    // SAFETY: takes no memory.
    unsafe { ring.register(IORING_UNREGISTER_FILES, 0, 0) }.expect("unregistered");
}

#[test]
fn a_descriptor_and_a_user_data_have_to_match_both() {
    let mut ring = ring();
    let (one, _one_writing) = pipe();
    let (other, _other_writing) = pipe();
    poll(&mut ring, 1, &one);
    poll(&mut ring, 2, &one);
    poll(&mut ring, 1, &other);
    ring.submit().expect("submitted");
    let fd = one.as_raw_fd();
    entry(&mut ring, 10).prep_cancel_match(&CancelMatch::fd(fd).with_user_data(3));
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
    entry(&mut ring, 11).prep_cancel_match(&CancelMatch::fd(fd).with_user_data(1).all());
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&11]), (CANCELLED, Ok(1)));
    // The other two still wait.
    assert_quiet(&mut ring);
    entry(&mut ring, 12).prep_cancel_any();
    let all = reap(&mut ring, 3);
    assert!(
        all.iter()
            .any(|cqe| cqe.user_data() == 12 && cqe.res() == 2)
    );
}

#[test]
fn operations_are_cancelled_by_their_kind() {
    let mut ring = ring();
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    let mut buf = [0_u8; 8];
    let fd = ours.as_raw_fd();
    // SAFETY: `buf` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_recv(fd, buf.as_mut_ptr(), 8, 0) };
    entry(&mut ring, 2).prep_poll_add(fd, libc::POLLIN as u32);
    entry(&mut ring, 3).prep_poll_add(fd, libc::POLLIN as u32);
    // SAFETY: `FOREVER` is promoted to a static.
    unsafe { entry(&mut ring, 4).prep_timeout(&FOREVER, 0, 0) };
    ring.submit().expect("submitted");
    entry(&mut ring, 10).prep_cancel_match(&CancelMatch::opcode(Opcode::POLL_ADD).all());
    let ended = results(&mut ring, 3);
    assert_eq!(ended[&10], Ok(2));
    entry(&mut ring, 11).prep_cancel_match(&CancelMatch::opcode(Opcode::RECV));
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&11]), (CANCELLED, Ok(0)));
    entry(&mut ring, 12).prep_cancel_match(&CancelMatch::opcode(Opcode::TIMEOUT));
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&4], ended[&12]), (CANCELLED, Ok(0)));
}

#[test]
fn everything_is_cancelled_at_once_and_counted() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    for user_data in 0..20 {
        poll(&mut ring, user_data, &reading);
    }
    for user_data in 20..30 {
        // SAFETY: `FOREVER` is promoted to a static.
        unsafe { entry(&mut ring, user_data).prep_timeout(&FOREVER, 0, 0) };
    }
    ring.submit().expect("submitted");
    entry(&mut ring, 100).prep_cancel_any();
    let ended = results(&mut ring, 31);
    assert_eq!(ended[&100], Ok(30));
    assert!((0..30).all(|user_data| ended[&user_data] == CANCELLED));
    entry(&mut ring, 101).prep_cancel_any();
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
}

#[test]
fn a_very_large_number_of_operations_is_cancelled() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    let total = rounds(10_000).max(2_000);
    for user_data in 0..total {
        if ring.sq_space_left() == 0 {
            ring.submit().expect("submitted");
        }
        poll(&mut ring, user_data, &reading);
    }
    ring.submit().expect("submitted");
    // The CQ is far smaller: most completions overflow, none is lost.
    entry(&mut ring, total).prep_cancel_any();
    let mut seen = vec![false; total as usize + 1];
    for cqe in reap(&mut ring, seen.len()) {
        let was_seen = std::mem::replace(&mut seen[cqe.user_data() as usize], true);
        assert!(!was_seen, "once only");
        let want = if cqe.user_data() == total {
            Ok(total as u32)
        } else {
            CANCELLED
        };
        assert_eq!(cqe.result(), want);
    }
    assert_eq!(ring.cq_lost(), 0);
}

#[test]
fn regular_files_are_not_waited_for_so_their_reads_are_not_found() {
    let mut ring = ring();
    let zeros = File::open("/dev/zero").expect("there is one");
    let mut buf = [1_u8; 64];
    let fd = zeros.as_raw_fd();
    // SAFETY: `buf` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_read(fd, buf.as_mut_ptr(), 64, CURRENT_POSITION) };
    entry(&mut ring, 2).prep_cancel64(1, 0);
    let ended = results(&mut ring, 2);
    match (ended[&1], ended[&2]) {
        (Ok(64), Err(Errno::ENOENT | Errno::EALREADY)) => assert_eq!(buf, [0; 64]),
        (CANCELLED, Ok(0)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_synchronous_cancel_returns_when_it_is_done() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    let other = ring.ring_ref();
    poll(&mut ring, 1, &reading);
    poll(&mut ring, 2, &reading);
    poll(&mut ring, 3, &reading);
    ring.submit().expect("submitted");
    other.sync_cancel(1, None).expect("cancelled");
    // Its completion is there without any enter.
    assert_eq!(ring.cq_ready(), 1);
    assert_eq!(ring.pop().expect("ready").result(), CANCELLED);
    let limit = Some(Duration::from_secs(10));
    other
        .sync_cancel_fd(reading.as_raw_fd(), IORING_ASYNC_CANCEL_ALL, limit)
        .expect("cancelled");
    assert_eq!(ring.cq_ready(), 2);
    assert_eq!(other.sync_cancel(1, None), Err(Errno::ENOENT));
}

#[test]
fn a_synchronous_cancel_interrupts_a_worker_thread() {
    let mut ring = ring();
    let fifo = Fifo::new("sync-cancel");
    let (at, path) = (libc::AT_FDCWD, fifo.path().as_ptr());
    // Opening the reading end waits for a writer, in the worker that ASYNC sends it to.
    // SAFETY: the path outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_openat(at, path, libc::O_RDONLY, 0) }
        .add_flags(SqeFlags::ASYNC);
    ring.submit().expect("submitted");
    let other = ring.ring_ref();
    // It may be on its way to the worker, where nobody finds it.
    until("the cancel", || {
        let limit = Some(Duration::from_secs(10));
        other.sync_cancel(1, limit) != Err(Errno::ENOENT) || ring.cq_ready() > 0
    });
    let ended = reap_one(&mut ring).result();
    assert!(
        matches!(ended, Err(Errno::ECANCELED | Errno::EINTR | RESTART)),
        "{ended:?}"
    );
    // Nothing reads the FIFO now.
    let flags = (libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC) as u32;
    let opened = calls::openat(libc::AT_FDCWD, fifo.path(), flags, 0);
    assert_eq!(opened, Err(Errno::ENXIO));
}

#[test]
fn a_cancel_of_a_linked_operation_ends_its_chain() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    poll(&mut ring, 1, &reading);
    entry(&mut ring, 2)
        .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
        .add_flags(SqeFlags::IO_LINK);
    entry(&mut ring, 3).prep_nop();
    ring.submit().expect("submitted");
    // What has not started is not found: only the head of a chain is.
    entry(&mut ring, 10).prep_cancel64(3, 0);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
    entry(&mut ring, 11).prep_cancel64(2, 0);
    let ended = results(&mut ring, 3);
    assert_eq!(
        (ended[&2], ended[&3], ended[&11]),
        (CANCELLED, CANCELLED, Ok(0))
    );
}

#[test]
fn bad_cancels_are_refused() {
    let mut ring = ring();
    entry(&mut ring, 1).prep_cancel64(0, 1 << 31);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    let sqe = entry(&mut ring, 2).prep_cancel64(0, 0);
    // SAFETY: a cancel lends nothing.
    unsafe { sqe.as_raw_mut() }.off = 1;
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    entry(&mut ring, 3)
        .prep_cancel64(0, 0)
        .add_flags(SqeFlags::BUFFER_SELECT);
    let refused = reap_one(&mut ring).result();
    assert!(
        matches!(refused, Err(Errno::EINVAL | Errno::EOPNOTSUPP)),
        "{refused:?}"
    );
}

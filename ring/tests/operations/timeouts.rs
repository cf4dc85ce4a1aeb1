//! Timeouts: by time, by count, taken back, and as the limit of another operation.

use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use annulus_ring::{Errno, Opcode, SqeFlags};
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_sqe};

use crate::support::{collect, in_order, of, push, result, ring, tcp_pair};

fn milliseconds(count: i64) -> __kernel_timespec {
    __kernel_timespec {
        tv_sec: 0,
        tv_nsec: count * 1_000_000,
    }
}

#[test]
fn a_timeout_runs_out_after_its_time_and_not_before() {
    let mut ring = ring();
    let time = milliseconds(10);
    let start = Instant::now();
    // SAFETY: `time` outlives the submission.
    let ended = result(&mut ring, |sqe| unsafe {
        sqe.prep_timeout(&raw const time, 0, 0)
    });
    assert_eq!(ended, Err(Errno::ETIME));
    assert!(start.elapsed() >= Duration::from_millis(10));
}

#[test]
fn a_timeout_that_counts_ends_well_after_so_many_completions() {
    let mut ring = ring();
    let time = __kernel_timespec {
        tv_sec: 3600,
        tv_nsec: 0,
    };
    // SAFETY: `time` outlives the submission.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_timeout(&raw const time, 1, 0)
    });
    ring.submit().expect("submitted");
    assert_eq!(ring.cq_ready(), 0);
    push(&mut ring, 2, |sqe| sqe.prep_nop());
    let cqes = collect(&mut ring, 2);
    let came: Vec<_> = cqes
        .iter()
        .map(|cqe| (cqe.user_data(), cqe.res()))
        .collect();
    assert_eq!(came, [(2, 0), (1, 0)], "the nop, then the timeout");
}

#[test]
fn a_timeout_that_is_removed_is_cancelled_and_the_removal_succeeds() {
    let mut ring = ring();
    let time = __kernel_timespec {
        tv_sec: 3600,
        tv_nsec: 0,
    };
    // SAFETY: `time` outlives the submission.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_timeout(&raw const time, 0, 0)
    });
    ring.submit().expect("submitted");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_timeout_remove(0).set_user_data(1);
    let expected = io_uring_sqe {
        opcode: Opcode::TIMEOUT_REMOVE.0,
        fd: -1,
        user_data: 1,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    let results = in_order(&mut ring, 2);
    assert_eq!(results, [-Errno::ECANCELED.raw(), 0]);
    let again = result(&mut ring, |sqe| sqe.prep_timeout_remove(0));
    assert_eq!(again, Err(Errno::ENOENT));
}

#[test]
fn a_receive_from_a_silent_peer_ends_with_its_linked_timeout() {
    let mut ring = ring();
    let (ours, _theirs) = tcp_pair();
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives both completions.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_recv(ours.as_raw_fd(), start, 8, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    let time = milliseconds(1);
    // SAFETY: `time` outlives the submission.
    push(&mut ring, 2, |sqe| unsafe {
        sqe.prep_link_timeout(&raw const time, 0)
    });
    let cqes = collect(&mut ring, 2);
    let received = of(&cqes, 1).result();
    let pairs = [Err(Errno::ECANCELED), Err(Errno::EINTR)];
    assert!(pairs.contains(&received), "{received:?}");
    let timeout = of(&cqes, 2).result();
    let pairs = [Err(Errno::ETIME), Err(Errno::EALREADY)];
    assert!(pairs.contains(&timeout), "{timeout:?}");
}

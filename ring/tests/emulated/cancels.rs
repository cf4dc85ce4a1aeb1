//! Cancelling by user data, by descriptor, all and any; from the ring and from other threads.

use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use annulus_ring::{Errno, Ring};
use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::flags::cancel::{
    IORING_ASYNC_CANCEL_ALL, IORING_ASYNC_CANCEL_ANY, IORING_ASYNC_CANCEL_FD,
};

use crate::both::{emulated, now, on_both, push, reap, reap_sorted};
use crate::support::unix_pair;

static LATER: __kernel_timespec = __kernel_timespec {
    tv_sec: 1000,
    tv_nsec: 0,
};

/// Polls that wait: user data 0 and 1 on one socket, 2 on another; and a timeout, 3.
fn waiting(ring: &mut Ring, first: i32, second: i32) {
    for (user_data, fd) in [(0, first), (1, first), (2, second)] {
        push(ring, user_data, |sqe| {
            sqe.prep_poll_add(fd, libc::POLLIN as u32);
        });
    }
    push(ring, 3, |sqe| {
        // SAFETY: the time is a static.
        unsafe { sqe.prep_timeout(&raw const LATER, 0, 0) };
    });
    assert_eq!(now(ring), []);
}

#[test]
fn a_cancel_ends_what_it_means_and_nothing_else() {
    type Cancel = (u64, bool, u32, usize);
    // User data or descriptor, whether it is one, flags, how many end.
    let cancels: [Cancel; 7] = [
        (0, false, 0, 1),
        (3, false, 0, 1),
        (9, false, 0, 0),
        (0, false, IORING_ASYNC_CANCEL_ALL, 1),
        (0, true, IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL, 2),
        (
            0,
            false,
            IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
            4,
        ),
        (
            0,
            false,
            IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_FD,
            0,
        ),
    ];
    for (user_data, by_fd, flags, count) in cancels {
        on_both(|ring| {
            let (first, _peer) = unix_pair();
            let (second, _other) = unix_pair();
            let fd = first.as_raw_fd();
            waiting(ring, fd, second.as_raw_fd());
            push(ring, 100, |sqe| {
                if by_fd {
                    sqe.prep_cancel_fd(fd, flags);
                } else {
                    sqe.prep_cancel64(user_data, flags);
                }
            });
            let mut all = reap_sorted(ring, 1 + count);
            all.extend(now(ring));
            all
        });
    }
}

#[test]
fn a_synchronous_cancel_ends_it_and_wakes_the_ring_that_waits() {
    on_both(|ring| {
        let (ours, _theirs) = unix_pair();
        push(ring, 5, |sqe| {
            sqe.prep_poll_multishot(ours.as_raw_fd(), libc::POLLIN as u32);
        });
        assert_eq!(now(ring), []);
        let elsewhere = ring.ring_ref();
        let fd = ours.as_raw_fd();
        let canceller = thread::spawn(move || {
            let absent = elsewhere.sync_cancel(6, None);
            let there = elsewhere.sync_cancel_fd(fd, 0, Some(Duration::from_secs(10)));
            (absent, there)
        });
        let all = reap(ring, 1);
        let told = canceller.join().expect("no panic");
        assert_eq!(told, (Err(Errno::ENOENT), Ok(())));
        all
    });
}

#[test]
fn after_the_ring_nobody_cancels_or_sends() {
    let ring = emulated();
    let elsewhere = ring.ring_ref();
    drop(ring);
    assert_eq!(elsewhere.sync_cancel(1, None), Err(Errno::EBADF));
    assert_eq!(elsewhere.send_msg_ring(1, 0), Err(Errno::EBADF));
}

#[test]
fn a_waiter_ends_when_its_number_stands_for_another_file() {
    let mut ring = emulated();
    let (ours, _theirs) = unix_pair();
    let number = ours.as_raw_fd();
    push(&mut ring, 0, |sqe| {
        sqe.prep_poll_add(number, libc::POLLIN as u32);
    });
    assert_eq!(now(&mut ring), []);
    // The number goes to another file, which is ready.
    let (fresh, mut peer) = unix_pair();
    std::io::Write::write_all(&mut peer, b"x").expect("written");
    // SAFETY: the number stays a valid descriptor for whoever owns it.
    assert_eq!(unsafe { libc::dup2(fresh.as_raw_fd(), number) }, number);
    push(&mut ring, 1, |sqe| {
        sqe.prep_poll_add(number, libc::POLLIN as u32);
    });
    let all = reap_sorted(&mut ring, 2);
    assert_eq!(all, [(0, Err(Errno::EBADF), 0), (1, Ok(1), 0)]);
}

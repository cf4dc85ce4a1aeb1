//! Polls: one-shot and standing, of what is ready and what becomes so.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Ring};
use annulus_syscalls::io_uring::flags::poll::{
    IORING_POLL_UPDATE_EVENTS, IORING_POLL_UPDATE_USER_DATA,
};

use crate::both::{now, on_both, push, reap, reap_sorted};
use crate::support::{TempFile, unix_pair};

const IN: u32 = libc::POLLIN as u32;
const OUT: u32 = libc::POLLOUT as u32;

#[test]
fn a_poll_tells_what_is_ready_now_or_later() {
    on_both(|ring| {
        let (ours, mut theirs) = unix_pair();
        push(ring, 0, |sqe| {
            sqe.prep_poll_add(ours.as_raw_fd(), OUT);
        });
        let at_once = now(ring);
        push(ring, 1, |sqe| {
            sqe.prep_poll_add(ours.as_raw_fd(), IN);
        });
        assert_eq!(now(ring), []);
        theirs.write_all(b"x").expect("written");
        let later = reap(ring, 1);
        drop(theirs);
        push(ring, 2, |sqe| {
            sqe.prep_poll_add(ours.as_raw_fd(), IN | libc::POLLRDHUP as u32);
        });
        (at_once, later, reap(ring, 1))
    });
}

#[test]
fn files_are_always_ready_and_what_is_closed_never() {
    let all = on_both(|ring| {
        let file = TempFile::with(b"text");
        push(ring, 0, |sqe| {
            sqe.prep_poll_add(file.fd(), IN | OUT);
        });
        push(ring, 1, |sqe| {
            sqe.prep_poll_add(-1, IN);
        });
        push(ring, 2, |sqe| {
            sqe.prep_poll_add(1_000_000, IN);
        });
        reap_sorted(ring, 3)
    });
    assert_eq!(all[2].1, Err(Errno::EBADF));
}

#[test]
fn a_standing_poll_tells_each_arrival_until_it_is_removed() {
    on_both(|ring| {
        let (mut ours, mut theirs) = unix_pair();
        push(ring, 0, |sqe| {
            sqe.prep_poll_multishot(ours.as_raw_fd(), IN);
        });
        assert_eq!(now(ring), []);
        let mut all = Vec::new();
        for _ in 0..5 {
            theirs.write_all(b"x").expect("written");
            all.extend(reap(ring, 1));
            ours.read_exact(&mut [0]).expect("read");
        }
        push(ring, 1, |sqe| {
            sqe.prep_poll_remove(0);
        });
        all.extend(reap_sorted(ring, 2));
        push(ring, 2, |sqe| {
            sqe.prep_poll_remove(0);
        });
        all.extend(reap(ring, 1));
        all
    });
}

#[test]
fn a_poll_can_get_another_mask_and_another_name() {
    on_both(|ring: &mut Ring| {
        let (ours, _theirs) = unix_pair();
        push(ring, 0, |sqe| {
            sqe.prep_poll_add(ours.as_raw_fd(), IN);
        });
        assert_eq!(now(ring), []);
        push(ring, 1, |sqe| {
            sqe.prep_poll_update(0, 10, 0, IORING_POLL_UPDATE_USER_DATA);
        });
        let renamed = now(ring);
        push(ring, 2, |sqe| {
            sqe.prep_poll_update(10, 0, OUT, IORING_POLL_UPDATE_EVENTS);
        });
        (renamed, reap_sorted(ring, 2))
    });
}

#[test]
fn a_cancel_comes_too_late_for_a_poll_that_was_ready_and_in_time_for_a_standing_one() {
    let all = on_both(|ring| {
        let (ours, _theirs) = unix_pair();
        let fd = ours.as_raw_fd();
        let mut all = Vec::new();
        for (first, standing, mask) in [(0, false, OUT), (10, true, OUT), (20, false, IN)] {
            push(ring, first, |sqe| {
                if standing {
                    sqe.prep_poll_multishot(fd, mask);
                } else {
                    sqe.prep_poll_add(fd, mask);
                }
            });
            // In the same enter as the poll.
            push(ring, first + 1, |sqe| {
                sqe.prep_cancel64(first, 0);
            });
            all.extend(reap_sorted(ring, 2));
        }
        all
    });
    let results: Vec<_> = all.iter().map(|seen| seen.1).collect();
    let cancelled = Err(Errno::ECANCELED);
    assert_eq!(
        results,
        [
            Ok(OUT),
            Err(Errno::ENOENT),
            cancelled,
            Ok(0),
            cancelled,
            Ok(0)
        ]
    );
}

//! Buffers that a group provides.

use std::io::Write;
use std::os::fd::AsRawFd;

use annulus_ring::{BufRing, Cqe, Errno, Ring};
use annulus_syscalls::io_uring::cqe_flags::IORING_CQE_BUFFER_SHIFT;

use crate::both::{Seen, now, on_both, push, reap};
use crate::support::{tcp_pair, unix_pair};

const GROUP: u16 = 3;

/// The bytes in the buffer that a completion names, which goes back.
fn take(buffers: &mut BufRing, seen: &Seen) -> Vec<u8> {
    let cqe = Cqe::synthetic(seen.0, seen.1.map_or(0, |len| len as i32), seen.2);
    let Some(id) = cqe.buffer_id() else {
        return Vec::new();
    };
    // SAFETY: the completion named the buffer, and it is not pushed before the copy is made.
    let bytes = unsafe { buffers.memory().bytes(id, cqe.res() as usize) }.to_vec();
    // SAFETY: as above, and nobody refers to it any more.
    unsafe { buffers.push(id) };
    bytes
}

fn group(ring: &Ring) -> BufRing {
    BufRing::new(ring, GROUP, 4, 8).expect("a group")
}

#[test]
fn a_receive_takes_the_next_buffer_and_one_that_gets_nothing_takes_none() {
    on_both(|ring| {
        let mut buffers = group(ring);
        let (ours, mut theirs) = tcp_pair();
        let mut all = Vec::new();
        for data in [&b"one"[..], b"and two", b""] {
            push(ring, 0, |sqe| {
                // SAFETY: the buffers outlive the completion.
                unsafe { sqe.prep_recv_select(ours.as_raw_fd(), 0, 0, GROUP) };
            });
            assert_eq!(now(ring), []);
            match data {
                [] => theirs
                    .shutdown(std::net::Shutdown::Write)
                    .expect("shut down"),
                data => theirs.write_all(data).expect("written"),
            }
            let seen = reap(ring, 1)[0];
            all.push((seen, take(&mut buffers, &seen)));
        }
        all
    });
}

#[test]
fn a_standing_receive_goes_on_until_there_is_no_buffer_or_no_peer() {
    on_both(|ring| {
        let mut buffers = group(ring);
        let (ours, mut theirs) = unix_pair();
        let mut all = Vec::new();
        let receive = |ring: &mut Ring| {
            push(ring, 0, |sqe| {
                // SAFETY: the buffers outlive the completion.
                unsafe { sqe.prep_recv_multishot(ours.as_raw_fd(), 0, GROUP) };
            });
        };
        receive(ring);
        assert_eq!(now(ring), []);
        // 40 bytes need five buffers, and there are four.
        theirs.write_all(&[1; 40]).expect("written");
        let seen = reap(ring, 5);
        let ids = seen.iter().map(|one| one.2 >> IORING_CQE_BUFFER_SHIFT);
        assert_eq!(ids.collect::<Vec<_>>(), [0, 1, 2, 3, 0]);
        assert_eq!(seen[4].1, Err(Errno::ENOBUFS));
        all.push(seen.clone());
        for one in &seen {
            take(&mut buffers, one);
        }
        receive(ring);
        let seen = reap(ring, 1);
        take(&mut buffers, &seen[0]);
        all.push(seen);
        drop(theirs);
        all.push(reap(ring, 1));
        all
    });
}

#[test]
fn without_a_group_there_is_no_buffer() {
    let seen = on_both(|ring| {
        let (ours, _theirs) = unix_pair();
        push(ring, 0, |sqe| {
            // SAFETY: there are no buffers.
            unsafe { sqe.prep_recv_select(ours.as_raw_fd(), 8, 0, 77) };
        });
        reap(ring, 1)
    });
    assert_eq!(seen, [(0, Err(Errno::ENOBUFS), 0)]);
}

#[test]
fn a_group_is_there_once_and_gone_when_it_is_dropped() {
    let (twice, again) = on_both(|ring| {
        let first = group(ring);
        let twice = BufRing::new(ring, GROUP, 4, 8).map(drop);
        assert_eq!(first.unregister(), Ok(()));
        (twice, BufRing::new(ring, GROUP, 2, 16).map(drop))
    });
    assert_eq!((twice, again), (Err(Errno::EEXIST), Ok(())));
}

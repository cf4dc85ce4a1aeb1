//! A ring and other threads: registered descriptors, cancelling and waking from elsewhere.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use annulus_ring::{Errno, Mask, Ring, RingConfig};

fn ring(pinned: bool) -> Ring {
    let config = RingConfig {
        pinned,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a ring")
}

fn nop(ring: &mut Ring) -> Result<u32, Errno> {
    ring.get_sqe().expect("room").prep_nop();
    let consumed = ring.submit_and_wait(1)?;
    ring.pop().expect("waited for");
    Ok(consumed)
}

#[test]
fn a_registered_ring_works_with_its_index_and_without_it() {
    let mut ring = ring(false);
    assert_eq!(ring.unregister_ring_fd(), Err(Errno::EINVAL));
    ring.register_ring_fd().expect("registered");
    assert_eq!(ring.register_ring_fd(), Err(Errno::EEXIST));
    assert_eq!(nop(&mut ring), Ok(1));
    ring.unregister_ring_fd().expect("unregistered");
    assert!(!ring.is_ring_fd_registered());
    assert_eq!(nop(&mut ring), Ok(1));
}

#[test]
fn a_ring_passes_between_threads_once_it_is_unregistered() {
    let mut ring = ring(false);
    ring.register_ring_fd().expect("registered");
    assert_eq!(nop(&mut ring), Ok(1));
    ring.unregister_ring_fd().expect("unregistered");
    let mut ring = thread::spawn(move || {
        ring.register_ring_fd().expect("registered over there");
        assert_eq!(nop(&mut ring), Ok(1));
        ring.unregister_ring_fd().expect("unregistered over there");
        ring
    })
    .join()
    .expect("no panic");
    assert_eq!(nop(&mut ring), Ok(1));
}

#[test]
fn a_registered_ring_that_is_given_away_is_entered_by_its_descriptor() {
    let mut ring = ring(false);
    ring.register_ring_fd().expect("registered");
    thread::spawn(move || {
        // 1. This thread registers one of its own, which gets the same index.
        let mut own = self::ring(false);
        own.register_ring_fd().expect("registered");
        // 2. The one given away is entered all the same, and not the other in its place.
        assert_eq!(nop(&mut ring), Ok(1));
        assert_eq!(own.cq_ready(), 0);
        // 3. Its registration is another thread's: it cannot be undone here, nor undoes ours.
        assert_eq!(ring.unregister_ring_fd(), Err(Errno::EINVAL));
        drop(ring);
        assert_eq!(nop(&mut own), Ok(1));
        own.unregister_ring_fd().expect("still there");
    })
    .join()
    .expect("no panic");
}

#[test]
fn a_registered_ring_that_is_dropped_lets_go_of_what_it_waited_for() {
    let mut ring = ring(false);
    ring.register_ring_fd().expect("registered");
    let (silent, mut peer) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_multishot(silent.as_raw_fd(), 1);
    ring.submit().expect("submitted");
    drop(silent);
    // The standing poll keeps the socket open. Only the end of the kernel's ring lets go of it.
    peer.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("set");
    drop(ring);
    // `read_to_end` repeats after EINTR, which the end of a ring causes in its thread's calls.
    peer.read_to_end(&mut Vec::new()).expect("no time-out");
}

#[test]
fn a_wait_without_end_is_one() {
    let mut ring = ring(false);
    let other = ring.ring_ref();
    // The longest time limit there is ends by a message and by nothing else.
    let waiting = thread::spawn(move || {
        ring.enter(1, Some(Duration::MAX)).expect("woken");
        ring.pop().map(|cqe| cqe.user_data())
    });
    other.send_msg_ring(7, 0).expect("sent");
    assert_eq!(waiting.join().expect("no panic"), Some(7));
}

#[test]
fn a_thread_has_sixteen_registered_rings_and_no_more() {
    thread::spawn(|| {
        let mut rings: Vec<Ring> = (0..17).map(|_| ring(false)).collect();
        let (sixteen, last) = rings.split_at_mut(16);
        for ring in sixteen.iter_mut() {
            ring.register_ring_fd().expect("registered");
        }
        assert_eq!(last[0].register_ring_fd(), Err(Errno::EBUSY));
        assert_eq!(nop(&mut last[0]), Ok(1), "the plain descriptor goes on");
        sixteen[0].unregister_ring_fd().expect("unregistered");
        last[0].register_ring_fd().expect("one is free");
    })
    .join()
    .expect("no panic");
}

#[test]
fn a_pinned_ring_refuses_other_threads() {
    let mut ring = ring(true);
    assert_eq!(nop(&mut ring), Ok(1));
    thread::spawn(move || {
        ring.get_sqe().expect("room").prep_nop();
        assert_eq!(ring.submit_and_wait(1), Err(Errno::EEXIST));
    })
    .join()
    .expect("no panic");
}

#[test]
fn any_thread_cancels_an_operation_of_a_parked_ring() {
    let mut ring = ring(false);
    let (silent, _peer) = UnixStream::pair().expect("a pair");
    ring.get_sqe()
        .expect("room")
        .prep_poll_multishot(silent.as_raw_fd(), 1)
        .set_user_data(5);
    ring.submit().expect("submitted");
    let other = ring.ring_ref();
    assert_eq!(other.sync_cancel(6, None), Err(Errno::ENOENT));
    // 1. This thread waits in the kernel; 2. the other cancels; 3. the last CQE ends the wait.
    let canceller = thread::spawn(move || other.sync_cancel(5, Some(Duration::from_secs(10))));
    ring.submit_and_wait(1).expect("woken");
    let cqe = ring.pop().expect("the poll's last");
    assert_eq!((cqe.user_data(), cqe.result()), (5, Err(Errno::ECANCELED)));
    assert!(!cqe.more());
    assert_eq!(canceller.join().expect("no panic"), Ok(()));
}

#[test]
fn cancelling_by_descriptor_ends_all_that_stand_on_it() {
    use annulus_syscalls::io_uring::flags::cancel::IORING_ASYNC_CANCEL_ALL;
    let mut ring = ring(false);
    let (silent, _peer) = UnixStream::pair().expect("a pair");
    for user_data in 0..3 {
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_poll_add(silent.as_raw_fd(), 1)
            .set_user_data(user_data);
    }
    ring.submit().expect("submitted");
    let other = ring.ring_ref();
    other
        .sync_cancel_fd(silent.as_raw_fd(), IORING_ASYNC_CANCEL_ALL, None)
        .expect("cancelled");
    ring.enter(3, None).expect("entered");
    for _ in 0..3 {
        assert_eq!(ring.pop().expect("three").result(), Err(Errno::ECANCELED));
    }
}

#[test]
fn a_message_wakes_a_waiting_ring_whatever_its_kind() {
    for pinned in [false, true] {
        let (hand_over, take) = mpsc::channel();
        let waiting = thread::spawn(move || {
            let mut ring = ring(pinned);
            hand_over.send(ring.ring_ref()).expect("somebody takes it");
            ring.submit_and_wait(1).expect("woken");
            ring.pop().expect("a message")
        });
        let target = take.recv().expect("the ring");
        target.send_msg_ring(9, 42).expect("sent");
        let cqe = waiting.join().expect("no panic");
        assert_eq!((cqe.user_data(), cqe.res()), (9, 42));
        assert_eq!(
            target.send_msg_ring(9, 42),
            Err(Errno::EBADF),
            "the ring is gone"
        );
        assert_eq!(target.sync_cancel(9, None), Err(Errno::EBADF));
    }
}

#[test]
fn a_ring_is_dropped_while_others_call_it() {
    for _ in 0..50 {
        let ring = ring(false);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let other = ring.ring_ref();
                thread::spawn(move || {
                    // A call either reaches the ring, full or not, or finds it gone, and then for
                    // good: never another file that took the number.
                    loop {
                        match other.send_msg_ring(1, 0) {
                            Ok(()) | Err(Errno::EOVERFLOW | Errno::ENOMEM) => {}
                            gone => return gone,
                        }
                    }
                })
            })
            .collect();
        thread::yield_now();
        drop(ring);
        for caller in callers {
            assert_eq!(caller.join().expect("no panic"), Err(Errno::EBADF));
        }
    }
}

#[test]
fn a_cancel_that_does_not_wait_is_asked_all_the_same() {
    let mut ring = ring(false);
    let (silent, _peer) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_add(silent.as_raw_fd(), 1).set_user_data(5);
    ring.submit().expect("submitted");
    assert_eq!(ring.ring_ref().sync_cancel(5, Some(Duration::ZERO)), Ok(()));
    ring.enter(1, None).expect("entered");
    assert_eq!(
        ring.pop().expect("its last").result(),
        Err(Errno::ECANCELED)
    );
}

#[test]
fn a_message_between_rings_carries_its_flags() {
    let (mut from, mut to) = (ring(false), ring(false));
    let target = to.fd();
    from.get_sqe()
        .expect("room")
        .prep_msg_ring_cqe_flags(target, 7, 3, 0, 0x50)
        .set_user_data(1);
    from.submit_and_wait(1).expect("submitted");
    assert_eq!(from.pop().expect("done").result(), Ok(0));
    to.enter(1, None).expect("entered");
    let cqe = to.pop().expect("a message");
    assert_eq!((cqe.user_data(), cqe.res(), cqe.flags()), (7, 3, 0x50));
}

#[test]
fn an_older_kernel_knows_neither_call() {
    let config = RingConfig {
        mask: Mask::V5_19,
        ..RingConfig::default()
    };
    let ring = Ring::new(&config).expect("a ring");
    let other = ring.ring_ref();
    assert_eq!(other.sync_cancel(1, None), Err(Errno::EINVAL));
    assert_eq!(other.send_msg_ring(1, 1), Err(Errno::EINVAL));
}

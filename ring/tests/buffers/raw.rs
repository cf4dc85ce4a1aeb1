//! Provided buffers: taken when data comes, read, and given back.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;

use annulus_ring::{BufRing, Cqe, Errno, Ring};

use super::{GROUP, ring};

fn recv_select(ring: &mut Ring, from: &UnixStream) -> Cqe {
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the tests keep the group until this completion, which is waited for.
    unsafe { sqe.prep_recv_select(from.as_raw_fd(), 0, 0, GROUP) };
    ring.submit_and_wait(1).expect("submitted");
    ring.pop().expect("waited for")
}

#[test]
fn a_receive_takes_a_buffer_and_an_empty_group_is_enobufs() {
    let mut ring = ring();
    let mut buffers = BufRing::new(&ring, GROUP, 2, 4).expect("buffers");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for round in 0..100 {
        ours.write_all(b"abcdefgh!").expect("written");
        // 1. Two buffers of four bytes take the first eight; 2. the third finds none.
        let first = recv_select(&mut ring, &theirs);
        let second = recv_select(&mut ring, &theirs);
        let third = recv_select(&mut ring, &theirs);
        assert_eq!(third.result(), Err(Errno::ENOBUFS), "round {round}");
        assert_eq!(third.buffer_id(), None);
        for (cqe, want) in [(first, b"abcd"), (second, b"efgh")] {
            let len = cqe.result().expect("received") as usize;
            let id = cqe.buffer_id().expect("a buffer");
            // SAFETY: the CQE named the buffer, and it is pushed after the comparison.
            let bytes = unsafe { buffers.memory().bytes(id, len) };
            assert_eq!(bytes, want);
            // SAFETY: the CQE named the buffer, and `bytes` is not used any more.
            unsafe { buffers.push(id) };
        }
        // 3. Given back, one of them takes the rest.
        let rest = recv_select(&mut ring, &theirs);
        assert_eq!(rest.result(), Ok(1));
        let id = rest.buffer_id().expect("a buffer");
        // SAFETY: the CQE named the buffer, and nobody refers to it.
        unsafe { buffers.push(id) };
    }
}

#[test]
fn a_multishot_receive_goes_on_until_the_group_is_empty() {
    let mut ring = ring();
    let mut buffers = BufRing::new(&ring, GROUP, 4, 8).expect("buffers");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: the group stays until the last completion, which is waited for.
    unsafe { sqe.prep_recv_multishot(theirs.as_raw_fd(), 0, GROUP) };
    ring.submit().expect("submitted");
    let mut taken = Vec::new();
    for _ in 0..4 {
        ours.write_all(b"x").expect("written");
        ring.enter(1, None).expect("entered");
        let cqe = ring.pop().expect("waited for");
        assert_eq!(cqe.result(), Ok(1));
        assert!(cqe.more());
        taken.push(cqe.buffer_id().expect("a buffer"));
    }
    ours.write_all(b"x").expect("written");
    ring.enter(1, None).expect("entered");
    let last = ring.pop().expect("waited for");
    assert_eq!((last.result(), last.more()), (Err(Errno::ENOBUFS), false));
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2, 3]);
    // SAFETY: CQEs named all four, none twice, and nobody refers to them.
    unsafe { buffers.push_all(taken) };
    assert_eq!(recv_select(&mut ring, &theirs).result(), Ok(1));
}

#[test]
fn another_thread_reads_a_buffer_while_its_home_goes_on() {
    let mut ring = ring();
    let mut buffers = BufRing::new(&ring, GROUP, 2, 16).expect("buffers");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    ours.write_all(b"elsewhere").expect("written");
    let cqe = recv_select(&mut ring, &theirs);
    let id = cqe.buffer_id().expect("a buffer");
    let memory = buffers.memory().clone();
    let reader = thread::spawn(move || {
        // SAFETY: the CQE named the buffer, and it is pushed after this thread has ended.
        let bytes = unsafe { memory.bytes(id, 9) };
        bytes.to_vec()
    });
    ours.write_all(b"again").expect("written");
    let again = recv_select(&mut ring, &theirs);
    assert_ne!(again.buffer_id(), Some(id));
    assert_eq!(reader.join().expect("no panic"), b"elsewhere");
    // SAFETY: the CQE named the buffer, and its reader is done.
    unsafe { buffers.push(id) };
}

#[test]
fn a_group_is_registered_once_and_free_again_when_dropped() {
    let ring = ring();
    let buffers = BufRing::new(&ring, GROUP, 1, 1).expect("buffers");
    assert_eq!(
        BufRing::new(&ring, GROUP, 1, 1).map(drop),
        Err(Errno::EEXIST)
    );
    drop(buffers);
    let buffers = BufRing::new(&ring, GROUP, 1, 1).expect("the group is free again");
    assert_eq!(buffers.unregister(), Ok(()));
}

#[test]
fn counts_that_are_no_power_of_two_are_refused() {
    let ring = ring();
    for (count, size_bytes) in [(0, 1), (3, 1), (4, 0), (u16::MAX, 1)] {
        let made = BufRing::new(&ring, GROUP, count, size_bytes);
        assert_eq!(
            made.map(drop),
            Err(Errno::EINVAL),
            "{count} of {size_bytes}"
        );
    }
    let most = BufRing::new(&ring, GROUP, 1 << 15, 64).expect("the most there can be");
    assert_eq!(most.memory().count(), 1 << 15);
}

#[test]
fn the_memory_outlives_the_group_and_the_ring() {
    let mut ring = ring();
    let buffers = BufRing::new(&ring, GROUP, 1, 8).expect("buffers");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    ours.write_all(b"kept").expect("written");
    let cqe = recv_select(&mut ring, &theirs);
    let id = cqe.buffer_id().expect("a buffer");
    let memory = buffers.memory().clone();
    drop(ring);
    assert_eq!(buffers.unregister(), Err(Errno::EBADF), "the ring is gone");
    // SAFETY: the CQE named the buffer, and it is never pushed again.
    let bytes = unsafe { memory.bytes(id, 4) };
    assert_eq!(bytes, b"kept");
}

#[test]
#[should_panic(expected = "a buffer id is below the count")]
fn there_is_no_buffer_beyond_the_count() {
    let ring = ring();
    let buffers = BufRing::new(&ring, GROUP, 2, 8).expect("buffers");
    let _ = buffers.memory().start(2);
}

//! Groups: what a completion delivered is owned, and goes back when it is dropped.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;

use annulus_ring::{BufGroup, BufSpan, Cqe, Errno, Ring, Selected, SqeFlags};

use super::{group, ring, skip, take, wait};

fn recv(ring: &mut Ring, group: &mut BufGroup, from: &UnixStream) -> Cqe {
    let sqe = ring.get_sqe().expect("room");
    group.recv(sqe, from.as_raw_fd(), 0).expect("prepared");
    ring.submit_and_wait(1).expect("submitted");
    wait(ring)
}

#[test]
fn what_was_sent_is_what_the_group_delivers() {
    let mut ring = ring();
    let mut group = group(&ring, 1, 128);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    ours.write_all(b"0123456789").expect("written");
    let cqe = recv(&mut ring, &mut group, &theirs);
    let (result, selected) = take(&mut group, &cqe);
    let selected = selected.expect("a buffer");
    assert_eq!((result, &selected[..]), (Ok(10), &b"0123456789"[..]));
    assert_eq!((group.pushed(), group.under_way()), (0, 0));
    group.put(selected);
    assert_eq!(group.pushed(), 1);
}

#[test]
fn an_empty_group_is_enobufs_without_a_buffer_and_resumes_when_one_is_put() {
    let mut ring = ring();
    let mut group = group(&ring, 2, 4);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for round in 0..4 {
        ours.write_all(b"abcdefgh!").expect("written");
        // 1. Two buffers of four bytes; the third receive finds none.
        let [first, second] = [(); 2].map(|()| {
            let cqe = recv(&mut ring, &mut group, &theirs);
            take(&mut group, &cqe).1.expect("a buffer")
        });
        assert_eq!((&first[..], &second[..]), (&b"abcd"[..], &b"efgh"[..]));
        assert_ne!(first.id(), second.id(), "unique while they are out");
        let third = recv(&mut ring, &mut group, &theirs);
        let (result, nothing) = take(&mut group, &third);
        assert_eq!(result, Err(Errno::ENOBUFS), "round {round}");
        assert!(nothing.is_none());
        // 2. One put back takes the rest.
        group.put(first);
        let cqe = recv(&mut ring, &mut group, &theirs);
        let (_, rest) = take(&mut group, &cqe);
        assert_eq!(&rest.expect("a buffer")[..], b"!");
        drop(second);
        assert_eq!(group.refill(), 2, "both were dropped");
    }
}

#[test]
fn a_multishot_receive_stops_when_the_group_is_empty_and_can_be_cancelled_after_a_restart() {
    let mut ring = ring();
    let mut group = group(&ring, 2, 4);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let (receive, cancel) = (1, 2);
    for _ in 0..4 {
        ours.write_all(b"abcdefgh!").expect("written");
        // 1. Two completions go on, the third is the last.
        let sqe = ring.get_sqe().expect("room");
        group
            .recv_multishot(sqe, theirs.as_raw_fd(), 0)
            .expect("prepared")
            .set_user_data(receive);
        ring.submit().expect("submitted");
        for want in [b"abcd", b"efgh"] {
            let cqe = wait(&mut ring);
            assert!(cqe.more());
            let selected = take(&mut group, &cqe).1.expect("a buffer");
            assert_eq!(&selected[..], want);
        }
        let last = wait(&mut ring);
        assert!(!last.more());
        assert_eq!(take(&mut group, &last).0, Err(Errno::ENOBUFS));
        assert_eq!(group.under_way(), 0);
        // 2. What was dropped serves the next one; it takes the rest and waits.
        let sqe = ring.get_sqe().expect("room");
        group
            .recv_multishot(sqe, theirs.as_raw_fd(), 0)
            .expect("prepared")
            .set_user_data(receive);
        ring.submit().expect("submitted");
        let cqe = wait(&mut ring);
        assert_eq!(&take(&mut group, &cqe).1.expect("a buffer")[..], b"!");
        // 3. Cancelled, both say so.
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_cancel64(receive, 0).set_user_data(cancel);
        ring.submit_and_wait(2).expect("submitted");
        for _ in 0..2 {
            let cqe = wait(&mut ring);
            if cqe.user_data() == cancel {
                assert_eq!(cqe.result(), Ok(0));
            } else {
                assert!(!cqe.more());
                assert_eq!(take(&mut group, &cqe).0, Err(Errno::ECANCELED));
            }
        }
    }
}

#[test]
fn buffers_dropped_in_other_threads_come_back() {
    let mut ring = ring();
    let mut group = group(&ring, 64, 4);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for _ in 0..20 {
        let mut taken = Vec::new();
        for _ in 0..64 {
            ours.write_all(b"1234").expect("written");
            let cqe = recv(&mut ring, &mut group, &theirs);
            taken.push(take(&mut group, &cqe).1.expect("a buffer"));
        }
        let mut ids: Vec<u16> = taken.iter().map(Selected::id).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..64), "unique while they are out");
        let half = taken.split_off(32);
        let threads = [taken, half].map(|part| {
            thread::spawn(move || part.into_iter().all(|selected| &selected[..] == b"1234"))
        });
        for thread in threads {
            assert!(thread.join().expect("no panic"));
        }
        assert_eq!(group.refill(), 64);
    }
}

#[test]
fn selected_bytes_outlive_the_group_and_the_ring() {
    let mut ring = ring();
    let mut group = group(&ring, 1, 8);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    ours.write_all(b"kept").expect("written");
    let cqe = recv(&mut ring, &mut group, &theirs);
    let mut selected = take(&mut group, &cqe).1.expect("a buffer");
    drop(group);
    drop(ring);
    selected[0] = b'w';
    assert_eq!(&selected[..], b"wept");
    assert_eq!(
        format!("{selected:?}"),
        format!(
            "{:?}",
            BufSpan {
                id: 0,
                offset: 0,
                len: 4,
                kept: false
            }
        )
    );
}

#[test]
fn a_group_dropped_while_a_worker_fills_a_buffer_leaves_the_memory_to_it() {
    let mut ring = ring();
    let mut group = group(&ring, 1, 16);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    // 1. A worker takes the buffer and waits for data.
    let sqe = ring.get_sqe().expect("room");
    let prepared = group.recv(sqe, theirs.as_raw_fd(), 0).expect("prepared");
    prepared.add_flags(SqeFlags::ASYNC);
    ring.submit().expect("submitted");
    loop {
        match group.buf_ring().head() {
            Ok(0) => thread::yield_now(),
            Ok(_) => break,
            Err(_) => return skip("the status of a buffer ring needs 6.8"),
        }
    }
    let start = group.buf_ring().memory().start(0);
    drop(group);
    // 2. The data comes; had the memory been unmapped, it would be EFAULT or somebody else's.
    ours.write_all(b"late").expect("written");
    assert_eq!(wait(&mut ring).result(), Ok(4));
    // SAFETY: the memory was leaked, and the operation has ended.
    let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), 4) };
    assert_eq!(bytes, b"late");
}

#[test]
fn waiting_for_the_whole_length_is_refused_as_the_kernel_miscounts_it() {
    let mut ring = ring();
    let mut group = group(&ring, 1, 8);
    let sqe = ring.get_sqe().expect("room");
    assert_eq!(
        group.recv(sqe, 0, libc::MSG_WAITALL).map(drop),
        Err(Errno::EINVAL)
    );
    assert_eq!(group.under_way(), 0);
    sqe.prep_nop();
}

#[test]
fn a_completion_that_names_no_buffer_of_the_kernels_is_a_protocol_error() {
    let ring = ring();
    let mut group = group(&ring, 2, 8);
    for (id, bytes) in [(0, 9), (2, 1)] {
        let forged = Cqe::synthetic(0, bytes, 1 | id << 16);
        // SAFETY: nothing is under way, so nobody writes to the buffers.
        let taken = unsafe { group.take(&forged) };
        assert_eq!(taken.map(drop), Err(Errno::EPROTO));
        let mut to = Vec::new();
        let too_many = Cqe::synthetic(0, 17, 1 | id << 16);
        // SAFETY: as above.
        let taken = unsafe { group.take_bundle(&too_many, &mut to) };
        assert_eq!(taken, Err(Errno::EPROTO));
    }
}

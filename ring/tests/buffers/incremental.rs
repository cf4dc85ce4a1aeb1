//! Buffers that the kernel fills bit by bit.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

use annulus_ring::{BufGroup, BufRingConfig, Cqe, Ring, Selected, SqeFlags};

use super::{GROUP, incremental, ring, skip, take, wait};

fn recv(ring: &mut Ring, group: &mut BufGroup, fd: i32) -> Selected {
    let sqe = ring.get_sqe().expect("room");
    group.recv(sqe, fd, 0).expect("prepared");
    ring.submit_and_wait(1).expect("submitted");
    let cqe = wait(ring);
    take(group, &cqe).1.expect("a buffer")
}

fn place(selected: &Selected) -> (u16, u32, usize, bool) {
    let (id, offset) = (selected.id(), selected.offset());
    (id, offset, selected.len(), selected.is_kept())
}

#[test]
fn receives_share_a_buffer_until_it_is_full() {
    let mut ring = ring();
    let Some(mut group) = incremental(&ring, 2, 10) else {
        return;
    };
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    // 1. Four bytes leave the buffer with the kernel, six more fill it.
    ours.write_all(b"abcd").expect("written");
    let first = recv(&mut ring, &mut group, theirs.as_raw_fd());
    assert_eq!(place(&first), (0, 0, 4, true));
    ours.write_all(b"efghijKL").expect("written");
    let second = recv(&mut ring, &mut group, theirs.as_raw_fd());
    assert_eq!(place(&second), (0, 4, 6, false));
    let third = recv(&mut ring, &mut group, theirs.as_raw_fd());
    assert_eq!(place(&third), (1, 0, 2, true));
    assert_eq!(
        [&first[..], &second[..], &third[..]],
        [&b"abcd"[..], b"efghij", b"KL"]
    );
    // 2. It is free when both parts are dropped, in whichever order, and not before.
    drop(second);
    assert_eq!(group.refill(), 0, "a part of it is in use");
    drop(first);
    assert_eq!(group.refill(), 1);
    // 3. A part of what the kernel keeps can be dropped: the kernel is still a holder.
    drop(third);
    assert_eq!(group.refill(), 0);
    ours.write_all(b"mnopqrst").expect("written");
    let rest = recv(&mut ring, &mut group, theirs.as_raw_fd());
    assert_eq!(place(&rest), (1, 2, 8, false));
    assert_eq!(&rest[..], b"mnopqrst");
}

#[test]
fn a_multishot_receive_leaves_no_gap_over_many_buffers() {
    let mut ring = ring();
    let Some(mut group) = incremental(&ring, 8, 100) else {
        return;
    };
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    let prepared = group.recv_multishot(sqe, theirs.as_raw_fd(), 0);
    prepared.expect("prepared").set_user_data(1);
    ring.submit().expect("submitted");
    let (mut got, mut kept) = (Vec::new(), 0);
    let mut want = Vec::new();
    for round in 0..200_usize {
        let message: Vec<u8> = (0..round % 37 + 1).map(|at| (round + at) as u8).collect();
        want.extend_from_slice(&message);
        ours.write_all(&message).expect("written");
        while got.len() < want.len() {
            let cqe = wait(&mut ring);
            assert!(cqe.more(), "there are buffers: {cqe:?}");
            let selected = take(&mut group, &cqe).1.expect("a buffer");
            kept += u32::from(selected.is_kept());
            got.extend_from_slice(&selected);
            group.put(selected);
        }
    }
    assert_eq!(got, want);
    assert!(kept > 100, "buffers were shared: {kept} times");
    drop(ours);
    let last = wait(&mut ring);
    assert_eq!((take(&mut group, &last).0, last.more()), (Ok(0), false));
}

#[test]
fn min_left_ends_a_buffer_that_has_too_little_left() {
    let mut ring = ring();
    let config = BufRingConfig {
        incremental: true,
        min_left: 4,
        ..BufRingConfig::new(GROUP, 4, 10)
    };
    let mut group = BufGroup::new(&ring, &config).expect("a group");
    if group.buf_ring().min_left() == 0 {
        return skip("min_left is newer than this kernel");
    }
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let mut places = Vec::new();
    for len in [6, 1, 7, 10] {
        ours.write_all(&vec![b'x'; len]).expect("written");
        let selected = recv(&mut ring, &mut group, theirs.as_raw_fd());
        places.push(place(&selected));
    }
    // Four left are enough, three are not.
    assert_eq!(
        places,
        [
            (0, 0, 6, true),
            (0, 6, 1, false),
            (1, 0, 7, false),
            (2, 0, 10, false)
        ]
    );
}

#[test]
fn a_read_of_a_file_claims_what_it_asked_for_even_if_the_file_ends_before() {
    let mut ring = ring();
    let Some(mut group) = incremental(&ring, 2, 16) else {
        return;
    };
    let path = std::env::temp_dir().join(format!("annulus-claim-{}", std::process::id()));
    std::fs::write(&path, b"0123456").expect("written");
    let file = File::open(&path).expect("opened");
    std::fs::remove_file(&path).expect("removed");
    let mut read = |group: &mut BufGroup, len, offset| {
        let sqe = ring.get_sqe().expect("room");
        group.read(sqe, file.as_raw_fd(), len, offset);
        ring.submit_and_wait(1).expect("submitted");
        let cqe: Cqe = wait(&mut ring);
        // SAFETY: it is the completion of the read above, told once.
        let selected = unsafe { group.take_read(&cqe, len) }.expect("the two agree");
        selected.expect("a buffer")
    };
    let first = read(&mut group, 3, 0);
    assert_eq!((place(&first), &first[..]), ((0, 0, 3, true), &b"012"[..]));
    // One byte comes, five are claimed.
    let short = read(&mut group, 5, 6);
    assert_eq!((place(&short), &short[..]), ((0, 3, 1, true), &b"6"[..]));
    // Nothing comes, four are claimed.
    let nothing = read(&mut group, 4, 100);
    assert_eq!(place(&nothing), (0, 8, 0, true));
    // The rest of the buffer is asked for, and more than that.
    let rest = read(&mut group, 100, 0);
    assert_eq!((place(&rest), &rest[..]), ((0, 12, 4, false), &b"0123"[..]));
    let next = read(&mut group, 0, 0);
    assert_eq!(
        (place(&next), &next[..]),
        ((1, 0, 7, false), &b"0123456"[..])
    );
}

#[test]
fn a_failed_read_of_a_file_names_the_buffer_it_claimed() {
    let mut ring = ring();
    let mut group = super::group(&ring, 1, 16);
    let directory = File::open("/").expect("opened");
    for _ in 0..3 {
        let sqe = ring.get_sqe().expect("room");
        group.read(sqe, directory.as_raw_fd(), 16, 0);
        ring.submit_and_wait(1).expect("submitted");
        let cqe = wait(&mut ring);
        let (result, selected) = take(&mut group, &cqe);
        assert_eq!(result, Err(annulus_ring::Errno::EISDIR));
        // Without this the one buffer would be lost in the first round.
        let selected = selected.expect("taken before the read was tried");
        assert!(selected.is_empty());
    }
}

#[test]
fn a_receive_that_a_worker_ran_has_taken_the_whole_buffer() {
    let mut ring = ring();
    let Some(mut group) = incremental(&ring, 4, 10) else {
        return;
    };
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for id in 0..4 {
        ours.write_all(b"abc").expect("written");
        let sqe = ring.get_sqe().expect("room");
        let prepared = group.recv(sqe, theirs.as_raw_fd(), 0).expect("prepared");
        prepared.add_flags(SqeFlags::ASYNC);
        ring.submit_and_wait(1).expect("submitted");
        let cqe = wait(&mut ring);
        // SAFETY: it is the completion of the receive above, told once.
        let selected = unsafe { group.take_read(&cqe, 0) }.expect("the two agree");
        let selected = selected.expect("a buffer");
        assert_eq!(
            (place(&selected), &selected[..]),
            ((id, 0, 3, false), &b"abc"[..])
        );
    }
}

#[test]
fn messages_of_a_multishot_recvmsg_follow_each_other_in_a_buffer() {
    let mut ring = ring();
    let header_len = 16;
    let config = BufRingConfig {
        incremental: true,
        min_left: header_len as u32,
        ..BufRingConfig::new(GROUP, 2, 256)
    };
    let mut group = BufGroup::new(&ring, &config).expect("a group");
    if group.buf_ring().min_left() == 0 {
        return skip("min_left is newer than this kernel");
    }
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    // SAFETY: a zeroed `msghdr` asks for neither name nor control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    let sqe = ring.get_sqe().expect("room");
    let pointer = (&raw mut message).cast();
    // SAFETY: the message stays until the last completion below.
    unsafe { group.recvmsg_multishot(sqe, theirs.as_raw_fd(), pointer, 0) }.expect("prepared");
    ring.submit().expect("submitted");
    let mut next = (0, 0);
    for round in 0..40_u8 {
        let payload = vec![round; 20];
        ours.send(&payload).expect("sent");
        let cqe = wait(&mut ring);
        assert!(cqe.more(), "round {round}: {cqe:?}");
        let selected = take(&mut group, &cqe).1.expect("a buffer");
        assert_eq!((selected.id(), selected.offset()), next, "round {round}");
        assert_eq!(selected[8..12], 20_u32.to_ne_bytes(), "the payload's size");
        let truncated = selected.len() < header_len + 20;
        assert_eq!(
            &selected[header_len..],
            &payload[..selected.len() - header_len]
        );
        assert!(
            !truncated || !selected.is_kept(),
            "only at the end of a buffer"
        );
        next = if selected.is_kept() {
            (selected.id(), selected.offset() + selected.len() as u32)
        } else {
            (1 - selected.id(), 0)
        };
        group.put(selected);
    }
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_cancel_any().set_user_data(2);
    ring.submit().expect("submitted");
    for _ in 0..2 {
        let cqe = wait(&mut ring);
        if cqe.user_data() == 0 {
            assert!(!cqe.more());
        }
    }
}

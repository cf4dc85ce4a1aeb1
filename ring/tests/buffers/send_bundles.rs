//! Data queued in a group, sent in order.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{Errno, Mask, Ring, RingConfig, SendGroup, Sent};
use socket2::SockRef;

use super::{GROUP, ring, skip, wait};

fn send_group(ring: &Ring, count: u16, size_bytes: u32) -> Option<SendGroup> {
    match SendGroup::new(ring, GROUP, count, size_bytes) {
        Err(Errno::EINVAL) => {
            skip("bundles are newer than this kernel (6.10)");
            None
        }
        made => Some(made.expect("a group")),
    }
}

fn submit(ring: &mut Ring, group: &mut SendGroup, fd: i32) {
    let sqe = ring.get_sqe().expect("room");
    group.send(sqe, fd, 0).expect("prepared").set_user_data(1);
    ring.submit().expect("submitted");
}

/// Bytes that tell their place in the stream.
fn stream(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn what_was_queued_arrives_in_order_and_its_buffers_are_free_again() {
    let mut ring = ring();
    let Some(mut group) = send_group(&ring, 8, 4) else {
        return;
    };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let mut sent_bytes = 0;
    for _ in 0..20 {
        // 1. Three calls, seven buffers; the last call does not fit.
        let mut queued = 0;
        for len in [9, 3, 20] {
            queued += group.queue(&stream(sent_bytes + queued, len));
        }
        assert_eq!(queued, 9 + 3 + 16);
        assert_eq!((group.free(), group.queued_bytes()), (0, 28));
        assert_eq!(group.queue(b"full"), 0);
        // 2. One send takes them all.
        submit(&mut ring, &mut group, ours.as_raw_fd());
        let sent = group.sent(&wait(&mut ring)).expect("noted");
        let all = Sent {
            bytes: 28,
            more: false,
            stranded_bytes: 0,
        };
        assert_eq!(sent, all);
        assert_eq!((group.free(), group.queued_bytes()), (8, 0));
        let mut got = [0; 28];
        theirs.read_exact(&mut got).expect("read");
        assert_eq!(got[..], stream(sent_bytes, 28));
        sent_bytes += 28;
    }
}

#[test]
fn a_send_that_waits_for_room_goes_on_where_it_was() {
    let mut ring = ring();
    let Some(mut group) = send_group(&ring, 64, 4096) else {
        return;
    };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    SockRef::from(&ours)
        .set_send_buffer_size(4096)
        .expect("set");
    let len = 64 * 4096;
    for round in 0..3 {
        assert_eq!(group.queue(&stream(round * len, len)), len);
        submit(&mut ring, &mut group, ours.as_raw_fd());
        let sqe = ring.get_sqe().expect("room");
        let second = group.send(sqe, ours.as_raw_fd(), 0).map(drop);
        assert_eq!(second, Err(Errno::EBUSY), "it could overtake the first");
        sqe.prep_nop().set_user_data(2);
        let (mut got, mut sent_bytes) = (vec![0; len], 0);
        for part in got.chunks_mut(3000) {
            theirs.read_exact(part).expect("read");
            ring.enter(0, None).expect("entered");
        }
        while group.is_sending() {
            let cqe = wait(&mut ring);
            if cqe.user_data() == 1 {
                sent_bytes += group.sent(&cqe).expect("noted").bytes as usize;
            }
        }
        assert_eq!(sent_bytes, len);
        assert_eq!(got, stream(round * len, len));
        assert_eq!((group.free(), group.queued_bytes()), (64, 0));
        while ring.pop().is_some() {}
    }
}

#[test]
fn what_a_cancelled_send_left_is_stranded_and_goes_out_in_order_when_requeued() {
    let mut ring = ring();
    let Some(mut group) = send_group(&ring, 64, 4096) else {
        return;
    };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    SockRef::from(&ours)
        .set_send_buffer_size(4096)
        .expect("set");
    let len = 60 * 4096;
    assert_eq!(group.queue(&stream(0, len)), len);
    // 1. It fills the socket and waits; more is queued behind it.
    submit(&mut ring, &mut group, ours.as_raw_fd());
    assert_eq!(group.queue(&stream(len, 4096)), 4096);
    assert_eq!(group.requeue(), Err(Errno::EBUSY));
    // 2. Cancelled, it tells of the part that it sent.
    ring.get_sqe().expect("room").prep_cancel64(1, 0);
    ring.submit().expect("submitted");
    let mut sent = None;
    while group.is_sending() {
        let cqe = wait(&mut ring);
        if cqe.user_data() == 1 {
            sent = Some(group.sent(&cqe).expect("noted"));
        }
    }
    let sent = sent.expect("it was told");
    let first_bytes = sent.bytes as usize;
    assert!(first_bytes < len, "the socket is smaller");
    assert_eq!(sent.stranded_bytes, (len - first_bytes) as u64);
    assert_eq!(group.queued_bytes(), (len + 4096 - first_bytes) as u64);
    let mut got = vec![0; first_bytes];
    theirs.read_exact(&mut got).expect("read");
    // 3. Requeued, the rest goes out behind it, and what was queued later comes last.
    group.requeue().expect("nothing is under way");
    submit(&mut ring, &mut group, ours.as_raw_fd());
    let mut rest = vec![0; len + 4096 - first_bytes];
    for part in rest.chunks_mut(3000) {
        theirs.read_exact(part).expect("read");
        ring.enter(0, None).expect("entered");
    }
    got.extend_from_slice(&rest);
    assert_eq!(got, stream(0, len + 4096));
    while group.is_sending() {
        let cqe = wait(&mut ring);
        if cqe.user_data() == 1 {
            group.sent(&cqe).expect("noted");
        }
    }
    assert_eq!((group.free(), group.queued_bytes()), (64, 0));
}

#[test]
fn what_cannot_be_sent_can_be_taken_back() {
    let mut ring = ring();
    let Some(mut group) = send_group(&ring, 4, 8) else {
        return;
    };
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    drop(theirs);
    assert_eq!(group.queue(&stream(0, 20)), 20);
    let no_signal = libc::MSG_NOSIGNAL;
    let sqe = ring.get_sqe().expect("room");
    group
        .send(sqe, ours.as_raw_fd(), no_signal)
        .expect("prepared");
    ring.submit().expect("submitted");
    let cqe = wait(&mut ring);
    assert_eq!(cqe.result(), Err(Errno::EPIPE));
    let sent = group.sent(&cqe).expect("noted");
    assert_eq!((sent.bytes, sent.more), (0, false));
    assert_eq!(group.queued_bytes(), 20);
    assert_eq!(group.take_unsent(), Ok(stream(0, 20)));
    assert_eq!((group.free(), group.queued_bytes()), (4, 0));
    assert_eq!(group.sent(&cqe), Err(Errno::EINVAL), "none is under way");
    // The group works on, with another connection.
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    assert_eq!(group.queue(b"again"), 5);
    submit(&mut ring, &mut group, ours.as_raw_fd());
    assert_eq!(group.sent(&wait(&mut ring)).expect("noted").bytes, 5);
    let mut got = [0; 5];
    theirs.read_exact(&mut got).expect("read");
    assert_eq!(&got, b"again");
}

#[test]
fn a_group_dropped_while_it_sends_leaves_the_memory_to_the_send() {
    let mut ring = ring();
    let Some(mut group) = send_group(&ring, 64, 4096) else {
        return;
    };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    SockRef::from(&ours)
        .set_send_buffer_size(4096)
        .expect("set");
    let len = 64 * 4096;
    assert_eq!(group.queue(&stream(0, len)), len);
    submit(&mut ring, &mut group, ours.as_raw_fd());
    drop(group);
    let mut got = vec![0; len];
    for part in got.chunks_mut(3000) {
        theirs.read_exact(part).expect("read");
        ring.enter(0, None).expect("entered");
    }
    assert_eq!(got, stream(0, len));
    assert_eq!(wait(&mut ring).result(), Ok(len as u32));
}

#[test]
fn a_send_of_nothing_is_enobufs() {
    let mut ring = ring();
    let Some(mut group) = send_group(&ring, 4, 8) else {
        return;
    };
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    submit(&mut ring, &mut group, ours.as_raw_fd());
    let cqe = wait(&mut ring);
    assert_eq!(cqe.result(), Err(Errno::ENOBUFS));
    assert_eq!(group.sent(&cqe).map(|sent| sent.stranded_bytes), Ok(0));
    assert_eq!(group.requeue(), Ok(()));
}

#[test]
fn a_kernel_without_bundles_gives_no_send_group() {
    let config = RingConfig {
        mask: Mask::V6_6,
        ..RingConfig::default()
    };
    let ring = Ring::new(&config).expect("a ring");
    let made = SendGroup::new(&ring, GROUP, 4, 8).map(drop);
    assert_eq!(made, Err(Errno::EINVAL));
}

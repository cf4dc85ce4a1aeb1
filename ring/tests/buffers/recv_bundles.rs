//! Receives that fill several buffers at once.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{BufGroup, Errno, Ring, Selected};
use annulus_syscalls::io_uring::feat::IORING_FEAT_RECVSEND_BUNDLE;

use super::{group, incremental, ring, skip, take_bundle, wait};

fn has_bundles(ring: &Ring) -> bool {
    let has = ring.features() & IORING_FEAT_RECVSEND_BUNDLE != 0;
    if !has {
        skip("bundles are newer than this kernel (6.10)");
    }
    has
}

fn bytes(selected: &[Selected]) -> Vec<u8> {
    selected
        .iter()
        .flat_map(|part| part.iter().copied())
        .collect()
}

/// Receives bundles until `len` bytes have come; the most buffers that one of them had.
fn receive(
    ring: &mut Ring,
    group: &mut BufGroup,
    from: &UnixStream,
    len: usize,
) -> (Vec<u8>, usize) {
    let (mut got, mut most) = (Vec::new(), 0);
    while got.len() < len {
        let sqe = ring.get_sqe().expect("room");
        group
            .recv_bundle(sqe, from.as_raw_fd(), 0)
            .expect("prepared");
        ring.submit().expect("submitted");
        let cqe = wait(ring);
        let res = cqe.result().expect("received") as usize;
        let selected = take_bundle(group, &cqe);
        assert_eq!(bytes(&selected).len(), res);
        most = most.max(selected.len());
        got.extend(bytes(&selected));
    }
    (got, most)
}

#[test]
fn a_bundle_spans_buffers_in_the_order_of_the_data() {
    let mut ring = ring();
    if !has_bundles(&ring) {
        return;
    }
    let mut group = group(&ring, 8, 10);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let mut most = 0;
    for round in 0..200_usize {
        let message: Vec<u8> = (0..1 + round % 60).map(|at| (round + at) as u8).collect();
        ours.write_all(&message).expect("written");
        let (got, spanned) = receive(&mut ring, &mut group, &theirs, message.len());
        assert_eq!(got, message, "round {round}");
        most = most.max(spanned);
        group.refill();
        assert_eq!(group.pushed(), 8);
        if let Ok(head) = group.buf_ring().head() {
            let in_kernel = group.buf_ring().tail().wrapping_sub(head);
            assert_eq!(in_kernel, 8, "round {round}: the kernel has them too");
        }
    }
    assert!(most >= 2, "some spanned several: {most}");
}

#[test]
fn an_incremental_bundle_goes_on_in_the_middle_of_a_buffer() {
    let mut ring = ring();
    if !has_bundles(&ring) {
        return;
    }
    let Some(mut group) = incremental(&ring, 8, 10) else {
        return;
    };
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let (mut most, mut middles) = (0, 0);
    for round in 0..200_usize {
        let message: Vec<u8> = (0..1 + round % 60).map(|at| (round + at) as u8).collect();
        ours.write_all(&message).expect("written");
        let mut got = Vec::new();
        while got.len() < message.len() {
            let sqe = ring.get_sqe().expect("room");
            group
                .recv_bundle(sqe, theirs.as_raw_fd(), 0)
                .expect("prepared");
            ring.submit().expect("submitted");
            let cqe = wait(&mut ring);
            let selected = take_bundle(&mut group, &cqe);
            most = most.max(selected.len());
            middles += usize::from(selected[0].offset() != 0);
            let all_but_last = &selected[..selected.len() - 1];
            assert!(all_but_last.iter().all(|part| !part.is_kept()));
            got.extend(bytes(&selected));
        }
        assert_eq!(got, message, "round {round}");
    }
    assert!(
        most >= 3 && middles > 20,
        "{most} buffers, {middles} middles"
    );
}

#[test]
fn a_multishot_bundle_delivers_all_and_ends_when_the_group_is_empty() {
    let mut ring = ring();
    if !has_bundles(&ring) {
        return;
    }
    let mut group = group(&ring, 8, 10);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    let prepared = group.recv_bundle_multishot(sqe, theirs.as_raw_fd(), 0);
    prepared.expect("prepared");
    ring.submit().expect("submitted");
    let mut got = Vec::new();
    for part in [4, 15, 25] {
        ours.write_all(&vec![part as u8; part]).expect("written");
        let mut come = 0;
        while come < part {
            let cqe = wait(&mut ring);
            assert!(cqe.more(), "{cqe:?}");
            come += cqe.result().expect("received") as usize;
            let selected = take_bundle(&mut group, &cqe);
            got.extend(bytes(&selected));
        }
    }
    let want: Vec<u8> = [4, 15, 25]
        .into_iter()
        .flat_map(|part| vec![part as u8; part])
        .collect();
    assert_eq!(got, want);
    // What was dropped is not given back yet: a large message takes the rest and ends it.
    ours.write_all(&[7; 200]).expect("written");
    let mut last = wait(&mut ring);
    while last.more() {
        got.extend(bytes(&take_bundle(&mut group, &last)));
        last = wait(&mut ring);
    }
    got.extend(bytes(&take_bundle(&mut group, &last)));
    assert_eq!(group.under_way(), 0);
    // Restarted with a full group, the rest comes.
    let left = want.len() + 200 - got.len();
    assert!(left > 0, "the group was too small for all");
    group.refill();
    let (rest, _) = receive(&mut ring, &mut group, &theirs, left.min(80));
    assert!(rest.iter().all(|byte| *byte == 7));
}

#[test]
fn a_bundle_without_data_or_peer_takes_no_buffer() {
    let mut ring = ring();
    if !has_bundles(&ring) {
        return;
    }
    let mut group = group(&ring, 2, 10);
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let mut try_once = |flags| {
        let sqe = ring.get_sqe().expect("room");
        group
            .recv_bundle(sqe, theirs.as_raw_fd(), flags)
            .expect("prepared");
        ring.submit().expect("submitted");
        let cqe = wait(&mut ring);
        assert!(take_bundle(&mut group, &cqe).is_empty());
        (cqe.result(), group.pushed(), group.buf_ring().head())
    };
    let (result, pushed, head) = try_once(libc::MSG_DONTWAIT);
    assert_eq!(
        (result, pushed, head.unwrap_or(0)),
        (Err(Errno::EAGAIN), 2, 0)
    );
    drop(ours);
    let (result, pushed, head) = try_once(0);
    assert_eq!((result, pushed, head.unwrap_or(0)), (Ok(0), 2, 0));
}

//! Many rounds of taking and giving back, in every order.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;

use annulus_ring::{BufGroup, BufRingConfig, Errno, Ring, RingConfig, Selected};
use annulus_syscalls::io_uring::feat::IORING_FEAT_RECVSEND_BUNDLE;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use super::{GROUP, ring, take, take_bundle, wait};

/// Numbers that only depend on the first: a small generator of our own.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }
}

/// Sends a stream through a group while what is received is held back and given back in random
/// order; the positions of the ring run far past 2^16.
#[test]
fn a_long_stream_comes_whole_however_buffers_come_back() {
    for is_incremental in [false, true] {
        let mut ring = ring();
        let config = BufRingConfig {
            incremental: is_incremental,
            ..BufRingConfig::new(GROUP, 16, 32)
        };
        let mut group = BufGroup::new(&ring, &config).expect("a group");
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        let total = 70_000 * 32;
        let writer = thread::spawn(move || {
            let block: Vec<u8> = (0..251).collect();
            let mut stream = block.iter().copied().cycle();
            let mut rest = total;
            while rest > 0 {
                let part: Vec<u8> = stream.by_ref().take(rest.min(4096)).collect();
                ours.write_all(&part).expect("written");
                rest -= part.len();
            }
        });
        let mut choices = Choices(7);
        let mut held: Vec<Selected> = Vec::new();
        let (mut come, mut restarts) = (0_usize, 0);
        let sqe = ring.get_sqe().expect("room");
        group
            .recv_multishot(sqe, theirs.as_raw_fd(), 0)
            .expect("prepared");
        loop {
            let cqe = wait(&mut ring);
            let (result, selected) = take(&mut group, &cqe);
            if let Some(selected) = selected {
                let right = selected
                    .iter()
                    .enumerate()
                    .all(|(at, byte)| usize::from(*byte) == (come + at) % 251);
                assert!(right, "from byte {come} on");
                come += selected.len();
                held.push(selected);
            }
            while held.len() > choices.below(16) {
                let one = held.swap_remove(choices.below(held.len()));
                group.put(one);
            }
            match result {
                Ok(0) => break,
                Ok(_) | Err(Errno::ENOBUFS) => {}
                Err(errno) => panic!("{errno}"),
            }
            if !cqe.more() {
                restarts += 1;
                held.clear();
                let sqe = ring.get_sqe().expect("room");
                group
                    .recv_multishot(sqe, theirs.as_raw_fd(), 0)
                    .expect("prepared");
            }
        }
        writer.join().expect("no panic");
        assert_eq!(come, total);
        held.clear();
        group.refill();
        assert_eq!(group.pushed(), 16, "all are back");
        eprintln!("incremental {is_incremental}: {restarts} restarts");
    }
}

/// One round: how many bytes are sent, how many buffers come back after it, and which of them.
type Round = (u8, u8, u64);

fn agrees(is_incremental: bool, is_bundle: bool, rounds: Vec<Round>) -> Result<(), TestCaseError> {
    let mut ring = ring();
    if is_bundle && ring.features() & IORING_FEAT_RECVSEND_BUNDLE == 0 {
        return Ok(());
    }
    let config = BufRingConfig {
        incremental: is_incremental,
        ..BufRingConfig::new(GROUP, 8, 16)
    };
    let mut group = BufGroup::new(&ring, &config).expect("a group");
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let (mut sent, mut come) = (0_usize, 0_usize);
    let mut held: Vec<Selected> = Vec::new();
    for (len, returned, choice) in rounds {
        let message: Vec<u8> = (0..usize::from(len)).map(|at| (sent + at) as u8).collect();
        ours.write_all(&message).expect("written");
        sent += message.len();
        if sent == come {
            continue;
        }
        let sqe = ring.get_sqe().expect("room");
        let fd = theirs.as_raw_fd();
        let prepared = if is_bundle {
            group.recv_bundle(sqe, fd, 0)
        } else {
            group.recv(sqe, fd, 0)
        };
        prepared.expect("prepared");
        ring.submit().expect("submitted");
        let cqe = wait(&mut ring);
        let parts = if is_bundle {
            take_bundle(&mut group, &cqe)
        } else {
            take(&mut group, &cqe).1.into_iter().collect()
        };
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        match cqe.result() {
            Ok(res) => prop_assert_eq!(bytes, res as usize),
            Err(errno) => prop_assert_eq!((errno, bytes), (Errno::ENOBUFS, 0)),
        }
        for byte in parts.iter().flat_map(|part| part.iter()) {
            prop_assert_eq!(*byte, come as u8);
            come += 1;
        }
        held.extend(parts);
        // What is held is not overwritten by what comes later: each part still has its bytes.
        let mut choices = Choices(choice);
        for _ in 0..returned % 8 {
            if !held.is_empty() {
                let one = held.swap_remove(choices.below(held.len()));
                group.put(one);
            }
        }
        if let Ok(head) = group.buf_ring().head() {
            let in_kernel = group.buf_ring().tail().wrapping_sub(head);
            prop_assert_eq!(group.pushed(), in_kernel, "the kernel and the ledger agree");
        }
        prop_assert!(group.pushed() <= 8);
    }
    held.clear();
    group.refill();
    prop_assert_eq!(group.pushed(), 8);
    Ok(())
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(48))]

    #[test]
    fn ledger_and_kernel_agree_about_single_buffers(
        is_incremental in any::<bool>(),
        rounds in proptest::collection::vec(any::<Round>(), 1..60),
    ) {
        agrees(is_incremental, false, rounds)?;
    }

    #[test]
    fn ledger_and_kernel_agree_about_bundles(
        is_incremental in any::<bool>(),
        rounds in proptest::collection::vec(any::<Round>(), 1..60),
    ) {
        agrees(is_incremental, true, rounds)?;
    }
}

/// A message goes around: what one side receives it sends on from the same memory, and gives the
/// buffer back when it is sent. No buffer is overwritten before.
#[test]
fn a_message_sent_on_from_its_buffer_is_not_overwritten() {
    let mut ring = ring();
    let mut group = super::group(&ring, 4, 1024);
    let (mut client, server) = UnixStream::pair().expect("a pair");
    let mut message = vec![1_u8; 1024];
    let sqe = ring.get_sqe().expect("room");
    let prepared = group.recv_multishot(sqe, server.as_raw_fd(), 0);
    prepared.expect("prepared").set_user_data(1);
    ring.submit().expect("submitted");
    for round in 0..1000_u32 {
        message.fill(round as u8);
        client.write_all(&message).expect("written");
        let mut echoed = 0;
        while echoed < message.len() {
            let cqe = wait(&mut ring);
            assert!(cqe.more() && cqe.user_data() == 1, "round {round}: {cqe:?}");
            let selected = take(&mut group, &cqe).1.expect("a buffer");
            let sqe = ring.get_sqe().expect("room");
            let (start, len) = (selected.as_ptr(), selected.len() as u32);
            // SAFETY: `selected` is kept until the completion below.
            unsafe { sqe.prep_send(server.as_raw_fd(), start, len, libc::MSG_WAITALL) };
            sqe.set_user_data(2);
            ring.submit().expect("submitted");
            let sent = wait(&mut ring);
            assert_eq!((sent.user_data(), sent.result()), (2, Ok(len)));
            echoed += selected.len();
            group.put(selected);
        }
        let mut back = vec![0; 1024];
        std::io::Read::read_exact(&mut client, &mut back).expect("read");
        assert_eq!(back, message);
    }
}

/// Two streams take from one group in turn; each comes whole, in order.
fn share(is_incremental: bool, is_bundle: bool) {
    let config = RingConfig {
        // Completion work in the enters of this thread, or whenever it comes.
        pinned: is_incremental,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    if is_bundle && ring.features() & IORING_FEAT_RECVSEND_BUNDLE == 0 {
        return super::skip("bundles are newer than this kernel (6.10)");
    }
    let config = BufRingConfig {
        incremental: is_incremental,
        ..BufRingConfig::new(GROUP, 32, 64)
    };
    let mut group = BufGroup::new(&ring, &config).expect("a group");
    let (mut senders, mut receivers) = (Vec::new(), Vec::new());
    let total = 200_000;
    for first in [0_u8, 100] {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        senders.push(thread::spawn(move || {
            let mut choices = Choices(u64::from(first));
            let mut sent = 0;
            while sent < total {
                let len = (1 + choices.below(500)).min(total - sent);
                let part: Vec<u8> = (sent..sent + len)
                    .map(|at| first.wrapping_add(at as u8))
                    .collect();
                ours.write_all(&part).expect("written");
                sent += len;
            }
        }));
        receivers.push(theirs);
    }
    let start = |ring: &mut Ring, group: &mut BufGroup, index: usize| {
        let sqe = ring.get_sqe().expect("room");
        let fd = receivers[index].as_raw_fd();
        let prepared = if is_bundle {
            group.recv_bundle_multishot(sqe, fd, 0)
        } else {
            group.recv_multishot(sqe, fd, 0)
        };
        prepared.expect("prepared").set_user_data(index as u64);
    };
    let (mut come, mut open, mut spans) = ([0_usize; 2], 2, 0);
    for index in 0..2 {
        start(&mut ring, &mut group, index);
    }
    while open > 0 {
        let cqe = wait(&mut ring);
        let index = cqe.user_data() as usize;
        let parts = if is_bundle {
            take_bundle(&mut group, &cqe)
        } else {
            take(&mut group, &cqe).1.into_iter().collect()
        };
        spans += usize::from(parts.len() > 1);
        for byte in parts.iter().flat_map(|part| part.iter()) {
            let want = [0_u8, 100][index].wrapping_add(come[index] as u8);
            assert_eq!(*byte, want, "stream {index} at {}", come[index]);
            come[index] += 1;
        }
        drop(parts);
        group.refill();
        if cqe.result() == Ok(0) {
            open -= 1;
        } else if !cqe.more() {
            start(&mut ring, &mut group, index);
        }
    }
    assert_eq!(come, [total; 2]);
    assert_eq!(group.under_way(), 0);
    if let Ok(head) = group.buf_ring().head() {
        let in_kernel = group.buf_ring().tail().wrapping_sub(head);
        assert_eq!(group.pushed(), in_kernel);
    }
    for sender in senders {
        sender.join().expect("no panic");
    }
    assert!(
        !is_bundle || spans > 10,
        "{spans} bundles of several buffers"
    );
}

#[test]
fn two_streams_share_a_group_of_whole_buffers() {
    share(false, false);
}

#[test]
fn two_streams_share_a_group_of_incremental_buffers() {
    share(true, false);
}

#[test]
fn two_streams_share_a_group_in_bundles() {
    share(false, true);
}

#[test]
fn two_streams_share_a_group_in_incremental_bundles() {
    share(true, true);
}

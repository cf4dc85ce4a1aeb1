//! Operations that go on by themselves, each time into a buffer of a group.

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread;

use annulus_ring::{BufGroup, Errno, Ring, RingConfig};

use super::{group, ring, skip, take, wait};

const RECEIVE: u64 = 1;
const CANCEL: u64 = 2;

fn start(ring: &mut Ring, group: &mut BufGroup, from: &UnixStream, user_data: u64) {
    let sqe = ring.get_sqe().expect("room");
    let prepared = group.recv_multishot(sqe, from.as_raw_fd(), 0);
    prepared.expect("prepared").set_user_data(user_data);
    ring.submit().expect("submitted");
}

#[test]
fn two_busy_sockets_on_one_ring_both_progress() {
    let mut ring = ring();
    let mut group = group(&ring, 16, 64);
    let pairs = [(); 2].map(|()| UnixStream::pair().expect("a pair"));
    let message = [7_u8; 64 * 512];
    for (index, (ours, theirs)) in pairs.iter().enumerate() {
        start(&mut ring, &mut group, theirs, index as u64);
        ours.set_nonblocking(true).expect("set");
    }
    let (mut written, mut got) = ([0; 2], [0; 2]);
    let mut turns_until_second = None;
    let mut restarts = 0;
    for turn in 0_u32.. {
        for (index, (ours, _)) in pairs.iter().enumerate() {
            let rest = &message[written[index]..];
            written[index] += (&mut &*ours).write(rest).unwrap_or(0);
        }
        ring.enter(1, None).expect("entered");
        while let Some(cqe) = ring.pop() {
            let index = cqe.user_data() as usize;
            let (result, selected) = take(&mut group, &cqe);
            got[index] += selected.map_or(0, |part| part.len());
            assert!(matches!(result, Ok(_) | Err(Errno::ENOBUFS)), "{result:?}");
            if !cqe.more() {
                restarts += 1;
                start(&mut ring, &mut group, &pairs[index].1, index as u64);
            }
        }
        group.refill();
        if got.iter().all(|bytes| *bytes > 0) {
            turns_until_second.get_or_insert(turn);
        }
        if got == [message.len(); 2] {
            break;
        }
    }
    let turns = turns_until_second.expect("both got something");
    assert!(turns < 20, "one waited {turns} turns for its first byte");
    eprintln!("{restarts} restarts after ENOBUFS");
}

#[test]
fn what_lies_in_the_socket_is_drained_before_the_end_of_the_stream() {
    let mut ring = ring();
    let mut group = group(&ring, 32, 8);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    for chunk in 0..20_u8 {
        ours.write_all(&[chunk; 8]).expect("written");
    }
    drop(ours);
    start(&mut ring, &mut group, &theirs, RECEIVE);
    for chunk in 0..20 {
        let cqe = wait(&mut ring);
        assert!(cqe.more());
        let selected = take(&mut group, &cqe).1.expect("a buffer");
        assert_eq!(&selected[..], [chunk; 8]);
        group.put(selected);
    }
    let last = wait(&mut ring);
    let (result, nothing) = take(&mut group, &last);
    assert_eq!((result, last.more()), (Ok(0), false));
    assert!(nothing.is_none(), "the end takes no buffer");
    assert_eq!(group.pushed(), 32);
}

#[test]
fn exhausted_and_refilled_again_and_again_it_loses_nothing() {
    let mut ring = ring();
    let mut group = group(&ring, 4, 16);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let sent: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
    let want = sent.clone();
    let writer = thread::spawn(move || ours.write_all(&sent));
    let (mut got, mut exhausted, mut out) = (Vec::new(), 0, Vec::new());
    start(&mut ring, &mut group, &theirs, RECEIVE);
    loop {
        let cqe = wait(&mut ring);
        let (result, selected) = take(&mut group, &cqe);
        if let Some(selected) = selected {
            got.extend_from_slice(&selected);
            out.push(selected);
        }
        match result {
            Ok(0) => break,
            Ok(_) => assert!(cqe.more()),
            Err(Errno::ENOBUFS) => {
                // Nothing is given back before it stops: that makes it stop.
                exhausted += 1;
                out.clear();
                start(&mut ring, &mut group, &theirs, RECEIVE);
            }
            Err(errno) => panic!("{errno}"),
        }
    }
    writer.join().expect("no panic").expect("written");
    assert_eq!(got, want);
    assert!(exhausted >= 100, "only {exhausted} times");
}

#[test]
fn a_full_completion_queue_ends_or_delays_it_but_loses_nothing() {
    let config = RingConfig {
        sq_entries: 2,
        cq_entries: 4,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let mut group = group(&ring, 64, 4);
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let want: Vec<u8> = (0..64 * 4).map(|at| at as u8).collect();
    start(&mut ring, &mut group, &theirs, RECEIVE);
    for message in want.chunks(4) {
        ours.write_all(message).expect("written");
        // Nothing is reaped, so that the queue overflows.
        ring.enter(0, None).ok();
    }
    let (mut got, mut restarts) = (Vec::new(), 0);
    while got.len() < want.len() {
        let cqe = wait(&mut ring);
        let (result, selected) = take(&mut group, &cqe);
        result.expect("received");
        got.extend_from_slice(&selected.expect("a buffer"));
        if !cqe.more() {
            restarts += 1;
            start(&mut ring, &mut group, &theirs, RECEIVE);
        }
    }
    assert_eq!(got, want);
    assert!(restarts >= 1, "an overflow ends a multishot receive");
}

#[test]
fn cancelled_it_ends_once_and_gives_no_buffer() {
    let mut ring = ring();
    let mut group = group(&ring, 4, 16);
    let (_ours, theirs) = UnixStream::pair().expect("a pair");
    for _ in 0..50 {
        start(&mut ring, &mut group, &theirs, RECEIVE);
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_cancel64(RECEIVE, 0).set_user_data(CANCEL);
        ring.submit().expect("submitted");
        let mut cqes = [wait(&mut ring), wait(&mut ring)];
        cqes.sort_by_key(annulus_ring::Cqe::user_data);
        let (result, nothing) = take(&mut group, &cqes[0]);
        assert_eq!((result, cqes[0].more()), (Err(Errno::ECANCELED), false));
        assert!(nothing.is_none());
        assert_eq!(cqes[1].result(), Ok(0));
        assert!(ring.pop().is_none());
    }
    assert_eq!((group.pushed(), group.under_way()), (4, 0));
}

#[test]
fn a_shutdown_that_races_with_data_ends_it_after_the_data() {
    let mut ring = ring();
    let mut group = group(&ring, 64, 64);
    let mut with_data = 0;
    for _ in 0..200 {
        // 1. A receive waits. 2. Another thread writes and shuts down at once. 3. However the two
        // meet, all data comes, then the end, and nothing after it.
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        start(&mut ring, &mut group, &theirs, RECEIVE);
        let writer = thread::spawn(move || {
            ours.write_all(b"last words").expect("written");
            ours.shutdown(Shutdown::Both).expect("shut down");
        });
        let mut got = Vec::new();
        loop {
            let cqe = wait(&mut ring);
            let (result, selected) = take(&mut group, &cqe);
            if let Some(selected) = selected {
                got.extend_from_slice(&selected);
            }
            if !cqe.more() {
                assert_eq!(result, Ok(0));
                break;
            }
        }
        assert_eq!(got, b"last words");
        with_data += 1;
        writer.join().expect("no panic");
        assert!(ring.pop().is_none());
    }
    assert_eq!(with_data, 200);
    group.refill();
    assert_eq!(group.pushed(), 64);
}

#[test]
fn each_datagram_fills_one_buffer_and_a_long_one_is_cut() {
    let mut ring = ring();
    let mut group = group(&ring, 8, 16);
    let (ours, theirs) = UnixDatagram::pair().expect("a pair");
    let sqe = ring.get_sqe().expect("room");
    group
        .recv_multishot(sqe, theirs.as_raw_fd(), 0)
        .expect("prepared");
    ring.submit().expect("submitted");
    for len in [1, 16, 40, 2] {
        ours.send(&vec![len as u8; len]).expect("sent");
        let cqe = wait(&mut ring);
        let selected = take(&mut group, &cqe).1.expect("a buffer");
        assert_eq!(&selected[..], vec![len as u8; len.min(16)]);
        assert!(cqe.more());
    }
}

#[test]
fn a_multishot_read_of_a_pipe_goes_on_until_its_end() {
    let mut ring = ring();
    let probe = annulus_ring::Probe::of(&ring).expect("probed");
    if !probe.supports(annulus_ring::Opcode::READ_MULTISHOT) {
        return skip("READ_MULTISHOT is newer than this kernel (6.7)");
    }
    let mut group = group(&ring, 4, 8);
    let (reading, mut writing) = std::io::pipe().expect("a pipe");
    let sqe = ring.get_sqe().expect("room");
    group.read_multishot(sqe, reading.as_raw_fd());
    ring.submit().expect("submitted");
    // 1. Nothing was written, so nothing comes.
    assert!(ring.pop().is_none());
    // 2. Each write is one completion.
    for round in 0..20_u8 {
        writing.write_all(&[round; 5]).expect("written");
        let cqe = wait(&mut ring);
        assert!(cqe.more());
        let selected = take(&mut group, &cqe).1.expect("a buffer");
        assert_eq!(&selected[..], [round; 5]);
        group.put(selected);
    }
    // 3. The end is the last one.
    drop(writing);
    let last = wait(&mut ring);
    assert_eq!((take(&mut group, &last).0, last.more()), (Ok(0), false));
}

#[test]
fn a_multishot_read_into_an_empty_group_is_enobufs_and_resumes_when_refilled() {
    let mut ring = ring();
    let probe = annulus_ring::Probe::of(&ring).expect("probed");
    if !probe.supports(annulus_ring::Opcode::READ_MULTISHOT) {
        return skip("READ_MULTISHOT is newer than this kernel (6.7)");
    }
    let mut group = group(&ring, 1, 8);
    let (reading, mut writing) = std::io::pipe().expect("a pipe");
    writing.write_all(b"12345678abc").expect("written");
    let sqe = ring.get_sqe().expect("room");
    group.read_multishot(sqe, reading.as_raw_fd());
    ring.submit().expect("submitted");
    let first = wait(&mut ring);
    let selected = take(&mut group, &first).1.expect("a buffer");
    assert_eq!(&selected[..], b"12345678");
    let last = wait(&mut ring);
    assert!(!last.more());
    assert_eq!(take(&mut group, &last).0, Err(Errno::ENOBUFS));
    // A second one finds it empty at once.
    let sqe = ring.get_sqe().expect("room");
    group.read_multishot(sqe, reading.as_raw_fd());
    ring.submit().expect("submitted");
    let refused = wait(&mut ring);
    assert_eq!(take(&mut group, &refused).0, Err(Errno::ENOBUFS));
    drop(selected);
    let sqe = ring.get_sqe().expect("room");
    group.read_multishot(sqe, reading.as_raw_fd());
    ring.submit().expect("submitted");
    let rest = wait(&mut ring);
    assert_eq!(&take(&mut group, &rest).1.expect("a buffer")[..], b"abc");
}

#[test]
fn a_multishot_read_of_a_file_that_cannot_be_polled_is_refused() {
    let mut ring = ring();
    let probe = annulus_ring::Probe::of(&ring).expect("probed");
    if !probe.supports(annulus_ring::Opcode::READ_MULTISHOT) {
        return skip("READ_MULTISHOT is newer than this kernel (6.7)");
    }
    let mut group = group(&ring, 1, 8);
    let file = std::fs::File::open("/proc/self/exe").expect("opened");
    let sqe = ring.get_sqe().expect("room");
    group.read_multishot(sqe, file.as_raw_fd());
    ring.submit().expect("submitted");
    let refused = wait(&mut ring);
    assert_eq!(
        (refused.result(), refused.more()),
        (Err(Errno::EBADFD), false)
    );
    assert!(take(&mut group, &refused).1.is_none());
}

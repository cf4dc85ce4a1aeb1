//! Polls: once, again and again, by level, changed while they wait, and in great numbers.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use annulus_ring::{Errno, Ring, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::flags::poll::{
    IORING_POLL_ADD_LEVEL, IORING_POLL_ADD_MULTI, IORING_POLL_UPDATE_EVENTS,
    IORING_POLL_UPDATE_USER_DATA,
};

use super::support::{assert_quiet, entry, eventfd, pipe, reap, reap_one, results, ring, skip};

const IN: u32 = libc::POLLIN as u32;
const OUT: u32 = libc::POLLOUT as u32;
const HUP: u32 = libc::POLLHUP as u32;
const ERR: u32 = libc::POLLERR as u32;

fn write(fd: &OwnedFd) {
    calls::write(fd.as_raw_fd(), b"x").expect("written");
}

fn signal(fd: &OwnedFd) {
    calls::write(fd.as_raw_fd(), &1_u64.to_ne_bytes()).expect("counted");
}

fn clear(fd: &OwnedFd) {
    let mut count = [0_u8; 8];
    // SAFETY: `count` is valid for its eight bytes.
    unsafe { calls::read(fd.as_raw_fd(), count.as_mut_ptr(), 8) }.expect("counted before");
}

#[test]
fn a_poll_says_what_is_ready_and_takes_nothing() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    entry(&mut ring, 1).prep_poll_add(reading.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    write(&writing);
    let cqe = reap_one(&mut ring);
    assert_eq!((cqe.result(), cqe.more()), (Ok(IN), false));
    // It was for once. Another finds the byte still there, at once.
    write(&writing);
    assert_quiet(&mut ring);
    entry(&mut ring, 2).prep_poll_add(reading.as_raw_fd(), IN);
    assert_eq!(reap_one(&mut ring).result(), Ok(IN));
    entry(&mut ring, 3).prep_poll_add(writing.as_raw_fd(), IN | OUT);
    assert_eq!(reap_one(&mut ring).result(), Ok(OUT));
}

#[test]
fn a_hang_up_and_an_error_are_told_unasked() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    entry(&mut ring, 1).prep_poll_add(reading.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    drop(writing);
    assert_eq!(reap_one(&mut ring).result(), Ok(HUP));
    let (reading, writing) = pipe();
    entry(&mut ring, 2).prep_poll_add(writing.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    drop(reading);
    assert_eq!(reap_one(&mut ring).result(), Ok(ERR));
}

#[test]
fn a_regular_file_is_always_ready_and_no_descriptor_is_refused() {
    let mut ring = ring();
    let file = std::fs::File::open("/proc/self/exe").expect("this program");
    entry(&mut ring, 1).prep_poll_add(file.as_raw_fd(), IN | OUT);
    assert_eq!(reap_one(&mut ring).result(), Ok(IN | OUT));
    entry(&mut ring, 2).prep_poll_add(-1, IN);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EBADF));
}

#[test]
fn a_multishot_poll_tells_each_edge() {
    let mut ring = ring();
    let counter = eventfd();
    entry(&mut ring, 1).prep_poll_multishot(counter.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    for _ in 0..100 {
        signal(&counter);
        let cqe = reap_one(&mut ring);
        assert_eq!((cqe.result(), cqe.more()), (Ok(IN), true));
        // The level stays and tells nothing: only another edge does.
        assert_quiet(&mut ring);
    }
    entry(&mut ring, 2).prep_poll_remove(1);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), Ok(0)));
    entry(&mut ring, 3).prep_poll_remove(1);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
}

#[test]
fn a_poll_by_level_tells_what_is_still_ready_where_it_is_known() {
    let mut ring = ring();
    let counter = eventfd();
    signal(&counter);
    let sqe = entry(&mut ring, 1).prep_poll_multishot(counter.as_raw_fd(), IN);
    // SAFETY: a poll lends nothing.
    unsafe { sqe.as_raw_mut() }.len |= IORING_POLL_ADD_LEVEL;
    match reap_one(&mut ring).result() {
        Ok(mask) => assert_eq!(mask, IN),
        Err(errno) => {
            assert_eq!(errno, Errno::EINVAL);
            skip("this kernel refuses IORING_POLL_ADD_LEVEL");
        }
    }
    clear(&counter);
}

#[test]
fn a_multishot_poll_ends_with_its_file() {
    let mut ring = ring();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    entry(&mut ring, 1).prep_poll_multishot(ours.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    drop(theirs);
    let cqe = reap_one(&mut ring);
    let mask = cqe.result().expect("a hang-up is no failure");
    assert_eq!(mask & (IN | HUP), IN | HUP);
}

#[test]
fn a_multishot_poll_that_found_the_cq_full_says_so_and_is_armed_again() {
    let config = annulus_ring::RingConfig {
        sq_entries: 2,
        cq_entries: 2,
        ..annulus_ring::RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let counter = eventfd();
    entry(&mut ring, 1).prep_poll_multishot(counter.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    // 1. Two completions fit, and the third ends the poll.
    let mut told = Vec::new();
    for _ in 0..3 {
        signal(&counter);
        // Runs the completion work and leaves the completions where they are.
        let _ = ring.enter(0, None);
    }
    while told.last().is_none_or(|cqe: &annulus_ring::Cqe| cqe.more()) {
        told.push(reap_one(&mut ring));
    }
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|cqe| cqe.result() == Ok(IN)));
    // 2. It is over: nothing comes of another edge. Armed anew it tells the level.
    signal(&counter);
    assert_quiet(&mut ring);
    entry(&mut ring, 2).prep_poll_multishot(counter.as_raw_fd(), IN);
    let cqe = reap_one(&mut ring);
    assert_eq!(
        (cqe.user_data(), cqe.result(), cqe.more()),
        (2, Ok(IN), true)
    );
}

#[test]
fn the_events_of_a_poll_can_be_changed() {
    let mut ring = ring();
    let (ours, _theirs) = UnixStream::pair().expect("a pair");
    entry(&mut ring, 1).prep_poll_add(ours.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    entry(&mut ring, 2).prep_poll_update(1, 0, OUT, IORING_POLL_UPDATE_EVENTS);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Ok(OUT), Ok(0)));
}

#[test]
fn the_user_data_of_a_poll_can_be_changed() {
    let mut ring = ring();
    let counter = eventfd();
    for is_multishot in [false, true] {
        let sqe = entry(&mut ring, 1);
        if is_multishot {
            sqe.prep_poll_multishot(counter.as_raw_fd(), IN);
        } else {
            sqe.prep_poll_add(counter.as_raw_fd(), IN);
        }
        ring.submit().expect("submitted");
        entry(&mut ring, 2).prep_poll_update(1, 7, 0, IORING_POLL_UPDATE_USER_DATA);
        assert_eq!(reap_one(&mut ring).result(), Ok(0));
        // The old name is nobody's.
        entry(&mut ring, 3).prep_poll_remove(1);
        assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
        signal(&counter);
        let cqe = reap_one(&mut ring);
        assert_eq!((cqe.user_data(), cqe.result()), (7, Ok(IN)));
        clear(&counter);
    }
    entry(&mut ring, 4).prep_poll_remove(7);
    assert_eq!(results(&mut ring, 2)[&4], Ok(0));
}

#[test]
fn both_are_changed_at_once_in_a_multishot_poll_that_goes_on() {
    let mut ring = ring();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    entry(&mut ring, 1).prep_poll_multishot(ours.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    let both = IORING_POLL_UPDATE_EVENTS | IORING_POLL_UPDATE_USER_DATA | IORING_POLL_ADD_MULTI;
    entry(&mut ring, 2).prep_poll_update(1, 7, IN | OUT, both);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&2], ended[&7]), (Ok(0), Ok(OUT)));
    calls::write(theirs.as_raw_fd(), b"x").expect("written");
    let cqe = reap_one(&mut ring);
    assert_eq!(
        (cqe.user_data(), cqe.result(), cqe.more()),
        (7, Ok(IN), true)
    );
}

#[test]
fn bad_polls_and_bad_changes_are_refused() {
    let mut ring = ring();
    let counter = eventfd();
    // 1. An update of nothing, and of what is not there.
    entry(&mut ring, 1).prep_poll_update(9, 0, IN, 0);
    assert!(reap_one(&mut ring).result().is_err());
    entry(&mut ring, 1).prep_poll_update(9, 0, IN, IORING_POLL_UPDATE_EVENTS);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
    // 2. Unknown flags.
    let sqe = entry(&mut ring, 1).prep_poll_add(counter.as_raw_fd(), IN);
    // SAFETY: a poll lends nothing.
    unsafe { sqe.as_raw_mut() }.len = 1 << 31;
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    // 3. Again and again without telling successes.
    entry(&mut ring, 1)
        .prep_poll_multishot(counter.as_raw_fd(), IN)
        .add_flags(SqeFlags::CQE_SKIP_SUCCESS);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
}

#[test]
fn many_descriptors_are_polled_at_once_and_each_tells_its_own() {
    let mut ring = ring();
    let pipes: Vec<_> = (0..100).map(|_| pipe()).collect();
    for ((reading, _), user_data) in pipes.iter().zip(0..) {
        if ring.sq_space_left() == 0 {
            ring.submit().expect("submitted");
        }
        entry(&mut ring, user_data).prep_poll_multishot(reading.as_raw_fd(), IN);
    }
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    // Every third, from the last on.
    let mut written: Vec<u64> = Vec::new();
    for (index, (_, writing)) in pipes.iter().enumerate().rev().step_by(3) {
        write(writing);
        written.push(index as u64);
    }
    let mut told: Vec<u64> = reap(&mut ring, written.len())
        .iter()
        .inspect(|cqe| assert_eq!((cqe.result(), cqe.more()), (Ok(IN), true)))
        .map(|cqe| cqe.user_data())
        .collect();
    told.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(told, written);
    assert_quiet(&mut ring);
}

#[test]
fn the_same_descriptor_can_be_polled_by_many_of_many_rings() {
    let counter = eventfd();
    let mut rings: Vec<Ring> = (0..8).map(|_| ring()).collect();
    for ring in &mut rings {
        for user_data in 0..8 {
            entry(ring, user_data).prep_poll_add(counter.as_raw_fd(), IN);
        }
        ring.submit().expect("submitted");
    }
    signal(&counter);
    for ring in &mut rings {
        assert!(results(ring, 8).values().all(|result| *result == Ok(IN)));
    }
}

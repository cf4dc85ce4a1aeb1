//! Operations with a time limit, in every state that the limit can find them in.
//!
//! ```text
//!   the operation          its result       the limit's
//!   takes too long         ECANCELED        ETIME
//!   is done in time        its own          ECANCELED
//!   fails before           its own errno    ECANCELED
//!   is just being done     its own          ECANCELED, ENOENT, EALREADY, or ETIME
//! ```
//!
//! ETIME thus says that the operation was asked to stop, not that it did: its own result does.

use std::os::fd::AsRawFd;
use std::time::Duration;

use annulus_ring::{CURRENT_POSITION, Errno, Ring, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::__kernel_timespec;

use super::support::{
    FOREVER, assert_quiet, entry, pipe, reap, reap_one, results, ring, rounds, span,
};

static TEN_MS: __kernel_timespec = span(Duration::from_millis(10));

fn limit(ring: &mut Ring, user_data: u64, time: &'static __kernel_timespec) {
    // SAFETY: `time` is never freed.
    unsafe { entry(ring, user_data).prep_link_timeout(time, 0) };
}

fn limited_poll(ring: &mut Ring, fd: i32, time: &'static __kernel_timespec) {
    entry(ring, 1)
        .prep_poll_add(fd, libc::POLLIN as u32)
        .add_flags(SqeFlags::IO_LINK);
    limit(ring, 2, time);
}

#[test]
fn an_operation_that_takes_too_long_is_cancelled() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    limited_poll(&mut ring, reading.as_raw_fd(), &TEN_MS);
    let ended = results(&mut ring, 2);
    assert_eq!(
        (ended[&1], ended[&2]),
        (Err(Errno::ECANCELED), Err(Errno::ETIME))
    );
}

#[test]
fn a_read_that_takes_too_long_is_cancelled_and_takes_nothing_later() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    let fd = reading.as_raw_fd();
    let mut buf = [0_u8; 4];
    // SAFETY: `buf` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_read(fd, buf.as_mut_ptr(), 4, CURRENT_POSITION) }
        .add_flags(SqeFlags::IO_LINK);
    limit(&mut ring, 2, &TEN_MS);
    let ended = results(&mut ring, 2);
    assert_eq!(
        (ended[&1], ended[&2]),
        (Err(Errno::ECANCELED), Err(Errno::ETIME))
    );
    calls::write(writing.as_raw_fd(), b"late").expect("written");
    assert_quiet(&mut ring);
    assert_eq!(buf, [0; 4]);
}

#[test]
fn an_operation_that_is_done_in_time_cancels_its_limit() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    limited_poll(&mut ring, reading.as_raw_fd(), &FOREVER);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    calls::write(writing.as_raw_fd(), b"x").expect("written");
    let ended = results(&mut ring, 2);
    assert_eq!(
        (ended[&1], ended[&2]),
        (Ok(libc::POLLIN as u32), Err(Errno::ECANCELED))
    );
}

#[test]
fn an_operation_that_is_done_at_once_cancels_its_limit() {
    let mut ring = ring();
    entry(&mut ring, 1).prep_nop().add_flags(SqeFlags::IO_LINK);
    limit(&mut ring, 2, &FOREVER);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Ok(0), Err(Errno::ECANCELED)));
}

#[test]
fn an_operation_that_fails_at_once_cancels_its_limit() {
    let mut ring = ring();
    entry(&mut ring, 1)
        .prep_close(-1)
        .add_flags(SqeFlags::IO_LINK);
    limit(&mut ring, 2, &FOREVER);
    let ended = results(&mut ring, 2);
    assert_eq!(
        (ended[&1], ended[&2]),
        (Err(Errno::EBADF), Err(Errno::ECANCELED))
    );
}

#[test]
fn an_operation_that_is_cancelled_cancels_its_limit() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    limited_poll(&mut ring, reading.as_raw_fd(), &FOREVER);
    ring.submit().expect("submitted");
    entry(&mut ring, 3).prep_cancel64(1, 0);
    let ended = results(&mut ring, 3);
    let cancelled = Err(Errno::ECANCELED);
    assert_eq!(
        (ended[&1], ended[&2], ended[&3]),
        (cancelled, cancelled, Ok(0))
    );
}

#[test]
fn a_limit_that_is_cancelled_leaves_its_operation_alone() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    limited_poll(&mut ring, reading.as_raw_fd(), &FOREVER);
    ring.submit().expect("submitted");
    entry(&mut ring, 3).prep_cancel64(2, 0);
    let cancel = reap_one(&mut ring);
    // A cancel does not find limits: they end with their operation.
    assert_eq!(
        (cancel.user_data(), cancel.result()),
        (3, Err(Errno::ENOENT))
    );
    calls::write(writing.as_raw_fd(), b"x").expect("written");
    let ended = results(&mut ring, 2);
    assert_eq!(ended[&1], Ok(libc::POLLIN as u32));
}

#[test]
fn a_limit_can_be_shortened() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    limited_poll(&mut ring, reading.as_raw_fd(), &FOREVER);
    ring.submit().expect("submitted");
    // SAFETY: `TEN_MS` is never freed.
    unsafe { entry(&mut ring, 3).prep_link_timeout_update(2, &raw const TEN_MS, 0) };
    let ended = results(&mut ring, 3);
    assert_eq!(
        (ended[&1], ended[&2], ended[&3]),
        (Err(Errno::ECANCELED), Err(Errno::ETIME), Ok(0))
    );
    // What is not there, and a timeout that limits nothing, are not found.
    // SAFETY: `FOREVER` is promoted to a static.
    unsafe { entry(&mut ring, 4).prep_timeout(&FOREVER, 0, 0) };
    for target in [2, 4] {
        // SAFETY: `TEN_MS` is never freed.
        unsafe { entry(&mut ring, 5).prep_link_timeout_update(target, &raw const TEN_MS, 0) };
        assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
    }
}

#[test]
fn a_limit_of_one_link_breaks_the_chain_behind() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    for (flag, after) in [
        (SqeFlags::IO_LINK, Err(Errno::ECANCELED)),
        (SqeFlags::IO_HARDLINK, Ok(0)),
    ] {
        entry(&mut ring, 1)
            .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
            .add_flags(flag);
        // SAFETY: `TEN_MS` is never freed.
        unsafe { entry(&mut ring, 2).prep_link_timeout(&raw const TEN_MS, 0) }.add_flags(flag);
        entry(&mut ring, 3).prep_nop();
        let ended = results(&mut ring, 3);
        assert_eq!(ended[&1], Err(Errno::ECANCELED));
        assert_eq!(ended[&2], Err(Errno::ETIME));
        assert_eq!(ended[&3], after);
    }
}

#[test]
fn only_the_operation_before_is_limited() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    // The poll has no limit, the nop behind it has.
    entry(&mut ring, 1)
        .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
        .add_flags(SqeFlags::IO_LINK);
    entry(&mut ring, 2).prep_nop().add_flags(SqeFlags::IO_LINK);
    limit(&mut ring, 3, &TEN_MS);
    // A timeout of thrice the time says that the limit has had its chance.
    static THIRTY_MS: __kernel_timespec = span(Duration::from_millis(30));
    // SAFETY: `THIRTY_MS` is never freed.
    unsafe { entry(&mut ring, 4).prep_timeout(&raw const THIRTY_MS, 0, 0) };
    assert_eq!(reap_one(&mut ring).user_data(), 4);
    calls::write(writing.as_raw_fd(), b"x").expect("written");
    let ended = results(&mut ring, 3);
    assert_eq!(
        (ended[&1], ended[&2], ended[&3]),
        (Ok(libc::POLLIN as u32), Ok(0), Err(Errno::ECANCELED))
    );
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let mut ring = ring();
    // 1. Nothing before it.
    limit(&mut ring, 1, &TEN_MS);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    // 2. A limit of a limit: the chain is found not valid, and none of it starts.
    entry(&mut ring, 1).prep_nop().add_flags(SqeFlags::IO_LINK);
    // SAFETY: `TEN_MS` is never freed.
    unsafe { entry(&mut ring, 2).prep_link_timeout(&raw const TEN_MS, 0) }
        .add_flags(SqeFlags::IO_LINK);
    limit(&mut ring, 3, &TEN_MS);
    let ended = results(&mut ring, 3);
    assert_eq!(ended[&1], Err(Errno::ECANCELED));
    assert_eq!(ended[&2], Err(Errno::ECANCELED));
    assert_eq!(ended[&3], Err(Errno::EINVAL));
}

#[test]
fn an_operation_that_races_with_its_limit_ends_in_one_of_the_known_pairs() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    let (mut in_time, mut both, mut late) = (0, 0, 0);
    for round in 0..rounds(20_000) {
        // The limit is about as long as it takes to get from the submission to the write.
        let time = span(Duration::from_nanos(round % 40 * 500));
        entry(&mut ring, 1)
            .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
            .add_flags(SqeFlags::IO_LINK);
        // SAFETY: `time` outlives the submission that follows.
        unsafe { entry(&mut ring, 2).prep_link_timeout(&raw const time, 0) };
        ring.submit().expect("submitted");
        calls::write(writing.as_raw_fd(), b"x").expect("written");
        let ended = results(&mut ring, 2);
        match (ended[&1], ended[&2]) {
            (Ok(_), Err(Errno::ECANCELED | Errno::ENOENT | Errno::EALREADY)) => in_time += 1,
            (Ok(_), Err(Errno::ETIME)) => both += 1,
            (Err(Errno::ECANCELED), Err(Errno::ETIME)) => late += 1,
            other => panic!("round {round}: {other:?}"),
        }
        let mut byte = [0_u8];
        // SAFETY: `byte` is valid for one byte.
        let read = unsafe { calls::read(reading.as_raw_fd(), byte.as_mut_ptr(), 1) };
        assert_eq!(read, Ok(1), "a poll takes nothing");
    }
    println!("in time {in_time}, in time and told to stop {both}, late {late}");
    assert!(in_time > 0 && late > 0, "the race was one");
    assert!(reap(&mut ring, 0).is_empty());
}

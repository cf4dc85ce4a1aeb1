//! Timeouts: when they complete, with what, and how they are changed and removed.

use std::time::{Duration, Instant};

use annulus_ring::{Errno, Ring, SqeFlags};
use annulus_syscalls::io_uring::__kernel_timespec;
use annulus_syscalls::io_uring::flags::timeout::{
    IORING_TIMEOUT_ABS, IORING_TIMEOUT_BOOTTIME, IORING_TIMEOUT_ETIME_SUCCESS,
    IORING_TIMEOUT_MULTISHOT, IORING_TIMEOUT_REALTIME,
};

use super::support::{FOREVER, assert_quiet, entry, reap, reap_one, results, ring, skip, span};

const TEN_MS: __kernel_timespec = span(Duration::from_millis(10));

/// Queues a timeout. The kernel reads `time` when the entry is consumed.
fn timeout(
    ring: &mut Ring,
    user_data: u64,
    time: &'static __kernel_timespec,
    count: u32,
    flags: u32,
) {
    // SAFETY: `time` is never freed.
    unsafe { entry(ring, user_data).prep_timeout(time, count, flags) };
}

fn update(ring: &mut Ring, user_data: u64, target: u64, time: &'static __kernel_timespec) {
    // SAFETY: `time` is never freed.
    unsafe { entry(ring, user_data).prep_timeout_update(target, time, 0) };
}

#[test]
fn a_timeout_ends_with_etime_and_not_before_its_time() {
    let mut ring = ring();
    let start = Instant::now();
    timeout(&mut ring, 1, &TEN_MS, 0, 0);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ETIME));
    assert!(start.elapsed() >= Duration::from_millis(10));
}

#[test]
fn timeouts_end_in_the_order_of_their_times() {
    const TIMES: [__kernel_timespec; 4] = [
        span(Duration::from_millis(80)),
        span(Duration::from_millis(1)),
        span(Duration::ZERO),
        span(Duration::from_millis(40)),
    ];
    static LENT: [__kernel_timespec; 4] = TIMES;
    let mut ring = ring();
    for (time, user_data) in LENT.iter().zip(0..) {
        timeout(&mut ring, user_data, time, 0, 0);
    }
    let order: Vec<u64> = reap(&mut ring, 4)
        .iter()
        .map(|cqe| cqe.user_data())
        .collect();
    assert_eq!(order, [2, 1, 3, 0]);
}

#[test]
fn a_timeout_with_a_count_ends_well_once_that_many_others_have() {
    let mut ring = ring();
    timeout(&mut ring, 9, &FOREVER, 3, 0);
    for user_data in 0..2 {
        entry(&mut ring, user_data).prep_nop();
    }
    reap(&mut ring, 2);
    assert_quiet(&mut ring);
    entry(&mut ring, 2).prep_nop();
    let order: Vec<_> = reap(&mut ring, 2)
        .iter()
        .map(|cqe| (cqe.user_data(), cqe.result()))
        .collect();
    assert_eq!(order, [(2, Ok(0)), (9, Ok(0))]);
}

#[test]
fn counts_are_taken_from_where_each_timeout_begins() {
    let mut ring = ring();
    // The second one is queued later but has to see fewer.
    timeout(&mut ring, 10, &FOREVER, 5, 0);
    timeout(&mut ring, 11, &FOREVER, 1, 0);
    entry(&mut ring, 0).prep_nop();
    let first = results(&mut ring, 2);
    assert_eq!(first[&11], Ok(0));
    // The end of a timeout counts for no other: one nop is seen, four are missing.
    for user_data in 1..5 {
        entry(&mut ring, user_data).prep_nop();
    }
    let rest = results(&mut ring, 5);
    assert_eq!(rest[&10], Ok(0));
}

#[test]
fn a_removed_timeout_is_cancelled_and_a_second_removal_finds_nothing() {
    let mut ring = ring();
    timeout(&mut ring, 1, &FOREVER, 0, 0);
    entry(&mut ring, 2).prep_timeout_remove(1);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), Ok(0)));
    entry(&mut ring, 3).prep_timeout_remove(1);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
}

#[test]
fn a_timeout_can_be_shortened_and_lengthened() {
    let mut ring = ring();
    // 1. An hour becomes ten milliseconds: it ends.
    timeout(&mut ring, 1, &FOREVER, 0, 0);
    update(&mut ring, 2, 1, &TEN_MS);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ETIME), Ok(0)));
    // 2. Another, of half a second, becomes an hour: it is still there to be removed.
    static SHORT: __kernel_timespec = span(Duration::from_millis(500));
    timeout(&mut ring, 3, &SHORT, 0, 0);
    update(&mut ring, 4, 3, &FOREVER);
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
    // Longer than the first time: the kernel's clock, waited for by another timeout.
    static LONGER: __kernel_timespec = span(Duration::from_millis(600));
    timeout(&mut ring, 5, &LONGER, 0, 0);
    let first = reap_one(&mut ring);
    assert_eq!((first.user_data(), first.result()), (5, Err(Errno::ETIME)));
    entry(&mut ring, 6).prep_timeout_remove(3);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&3], ended[&6]), (Err(Errno::ECANCELED), Ok(0)));
    // 3. What is over cannot be changed.
    update(&mut ring, 7, 3, &FOREVER);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENOENT));
}

#[test]
fn an_updated_timeout_may_be_given_a_point_in_time() {
    let mut ring = ring();
    static PAST: __kernel_timespec = span(Duration::from_nanos(1));
    timeout(&mut ring, 1, &FOREVER, 0, 0);
    // SAFETY: `PAST` is never freed.
    unsafe { entry(&mut ring, 2).prep_timeout_update(1, &PAST, IORING_TIMEOUT_ABS) };
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ETIME), Ok(0)));
}

#[test]
fn a_multishot_timeout_ticks_as_often_as_it_was_told() {
    let mut ring = ring();
    static PERIOD: __kernel_timespec = span(Duration::from_millis(2));
    timeout(&mut ring, 1, &PERIOD, 3, IORING_TIMEOUT_MULTISHOT);
    let ticks: Vec<_> = reap(&mut ring, 3)
        .iter()
        .map(|cqe| (cqe.result(), cqe.more()))
        .collect();
    let tick = |more| (Err(Errno::ETIME), more);
    assert_eq!(ticks, [tick(true), tick(true), tick(false)]);
    assert_quiet(&mut ring);
}

#[test]
fn an_endless_multishot_timeout_ticks_until_it_is_removed() {
    let mut ring = ring();
    static PERIOD: __kernel_timespec = span(Duration::from_millis(1));
    timeout(&mut ring, 1, &PERIOD, 0, IORING_TIMEOUT_MULTISHOT);
    for tick in reap(&mut ring, 5) {
        assert_eq!((tick.result(), tick.more()), (Err(Errno::ETIME), true));
    }
    entry(&mut ring, 2).prep_timeout_remove(1);
    let mut is_removed = None;
    let last = loop {
        let cqe = reap_one(&mut ring);
        match cqe.user_data() {
            2 => is_removed = Some(cqe.result()),
            _ if cqe.more() => assert_eq!(cqe.result(), Err(Errno::ETIME)),
            _ => break cqe,
        }
    };
    assert_eq!(last.result(), Err(Errno::ECANCELED));
    let is_removed = is_removed.unwrap_or_else(|| reap_one(&mut ring).result());
    assert_eq!(is_removed, Ok(0));
}

#[test]
fn a_timeout_in_a_chain_breaks_it_unless_its_end_counts_as_success() {
    let mut ring = ring();
    for (flags, after) in [
        (0, Err(Errno::ECANCELED)),
        (IORING_TIMEOUT_ETIME_SUCCESS, Ok(0)),
    ] {
        // SAFETY: `TEN_MS` is promoted to a static.
        unsafe { entry(&mut ring, 1).prep_timeout(&TEN_MS, 0, flags) }.add_flags(SqeFlags::IO_LINK);
        entry(&mut ring, 2).prep_nop();
        let ended = results(&mut ring, 2);
        assert_eq!((ended[&1], ended[&2]), (Err(Errno::ETIME), after));
    }
}

#[test]
fn a_timeout_behind_a_link_begins_when_that_is_done() {
    let mut ring = ring();
    entry(&mut ring, 1).prep_nop().add_flags(SqeFlags::IO_LINK);
    timeout(&mut ring, 2, &TEN_MS, 0, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Ok(0), Err(Errno::ETIME)));
}

#[test]
fn a_drain_waits_for_a_timeout_and_a_timeout_can_drain() {
    let mut ring = ring();
    timeout(&mut ring, 1, &TEN_MS, 0, 0);
    entry(&mut ring, 2).prep_nop().add_flags(SqeFlags::IO_DRAIN);
    // SAFETY: `TEN_MS` is promoted to a static.
    unsafe { entry(&mut ring, 3).prep_timeout(&TEN_MS, 0, 0) }.add_flags(SqeFlags::IO_DRAIN);
    let order: Vec<_> = reap(&mut ring, 3)
        .iter()
        .map(|cqe| cqe.user_data())
        .collect();
    assert_eq!(order, [1, 2, 3]);
}

#[test]
fn a_time_that_is_none_is_refused() {
    let mut ring = ring();
    static BAD: [__kernel_timespec; 2] = [
        __kernel_timespec {
            tv_sec: -1,
            tv_nsec: 0,
        },
        __kernel_timespec {
            tv_sec: 0,
            tv_nsec: -1,
        },
    ];
    for time in &BAD {
        timeout(&mut ring, 1, time, 0, 0);
        assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    }
    // Two clocks, unknown flags, and a point in time that repeats.
    let two = IORING_TIMEOUT_BOOTTIME | IORING_TIMEOUT_REALTIME;
    let repeated_point = IORING_TIMEOUT_ABS | IORING_TIMEOUT_MULTISHOT;
    for flags in [two, 1 << 31, repeated_point] {
        timeout(&mut ring, 1, &TEN_MS, 0, flags);
        assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    }
    // SAFETY: there is no memory at all.
    unsafe { entry(&mut ring, 1).prep_timeout(std::ptr::null(), 0, 0) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EFAULT));
}

#[test]
fn timeouts_without_memory_work_where_they_are_known() {
    let mut ring = ring();
    entry(&mut ring, 1).prep_timeout_immediate(1_000_000, 0, 0);
    let first = reap_one(&mut ring).result();
    let is_known = first != Err(Errno::EINVAL);
    let ended = |known| if is_known { known } else { Err(Errno::EINVAL) };
    assert_eq!(first, ended(Err(Errno::ETIME)));
    // The update, of a timeout that is there in any case.
    timeout(&mut ring, 1, &FOREVER, 0, 0);
    entry(&mut ring, 2).prep_timeout_update_immediate(1, 3_600_000_000_000, 0);
    assert_eq!(reap_one(&mut ring).result(), ended(Ok(0)));
    entry(&mut ring, 3).prep_timeout_remove(1);
    reap(&mut ring, 2);
    // A limit that a nop keeps. Where it is not known, its refusal fails the nop.
    entry(&mut ring, 4).prep_nop().add_flags(SqeFlags::IO_LINK);
    entry(&mut ring, 5).prep_link_timeout_immediate(3_600_000_000_000, 0);
    let limited = results(&mut ring, 2);
    let kept = [Ok(0), Err(Errno::ECANCELED)];
    let refused = [Err(Errno::ECANCELED), Err(Errno::EINVAL)];
    assert_eq!(
        [limited[&4], limited[&5]],
        if is_known { kept } else { refused }
    );
    if !is_known {
        skip("IORING_TIMEOUT_IMMEDIATE_ARG is newer than this kernel, which refused it");
    }
}

//! Chains: what follows what, what a failure takes along, and what drains.

use std::os::fd::AsRawFd;

use annulus_ring::{CURRENT_POSITION, Errno, Ring, SqeFlags};

use super::support::{FOREVER, assert_quiet, entry, pipe, reap, reap_one, results, ring};

/// Queues what always fails: a close of no descriptor.
fn failing(ring: &mut Ring, user_data: u64, flags: SqeFlags) {
    entry(ring, user_data).prep_close(-1).add_flags(flags);
}

fn nop(ring: &mut Ring, user_data: u64, flags: SqeFlags) {
    entry(ring, user_data).prep_nop().add_flags(flags);
}

fn order(ring: &mut Ring, count: usize) -> Vec<u64> {
    reap(ring, count)
        .iter()
        .map(|cqe| cqe.user_data())
        .collect()
}

#[test]
fn a_chain_completes_in_order() {
    let mut ring = ring();
    for user_data in 0..8 {
        // By worker threads, so that the order is the chain's and not the queue's.
        let link = match user_data {
            7 => SqeFlags::ASYNC,
            _ => SqeFlags::IO_LINK | SqeFlags::ASYNC,
        };
        nop(&mut ring, user_data, link);
    }
    assert_eq!(order(&mut ring, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_failing_link_cancels_the_rest_of_its_chain_and_nothing_else() {
    let mut ring = ring();
    nop(&mut ring, 0, SqeFlags::IO_LINK);
    failing(&mut ring, 1, SqeFlags::IO_LINK);
    nop(&mut ring, 2, SqeFlags::IO_LINK);
    nop(&mut ring, 3, SqeFlags::NONE);
    // The chain has ended: this one stands alone.
    nop(&mut ring, 4, SqeFlags::NONE);
    let ended = results(&mut ring, 5);
    assert_eq!((ended[&0], ended[&1]), (Ok(0), Err(Errno::EBADF)));
    assert_eq!(
        (ended[&2], ended[&3]),
        (Err(Errno::ECANCELED), Err(Errno::ECANCELED))
    );
    assert_eq!(ended[&4], Ok(0));
}

#[test]
fn a_hard_link_survives_a_failure() {
    let mut ring = ring();
    failing(&mut ring, 0, SqeFlags::IO_HARDLINK);
    failing(&mut ring, 1, SqeFlags::IO_HARDLINK);
    nop(&mut ring, 2, SqeFlags::NONE);
    let ended = results(&mut ring, 3);
    assert_eq!(
        (ended[&0], ended[&1], ended[&2]),
        (Err(Errno::EBADF), Err(Errno::EBADF), Ok(0))
    );
}

#[test]
fn a_soft_link_within_a_hard_chain_still_breaks_it() {
    let mut ring = ring();
    failing(&mut ring, 0, SqeFlags::IO_HARDLINK);
    failing(&mut ring, 1, SqeFlags::IO_LINK);
    nop(&mut ring, 2, SqeFlags::IO_HARDLINK);
    nop(&mut ring, 3, SqeFlags::NONE);
    let ended = results(&mut ring, 4);
    assert_eq!(ended[&1], Err(Errno::EBADF));
    assert_eq!(
        (ended[&2], ended[&3]),
        (Err(Errno::ECANCELED), Err(Errno::ECANCELED))
    );
}

#[test]
fn an_entry_that_is_not_valid_takes_its_whole_chain_along() {
    let mut ring = ring();
    nop(&mut ring, 0, SqeFlags::IO_LINK);
    let sqe = entry(&mut ring, 1).prep_nop().add_flags(SqeFlags::IO_LINK);
    // SAFETY: a nop that asks for an unknown priority lends nothing.
    unsafe { sqe.as_raw_mut() }.ioprio = 1;
    // SAFETY: as above.
    unsafe { sqe.as_raw_mut() }.opcode = 255;
    nop(&mut ring, 2, SqeFlags::NONE);
    let ended = results(&mut ring, 3);
    assert_eq!(ended[&1], Err(Errno::EINVAL));
    assert_eq!(
        (ended[&0], ended[&2]),
        (Err(Errno::ECANCELED), Err(Errno::ECANCELED)),
        "found before the chain was started"
    );
}

#[test]
fn a_short_read_breaks_a_link() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    annulus_syscalls::calls::write(writing.as_raw_fd(), b"four").expect("written");
    let mut buf = [0_u8; 16];
    for (len, follower) in [(4, Ok(0)), (16, Err(Errno::ECANCELED))] {
        let fd = reading.as_raw_fd();
        // SAFETY: `buf` outlives the completion, which is waited for.
        unsafe { entry(&mut ring, 1).prep_read(fd, buf.as_mut_ptr(), len, CURRENT_POSITION) }
            .add_flags(SqeFlags::IO_LINK);
        nop(&mut ring, 2, SqeFlags::NONE);
        let ended = results(&mut ring, 2);
        assert_eq!((ended[&1], ended[&2]), (Ok(4), follower));
        annulus_syscalls::calls::write(writing.as_raw_fd(), b"more").expect("written");
    }
}

#[test]
fn a_chain_waits_behind_a_poll() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    entry(&mut ring, 1)
        .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
        .add_flags(SqeFlags::IO_LINK);
    nop(&mut ring, 2, SqeFlags::NONE);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    annulus_syscalls::calls::write(writing.as_raw_fd(), b"x").expect("written");
    assert_eq!(order(&mut ring, 2), [1, 2]);
}

#[test]
fn a_cancelled_poll_cancels_its_chain() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    entry(&mut ring, 1)
        .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
        .add_flags(SqeFlags::IO_LINK);
    nop(&mut ring, 2, SqeFlags::IO_LINK);
    nop(&mut ring, 3, SqeFlags::NONE);
    ring.submit().expect("submitted");
    entry(&mut ring, 4).prep_cancel64(1, 0);
    let ended = results(&mut ring, 4);
    let cancelled = Err(Errno::ECANCELED);
    assert_eq!(
        (ended[&1], ended[&2], ended[&3]),
        (cancelled, cancelled, cancelled)
    );
    assert_eq!(ended[&4], Ok(0));
}

#[test]
fn successes_that_are_skipped_leave_only_the_failure_of_a_chain() {
    let mut ring = ring();
    let quiet = SqeFlags::CQE_SKIP_SUCCESS;
    nop(&mut ring, 0, SqeFlags::IO_LINK | quiet);
    failing(&mut ring, 1, SqeFlags::IO_LINK | quiet);
    nop(&mut ring, 2, quiet);
    nop(&mut ring, 3, SqeFlags::NONE);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&3]), (Err(Errno::EBADF), Ok(0)));
    assert_quiet(&mut ring);
}

#[test]
fn a_drain_waits_for_everything_before_and_holds_up_everything_after() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    entry(&mut ring, 1).prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32);
    nop(&mut ring, 2, SqeFlags::IO_DRAIN);
    nop(&mut ring, 3, SqeFlags::NONE);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    annulus_syscalls::calls::write(writing.as_raw_fd(), b"x").expect("written");
    assert_eq!(order(&mut ring, 3), [1, 2, 3]);
}

#[test]
fn what_waits_for_a_drain_can_be_cancelled() {
    let mut ring = ring();
    let (reading, _writing) = pipe();
    entry(&mut ring, 1).prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32);
    nop(&mut ring, 2, SqeFlags::IO_DRAIN);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    // A cancel that is queued behind would be held up as well: the call is not.
    ring.ring_ref()
        .sync_cancel(1, None)
        .expect("the poll is there");
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), Ok(0)));
}

#[test]
fn a_drain_in_a_chain_drains_the_chain() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    entry(&mut ring, 1).prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32);
    nop(&mut ring, 2, SqeFlags::IO_LINK);
    nop(&mut ring, 3, SqeFlags::IO_DRAIN | SqeFlags::IO_LINK);
    nop(&mut ring, 4, SqeFlags::NONE);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    annulus_syscalls::calls::write(writing.as_raw_fd(), b"x").expect("written");
    assert_eq!(order(&mut ring, 4), [1, 2, 3, 4]);
}

#[test]
fn a_multishot_poll_does_not_hold_up_a_drain_once_it_was_removed() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    entry(&mut ring, 1).prep_poll_multishot(reading.as_raw_fd(), libc::POLLIN as u32);
    ring.submit().expect("submitted");
    // Each of these completions is posted without the poll being over.
    for _ in 0..3 {
        annulus_syscalls::calls::write(writing.as_raw_fd(), b"x").expect("written");
        assert!(reap_one(&mut ring).more());
    }
    entry(&mut ring, 2).prep_poll_remove(1);
    reap(&mut ring, 2);
    nop(&mut ring, 3, SqeFlags::IO_DRAIN);
    assert_eq!(order(&mut ring, 1), [3]);
}

#[test]
fn a_drain_waits_for_a_worker_thread() {
    let mut ring = ring();
    nop(&mut ring, 1, SqeFlags::ASYNC);
    nop(&mut ring, 2, SqeFlags::IO_DRAIN);
    assert_eq!(order(&mut ring, 2), [1, 2]);
}

#[test]
fn a_chain_of_one_is_no_chain() {
    let mut ring = ring();
    failing(&mut ring, 1, SqeFlags::IO_LINK);
    ring.submit().expect("submitted");
    // A chain ends with the call that submits it.
    nop(&mut ring, 2, SqeFlags::NONE);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::EBADF), Ok(0)));
}

#[test]
fn a_chain_behind_a_timeout_that_is_removed_is_cancelled() {
    let mut ring = ring();
    // SAFETY: `FOREVER` is promoted to a static.
    unsafe { entry(&mut ring, 1).prep_timeout(&FOREVER, 0, 0) }.add_flags(SqeFlags::IO_LINK);
    nop(&mut ring, 2, SqeFlags::NONE);
    ring.submit().expect("submitted");
    entry(&mut ring, 3).prep_timeout_remove(1);
    let ended = results(&mut ring, 3);
    let cancelled = Err(Errno::ECANCELED);
    assert_eq!(
        (ended[&1], ended[&2], ended[&3]),
        (cancelled, cancelled, Ok(0))
    );
}

//! Cancels that race with what they cancel: whatever happens, the two results fit together, the
//! target completes exactly once, and its memory is the kernel's until then and not after.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use annulus_ring::{CURRENT_POSITION, Errno, Ring, SqeFlags};
use annulus_syscalls::calls;

use super::fifo::Fifo;
use super::support::{assert_quiet, entry, pipe, reap, results, ring, rounds, span, until};

/// The kernel's own ERESTARTSYS: an interrupted open in a worker thread lets it through.
const RESTART: Errno = Errno::from_raw(512);

/// How often each outcome of a race occurred.
#[derive(Debug, Default)]
struct Outcomes {
    cancelled: u64,
    gone: u64,
    running: u64,
}

impl Outcomes {
    /// Counts what target and cancel came to.
    fn count(&mut self, target: Result<u32, Errno>, cancel: Result<u32, Errno>) {
        match (target, cancel) {
            (Err(Errno::ECANCELED), Ok(0)) => self.cancelled += 1,
            (Ok(_), Err(Errno::ENOENT)) => self.gone += 1,
            (Ok(_) | Err(Errno::EINTR | Errno::ECANCELED), Err(Errno::EALREADY)) => {
                self.running += 1;
            }
            other => panic!("target and cancel do not fit: {other:?}"),
        }
    }
}

/// What one thread tells the other: a round, or the end.
#[derive(Default)]
struct Turn(AtomicU64);

impl Turn {
    const OVER: u64 = u64::MAX;

    fn set(&self, round: u64) {
        self.0.store(round, Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Runs `act` for the rounds that it sees: not for each, if it is slow.
    fn follow(&self, mut act: impl FnMut(u64)) {
        let mut last = 0;
        loop {
            match self.get() {
                Turn::OVER => return,
                round if round == last => thread::yield_now(),
                round => {
                    act(round);
                    last = round;
                }
            }
        }
    }
}

/// Says that it is over, in a panic too, so that the other thread ends.
struct OverOnDrop<'a>(&'a Turn);

impl Drop for OverOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(Turn::OVER);
    }
}

fn spin(times: u64) {
    for _ in 0..times {
        std::hint::spin_loop();
    }
}

#[test]
fn a_receive_and_its_cancel_agree_on_who_came_first() {
    let mut ring = ring();
    let (mut ours, mut theirs) = UnixStream::pair().expect("a pair");
    let (wanted, written) = (Turn::default(), Turn::default());
    let mut outcomes = Outcomes::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            wanted.follow(|round| {
                theirs.write_all(b"x").expect("the other end is open");
                written.set(round);
            });
        });
        let _over = OverOnDrop(&wanted);
        for round in 1..=rounds(30_000) {
            let mut byte = [0_u8];
            let fd = ours.as_raw_fd();
            // SAFETY: `byte` outlives the completion of the receive, which is waited for.
            unsafe { entry(&mut ring, 1).prep_recv(fd, byte.as_mut_ptr(), 1, 0) };
            ring.submit().expect("submitted");
            // 1. The peer is told to write. The cancel follows at once, later, or surely too late.
            wanted.set(round);
            spin(round % 64 * 64);
            if round % 4 == 0 {
                until("the byte", || written.get() == round);
            }
            entry(&mut ring, 2).prep_cancel64(1, 0);
            // 2. Each completes once, and they fit.
            let ended = results(&mut ring, 2);
            outcomes.count(ended[&1], ended[&2]);
            // 3. The byte is in exactly one place.
            if ended[&1].is_err() {
                assert_eq!(byte, [0]);
                ours.read_exact(&mut byte).expect("it was not taken");
            }
            assert_eq!(byte, *b"x");
        }
    });
    assert_quiet(&mut ring);
    println!("{outcomes:?}");
    assert!(outcomes.cancelled > 0 && outcomes.gone > 0);
}

#[test]
fn a_read_in_a_worker_thread_ends_when_it_is_cancelled_until_it_does() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    let (mut cancelled, mut done, mut repeated, mut denied) = (0, 0, 0, 0);
    for round in 0..rounds(10_000) {
        let mut byte = [0_u8];
        let fd = reading.as_raw_fd();
        // SAFETY: `byte` outlives the completion of the read, which is waited for.
        unsafe { entry(&mut ring, 1).prep_read(fd, byte.as_mut_ptr(), 1, CURRENT_POSITION) }
            .add_flags(SqeFlags::ASYNC);
        ring.submit().expect("submitted");
        let is_written = round % 3 != 0;
        if is_written {
            calls::write(writing.as_raw_fd(), b"x").expect("written");
        }
        // On its way to the worker, or from there to where it waits, it is found by none, or may
        // not listen: so this is repeated.
        let (target, cancels) = cancel_until_done(&mut ring, 1, 2);
        repeated += cancels.len() - 1;
        match target {
            Ok(1) => {
                assert!(is_written);
                assert_eq!(byte, *b"x");
                done += 1;
            }
            Err(Errno::ECANCELED | Errno::EINTR | RESTART) => {
                // Once in some ten thousand rounds Linux 6.18 says ENOENT of a read that the cancel
                // does end, between the worker and where it waits: only the read's own result counts.
                let is_answered = |cancel: &_| matches!(cancel, Ok(0) | Err(Errno::EALREADY));
                denied += usize::from(!cancels.iter().any(is_answered));
                assert_eq!(byte, [0]);
                cancelled += 1;
            }
            other => panic!("round {round}: {other:?} after {cancels:?}"),
        }
        if is_written && target.is_err() {
            // SAFETY: `byte` is valid for a byte.
            let read = unsafe { calls::read(reading.as_raw_fd(), byte.as_mut_ptr(), 1) };
            assert_eq!(read, Ok(1), "it was not taken");
        }
    }
    assert_quiet(&mut ring);
    println!("cancelled {cancelled}, done {done}, once more {repeated} times, denied {denied}");
}

#[test]
fn an_open_in_a_worker_thread_ends_when_it_is_cancelled_until_it_does() {
    let mut ring = ring();
    let fifo = Fifo::new("races");
    for _ in 0..rounds(2_000) {
        let (at, path) = (libc::AT_FDCWD, fifo.path().as_ptr());
        // SAFETY: the path outlives the completion, which is waited for.
        unsafe { entry(&mut ring, 1).prep_openat(at, path, libc::O_RDONLY, 0) }
            .add_flags(SqeFlags::ASYNC);
        ring.submit().expect("submitted");
        let (target, cancels) = cancel_until_done(&mut ring, 1, 2);
        assert!(
            matches!(target, Err(Errno::ECANCELED | Errno::EINTR | RESTART)),
            "{target:?} after {cancels:?}"
        );
    }
    assert_quiet(&mut ring);
}

/// Cancels `target`, by entries named `cancel`, until it is done: what it came to, and what they
/// did.
fn cancel_until_done(
    ring: &mut Ring,
    target: u64,
    cancel: u64,
) -> (Result<u32, Errno>, Vec<Result<u32, Errno>>) {
    let mut ended = None;
    let mut cancels = Vec::new();
    loop {
        entry(ring, cancel).prep_cancel64(target, 0);
        let before = cancels.len();
        while cancels.len() == before {
            let cqe = reap(ring, 1)[0];
            if cqe.user_data() == cancel {
                cancels.push(cqe.result());
            } else {
                assert_eq!(ended.replace(cqe.result()), None, "once only");
            }
        }
        if let Some(ended) = ended {
            return (ended, cancels);
        }
        if cancels.last() == Some(&Ok(0)) {
            // Found, and not running: it ends by itself.
            return (reap(ring, 1)[0].result(), cancels);
        }
        thread::yield_now();
    }
}

#[test]
fn a_timeout_and_its_removal_agree_on_who_came_first() {
    let mut ring = ring();
    let (mut removed, mut ran_out) = (0, 0);
    for round in 0..rounds(30_000) {
        let time = span(Duration::from_nanos(round % 64 * 500));
        // SAFETY: `time` outlives the submission that follows.
        unsafe { entry(&mut ring, 1).prep_timeout(&raw const time, 0, 0) };
        ring.submit().expect("submitted");
        entry(&mut ring, 2).prep_timeout_remove(1);
        let ended = results(&mut ring, 2);
        match (ended[&1], ended[&2]) {
            (Err(Errno::ECANCELED), Ok(0)) => removed += 1,
            (Err(Errno::ETIME), Err(Errno::ENOENT | Errno::EALREADY | Errno::EBUSY)) => {
                ran_out += 1;
            }
            other => panic!("timeout and removal do not fit: {other:?}"),
        }
    }
    println!("removed {removed}, ran out {ran_out}");
    assert!(removed > 0 && ran_out > 0);
}

#[test]
fn synchronous_cancels_from_another_thread_agree_with_what_completes() {
    let mut ring = ring();
    let other = ring.ring_ref();
    let (reading, writing) = pipe();
    let (fd, peer) = (reading.as_raw_fd(), writing.as_raw_fd());
    let turn = Turn::default();
    let (mut cancelled, mut done) = (0, 0);
    let found = thread::scope(|scope| {
        let turn = &turn;
        let canceller = scope.spawn(move || {
            let mut found = 0;
            turn.follow(|round| match other.sync_cancel(round, None) {
                Ok(()) => found += 1,
                Err(Errno::ENOENT | Errno::EALREADY) => {}
                Err(errno) => panic!("{errno}"),
            });
            found
        });
        let over = OverOnDrop(turn);
        for round in 1..=rounds(10_000) {
            entry(&mut ring, round).prep_poll_add(fd, libc::POLLIN as u32);
            ring.submit().expect("submitted");
            turn.set(round);
            spin(round % 64 * 64);
            calls::write(peer, b"x").expect("written");
            let cqe = reap(&mut ring, 1)[0];
            assert_eq!(cqe.user_data(), round);
            match cqe.result() {
                Ok(_) => done += 1,
                Err(Errno::ECANCELED) => cancelled += 1,
                Err(errno) => panic!("{errno}"),
            }
            let mut byte = [0_u8];
            // SAFETY: `byte` is valid for a byte.
            unsafe { calls::read(fd, byte.as_mut_ptr(), 1) }.expect("a poll takes nothing");
        }
        drop(over);
        canceller.join().expect("no panic")
    });
    println!("cancelled {cancelled}, done {done}, found {found}");
    assert!(cancelled <= found, "nothing is cancelled by nobody");
    assert_quiet(&mut ring);
}

#[test]
fn cancels_of_a_crowd_hit_each_member_at_most_once() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    for round in 0..rounds(500) {
        let crowd = 32;
        for user_data in 0..crowd {
            entry(&mut ring, user_data).prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32);
        }
        ring.submit().expect("submitted");
        if round % 2 == 0 {
            calls::write(writing.as_raw_fd(), b"x").expect("written");
        }
        for user_data in 0..crowd {
            entry(&mut ring, 100 + user_data).prep_cancel64(user_data, 0);
        }
        let ended = results(&mut ring, 2 * crowd as usize);
        let mut outcomes = Outcomes::default();
        for user_data in 0..crowd {
            outcomes.count(ended[&user_data], ended[&(100 + user_data)]);
        }
        if round % 2 == 0 {
            drain(&mut ring, reading.as_raw_fd());
        } else {
            assert_eq!(outcomes.cancelled, crowd);
        }
    }
}

/// Takes the one byte that is in the pipe.
fn drain(ring: &mut Ring, fd: i32) {
    let mut byte = [0_u8];
    // SAFETY: `byte` outlives the completion, which is waited for.
    unsafe { entry(ring, 1).prep_read(fd, byte.as_mut_ptr(), 1, CURRENT_POSITION) };
    assert_eq!(results(ring, 1)[&1], Ok(1));
}

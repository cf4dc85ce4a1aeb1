//! Polls of what wakes in unusual ways: counters in a loop, rings, terminals, signals, files that
//! go away.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use annulus_ring::{CURRENT_POSITION, Errno, Ring, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD,
};

use super::support::{
    assert_quiet, entry, eventfd, owned, pinned_ring, pipe, reap, reap_one, results, ring, rounds,
};

const IN: u32 = libc::POLLIN as u32;

fn signal(fd: &OwnedFd) {
    calls::write(fd.as_raw_fd(), &1_u64.to_ne_bytes()).expect("counted");
}

fn read_count(fd: &OwnedFd) -> Result<u64, Errno> {
    let mut count = [0_u8; 8];
    // SAFETY: `count` is valid for its eight bytes.
    unsafe { calls::read(fd.as_raw_fd(), count.as_mut_ptr(), 8) }?;
    Ok(u64::from_ne_bytes(count))
}

#[test]
fn a_ring_that_is_polled_tells_once_and_is_armed_again() {
    let (mut one, mut other) = (ring(), ring());
    for _ in 0..10 {
        entry(&mut one, 1).prep_poll_multishot(other.fd(), IN);
        one.submit().expect("submitted");
        assert_quiet(&mut one);
        entry(&mut other, 2).prep_nop();
        other.submit().expect("submitted");
        // Rings that wake each other again and again could go round for ever.
        let cqe = reap_one(&mut one);
        assert_eq!((cqe.result(), cqe.more()), (Ok(IN), false));
        reap_one(&mut other);
        other.publish_head();
    }
}

#[test]
fn a_ring_that_polls_itself_is_woken_by_its_own_completions() {
    for mut ring in [ring(), pinned_ring()] {
        let fd = ring.fd();
        entry(&mut ring, 1).prep_poll_add(fd, IN);
        ring.submit().expect("submitted");
        entry(&mut ring, 2).prep_nop();
        let ended = results(&mut ring, 2);
        assert_eq!((ended[&1], ended[&2]), (Ok(IN), Ok(0)));
        // Gone with its last poll: it does not keep itself alive.
        drop(ring);
    }
}

#[test]
fn rings_in_a_circle_of_polls_wake_each_other_round_and_end() {
    let mut rings: Vec<Ring> = (0..4).map(|_| ring()).collect();
    let fds: Vec<i32> = rings.iter().map(Ring::fd).collect();
    for (index, ring) in rings.iter_mut().enumerate() {
        entry(ring, 1).prep_poll_add(fds[(index + 1) % 4], IN);
        ring.submit().expect("submitted");
    }
    entry(&mut rings[0], 2).prep_nop();
    rings[0].submit().expect("submitted");
    // 3 sees 0, 2 sees 3, 1 sees 2, and 0 sees 1.
    for index in [3, 2, 1] {
        assert_eq!(reap_one(&mut rings[index]).result(), Ok(IN));
        // What was reaped is gone, so put something there for the one before.
        entry(&mut rings[index], 2).prep_nop();
        rings[index].submit().expect("submitted");
    }
    let ended = results(&mut rings[0], 2);
    assert_eq!((ended[&1], ended[&2]), (Ok(IN), Ok(0)));
}

#[test]
fn a_ring_that_polls_the_counter_of_its_own_completions_does_not_run_away() {
    let mut ring = ring();
    let counter = eventfd();
    let fd = counter.as_raw_fd();
    // SAFETY: one descriptor, copied by the call.
    unsafe {
        ring.register(
            IORING_REGISTER_EVENTFD,
            (&raw const fd).expose_provenance(),
            1,
        )
    }
    .expect("registered");
    entry(&mut ring, 1).prep_poll_multishot(fd, IN);
    ring.submit().expect("submitted");
    entry(&mut ring, 2).prep_nop();
    ring.submit_and_wait(1).expect("submitted");
    // Each completion of the poll counts, and so may wake the poll again: each round is one of
    // finitely many, as it needs an enter.
    let mut seen = 0;
    for _ in 0..16 {
        ring.enter(0, None).expect("entered");
        while let Some(cqe) = ring.pop() {
            assert!(cqe.result().is_ok());
            seen += 1;
        }
    }
    println!(
        "{seen} completions in 16 enters, counted {:?}",
        read_count(&counter)
    );
    assert!((2..=64).contains(&seen), "{seen}");
    // SAFETY: takes no memory.
    unsafe { ring.register(IORING_UNREGISTER_EVENTFD, 0, 0) }.expect("unregistered");
}

#[test]
fn a_waker_on_another_thread_is_never_missed() {
    for mut ring in [ring(), pinned_ring()] {
        let counter = eventfd();
        let seen = AtomicU64::new(0);
        let total = rounds(20_000);
        entry(&mut ring, 1).prep_poll_multishot(counter.as_raw_fd(), IN);
        ring.submit().expect("submitted");
        thread::scope(|scope| {
            let waker = scope.spawn(|| {
                // The next wake is sent when the one before was seen, and not otherwise: one that
                // is missed stops both.
                for round in 0..total {
                    signal(&counter);
                    while seen.load(Ordering::Acquire) == round {
                        thread::yield_now();
                    }
                    if seen.load(Ordering::Acquire) == u64::MAX {
                        return;
                    }
                }
            });
            let mut count = 0;
            while count < total && !waker.is_finished() {
                let cqe = reap_one(&mut ring);
                assert_eq!((cqe.result(), cqe.more()), (Ok(IN), true));
                count += read_count(&counter).unwrap_or(0);
                seen.store(count, Ordering::Release);
            }
            seen.store(u64::MAX, Ordering::Release);
        });
    }
}

#[test]
fn polls_that_are_removed_while_they_wake_end_once() {
    let mut ring = ring();
    let counter = eventfd();
    let (mut woken, mut removed) = (0, 0);
    for round in 0..rounds(10_000) {
        entry(&mut ring, 1).prep_poll_add(counter.as_raw_fd(), IN);
        ring.submit().expect("submitted");
        if round % 2 == 0 {
            signal(&counter);
        }
        entry(&mut ring, 2).prep_poll_remove(1);
        let ended = results(&mut ring, 2);
        match (ended[&1], ended[&2]) {
            (Ok(IN), Err(Errno::ENOENT | Errno::EALREADY)) => woken += 1,
            (Err(Errno::ECANCELED), Ok(0)) => removed += 1,
            other => panic!("{other:?}"),
        }
        let _ = read_count(&counter);
    }
    println!("woken {woken}, removed {removed}");
    assert!(removed > 0);
}

#[test]
fn multishot_polls_that_are_removed_while_they_wake_end_once_and_stay_silent() {
    for mut ring in [ring(), pinned_ring()] {
        let counter = eventfd();
        let is_over = AtomicU64::new(0);
        let (mut wakes, mut repeated) = (0, 0);
        thread::scope(|scope| {
            let _over = OverOnDrop(&is_over);
            // 1. Another thread signals all the time.
            scope.spawn(|| {
                while is_over.load(Ordering::Acquire) == 0 {
                    signal(&counter);
                    thread::yield_now();
                }
            });
            for round in 0..rounds(5_000) {
                let (poll, removal) = (2 * round, 2 * round + 1);
                entry(&mut ring, poll).prep_poll_multishot(counter.as_raw_fd(), IN);
                ring.submit().expect("submitted");
                if round % 2 == 0 {
                    assert_eq!(reap_one(&mut ring).result(), Ok(IN));
                    wakes += 1;
                }
                // 2. A removal that meets a wake says EALREADY and is repeated.
                let (mut last, mut removed) = (None, Some(Err(Errno::EALREADY)));
                while last.is_none() || removed.is_none() {
                    if removed == Some(Err(Errno::EALREADY)) && last.is_none() {
                        entry(&mut ring, removal).prep_poll_remove(poll);
                        removed = None;
                        repeated += 1;
                    }
                    let cqe = reap_one(&mut ring);
                    if cqe.user_data() == removal {
                        removed = Some(cqe.result());
                        continue;
                    }
                    // 3. Nothing of a poll comes after its last, so not in a later round.
                    assert_eq!(cqe.user_data(), poll);
                    assert_eq!(last, None, "after its last");
                    wakes += u64::from(cqe.result() == Ok(IN));
                    if !cqe.more() {
                        last = Some(cqe.result());
                    }
                }
                // The removal that it met may have turned its wake into its last.
                let is_end = matches!(last, Some(Err(Errno::ECANCELED) | Ok(IN)));
                assert!(is_end, "{last:?}");
                let _ = read_count(&counter);
            }
        });
        repeated -= rounds(5_000);
        println!("woken {wakes} times, removed once more {repeated} times");
    }
}

/// Ends the other thread, in a panic too.
struct OverOnDrop<'a>(&'a AtomicU64);

impl Drop for OverOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(1, Ordering::Release);
    }
}

#[test]
fn a_terminal_which_has_two_places_to_wait_at_is_polled() {
    let mut ring = ring();
    // SAFETY: takes a number only.
    let controller = unsafe { libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY) };
    if controller < 0 {
        super::support::skip("there are no pseudo-terminals here");
        return;
    }
    let controller = owned(controller);
    // SAFETY: takes a descriptor only.
    let unlocked = unsafe { libc::unlockpt(controller.as_raw_fd()) };
    assert_eq!(unlocked, 0);
    // Both readable and writable are asked for: the kernel waits in two queues.
    entry(&mut ring, 1).prep_poll_multishot(controller.as_raw_fd(), IN);
    entry(&mut ring, 2).prep_poll_add(controller.as_raw_fd(), libc::POLLPRI as u32);
    ring.submit().expect("submitted");
    entry(&mut ring, 3).prep_cancel_any();
    reap(&mut ring, 3);
    drop(controller);
    assert_quiet(&mut ring);
}

#[test]
fn a_poll_outlives_the_thread_that_submitted_it() {
    let counter = eventfd();
    let mut ring = thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let mut ring = ring();
            entry(&mut ring, 1).prep_poll_add(counter.as_raw_fd(), IN);
            ring.submit().expect("submitted");
            assert_quiet(&mut ring);
            ring
        });
        submitter.join().expect("no panic")
    });
    assert_quiet(&mut ring);
    // Its completion work has no thread to run in: it ends, but need not say what was ready.
    signal(&counter);
    let ended = reap_one(&mut ring).result();
    assert!(matches!(ended, Ok(IN) | Err(Errno::ECANCELED)), "{ended:?}");
    println!("{ended:?}");
}

#[test]
fn a_counter_of_signals_is_polled_and_closed_while_it_is() {
    let mut ring = ring();
    let mut mask = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: valid for writes.
    unsafe { libc::sigemptyset(mask.as_mut_ptr()) };
    // SAFETY: initialised by the call before.
    unsafe { libc::sigaddset(mask.as_mut_ptr(), libc::SIGUSR2) };
    // SAFETY: the mask is initialised.
    let signals = owned(unsafe { libc::signalfd(-1, mask.as_ptr(), libc::SFD_CLOEXEC) });
    entry(&mut ring, 1).prep_poll_add(signals.as_raw_fd(), IN);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    drop(signals);
    assert_quiet(&mut ring);
    entry(&mut ring, 2).prep_cancel64(1, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), Ok(0)));
}

#[test]
fn a_socket_that_is_closed_while_it_is_polled_stays_until_the_poll_is_over() {
    let mut ring = ring();
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let fd = ours.as_raw_fd();
    entry(&mut ring, 1).prep_poll_add(fd, IN);
    ring.submit().expect("submitted");
    drop(ours);
    // The peer can still write to it, and so end the poll.
    calls::write(theirs.as_raw_fd(), b"x").expect("still open");
    assert_eq!(reap_one(&mut ring).result(), Ok(IN));
    let closed = calls::write(theirs.as_raw_fd(), b"x");
    assert_eq!(closed, Err(Errno::EPIPE), "now it is closed");
}

#[test]
fn a_poll_and_the_read_behind_it_follow_each_byte() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    for round in 0..rounds(5_000) {
        let mut byte = [0_u8];
        let fd = reading.as_raw_fd();
        entry(&mut ring, 1)
            .prep_poll_add(fd, IN)
            .add_flags(SqeFlags::IO_LINK);
        // SAFETY: `byte` outlives the completion, which is waited for.
        unsafe { entry(&mut ring, 2).prep_read(fd, byte.as_mut_ptr(), 1, CURRENT_POSITION) };
        ring.submit().expect("submitted");
        calls::write(writing.as_raw_fd(), &[round as u8]).expect("written");
        let ended = results(&mut ring, 2);
        assert_eq!((ended[&1], ended[&2]), (Ok(IN), Ok(1)));
        assert_eq!(byte, [round as u8]);
    }
}

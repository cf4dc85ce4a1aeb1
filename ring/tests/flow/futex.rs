//! Futexes: waits, wakes, waits on several, limits, and flags that are none.

use std::os::fd::AsRawFd;
use std::ptr::from_ref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use annulus_ring::{Errno, Opcode, Ring, SqeFlags};
use annulus_syscalls::calls;
use annulus_syscalls::io_uring::flags::futex::{
    FUTEX2_NUMA, FUTEX2_PRIVATE, FUTEX2_SIZE_U8, FUTEX2_SIZE_U16, FUTEX2_SIZE_U32, FUTEX2_SIZE_U64,
};
use annulus_syscalls::io_uring::futex_waitv;

use super::support::{assert_quiet, entry, has, pipe, reap, reap_one, results, ring, rounds, span};

const PRIVATE: u32 = FUTEX2_SIZE_U32 | FUTEX2_PRIVATE;
/// What a limit that runs out comes to here: 1, as for a cancel, where others have ETIME.
const LIMITED: Result<u32, Errno> = Ok(1);
const ANY: u64 = u32::MAX as u64;

/// Queues a wait while `word` has `value`. The caller keeps `word` until the completion.
fn wait(ring: &mut Ring, user_data: u64, word: &AtomicU32, value: u32, mask: u64, flags: u32) {
    let value = u64::from(value);
    // SAFETY: every caller keeps `word` until the completion has come.
    unsafe { entry(ring, user_data).prep_futex_wait(word.as_ptr(), value, mask, flags) };
}

fn wake(ring: &mut Ring, user_data: u64, word: &AtomicU32, count: u64, mask: u64) {
    // SAFETY: as in `wait`.
    unsafe { entry(ring, user_data).prep_futex_wake(word.as_ptr(), count, mask, PRIVATE) };
}

/// The classic call, from outside of any ring.
fn wake_by_call(word: &AtomicU32, count: i32) -> i64 {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: a wake reads nothing but the address.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count) }
}

fn ready() -> Option<Ring> {
    let ring = ring();
    has(&ring, Opcode::FUTEX_WAIT).then_some(ring)
}

#[test]
fn a_wait_ends_with_a_wake_and_a_wake_tells_how_many() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(5);
    for user_data in 0..3 {
        wait(&mut ring, user_data, &word, 5, ANY, PRIVATE);
    }
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    wake(&mut ring, 10, &word, 2, ANY);
    let ended = results(&mut ring, 3);
    assert_eq!(ended[&10], Ok(2));
    wake(&mut ring, 11, &word, 10, ANY);
    let ended = results(&mut ring, 2);
    assert_eq!(ended[&11], Ok(1));
    wake(&mut ring, 12, &word, 10, ANY);
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
}

#[test]
fn a_wait_behind_a_poll_begins_when_there_is_data() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(0);
    let (reading, writing) = pipe();
    entry(&mut ring, 1)
        .prep_poll_add(reading.as_raw_fd(), libc::POLLIN as u32)
        .add_flags(SqeFlags::IO_LINK);
    wait(&mut ring, 2, &word, 0, ANY, PRIVATE);
    ring.submit().expect("submitted");
    assert_quiet(&mut ring);
    assert_eq!(wake_by_call(&word, 1), 0, "nobody waits yet");
    calls::write(writing.as_raw_fd(), b"x").expect("written");
    let polled = reap_one(&mut ring);
    assert_eq!((polled.user_data(), polled.result()), (1, Ok(1)));
    assert_quiet(&mut ring);
    assert_eq!(wake_by_call(&word, 1), 1);
    let woken = reap_one(&mut ring);
    assert_eq!((woken.user_data(), woken.result()), (2, Ok(0)));
}

#[test]
fn a_wait_for_another_value_does_not_wait() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(5);
    wait(&mut ring, 1, &word, 6, ANY, PRIVATE);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EAGAIN));
}

#[test]
fn a_wake_reaches_the_masks_that_it_meets() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(0);
    wait(&mut ring, 1, &word, 0, 0b01, PRIVATE);
    wait(&mut ring, 2, &word, 0, 0b10, PRIVATE);
    ring.submit().expect("submitted");
    wake(&mut ring, 3, &word, 10, 0b10);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&2], ended[&3]), (Ok(0), Ok(1)));
    wake(&mut ring, 4, &word, 10, 0b01);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&4]), (Ok(0), Ok(1)));
}

#[test]
fn waits_and_wakes_meet_those_by_call() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(0);
    // 1. Woken by a call.
    wait(&mut ring, 1, &word, 0, ANY, PRIVATE);
    ring.submit().expect("submitted");
    assert_eq!(wake_by_call(&word, 1), 1);
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
    // 2. A call that waits is woken by the ring.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            while word.load(Ordering::Acquire) == 0 {
                let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
                let no_limit = std::ptr::null::<libc::timespec>();
                // SAFETY: the word is there, and there is no time limit.
                unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 0, no_limit) };
            }
        });
        word.store(1, Ordering::Release);
        wake(&mut ring, 2, &word, 1, ANY);
        assert!(reap_one(&mut ring).result().is_ok_and(|count| count <= 1));
        waiting.join().expect("no panic");
    });
}

#[test]
fn the_first_of_several_is_named() {
    let Some(mut ring) = ready() else { return };
    let words = [const { AtomicU32::new(7) }; 4];
    let waits: Vec<futex_waitv> = words
        .iter()
        .map(|word| futex_waitv {
            val: 7,
            uaddr: from_ref(word).expose_provenance() as u64,
            flags: PRIVATE,
            ..futex_waitv::default()
        })
        .collect();
    for index in [2, 0, 3] {
        // SAFETY: words and waits outlive the completion, which is waited for.
        unsafe { entry(&mut ring, 1).prep_futex_waitv(waits.as_ptr(), 4) };
        ring.submit().expect("submitted");
        assert_quiet(&mut ring);
        wake(&mut ring, 2, &words[index], 1, ANY);
        let ended = results(&mut ring, 2);
        assert_eq!((ended[&1], ended[&2]), (Ok(index as u32), Ok(1)));
    }
    // One with another value: it does not wait.
    words[1].store(8, Ordering::Release);
    // SAFETY: as above.
    unsafe { entry(&mut ring, 1).prep_futex_waitv(waits.as_ptr(), 4) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EAGAIN));
    // None, and too many.
    for count in [0, 129] {
        // SAFETY: the count is refused before the array is read.
        unsafe { entry(&mut ring, 1).prep_futex_waitv(waits.as_ptr(), count) };
        assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    }
}

#[test]
fn a_wait_is_limited_and_cancelled() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(0);
    let time = span(Duration::from_millis(5));
    let at = word.as_ptr();
    // SAFETY: `word` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_futex_wait(at, 0, ANY, PRIVATE) }
        .add_flags(SqeFlags::IO_LINK);
    // SAFETY: `time` outlives the submission in `results`.
    unsafe { entry(&mut ring, 2).prep_link_timeout(&raw const time, 0) };
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&1], ended[&2]), (Err(Errno::ECANCELED), LIMITED));
    wait(&mut ring, 3, &word, 0, ANY, PRIVATE);
    ring.submit().expect("submitted");
    entry(&mut ring, 4).prep_cancel64(3, 0);
    let ended = results(&mut ring, 2);
    assert_eq!((ended[&3], ended[&4]), (Err(Errno::ECANCELED), Ok(1)));
    assert_eq!(wake_by_call(&word, 1), 0, "nobody waits any more");
}

#[test]
fn waits_of_a_ring_that_is_dropped_are_gone() {
    let word = AtomicU32::new(0);
    for _ in 0..rounds(200) {
        let Some(mut ring) = ready() else { return };
        for user_data in 0..16 {
            wait(&mut ring, user_data, &word, 0, ANY, PRIVATE);
        }
        ring.submit().expect("submitted");
        entry(&mut ring, 100).prep_cancel_any();
        let ended = results(&mut ring, 17);
        // All are cancelled, and count as one.
        assert_eq!(ended[&100], Ok(1));
        assert!((0..16).all(|user_data| ended[&user_data] == Err(Errno::ECANCELED)));
        drop(ring);
        assert_eq!(wake_by_call(&word, 100), 0);
    }
}

#[test]
fn wakes_of_another_thread_are_never_missed() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(0);
    let total = rounds(20_000) as u32;
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..total {
                word.fetch_add(1, Ordering::AcqRel);
                wake_by_call(&word, 1);
            }
        });
        let mut seen = 0;
        while seen < total {
            wait(&mut ring, 1, &word, seen, ANY, PRIVATE);
            let ended = reap_one(&mut ring).result();
            assert!(matches!(ended, Ok(0) | Err(Errno::EAGAIN)), "{ended:?}");
            seen = word.load(Ordering::Acquire);
        }
    });
    assert!(reap(&mut ring, 0).is_empty());
}

#[test]
fn bad_flags_masks_and_addresses_are_refused() {
    let Some(mut ring) = ready() else { return };
    let word = AtomicU32::new(0);
    // Words of other sizes have numbers, and no kernel that takes them yet.
    let sizes = [FUTEX2_SIZE_U8, FUTEX2_SIZE_U16, FUTEX2_SIZE_U64];
    let unknown = [FUTEX2_SIZE_U32 | 0x40, FUTEX2_NUMA << 8];
    for flags in sizes.into_iter().chain(unknown) {
        wait(&mut ring, 1, &word, 0, ANY, flags);
        assert_eq!(
            reap_one(&mut ring).result(),
            Err(Errno::EINVAL),
            "{flags:#x}"
        );
    }
    wait(&mut ring, 1, &word, 0, ANY + 1, PRIVATE);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    wait(&mut ring, 1, &word, 0, 0, PRIVATE);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    // SAFETY: nowhere, which the kernel finds out.
    unsafe { entry(&mut ring, 1).prep_futex_wait(std::ptr::null(), 0, ANY, PRIVATE) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EFAULT));
    let misplaced = word.as_ptr().cast::<u8>().wrapping_add(1).cast::<u32>();
    // SAFETY: not aligned, which the kernel finds out before it reads.
    unsafe { entry(&mut ring, 1).prep_futex_wait(misplaced, 0, ANY, PRIVATE) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EINVAL));
    // Two words that differ in being private or not are two futexes.
    wait(&mut ring, 2, &word, 0, ANY, FUTEX2_SIZE_U32);
    ring.submit().expect("submitted");
    wake(&mut ring, 3, &word, 1, ANY);
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
    entry(&mut ring, 4).prep_cancel64(2, 0);
    assert_eq!(results(&mut ring, 2)[&2], Err(Errno::ECANCELED));
}

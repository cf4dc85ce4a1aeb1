//! Signals during a wait: who is told, and when.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use annulus_ring::{Errno, SignalSet, Wait};

use crate::support::{NEVER, pop_all, push_nop, ring, wait_for};

const SHORT: Duration = Duration::from_millis(10);

/// Counts how often each signal was delivered. Each test has a signal of its own.
static DELIVERED: [AtomicU32; 65] = [const { AtomicU32::new(0) }; 65];

extern "C" fn count(signal: i32) {
    DELIVERED[signal as usize].fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn delivered(signal: i32) -> u32 {
    DELIVERED[signal as usize].load(Ordering::Relaxed)
}

/// Lets `signal` be counted. Calls it interrupts are not restarted.
pub(crate) fn install(signal: i32) {
    // SAFETY: all zeros is a `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = count as *const () as libc::sighandler_t;
    // SAFETY: the handler only adds to an atomic.
    let done = unsafe { libc::sigaction(signal, &raw const action, core::ptr::null_mut()) };
    assert_eq!(done, 0);
}

/// Blocks `signal` for this thread, or lets it through again.
pub(crate) fn mask(how: i32, signal: i32) {
    // SAFETY: all zeros is a `sigset_t`: empty.
    let mut set: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: `set` is a set.
    unsafe { libc::sigaddset(&raw mut set, signal) };
    // SAFETY: as above.
    let done = unsafe { libc::pthread_sigmask(how, &raw const set, core::ptr::null_mut()) };
    assert_eq!(done, 0);
}

pub(crate) fn send_to(thread: libc::pthread_t, signal: i32) {
    // SAFETY: the thread is alive: it is this one, or joined later.
    let done = unsafe { libc::pthread_kill(thread, signal) };
    assert_eq!(done, 0);
}

pub(crate) fn this_thread() -> libc::pthread_t {
    // SAFETY: without a condition.
    unsafe { libc::pthread_self() }
}

pub(crate) fn with_signals(wait: Wait, signals: SignalSet) -> Wait {
    Wait {
        signals: Some(signals),
        ..wait
    }
}

#[test]
fn a_blocked_signal_is_delivered_only_by_a_wait_that_unblocks_it() {
    let signal = libc::SIGRTMIN();
    install(signal);
    let mut ring = ring(8, 0);
    // 1. It is sent while the thread blocks it: it stays pending.
    mask(libc::SIG_BLOCK, signal);
    send_to(this_thread(), signal);
    assert_eq!(delivered(signal), 0);
    // 2. A wait with the thread's own mask, and one that blocks all, run out of time.
    assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
    let wait = with_signals(wait_for(1, SHORT), SignalSet::ALL);
    assert_eq!(ring.enter_with(&wait), Ok(0));
    assert_eq!(delivered(signal), 0);
    // 3. A wait that lets it through ends, and the handler has run when it returns.
    let wait = with_signals(wait_for(1, NEVER), SignalSet::ALL.without(signal as u32));
    assert_eq!(ring.enter_with(&wait), Err(Errno::EINTR));
    assert_eq!(delivered(signal), 1);
    // 4. The thread's own mask is back: the next one stays pending again.
    send_to(this_thread(), signal);
    assert_eq!(ring.enter_with(&wait_for(1, SHORT)), Ok(0));
    assert_eq!(delivered(signal), 1);
    mask(libc::SIG_UNBLOCK, signal);
    assert_eq!(delivered(signal), 2);
}

#[test]
fn an_interrupted_wait_that_submitted_says_how_many_and_loses_nothing() {
    let signal = libc::SIGRTMIN() + 1;
    install(signal);
    let mut ring = ring(8, 0);
    mask(libc::SIG_BLOCK, signal);
    send_to(this_thread(), signal);
    push_nop(&mut ring, 1);
    push_nop(&mut ring, 2);
    let wait = with_signals(wait_for(3, NEVER), SignalSet::NONE);
    assert_eq!(ring.enter_with(&wait), Ok(2));
    assert_eq!(delivered(signal), 1);
    assert_eq!(ring.sq_queued(), 0);
    assert_eq!(pop_all(&mut ring), [1, 2]);
}

#[test]
fn enough_completions_come_before_a_signal() {
    let signal = libc::SIGRTMIN() + 2;
    install(signal);
    let mut ring = ring(8, 0);
    mask(libc::SIG_BLOCK, signal);
    send_to(this_thread(), signal);
    push_nop(&mut ring, 1);
    let wait = with_signals(wait_for(1, NEVER), SignalSet::NONE);
    assert_eq!(ring.enter_with(&wait), Ok(1));
    assert_eq!(delivered(signal), 0, "there was nothing to wait for");
    mask(libc::SIG_UNBLOCK, signal);
    assert_eq!(delivered(signal), 1);
}

#[test]
fn a_signal_ends_a_wait_that_is_under_way_with_eintr() {
    let signal = libc::SIGRTMIN() + 3;
    install(signal);
    let mut ring = ring(8, 0);
    mask(libc::SIG_BLOCK, signal);
    let waiting = this_thread();
    // The mask is swapped by the wait itself, so it does not matter who comes first.
    let sender = thread::spawn(move || send_to(waiting, signal));
    let wait = with_signals(wait_for(1, NEVER), SignalSet::NONE);
    assert_eq!(ring.enter_with(&wait), Err(Errno::EINTR));
    assert_eq!(delivered(signal), 1);
    sender.join().expect("no panic");
    // The ring is as good as before.
    push_nop(&mut ring, 1);
    assert_eq!(ring.enter(1, None), Ok(1));
}

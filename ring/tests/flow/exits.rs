//! Processes that end, or become another program, with work under way: they end at once, and let
//! go of what the work held.
//!
//! Each child inherits one end of a socket as its standard input, lends it to its ring in several
//! ways, and ends. Its parent then finds the other end closed.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::Duration;

use annulus_ring::{CURRENT_POSITION, Ring, SqeFlags};
use annulus_syscalls::io_uring::__kernel_timespec;

use super::child::{finish, is_child, start};
use super::support::{FOREVER, LIMIT, assert_quiet, entry, pinned_ring, pipe, ring, span};

/// What the child reads into: there as long as the process.
static mut BUFFER: [u8; 64] = [0; 64];
static SOON: __kernel_timespec = span(Duration::from_millis(1));
const INPUT: i32 = 0;
const IN: u32 = libc::POLLIN as u32;

/// Work of every kind that ends by itself never, or much later.
fn work(ring: &mut Ring) {
    entry(ring, 1).prep_poll_add(INPUT, IN);
    entry(ring, 2).prep_poll_multishot(INPUT, IN);
    let buffer = (&raw mut BUFFER).cast();
    // SAFETY: the buffer lives as long as the process.
    unsafe { entry(ring, 3).prep_recv(INPUT, buffer, 64, 0) };
    // SAFETY: as above.
    unsafe { entry(ring, 4).prep_read(INPUT, buffer, 64, CURRENT_POSITION) }
        .add_flags(SqeFlags::ASYNC);
    // SAFETY: `FOREVER` is promoted to a static.
    unsafe { entry(ring, 5).prep_timeout(&FOREVER, 0, 0) };
    entry(ring, 6)
        .prep_poll_add(INPUT, IN)
        .add_flags(SqeFlags::IO_LINK);
    // SAFETY: as above.
    unsafe { entry(ring, 7).prep_link_timeout(&FOREVER, 0) };
    // One that keeps completing while the process ends.
    let endless = annulus_syscalls::io_uring::flags::timeout::IORING_TIMEOUT_MULTISHOT;
    // SAFETY: `SOON` is never freed.
    unsafe { entry(ring, 8).prep_timeout(&raw const SOON, 0, endless) };
    // A drain that holds up what is behind it.
    entry(ring, 9).prep_nop().add_flags(SqeFlags::IO_DRAIN);
    entry(ring, 10).prep_nop();
    ring.submit().expect("submitted");
}

/// Runs `name` as a child that ends as it likes, and checks that its end of the socket is closed.
fn ends(name: &str) -> std::process::ExitStatus {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let child = start(name, OwnedFd::from(theirs));
    let status = finish(child);
    assert_closed(ours);
    status
}

/// Waits for the peer's end to be closed by everybody.
fn assert_closed(mut ours: UnixStream) {
    ours.set_read_timeout(Some(LIMIT)).expect("set");
    let mut rest = Vec::new();
    ours.read_to_end(&mut rest).expect("the peer is closed");
    assert!(rest.is_empty(), "{rest:?}");
}

/// Ends the process without running anything of its own.
fn end(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

#[test]
fn a_process_that_ends_without_cleaning_up_lets_go() {
    let name = "exits::a_process_that_ends_without_cleaning_up_lets_go";
    if is_child(name) {
        let mut rings = [ring(), pinned_ring(), ring()];
        rings.iter_mut().for_each(work);
        end(5);
    }
    assert_eq!(ends(name).code(), Some(5));
}

#[test]
fn a_process_that_ends_in_another_thread_than_the_submitter_lets_go() {
    let name = "exits::a_process_that_ends_in_another_thread_than_the_submitter_lets_go";
    if is_child(name) {
        let mut ring = ring();
        let ring = std::thread::spawn(move || {
            work(&mut ring);
            ring
        })
        .join()
        .expect("no panic");
        std::mem::forget(ring);
        std::thread::spawn(|| end(6));
        loop {
            std::thread::park();
        }
    }
    assert_eq!(ends(name).code(), Some(6));
}

#[test]
fn a_process_that_ends_while_it_waits_in_the_ring_lets_go() {
    let name = "exits::a_process_that_ends_while_it_waits_in_the_ring_lets_go";
    if is_child(name) {
        let waiting = std::thread::spawn(|| {
            let mut ring = ring();
            entry(&mut ring, 1).prep_poll_add(INPUT, IN);
            // Nothing ends this.
            let _ = ring.submit_and_wait(1);
        });
        let mut ring = ring();
        work(&mut ring);
        std::thread::yield_now();
        assert!(!waiting.is_finished());
        end(7);
    }
    assert_eq!(ends(name).code(), Some(7));
}

#[test]
fn a_process_that_is_killed_lets_go() {
    let name = "exits::a_process_that_is_killed_lets_go";
    if is_child(name) {
        let mut ring = ring();
        work(&mut ring);
        // Both ends of the socket are in use by the parent: tell it that the work is under way.
        annulus_syscalls::calls::write(INPUT, b"!").expect("told");
        loop {
            // Ends when the CQ is full, as one timeout ticks on.
            let _ = ring.submit_and_wait(64);
        }
    }
    let (mut ours, theirs) = UnixStream::pair().expect("a pair");
    let mut child = start(name, OwnedFd::from(theirs));
    ours.set_read_timeout(Some(LIMIT)).expect("set");
    ours.read_exact(&mut [0]).expect("the work is under way");
    child.kill().expect("it lives");
    assert_eq!(finish(child).signal(), Some(libc::SIGKILL));
    assert_closed(ours);
}

#[test]
fn a_process_that_dumps_core_lets_go() {
    let name = "exits::a_process_that_dumps_core_lets_go";
    if is_child(name) {
        // A core as large as it likes, but into a folder where nobody looks.
        let limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is valid for reads.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
        let mut ring = ring();
        work(&mut ring);
        // SAFETY: the default action of the signal ends the process with a dump.
        unsafe { libc::abort() };
    }
    assert_eq!(ends(name).signal(), Some(libc::SIGABRT));
}

#[test]
fn a_process_that_becomes_another_program_loses_its_rings() {
    let name = "exits::a_process_that_becomes_another_program_loses_its_rings";
    if is_child(name) {
        let mut rings = [ring(), pinned_ring()];
        rings.iter_mut().for_each(work);
        // The program lists what it inherited, and says whether a ring is among it.
        let script = "! ls -l /proc/self/fd | grep -q io_uring";
        let failed = Command::new("/bin/sh").args(["-c", script]).exec();
        panic!("{failed}");
    }
    assert_eq!(ends(name).code(), Some(0));
}

#[test]
fn a_thread_that_ends_leaves_its_polls_and_its_process_goes_on() {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let mut ring = std::thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            let mut ring = ring();
            entry(&mut ring, 1).prep_poll_add(ours.as_raw_fd(), IN);
            ring.submit().expect("submitted");
            ring
        });
        submitter.join().expect("no panic")
    });
    theirs.write_all(b"x").expect("written");
    let cqe = super::support::reap_one(&mut ring);
    assert_eq!(cqe.user_data(), 1);
    // Its own thread is gone, but the ring serves another.
    entry(&mut ring, 2).prep_poll_add(ours.as_raw_fd(), IN);
    assert_eq!(super::support::reap_one(&mut ring).result(), Ok(IN));
}

#[test]
fn a_forked_child_that_ends_does_not_end_the_work_of_its_parent() {
    let name = "exits::a_forked_child_that_ends_does_not_end_the_work_of_its_parent";
    if !is_child(name) {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        let child = start(name, OwnedFd::from(theirs));
        ours.set_read_timeout(Some(LIMIT)).expect("set");
        ours.read_exact(&mut [0]).expect("the work has survived");
        ours.write_all(b"x").expect("written");
        assert_eq!(finish(child).code(), Some(9));
        assert_closed(ours);
        return;
    }
    // This process runs this one test, so that there are no locks of others to take along.
    let mut ring = ring();
    entry(&mut ring, 1).prep_poll_add(INPUT, IN);
    ring.submit().expect("submitted");
    for _ in 0..8 {
        // SAFETY: the child leaves by `_exit` at once.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // It must not use the ring, and is kept from it.
            let kept = ring.submit_and_wait(1) == Err(annulus_ring::Errno::EBADF);
            let kept = kept && ring.get_sqe().is_none() && ring.pop().is_none();
            end(i32::from(!kept));
        }
        let mut status = 0;
        // SAFETY: `status` is valid for writes.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert_eq!(status, 0);
    }
    assert_quiet(&mut ring);
    annulus_syscalls::calls::write(INPUT, b"!").expect("told");
    assert_eq!(super::support::reap_one(&mut ring).result(), Ok(IN));
    let mut byte = [0_u8];
    // SAFETY: `byte` is valid for a byte.
    unsafe { annulus_syscalls::calls::read(INPUT, byte.as_mut_ptr(), 1) }.expect("it is there");
    end(9);
}

#[test]
fn a_forked_child_keeps_no_pipe_of_its_parents_ring_open() {
    let name = "exits::a_forked_child_keeps_no_pipe_of_its_parents_ring_open";
    if !is_child(name) {
        assert_eq!(ends(name).code(), Some(0));
        return;
    }
    // 1. The ring holds the last reference to a reading end.
    let (reading, writing) = pipe();
    let mut ring = ring();
    entry(&mut ring, 1).prep_poll_multishot(reading.as_raw_fd(), libc::POLLPRI as u32);
    ring.submit().expect("submitted");
    drop(reading);
    // 2. A child that lives on has the ring's descriptor, and with it the ring.
    let (gate, hold) = pipe();
    // SAFETY: the child reads once and leaves by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        drop(hold);
        let mut byte = [0_u8];
        // SAFETY: `byte` is valid for a byte.
        let _ = unsafe { annulus_syscalls::calls::read(gate.as_raw_fd(), byte.as_mut_ptr(), 1) };
        end(0);
    }
    // 3. So dropping it here is not enough: cancel first, and what it held is free.
    entry(&mut ring, 2).prep_cancel_any();
    super::support::reap(&mut ring, 2);
    drop(ring);
    // A write into a pipe without reader raises SIGPIPE, which Rust ignores.
    let written = annulus_syscalls::calls::write(writing.as_raw_fd(), b"x");
    assert_eq!(written, Err(annulus_ring::Errno::EPIPE));
    drop(hold);
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    end(status);
}

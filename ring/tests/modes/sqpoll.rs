//! SQPOLL: the kernel's thread takes entries, sleeps, is woken, is shared, and goes.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use annulus_ring::{Errno, Ring, RingConfig};

use super::{nop_works, push_nop, small};

/// Long enough that the thread does not sleep in the middle of a test that wants it awake.
const LONG_MS: u32 = 2000;

fn sqpoll(idle_ms: u32) -> RingConfig {
    RingConfig {
        sqpoll_idle_ms: Some(idle_ms),
        ..small()
    }
}

/// A field of what the kernel says about the descriptor; nothing while the ring is busy.
fn field_of(fd: i32, name: &str) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).expect("an open one");
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number = value.trim_start_matches(':').trim().parse();
    Some(number.expect("a number"))
}

/// The number of the thread that takes this ring's entries. Until that runs, the kernel says the
/// number of the thread that made the ring.
fn thread_of(fd: i32) -> i64 {
    loop {
        let thread = field_of(fd, "SqThread").unwrap_or(-1);
        let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
        if name.is_ok_and(|name| name.starts_with("iou-sqp-")) {
            return thread;
        }
        std::thread::yield_now();
    }
}

fn is_there(thread: i64) -> bool {
    std::fs::exists(format!("/proc/self/task/{thread}")).expect("proc is there")
}

/// Comes back once the condition holds; it is not asserted how soon.
fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        std::thread::yield_now();
    }
}

#[test]
fn the_thread_comes_with_the_ring_and_goes_with_it() {
    let mut ring = Ring::new(&sqpoll(LONG_MS)).expect("a ring");
    assert!(ring.is_sqpoll());
    let thread = thread_of(ring.fd());
    assert!(is_there(thread));
    nop_works(&mut ring);
    drop(ring);
    until(|| !is_there(thread));
}

#[test]
fn a_thread_that_sleeps_says_so_and_is_woken_by_the_next_submission() {
    let mut ring = Ring::new(&sqpoll(1)).expect("a ring");
    for round in 0..20 {
        // 1. Idle for a millisecond, it sleeps.
        until(|| ring.sq_needs_wakeup());
        // 2. Submitting wakes it: the completion comes without another call.
        push_nop(&mut ring, round);
        assert_eq!(ring.submit(), Ok(1));
        until(|| ring.cq_ready() == 1);
        assert_eq!(ring.pop().expect("ready").user_data(), round);
    }
}

#[test]
fn while_it_is_awake_entries_complete_without_a_call() {
    let mut ring = Ring::new(&sqpoll(LONG_MS)).expect("a ring");
    nop_works(&mut ring);
    let mut without_a_call = 0;
    for round in 0..1000 {
        push_nop(&mut ring, round);
        // Awake before, it does not go to sleep without having seen the entry.
        let awake = !ring.sq_needs_wakeup();
        assert_eq!(ring.submit(), Ok(1));
        until(|| ring.cq_ready() == 1);
        assert_eq!(ring.pop().expect("ready").user_data(), round);
        without_a_call += u32::from(awake);
    }
    assert!(without_a_call >= 100, "{without_a_call} of 1000");
}

#[test]
fn rings_that_attach_share_one_thread() {
    let mut first = Ring::new(&sqpoll(LONG_MS)).expect("a ring");
    let thread = thread_of(first.fd());
    let attached = RingConfig {
        attach_wq: Some(first.fd()),
        ..sqpoll(LONG_MS)
    };
    let mut others = [(); 4].map(|()| Ring::new(&attached).expect("attached"));
    for other in &mut others {
        assert_eq!(thread_of(other.fd()), thread);
        nop_works(other);
        nop_works(&mut first);
    }
    // It stays until the last of them goes.
    drop(first);
    for other in others {
        let mut other = other;
        nop_works(&mut other);
        assert!(is_there(thread));
    }
    until(|| !is_there(thread));
}

#[test]
fn a_thread_can_be_shared_only_where_there_is_one() {
    let without = Ring::new(&small()).expect("a ring");
    let config = RingConfig {
        attach_wq: Some(without.fd()),
        ..sqpoll(LONG_MS)
    };
    assert_eq!(Ring::new(&config).map(drop), Err(Errno::EINVAL));
}

#[test]
fn the_thread_stays_on_the_processor_it_is_given() {
    let config = RingConfig {
        sqpoll_cpu: Some(0),
        ..sqpoll(LONG_MS)
    };
    let mut ring = Ring::new(&config).expect("a ring");
    nop_works(&mut ring);
    let thread = thread_of(ring.fd());
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status"));
    let status = status.expect("it lives");
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    assert_eq!(allowed.map(str::trim), Some("0"));
}

#[test]
fn a_full_sq_is_waited_for_and_nothing_is_lost() {
    for idle_ms in [1, LONG_MS] {
        let config = RingConfig {
            sq_entries: 4,
            cq_entries: 64,
            ..sqpoll(idle_ms)
        };
        let mut ring = Ring::new(&config).expect("a ring");
        let (total, mut seen, mut waits) = (5000, 0, 0);
        for user_data in 0..total {
            while ring.sq_space_left() == 0 {
                let free = ring.wait_sq_room().expect("room comes");
                assert!(free <= 4);
                waits += 1;
            }
            push_nop(&mut ring, user_data);
            for cqe in ring.completions() {
                assert_eq!(cqe.user_data(), seen);
                seen += 1;
            }
        }
        while seen < total {
            ring.enter(1, None).expect("entered");
            while let Some(cqe) = ring.pop() {
                assert_eq!(cqe.user_data(), seen);
                seen += 1;
            }
        }
        assert!(waits >= 1000, "{waits} waits");
    }
}

#[test]
fn waiting_for_room_submits_what_is_queued_even_where_there_is_room() {
    let mut ring = Ring::new(&sqpoll(LONG_MS)).expect("a ring");
    push_nop(&mut ring, 1);
    let free = ring.wait_sq_room().expect("there is room");
    assert!((7..=8).contains(&free));
    until(|| ring.cq_ready() == 1);
}

#[test]
fn without_the_thread_there_is_no_waiting_for_room() {
    let mut ring = Ring::new(&small()).expect("a ring");
    assert!(!ring.is_sqpoll());
    assert_eq!(ring.wait_sq_room(), Err(Errno::EINVAL));
}

#[test]
fn a_disabled_ring_s_thread_takes_nothing_until_it_is_enabled() {
    let config = RingConfig {
        disabled: true,
        ..sqpoll(LONG_MS)
    };
    let mut ring = Ring::new(&config).expect("a ring");
    push_nop(&mut ring, 1);
    assert_eq!(ring.submit_and_wait(0), Err(Errno::EBADFD));
    assert_eq!(ring.sq_queued(), 1);
    ring.enable().expect("enabled");
    ring.submit_and_wait(1).expect("submitted");
    assert_eq!(ring.pop().expect("waited for").user_data(), 1);
    drop(ring);
    // One that is never enabled goes too.
    let ring = Ring::new(&config).expect("a ring");
    let thread = thread_of(ring.fd());
    drop(ring);
    until(|| !is_there(thread));
}

#[test]
fn a_pinned_ring_may_have_a_thread_too() {
    let config = RingConfig {
        pinned: true,
        ..sqpoll(1)
    };
    let mut ring = Ring::new(&config).expect("a ring");
    for _ in 0..5 {
        nop_works(&mut ring);
    }
}

#[test]
fn a_ring_dropped_with_work_pending_lets_its_files_and_its_thread_go() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut ring = Ring::new(&sqpoll(LONG_MS)).expect("a ring");
    let thread = thread_of(ring.fd());
    // 1. A poll on a quiet pipe, taken by the thread.
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_add(reader.as_raw_fd(), libc::POLLIN as u32);
    ring.submit().expect("submitted");
    until(|| ring.sq_queued() == 0);
    // 2. The ring goes, and with it the last one who holds the reading end.
    drop(reader);
    drop(ring);
    let mut poll = libc::pollfd {
        fd: writer.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: `poll` is one valid entry.
    let count = unsafe { libc::poll(&raw mut poll, 1, -1) };
    assert_eq!((count, poll.revents), (1, libc::POLLERR));
    until(|| !is_there(thread));
}

#[test]
fn a_second_descriptor_keeps_the_thread_after_the_ring_is_dropped() {
    let mut ring = Ring::new(&sqpoll(LONG_MS)).expect("a ring");
    nop_works(&mut ring);
    let thread = thread_of(ring.fd());
    // SAFETY: takes a number only.
    let second = unsafe { libc::dup(ring.fd()) };
    assert!(second >= 0);
    // SAFETY: just made, and nobody else's.
    let second = unsafe { OwnedFd::from_raw_fd(second) };
    drop(ring);
    assert_eq!(thread_of(second.as_raw_fd()), thread);
    assert!(is_there(thread));
    drop(second);
    until(|| !is_there(thread));
}

#[test]
fn a_program_can_be_run_while_the_thread_is_there() {
    let mut ring = Ring::new(&sqpoll(1)).expect("a ring");
    nop_works(&mut ring);
    let status = std::process::Command::new("true").status();
    assert!(status.expect("it runs").success());
    nop_works(&mut ring);
}

#[test]
fn looking_at_a_ring_while_its_thread_works_disturbs_nothing() {
    let mut ring = Ring::new(&sqpoll(1)).expect("a ring");
    let fd = ring.fd();
    let done = AtomicBool::new(false);
    let looked = std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            let mut looked = 0;
            while !done.load(Ordering::Relaxed) || looked == 0 {
                looked += u32::from(field_of(fd, "SqHead").is_some());
            }
            looked
        });
        for _ in 0..2000 {
            nop_works(&mut ring);
        }
        done.store(true, Ordering::Relaxed);
        looker.join().expect("it looked")
    });
    assert!(looked > 0);
}

/// Set in the process that the next test starts.
const CHILD: &str = "ANNULUS_TEST_EXITS_WITH_WORK_PENDING";

#[test]
fn a_process_may_exit_with_work_pending() {
    if std::env::var_os(CHILD).is_some() {
        exit_with_work_pending();
    }
    let test = std::env::current_exe().expect("this program");
    let mut child = std::process::Command::new(test);
    child
        .args(["--exact", "sqpoll::a_process_may_exit_with_work_pending"])
        .env(CHILD, "1");
    let status = child.status().expect("it runs");
    assert_eq!(status.code(), Some(EXIT_CODE));
}

const EXIT_CODE: i32 = 23;

fn exit_with_work_pending() -> ! {
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    let mut ring = Ring::new(&sqpoll(1)).expect("a ring");
    let attached = RingConfig {
        attach_wq: Some(ring.fd()),
        disabled: true,
        ..sqpoll(1)
    };
    let _never_enabled = Ring::new(&attached).expect("a ring");
    for _ in 0..4 {
        let sqe = ring.get_sqe().expect("room");
        sqe.prep_poll_add(reader.as_raw_fd(), libc::POLLIN as u32);
    }
    ring.submit().expect("submitted");
    until(|| ring.sq_queued() == 0);
    std::process::exit(EXIT_CODE);
}

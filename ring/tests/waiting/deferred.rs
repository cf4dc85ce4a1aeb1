//! Completion work that waits for its thread: DEFER_TASKRUN, COOP_TASKRUN, SINGLE_ISSUER.

use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use annulus_ring::{Errno, Probe, Ring, Wait};

use crate::support::{NEVER, end_of_stream, pinned, pop_all, push_nop, ring, wait_for};

/// Polls `fd` for bytes to read.
fn push_poll(ring: &mut Ring, fd: &impl AsRawFd, user_data: u64) {
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_add(fd.as_raw_fd(), libc::POLLIN as u32)
        .set_user_data(user_data);
}

#[test]
fn deferred_work_runs_only_in_an_enter_that_asks_for_events() {
    let Some(mut ring) = pinned(8, 0) else { return };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    push_poll(&mut ring, &ours, 5);
    assert_eq!(ring.submit(), Ok(1));
    assert!(!ring.taskrun());
    // 1. It becomes readable, and the ring says that there is work. No call of ours runs it.
    theirs.write_all(b"x").expect("written");
    assert!(ring.taskrun());
    thread::yield_now();
    assert_eq!(ring.cq_ready(), 0);
    // 2. Submitting alone does not either: only the nop, which is done at once, is there.
    push_nop(&mut ring, 6);
    assert_eq!(ring.submit(), Ok(1));
    assert_eq!(pop_all(&mut ring), [6]);
    assert!(ring.taskrun());
    // 3. Asking for events does, and then there is no more work.
    assert_eq!(ring.enter(0, None), Ok(0));
    assert_eq!(pop_all(&mut ring), [5]);
    assert!(!ring.taskrun());
}

#[test]
fn a_wait_runs_as_much_deferred_work_as_it_needs_and_the_rest_comes_later() {
    let Some(mut ring) = pinned(128, 256) else {
        return;
    };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let total = 100;
    for user_data in 0..total {
        push_poll(&mut ring, &ours, user_data);
    }
    assert_eq!(ring.submit(), Ok(total as u32));
    theirs.write_all(b"x").expect("written");
    let mut seen = Vec::new();
    for _ in 0..total {
        assert_eq!(
            ring.wait(&wait_for(1, NEVER)).map(|ready| ready > 0),
            Ok(true)
        );
        seen.extend(pop_all(&mut ring));
        if seen.len() == total as usize {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..total).collect::<Vec<_>>());
}

#[test]
fn cooperative_work_is_flagged_or_done_without_a_call_of_ours() {
    let mut ring = ring(8, 0);
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    push_poll(&mut ring, &ours, 5);
    assert_eq!(ring.submit(), Ok(1));
    let writer = thread::spawn(move || {
        theirs.write_all(b"x").expect("written");
        theirs
    });
    // No interrupt is sent for it: it is run when this thread happens to enter the kernel.
    while !ring.taskrun() && ring.cq_ready() == 0 {
        core::hint::spin_loop();
    }
    assert_eq!(ring.enter(1, None), Ok(0));
    assert_eq!(pop_all(&mut ring), [5]);
    drop(writer.join().expect("no panic"));
}

#[test]
fn another_thread_may_neither_submit_nor_wait_nor_register() {
    let Some(mut ring) = pinned(8, 0) else { return };
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    push_poll(&mut ring, &ours, 5);
    assert_eq!(ring.submit(), Ok(1));
    theirs.write_all(b"x").expect("written");
    push_nop(&mut ring, 6);
    let mut ring = thread::spawn(move || {
        assert_eq!(ring.submit(), Err(Errno::EEXIST));
        assert_eq!(ring.enter(0, None), Err(Errno::EEXIST));
        assert_eq!(ring.enter(1, Some(NEVER)), Err(Errno::EEXIST));
        assert_eq!(ring.wait(&Wait::default()), Err(Errno::EEXIST));
        assert_eq!(Probe::of(&ring).map(drop), Err(Errno::EEXIST));
        assert_eq!(ring.cq_ready(), 0, "its work was not run here");
        ring
    })
    .join()
    .expect("no panic");
    // Its own thread finds everything as it was.
    assert!(ring.taskrun());
    assert_eq!(ring.enter(2, None), Ok(1));
    let mut seen = pop_all(&mut ring);
    seen.sort_unstable();
    assert_eq!(seen, [5, 6]);
}

#[test]
fn a_ring_whose_thread_is_gone_is_nobodys_and_can_still_be_dropped() {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    let made = thread::spawn(move || {
        let mut ring = pinned(8, 0)?;
        push_poll(&mut ring, &ours, 5);
        ring.submit().expect("submitted");
        (&theirs).write_all(b"x").expect("written");
        Some((ring, theirs))
    });
    let Some((mut ring, mut theirs)) = made.join().expect("no panic") else {
        return;
    };
    assert_eq!(ring.enter(0, None), Err(Errno::EEXIST));
    drop(ring);
    // The poll held the last reference to the other end: with the ring it is gone.
    end_of_stream(&mut theirs);
}

#[test]
fn a_thread_may_end_with_deferred_work_pending_and_its_files_are_let_go() {
    for is_pinned in [false, true] {
        let (hand_over, take) = mpsc::channel();
        let ended = thread::spawn(move || {
            let made = if is_pinned {
                pinned(64, 0)
            } else {
                Some(ring(64, 0))
            };
            let mut ring = made?;
            for user_data in 0..32 {
                let (ours, mut theirs) = UnixStream::pair().expect("a pair");
                push_poll(&mut ring, &ours, user_data);
                ring.submit().expect("submitted");
                // Every other one is ready, its work not run.
                if user_data % 2 == 0 {
                    theirs.write_all(b"x").expect("written");
                }
                hand_over.send(theirs).expect("somebody takes it");
            }
            push_nop(&mut ring, 99);
            Some(())
        });
        if ended.join().expect("no panic").is_none() {
            return;
        }
        let mut others: Vec<UnixStream> = take.into_iter().collect();
        assert_eq!(others.len(), 32);
        others.iter_mut().for_each(end_of_stream);
    }
}

#[test]
fn pipes_that_come_and_go_with_deferred_work_end_well_every_time() {
    let Some(mut ring) = pinned(8, 0) else { return };
    for round in 0..500_u64 {
        let (reading, writing) = pipe();
        let mut buf = [0_u8; 8];
        let sqe = ring.get_sqe().expect("room");
        // SAFETY: `buf` outlives its completion, which is waited for below.
        unsafe { sqe.prep_read(reading.as_raw_fd(), buf.as_mut_ptr(), 8, u64::MAX) };
        sqe.set_user_data(round);
        assert_eq!(ring.submit(), Ok(1));
        // The read waits for bytes, or for the end, and both come without an enter.
        if round % 2 == 0 {
            let mut writing = std::fs::File::from(writing);
            writing.write_all(b"12345678").expect("written");
        } else {
            drop(writing);
        }
        assert_eq!(ring.cq_ready(), 0);
        assert_eq!(ring.enter(1, Some(NEVER)), Ok(0));
        let cqe = ring.pop().expect("the read");
        let expected = if round % 2 == 0 { 8 } else { 0 };
        assert_eq!((cqe.user_data(), cqe.result()), (round, Ok(expected)));
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let kernel = annulus_ring::Kernel::uring(annulus_ring::Mask::NONE).expect("io_uring");
    kernel.pipe().expect("a pipe")
}

#[test]
fn a_sleeping_pinned_ring_is_woken_by_the_last_of_many_and_not_before() {
    let Some(mut ring) = pinned(8, 64) else {
        return;
    };
    let target = ring.ring_ref();
    let total = 16;
    let sender = thread::spawn(move || {
        for user_data in 0..total {
            target.send_msg_ring(user_data, 0)?;
            thread::yield_now();
        }
        Ok::<(), Errno>(())
    });
    let waited = ring.wait(&wait_for(total as u32, NEVER));
    match sender.join().expect("no panic") {
        Ok(()) => assert_eq!(waited, Ok(total as u32)),
        Err(errno) => return eprintln!("skipped: no message without a ring ({errno})"),
    }
    assert_eq!(pop_all(&mut ring), (0..total).collect::<Vec<_>>());
    assert_eq!(ring.wait(&wait_for(1, Duration::from_millis(1))), Ok(0));
}

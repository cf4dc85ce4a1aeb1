//! Completions that are told through an eventfd.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::thread;

use annulus_ring::{Errno, Ring, SqeFlags};

use super::{file_with, next, pinned_ring, pipe, queue, ring, run};

/// An eventfd whose reads do not block.
fn eventfd() -> File {
    eventfd_with(libc::EFD_NONBLOCK)
}

fn eventfd_with(flags: i32) -> File {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | flags) };
    assert!(fd >= 0, "an eventfd");
    // SAFETY: just made, and nobody else's.
    unsafe { File::from_raw_fd(fd) }
}

/// How often it was added to since the last look.
fn count(mut eventfd: &File) -> u64 {
    let mut count = [0; 8];
    match eventfd.read_exact(&mut count) {
        Ok(()) => u64::from_ne_bytes(count),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            0
        }
    }
}

fn nops(ring: &mut Ring, count: usize) {
    for _ in 0..count {
        queue(ring, |sqe| {
            sqe.prep_nop();
        });
    }
    ring.submit_and_wait(count as u32).expect("entered");
    for _ in 0..count {
        ring.pop().expect("waited for");
    }
}

#[test]
fn completions_that_come_together_are_told_once() {
    let mut ring = ring();
    let eventfd = eventfd();
    nops(&mut ring, 1);
    ring.register_eventfd(eventfd.as_raw_fd())
        .expect("registered");
    assert_eq!(count(&eventfd), 0, "what was before is not told");
    nops(&mut ring, 8);
    assert_eq!(count(&eventfd), 1);
    for _ in 0..3 {
        nops(&mut ring, 2);
    }
    assert_eq!(count(&eventfd), 3);
    ring.submit_and_wait(0).expect("entered");
    assert_eq!(count(&eventfd), 0, "nothing completed");
    ring.unregister_eventfd().expect("unregistered");
    nops(&mut ring, 1);
    assert_eq!(count(&eventfd), 0);
}

#[test]
fn an_eventfd_is_registered_once() {
    let ring = ring();
    let eventfd = eventfd();
    assert_eq!(ring.unregister_eventfd(), Err(Errno::ENXIO));
    assert_eq!(ring.register_eventfd(-1), Err(Errno::EBADF));
    assert_eq!(ring.register_eventfd(i32::MAX), Err(Errno::EBADF));
    let file = file_with(b"");
    assert_eq!(ring.register_eventfd(file.as_raw_fd()), Err(Errno::EINVAL));
    assert_eq!(ring.register_eventfd(eventfd.as_raw_fd()), Ok(()));
    assert_eq!(
        ring.register_eventfd(eventfd.as_raw_fd()),
        Err(Errno::EBUSY)
    );
    assert_eq!(
        ring.register_eventfd_async(eventfd.as_raw_fd()),
        Err(Errno::EBUSY)
    );
    assert_eq!(ring.unregister_eventfd(), Ok(()));
    assert_eq!(ring.unregister_eventfd(), Err(Errno::ENXIO));
    assert_eq!(ring.register_eventfd_async(eventfd.as_raw_fd()), Ok(()));
}

#[test]
fn an_async_eventfd_tells_what_a_worker_completed_only() {
    let mut ring = ring();
    let eventfd = eventfd_with(0);
    ring.register_eventfd_async(eventfd.as_raw_fd())
        .expect("registered");
    nops(&mut ring, 2);
    let cqe = run(&mut ring, |sqe| {
        sqe.prep_nop().set_flags(SqeFlags::ASYNC);
    });
    assert_eq!(cqe.res(), 0);
    // Blocks until the worker has told: the nops above have not.
    assert_eq!(count(&eventfd), 1);
}

#[test]
fn the_flag_silences_the_eventfd() {
    let mut ring = ring();
    let eventfd = eventfd();
    ring.register_eventfd(eventfd.as_raw_fd())
        .expect("registered");
    assert!(ring.eventfd_enabled());
    ring.enable_eventfd(false).expect("since 5.8");
    assert!(!ring.eventfd_enabled());
    nops(&mut ring, 3);
    assert_eq!(count(&eventfd), 0);
    ring.enable_eventfd(true).expect("since 5.8");
    assert!(ring.eventfd_enabled());
    assert_eq!(count(&eventfd), 0, "what was kept silent is not told later");
    nops(&mut ring, 1);
    assert_eq!(count(&eventfd), 1);
}

#[test]
fn many_rings_tell_one_eventfd() {
    let eventfd = eventfd();
    let mut rings = [(); 5].map(|()| ring());
    for ring in &rings {
        ring.register_eventfd(eventfd.as_raw_fd())
            .expect("registered");
    }
    for ring in &mut rings {
        nops(ring, 2);
    }
    assert_eq!(count(&eventfd), 5);
}

#[test]
fn the_ring_keeps_an_eventfd_that_is_closed() {
    let mut ring = ring();
    let eventfd = eventfd();
    let copy = eventfd.try_clone().expect("another descriptor");
    ring.register_eventfd(eventfd.as_raw_fd())
        .expect("registered");
    drop(eventfd);
    nops(&mut ring, 1);
    assert_eq!(count(&copy), 1);
}

#[test]
fn deferred_work_is_told_before_it_is_run() {
    let mut ring = pinned_ring();
    let eventfd = eventfd_with(0);
    ring.register_eventfd(eventfd.as_raw_fd())
        .expect("registered");
    let (reader, mut writer) = pipe();
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which is waited for below.
        unsafe { sqe.prep_read(reader.as_raw_fd(), start, 8, u64::MAX) };
    });
    ring.submit_and_wait(0).expect("entered");
    let write = thread::spawn(move || writer.write_all(b"data").map(|()| writer));
    // Blocks until the other thread's write has been told. Only then is the ring entered.
    assert_eq!(count(&eventfd), 1);
    assert_eq!(next(&mut ring).res(), 4);
    write.join().expect("no panic").expect("written");
}

#[test]
fn one_ring_reads_what_another_tells() {
    let (mut here, mut there) = (ring(), ring());
    let eventfd = eventfd_with(0);
    here.register_eventfd(eventfd.as_raw_fd())
        .expect("registered");
    let mut told = [0; 8];
    let start = told.as_mut_ptr();
    queue(&mut there, |sqe| {
        // SAFETY: `told` stays until the completion, which is waited for below.
        unsafe { sqe.prep_read(eventfd.as_raw_fd(), start, 8, 0) };
    });
    there.submit_and_wait(0).expect("entered");
    nops(&mut here, 4);
    assert_eq!(next(&mut there).res(), 8);
    assert_eq!(u64::from_ne_bytes(told), 1);
}

#[test]
fn a_ring_that_polls_its_own_eventfd_does_not_wake_itself_for_ever() {
    let mut ring = ring();
    let mut eventfd = eventfd();
    ring.register_eventfd(eventfd.as_raw_fd())
        .expect("registered");
    queue(&mut ring, |sqe| {
        sqe.prep_poll_multishot(eventfd.as_raw_fd(), libc::POLLIN as u32);
    });
    ring.submit_and_wait(0).expect("entered");
    eventfd.write_all(&1_u64.to_ne_bytes()).expect("added");
    // Each completion adds to what is polled. The kernel notices and ends the poll.
    let mut completions = 1;
    while next(&mut ring).more() {
        completions += 1;
        assert!(completions < 100, "it goes on and on");
    }
    println!("the poll ended after {completions} completions");
}

#[test]
fn two_rings_that_poll_each_others_eventfds_come_to_rest() {
    let mut rings = [(); 2].map(|()| ring());
    let mut eventfds = [(); 2].map(|()| eventfd());
    for (ring, eventfd) in rings.iter().zip(&eventfds) {
        ring.register_eventfd(eventfd.as_raw_fd())
            .expect("registered");
    }
    for (ring, eventfd) in rings.iter_mut().zip(eventfds.iter().rev()) {
        queue(ring, |sqe| {
            sqe.prep_poll_multishot(eventfd.as_raw_fd(), libc::POLLIN as u32);
        });
        ring.submit_and_wait(0).expect("entered");
    }
    eventfds[0].write_all(&1_u64.to_ne_bytes()).expect("added");
    let mut completions = 0;
    loop {
        let before = completions;
        for ring in &mut rings {
            ring.submit_and_wait(0).expect("entered");
            while ring.pop().is_some() {
                completions += 1;
            }
        }
        assert!(completions < 100, "they go on and on");
        if completions == before {
            break;
        }
    }
    assert!(completions > 0);
}

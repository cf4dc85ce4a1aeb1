//! Rings that are dropped with work under way, by the hundred, or in circles: nothing hangs, and
//! what they held is let go.

use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use annulus_ring::{CURRENT_POSITION, Errno, Ring, RingConfig, SqeFlags};
use annulus_syscalls::calls;

use super::fifo::Fifo;
use super::support::{FOREVER, LIMIT, entry, pinned_ring, pipe, reap, ring, rounds, until};

const IN: u32 = libc::POLLIN as u32;

/// Waits until nobody has the other end.
fn assert_peer_closed(peer: &mut UnixStream) {
    peer.set_read_timeout(Some(LIMIT)).expect("set");
    // Repeats after EINTR, which the end of a ring causes in its thread's calls.
    let mut rest = Vec::new();
    peer.read_to_end(&mut rest)
        .expect("the other end is closed");
}

#[test]
fn a_poll_on_a_quiet_socket_lets_go_when_its_ring_is_dropped() {
    for mut ring in [ring(), pinned_ring()] {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        entry(&mut ring, 1).prep_poll_add(ours.as_raw_fd(), IN);
        ring.submit().expect("submitted");
        drop(ours);
        drop(ring);
        assert_peer_closed(&mut theirs);
    }
}

#[test]
fn a_read_in_a_worker_thread_lets_go_when_its_ring_is_dropped() {
    // Never freed, as nothing says when the kernel has let go of it.
    let buf = Box::leak(Box::new([0_u8; 16]));
    for mut ring in [ring(), pinned_ring()] {
        let (reading, writing) = pipe();
        let fd = reading.as_raw_fd();
        // SAFETY: the buffer is never freed.
        unsafe { entry(&mut ring, 1).prep_read(fd, buf.as_mut_ptr(), 16, CURRENT_POSITION) }
            .add_flags(SqeFlags::ASYNC);
        ring.submit().expect("submitted");
        drop(reading);
        drop(ring);
        // The pipe has no reader once the worker has let go.
        until("the pipe without reader", || {
            calls::write(writing.as_raw_fd(), b"x").is_err()
        });
    }
}

#[test]
fn opens_in_worker_threads_are_cancelled_before_their_thread_ends() {
    // Without the cancel the thread might not end: it waits for its workers, and once their ring
    // is gone nobody tells them to stop (seen on 6.18).
    let fifo = Fifo::new("teardown");
    let submitter = std::thread::scope(|scope| {
        let submitter = scope.spawn(|| {
            for _ in 0..rounds(50) {
                let mut ring = ring();
                for user_data in 0..4 {
                    let (at, path) = (libc::AT_FDCWD, fifo.path().as_ptr());
                    let flags = libc::O_RDONLY | libc::O_CLOEXEC;
                    // SAFETY: the path outlives the completion, which is waited for.
                    unsafe { entry(&mut ring, user_data).prep_openat(at, path, flags, 0) }
                        .add_flags(SqeFlags::ASYNC);
                }
                ring.submit().expect("submitted");
                let mut left = 4;
                while left > 0 {
                    entry(&mut ring, 10).prep_cancel_any();
                    left -= reap_until(&mut ring, 10);
                }
            }
            thread_id()
        });
        submitter.join().expect("no panic")
    });
    until("the end of the workers", || workers_of(submitter) == 0);
    // Nobody has it open, nor waits to.
    let flags = (libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC) as u32;
    let opened = calls::openat(libc::AT_FDCWD, fifo.path(), flags, 0);
    assert_eq!(opened, Err(Errno::ENXIO));
}

/// Pops up to the completion of `last`, and counts those before, which all failed.
fn reap_until(ring: &mut Ring, last: u64) -> usize {
    let mut count = 0;
    loop {
        let cqe = reap(ring, 1)[0];
        if cqe.user_data() == last {
            return count;
        }
        assert!(cqe.result().is_err(), "{cqe:?}");
        count += 1;
    }
}

#[test]
fn everything_at_once_lets_go_when_its_ring_is_dropped() {
    let buf = Box::leak(Box::new([0_u8; 16]));
    for round in 0..rounds(200) {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let fd = ours.as_raw_fd();
        let mut ring = if round % 2 == 0 {
            ring()
        } else {
            pinned_ring()
        };
        entry(&mut ring, 1).prep_poll_add(fd, IN);
        entry(&mut ring, 2).prep_poll_multishot(fd, IN);
        // SAFETY: the buffer is never freed.
        unsafe { entry(&mut ring, 3).prep_recv(fd, buf.as_mut_ptr(), 16, 0) }
            .add_flags(SqeFlags::IO_LINK);
        // SAFETY: `FOREVER` is promoted to a static.
        unsafe { entry(&mut ring, 4).prep_link_timeout(&FOREVER, 0) };
        // SAFETY: as above.
        unsafe { entry(&mut ring, 5).prep_timeout(&FOREVER, 0, 0) };
        entry(&mut ring, 6).prep_nop().add_flags(SqeFlags::IO_DRAIN);
        ring.submit().expect("submitted");
        drop(ours);
        if round % 3 == 0 {
            // Some of it has completed, and nobody looks.
            calls::write(theirs.as_raw_fd(), b"x").expect("written");
        }
        drop(ring);
        assert_eof_or_reset(&mut theirs);
    }
}

/// As `assert_peer_closed`, where the peer may have left bytes unread.
fn assert_eof_or_reset(peer: &mut UnixStream) {
    peer.set_read_timeout(Some(LIMIT)).expect("set");
    match peer.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn entries_that_were_never_submitted_are_nobodys() {
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let mut ring = ring();
    for user_data in 0..16 {
        entry(&mut ring, user_data).prep_poll_add(ours.as_raw_fd(), IN);
    }
    drop(ring);
    drop(ours);
    assert_peer_closed(&mut theirs);
}

#[test]
fn rings_come_and_go_by_the_hundred() {
    let config = RingConfig {
        sq_entries: 4,
        ..RingConfig::default()
    };
    for _ in 0..rounds(200) {
        let mut rings: Vec<Ring> = (0..16)
            .map(|_| Ring::new(&config).expect("memory for rings comes back"))
            .collect();
        for ring in &mut rings {
            entry(ring, 1).prep_nop();
            ring.submit().expect("submitted");
        }
    }
}

#[test]
fn a_ring_whose_descriptor_is_in_a_socket_that_it_polls_is_not_kept_by_itself() {
    // 1. The ring's descriptor lies in a socket's queue, and the ring polls that socket.
    let (one, other) = UnixStream::pair().expect("a pair");
    let mut ring = ring();
    let (witness, mut peer) = UnixStream::pair().expect("a pair");
    entry(&mut ring, 1).prep_poll_add(witness.as_raw_fd(), IN);
    entry(&mut ring, 2).prep_poll_multishot(other.as_raw_fd(), libc::POLLPRI as u32);
    ring.submit().expect("submitted");
    send_descriptor(one.as_raw_fd(), ring.fd());
    drop(witness);
    // 2. Everything that is ours of it is closed.
    drop(one);
    drop(other);
    drop(ring);
    // 3. The kernel finds the circle when it collects: another such socket makes it.
    let start = std::time::Instant::now();
    peer.set_read_timeout(Some(Duration::from_millis(50)))
        .expect("set");
    loop {
        match peer.read(&mut [0]) {
            Ok(count) => {
                assert_eq!(count, 0);
                break;
            }
            Err(_) if start.elapsed() < LIMIT => {
                let (one, other) = UnixStream::pair().expect("a pair");
                send_descriptor(one.as_raw_fd(), other.as_raw_fd());
            }
            Err(error) => panic!("the circle is kept: {error}"),
        }
    }
}

/// Sends `fd` along with a byte into `socket`.
fn send_descriptor(socket: RawFd, fd: RawFd) {
    #[repr(C, align(8))]
    struct Control([u8; 64]);
    let mut control = Control([0; 64]);
    let mut byte = [b'x'];
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: all zero is a valid `msghdr`.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    // SAFETY: computes a number.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as usize;
    // SAFETY: the control buffer is there, aligned, and large enough for one header.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    // SAFETY: as above.
    let header = unsafe { &mut *header };
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SCM_RIGHTS;
    // SAFETY: computes a number.
    header.cmsg_len = unsafe { libc::CMSG_LEN(size_of::<RawFd>() as u32) } as usize;
    // SAFETY: the header is in the buffer.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: the buffer has room for a descriptor there, aligned or not.
    unsafe { data.cast::<RawFd>().write_unaligned(fd) };
    // SAFETY: the message and all it names live across the call.
    let sent = unsafe { libc::sendmsg(socket, &raw const message, 0) };
    if sent == 1 {
        return;
    }
    // Since 6.8 the kernel does not send rings at all: then there is no such circle.
    let error = std::io::Error::last_os_error();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
}

#[test]
fn worker_threads_end_with_their_ring() {
    // A process's threads are counted, so count those of this thread's rings only: they are
    // named after the thread that submitted.
    let ended = std::thread::spawn(|| {
        let thread = thread_id();
        let mut ring = ring();
        for user_data in 0..8 {
            entry(&mut ring, user_data)
                .prep_nop()
                .add_flags(SqeFlags::ASYNC);
        }
        reap(&mut ring, 8);
        assert!(workers_of(thread) > 0, "a worker did that");
        drop(ring);
        thread
    })
    .join()
    .expect("no panic");
    // The thread has ended, and its workers with it.
    until("the end of the workers", || workers_of(ended) == 0);
}

fn thread_id() -> i32 {
    // SAFETY: takes nothing.
    unsafe { libc::gettid() }
}

/// The worker threads that `thread` has: they are named `iou-wrk-` and its number.
fn workers_of(thread: i32) -> usize {
    let name = format!("iou-wrk-{thread}");
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted");
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .filter(|comm| comm.trim_end() == name)
        .count()
}

//! Multishot operations that end, each for another reason, and are armed again without loss.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use annulus_ring::{BufGroup, BufRingConfig, CURRENT_POSITION, Errno, Ring, RingConfig};
use annulus_syscalls::calls;

use super::support::{
    assert_quiet, entry, owned, pinned_ring, pipe, reap, reap_one, results, ring,
};

/// A ring whose CQ is full after `entries` completions.
fn small_ring(entries: u32) -> Ring {
    let config = RingConfig {
        sq_entries: entries,
        cq_entries: entries,
        ..RingConfig::default()
    };
    Ring::new(&config).expect("a ring")
}

#[test]
fn a_multishot_accept_goes_on_until_it_is_cancelled_and_can_be_armed_again() {
    for mut ring in [ring(), pinned_ring()] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        for user_data in [1, 2] {
            entry(&mut ring, user_data).prep_multishot_accept(listener.as_raw_fd(), 0);
            ring.submit().expect("submitted");
            for _ in 0..5 {
                let _client = TcpStream::connect(address).expect("connected");
                let cqe = reap_one(&mut ring);
                assert_eq!((cqe.user_data(), cqe.more()), (user_data, true));
                drop(owned(cqe.result().expect("accepted") as i32));
            }
            entry(&mut ring, 10).prep_cancel64(user_data, 0);
            let ended = results(&mut ring, 2);
            assert_eq!(ended[&user_data], Err(Errno::ECANCELED));
            assert_eq!(ended[&10], Ok(0));
            // Who comes between is kept by the listener.
            let _client = TcpStream::connect(address).expect("connected");
            assert_quiet(&mut ring);
            entry(&mut ring, 11).prep_multishot_accept(listener.as_raw_fd(), 0);
            let cqe = reap_one(&mut ring);
            assert!(cqe.more());
            drop(owned(cqe.result().expect("the one between") as i32));
            entry(&mut ring, 12).prep_cancel64(11, 0);
            reap(&mut ring, 2);
        }
    }
}

#[test]
fn a_multishot_accept_that_fills_the_cq_loses_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let mut ring = small_ring(2);
    let mut armed = 1;
    entry(&mut ring, 1).prep_multishot_accept(listener.as_raw_fd(), 0);
    ring.submit().expect("submitted");
    // 1. Ten wait at once, and the CQ has room for two.
    let clients: Vec<TcpStream> = (0..10)
        .map(|_| TcpStream::connect(address).expect("connected"))
        .collect();
    // 2. Whenever it ends, it is armed again: all are accepted, once each.
    let mut accepted = Vec::new();
    while accepted.len() < clients.len() {
        let cqe = reap_one(&mut ring);
        let stream = TcpStream::from(owned(cqe.result().expect("accepted") as i32));
        accepted.push(stream.peer_addr().expect("its address"));
        if !cqe.more() {
            entry(&mut ring, 1).prep_multishot_accept(listener.as_raw_fd(), 0);
            ring.submit().expect("submitted");
            armed += 1;
        }
    }
    println!("armed {armed} times");
    assert!(armed > 1, "it never ended");
    accepted.sort_unstable();
    let mut expected: Vec<_> = clients
        .iter()
        .map(|client| client.local_addr().expect("its address"))
        .collect();
    expected.sort_unstable();
    assert_eq!(accepted, expected);
}

#[test]
fn a_multishot_receive_without_buffers_left_is_armed_again_and_loses_no_byte() {
    let mut ring = ring();
    let (ours, mut theirs) = UnixStream::pair().expect("a pair");
    let mut group = BufGroup::new(&ring, &BufRingConfig::new(3, 2, 4)).expect("buffers");
    let sent: Vec<u8> = (0..40).collect();
    theirs.write_all(&sent).expect("written");
    let mut got = Vec::new();
    let mut exhausted = 0;
    drop(theirs);
    loop {
        let sqe = entry(&mut ring, 1);
        group
            .recv_multishot(sqe, ours.as_raw_fd(), 0)
            .expect("no flag that it refuses");
        let last = loop {
            let cqe = reap_one(&mut ring);
            // SAFETY: it is a completion of the group's receive, told once and in order.
            let selected = unsafe { group.take(&cqe) }.expect("a buffer that is out");
            if let Some(selected) = selected {
                got.extend_from_slice(&selected);
                // Handed back, but not to the kernel: that waits for the next receive.
                drop(selected);
            }
            if !cqe.more() {
                break cqe.result();
            }
        };
        match last {
            Ok(0) => break,
            other => assert_eq!(other, Err(Errno::ENOBUFS)),
        }
        exhausted += 1;
    }
    assert_eq!(got, sent);
    println!("exhausted {exhausted} times");
    assert!(exhausted > 0);
}

#[test]
fn messages_wake_a_ring_that_waits() {
    for (mut waiting, mut sending) in [(ring(), ring()), (pinned_ring(), ring())] {
        let fd = waiting.fd();
        // The ring that waits belongs to this thread: the other one sends.
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for round in 0..100 {
                    entry(&mut sending, 1).prep_msg_ring(fd, round, 7, 0);
                    assert_eq!(reap_one(&mut sending).result(), Ok(0));
                }
            });
            for round in 0..100 {
                let cqe = reap_one(&mut waiting);
                assert_eq!((cqe.user_data(), cqe.res()), (round, 7));
            }
        });
    }
}

#[test]
fn short_writes_and_reads_are_told_and_continued() {
    let mut ring = ring();
    let (reading, writing) = pipe();
    // SAFETY: takes numbers only.
    let size = unsafe { libc::fcntl(writing.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
    assert!(size >= 4096);
    let nonblocking = libc::O_NONBLOCK;
    // SAFETY: takes numbers only.
    unsafe { libc::fcntl(writing.as_raw_fd(), libc::F_SETFL, nonblocking) };
    let sent: Vec<u8> = (0..size as usize * 5 / 2)
        .map(|at| (at % 251) as u8)
        .collect();
    let mut got = Vec::new();
    let (mut written, mut short) = (0, 0);
    let mut buf = [0_u8; 1_000];
    let (mut is_writing, mut is_reading) = (false, false);
    while got.len() < sent.len() {
        // 1. One write of all the rest, and one read, at a time.
        if !is_writing && written < sent.len() {
            let rest = &sent[written..];
            let (fd, len) = (writing.as_raw_fd(), rest.len() as u32);
            // SAFETY: `sent` outlives the completion, as the loop ends after the last.
            unsafe { entry(&mut ring, 1).prep_write(fd, rest.as_ptr(), len, CURRENT_POSITION) };
            is_writing = true;
        }
        if !is_reading {
            let (fd, at) = (reading.as_raw_fd(), buf.as_mut_ptr());
            // SAFETY: `buf` outlives the completion, as the loop ends after the last.
            unsafe { entry(&mut ring, 2).prep_read(fd, at, 1_000, CURRENT_POSITION) };
            is_reading = true;
        }
        // 2. What comes is a part, as a rule, and is continued behind it.
        let cqe = reap_one(&mut ring);
        let count = cqe.result().expect("in part") as usize;
        if cqe.user_data() == 1 {
            written += count;
            short += usize::from(written < sent.len());
            is_writing = false;
        } else {
            got.extend_from_slice(&buf[..count]);
            is_reading = false;
        }
    }
    assert!(!is_writing && !is_reading);
    assert_eq!(got, sent);
    println!("{short} short writes");
    assert!(short > 0);
    assert_eq!(calls::write(writing.as_raw_fd(), b"x"), Ok(1));
}

//! What would go wrong only now and then: numbers that are used again, threads that run on, edges.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use annulus_ring::{Errno, Kernel, Mask, Ring, RingConfig};

use crate::both::{Seen, emulated, fd_of, now, on_both, push, reap, reap_sorted};
use crate::support::{TempDir, TempFile, c_path, listener, unix_pair};

const IN: u32 = libc::POLLIN as u32;
/// Threads of one kernel: what comes beyond waits in line.
const THREADS_MAX: u64 = 128;

fn poll(ring: &mut Ring, user_data: u64, fd: RawFd) {
    push(ring, user_data, |sqe| {
        sqe.prep_poll_add(fd, IN);
    });
}

/// `number` stands for the file of `other` from now on.
fn put_over(other: &UnixStream, number: RawFd) {
    // SAFETY: the number stays a valid descriptor for whoever owns it.
    assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
}

#[test]
fn a_file_that_has_lost_its_number_tells_nothing_to_who_waits_for_the_next() {
    let mut ring = emulated();
    let (ours, mut theirs) = unix_pair();
    let number = ours.as_raw_fd();
    // 1. The file lives on under another number, and with it what epoll knows of it.
    let _elsewhere = ours.try_clone().expect("a duplicate");
    poll(&mut ring, 0, number);
    assert_eq!(now(&mut ring), []);
    let (fresh, mut peer) = unix_pair();
    put_over(&fresh, number);
    poll(&mut ring, 1, number);
    assert_eq!(reap(&mut ring, 1), [(0, Err(Errno::EBADF), 0)]);
    // 2. Something comes for the old file: that is nothing to who waits for the new one.
    theirs.write_all(b"x").expect("written");
    assert_eq!(now(&mut ring), []);
    peer.write_all(b"x").expect("written");
    assert_eq!(reap(&mut ring, 1), [(1, Ok(IN), 0)]);
}

#[test]
fn a_number_that_a_file_gets_back_can_be_waited_for() {
    let mut ring = emulated();
    let (ours, mut theirs) = unix_pair();
    let elsewhere = ours.try_clone().expect("a duplicate");
    let number = ours.as_raw_fd();
    poll(&mut ring, 0, number);
    assert_eq!(now(&mut ring), []);
    // 1. Another file has it meanwhile, and is closed by the ring.
    let (fresh, _peer) = unix_pair();
    put_over(&fresh, number);
    poll(&mut ring, 1, number);
    push(&mut ring, 2, |sqe| {
        sqe.prep_close(number);
    });
    let ended = Err(Errno::EBADF);
    let all = reap_sorted(&mut ring, 3);
    assert_eq!(all, [(0, ended, 0), (1, ended, 0), (2, Ok(0), 0)]);
    // 2. The first one again, of which epoll still knows.
    put_over(&elsewhere, number);
    poll(&mut ring, 3, number);
    assert_eq!(now(&mut ring), []);
    theirs.write_all(b"x").expect("written");
    assert_eq!(reap(&mut ring, 1), [(3, Ok(IN), 0)]);
}

/// Makes a pipe with a name, whose opening waits for the other end.
fn named_pipe(path: &Path) {
    let path = c_path(path);
    // SAFETY: the path is a string.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

/// Opens `path`; the descriptor is the result.
fn open(ring: &mut Ring, user_data: u64, path: &Path, flags: i32) {
    let path = c_path(path);
    push(ring, user_data, |sqe| {
        // SAFETY: the path outlives the submission.
        unsafe {
            sqe.prep_openat(
                libc::AT_FDCWD,
                path.as_ptr(),
                flags | libc::O_CLOEXEC,
                0o600,
            )
        };
    });
    ring.submit().expect("submitted");
}

fn open_other_end(path: &Path) {
    drop(OpenOptions::new().write(true).open(path).expect("it opens"));
}

#[test]
fn what_a_thread_has_begun_is_not_cancelled() {
    let dir = TempDir::new();
    let path = dir.join("pipe");
    named_pipe(&path);
    let mut ring = emulated();
    let mut taken_back = 0;
    let cancelled: Seen = loop {
        open(&mut ring, 1, &path, libc::O_RDONLY);
        push(&mut ring, 2, |sqe| {
            sqe.prep_cancel64(1, 0);
        });
        let mut all = reap(&mut ring, 1);
        if all[0].1 != Ok(0) {
            break all[0];
        }
        // No thread had begun it yet.
        all.extend(reap(&mut ring, 2 - all.len()));
        assert_eq!(all, [(2, Ok(0), 0), (1, Err(Errno::ECANCELED), 0)]);
        taken_back += 1;
        assert!(taken_back < 10_000, "no thread ever begins");
    };
    println!("taken back {taken_back} times before a thread had begun");
    assert_eq!(cancelled, (2, Err(Errno::EALREADY), 0));
    open_other_end(&path);
    drop(fd_of(&reap(&mut ring, 1)[0]));
}

#[test]
fn a_thread_that_is_done_wakes_the_ring_that_waits() {
    let dir = TempDir::new();
    let path = dir.join("pipe");
    named_pipe(&path);
    let mut ring = emulated();
    open(&mut ring, 1, &path, libc::O_RDONLY);
    let other = thread::spawn(move || open_other_end(&path));
    drop(fd_of(&reap(&mut ring, 1)[0]));
    other.join().expect("no panic");
}

/// A ring whose opens of a pipe occupy every thread of its kernel.
struct Busy {
    ring: Ring,
    path: PathBuf,
}

impl Busy {
    fn new(kernel: &Kernel, dir: &TempDir) -> Busy {
        let config = RingConfig {
            sq_entries: 256,
            ..RingConfig::default()
        };
        let mut ring = kernel.open(&config).expect("a ring");
        let path = dir.join("pipe");
        named_pipe(&path);
        for user_data in 0..THREADS_MAX {
            open(&mut ring, user_data, &path, libc::O_RDONLY);
        }
        Busy { ring, path }
    }

    /// The threads come free.
    fn end(mut self) {
        let path = self.path;
        let writer = thread::spawn(move || OpenOptions::new().write(true).open(path));
        for seen in reap(&mut self.ring, THREADS_MAX as usize) {
            drop(fd_of(&seen));
        }
        writer.join().expect("no panic").expect("it opens");
    }
}

#[test]
fn what_no_thread_has_begun_goes_with_its_ring() {
    let dir = TempDir::new();
    let kernel = Kernel::emulated(Mask::NONE);
    // 1. Every thread waits in an open.
    let busy = Busy::new(&kernel, &dir);
    // 2. Two stand in line, and the ring of the first goes.
    let ring = || kernel.open(&RingConfig::default()).expect("a ring");
    let (mut gone, mut other) = (ring(), ring());
    let create = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
    open(&mut gone, 1, &dir.join("first"), create);
    open(&mut other, 2, &dir.join("second"), create);
    drop(gone);
    // 3. The threads come free.
    busy.end();
    drop(fd_of(&reap(&mut other, 1)[0]));
    drop((other, kernel));
    assert!(dir.join("second").exists());
    assert!(!dir.join("first").exists());
}

#[test]
fn what_is_in_memory_is_read_while_there_is_no_thread() {
    let dir = TempDir::new();
    let kernel = Kernel::emulated(Mask::NONE);
    let busy = Busy::new(&kernel, &dir);
    let file = TempFile::with(b"cached");
    let mut ring = kernel.open(&RingConfig::default()).expect("a ring");
    let mut buf = [0_u8; 8];
    let start = buf.as_mut_ptr();
    push(&mut ring, 0, |sqe| {
        // SAFETY: the buffer outlives the completion.
        unsafe { sqe.prep_read(file.fd(), start, 8, 0) };
    });
    let read = now(&mut ring);
    busy.end();
    assert_eq!(read, [(0, Ok(6), 0)]);
    assert_eq!(&buf[..6], b"cached");
}

#[test]
fn all_that_came_before_one_edge_is_taken() {
    let all = on_both(|ring| {
        let listener = listener();
        push(ring, 7, |sqe| {
            sqe.prep_multishot_accept(listener.as_raw_fd(), libc::SOCK_CLOEXEC);
        });
        assert_eq!(now(ring), []);
        let address = listener.local_addr().expect("it has one");
        let clients = [(); 5].map(|()| TcpStream::connect(address).expect("it listens"));
        let seen = reap(ring, clients.len());
        for one in &seen {
            drop(fd_of(one));
        }
        seen.iter().map(|one| (one.0, one.2)).collect::<Vec<_>>()
    });
    assert_eq!(all.len(), 5);
}

//! Registrations, through the public API: tables of files and of buffers, notifications,
//! messages, restrictions, workers, and what the kernel says about itself.

mod arguments;
mod buffers;
mod cancel;
mod clones;
mod direct;
mod eventfd;
mod files;
mod messages;
mod model;
mod napi;
mod personality;
mod pool;
mod query;
mod restrictions;
mod shapes;
mod workers;
mod zcrx;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use annulus_ring::{Cqe, Errno, Opcode, Probe, Ring, RingConfig, Sqe, SqeFlags};

/// After this a test that waits for something has failed.
const FAR: Duration = Duration::from_secs(60);

/// A small ring that any thread may use.
fn ring() -> Ring {
    ring_of(RingConfig::default())
}

/// A ring of one thread.
fn pinned_ring() -> Ring {
    ring_of(RingConfig {
        pinned: true,
        ..RingConfig::default()
    })
}

fn ring_of(config: RingConfig) -> Ring {
    let config = RingConfig {
        sq_entries: 16,
        ..config
    };
    Ring::new(&config).expect("a small ring")
}

/// Says why a test does nothing. What is newer than the kernel may be skipped anywhere.
fn skip_newer(what: &str, errno: Errno) {
    eprintln!("skipped: this kernel has no {what}: {errno:?}");
}

/// Whether `opcode` is there; prints that the test is skipped if not.
fn has(ring: &Ring, opcode: Opcode) -> bool {
    let there = Probe::of(ring).expect("a probe").supports(opcode);
    if !there {
        eprintln!("skipped: this kernel has no {opcode}");
    }
    there
}

/// Prepares one operation, submits it and returns its first completion.
fn run(ring: &mut Ring, prep: impl FnOnce(&mut Sqe)) -> Cqe {
    queue(ring, prep);
    next(ring)
}

/// Prepares one operation.
fn queue(ring: &mut Ring, prep: impl FnOnce(&mut Sqe)) {
    prep(ring.get_sqe().expect("the queue has room"));
}

/// Submits what is queued, and waits for the next completion.
fn next(ring: &mut Ring) -> Cqe {
    if ring.cq_ready() == 0 || ring.sq_queued() > 0 {
        ring.enter(1, Some(FAR)).expect("entered");
    }
    ring.pop().expect("a completion, long before the limit")
}

/// The completions of everything that has been submitted, by user data.
fn next_sorted(ring: &mut Ring, count: usize) -> Vec<(u64, i32)> {
    let mut all: Vec<(u64, i32)> = (0..count)
        .map(|_| next(ring))
        .map(|cqe| (cqe.user_data(), cqe.res()))
        .collect();
    all.sort_unstable();
    all
}

/// Submits, runs completion work and asserts that nothing completes.
fn assert_quiet(ring: &mut Ring) {
    ring.submit_and_wait(0).expect("entered");
    assert_eq!(ring.pop(), None, "nothing has completed");
}

/// A file in memory with this content.
fn file_with(content: &[u8]) -> File {
    // SAFETY: the name ends in a NUL.
    let fd = unsafe { libc::memfd_create(c"register".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(fd >= 0, "a file in memory");
    // SAFETY: just made, and nobody else's.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(content).expect("written");
    file
}

/// Both ends of a pipe: what is written to the second is read from the first.
fn pipe() -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two descriptors.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(made, 0);
    // SAFETY: just made, and nobody else's.
    let reader = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    (File::from(reader), File::from(writer))
}

/// Reads up to 16 bytes at the start of the file in `slot`.
fn read_slot(ring: &mut Ring, slot: u32) -> Result<Vec<u8>, Errno> {
    let mut buf = [0; 16];
    let start = buf.as_mut_ptr();
    let cqe = run(ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which `run` waits for.
        let sqe = unsafe { sqe.prep_read(slot as i32, start, 16, 0) };
        sqe.add_flags(SqeFlags::FIXED_FILE);
    });
    let read = cqe.result()?;
    Ok(buf[..read as usize].to_vec())
}

/// Whether the other end of a pipe, with all of its descriptors and users, is gone, or goes within
/// so many milliseconds.
fn hangs_up(reader: &File, within_ms: i32) -> bool {
    let mut poll = libc::pollfd {
        fd: reader.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, valid for reads and writes.
    let polled = unsafe { libc::poll(&raw mut poll, 1, within_ms) };
    assert!(polled >= 0, "poll");
    poll.revents & libc::POLLHUP != 0
}

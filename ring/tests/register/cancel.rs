//! Cancelling by a call that needs no entry, and by what matches.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use annulus_ring::{CancelMatch, Errno, FileTable, Opcode, Ring, SqeFlags};

use super::{next_sorted, pinned_ring, pipe, queue, ring, run};

const CANCELED: i32 = -libc::ECANCELED;

/// Two quiet pipes with reads and polls on both: user data 10 and 11 are reads of the first and of
/// the second, 20 and 21 polls, and 12 is a read of the first by its slot.
struct Waiting {
    ring: Ring,
    _table: FileTable,
    pipes: [(File, File); 2],
    _memory: Box<[u8; 64]>,
}

const READ_ONE: u64 = 10;
const READ_TWO: u64 = 11;
const READ_SLOT: u64 = 12;
const POLL_ONE: u64 = 20;
const POLL_TWO: u64 = 21;

impl Waiting {
    fn new() -> Waiting {
        let mut ring = ring();
        let pipes = [pipe(), pipe()];
        let fds = [pipes[0].0.as_raw_fd(), pipes[1].0.as_raw_fd()];
        let table = FileTable::register(&ring, &fds[..1]).expect("registered");
        let mut memory = Box::new([0; 64]);
        let start = memory.as_mut_ptr();
        let mut read = |fd, flags, user_data| {
            queue(&mut ring, |sqe| {
                // SAFETY: the memory goes after the ring, and nothing is ever written to a pipe.
                let sqe = unsafe { sqe.prep_read(fd, start, 64, u64::MAX) };
                sqe.add_flags(flags).set_user_data(user_data);
            });
        };
        read(fds[0], SqeFlags::NONE, READ_ONE);
        read(fds[1], SqeFlags::NONE, READ_TWO);
        read(0, SqeFlags::FIXED_FILE, READ_SLOT);
        for (fd, user_data) in fds.into_iter().zip([POLL_ONE, POLL_TWO]) {
            queue(&mut ring, |sqe| {
                sqe.prep_poll_add(fd, libc::POLLIN as u32)
                    .set_user_data(user_data);
            });
        }
        ring.submit_and_wait(0).expect("entered");
        assert_eq!(ring.cq_ready(), 0);
        Waiting {
            ring,
            _table: table,
            pipes,
            _memory: memory,
        }
    }

    fn fd(&self, pipe: usize) -> i32 {
        self.pipes[pipe].0.as_raw_fd()
    }

    fn cancel(&self, which: CancelMatch) -> Result<u32, Errno> {
        self.ring.ring_ref().sync_cancel_match(&which, None)
    }

    /// That exactly these have been cancelled.
    fn expect(&mut self, cancelled: &[u64]) {
        let expected: Vec<_> = cancelled.iter().map(|one| (*one, CANCELED)).collect();
        assert_eq!(next_sorted(&mut self.ring, cancelled.len()), expected);
        super::assert_quiet(&mut self.ring);
    }
}

#[test]
fn one_operation_is_cancelled_by_its_user_data() {
    let mut waiting = Waiting::new();
    assert_eq!(
        waiting.cancel(CancelMatch::user_data(99)),
        Err(Errno::ENOENT)
    );
    assert_eq!(waiting.cancel(CancelMatch::user_data(POLL_ONE)), Ok(0));
    waiting.expect(&[POLL_ONE]);
    assert_eq!(
        waiting.cancel(CancelMatch::user_data(POLL_ONE)),
        Err(Errno::ENOENT)
    );
    let ring = waiting.ring.ring_ref();
    assert_eq!(
        ring.sync_cancel(READ_TWO, Some(Duration::from_secs(60))),
        Ok(())
    );
    waiting.expect(&[READ_TWO]);
}

#[test]
fn operations_are_cancelled_by_their_file() {
    let mut waiting = Waiting::new();
    let (one, two) = (waiting.fd(0), waiting.fd(1));
    assert_eq!(waiting.cancel(CancelMatch::fd(two).all()), Ok(2));
    waiting.expect(&[READ_TWO, POLL_TWO]);
    // By whichever number the file is known.
    assert_eq!(waiting.cancel(CancelMatch::slot(0).all()), Ok(3));
    waiting.expect(&[READ_ONE, READ_SLOT, POLL_ONE]);
    assert_eq!(waiting.cancel(CancelMatch::fd(one)), Err(Errno::ENOENT));
    assert_eq!(
        waiting.cancel(CancelMatch::fd(one).all()),
        Ok(0),
        "no error"
    );
    assert_eq!(waiting.cancel(CancelMatch::fd(-1)), Err(Errno::EBADF));
    assert_eq!(waiting.cancel(CancelMatch::slot(1)), Err(Errno::EBADF));
    let ring = waiting.ring.ring_ref();
    assert_eq!(ring.sync_cancel_fd(one, 0, None), Err(Errno::ENOENT));
}

#[test]
fn operations_are_cancelled_by_their_opcode() {
    let mut waiting = Waiting::new();
    assert_eq!(
        waiting.cancel(CancelMatch::opcode(Opcode::RECV)),
        Err(Errno::ENOENT)
    );
    assert_eq!(
        waiting.cancel(CancelMatch::opcode(Opcode::POLL_ADD).all()),
        Ok(2)
    );
    waiting.expect(&[POLL_ONE, POLL_TWO]);
    assert_eq!(
        waiting.cancel(CancelMatch::opcode(Opcode::READ).all()),
        Ok(3)
    );
    waiting.expect(&[READ_ONE, READ_TWO, READ_SLOT]);
}

#[test]
fn all_that_is_said_must_match() {
    let mut waiting = Waiting::new();
    let one = waiting.fd(0);
    let polls_of_one = CancelMatch::fd(one).with_opcode(Opcode::POLL_ADD);
    let not_there = polls_of_one.with_user_data(READ_ONE);
    assert_eq!(waiting.cancel(not_there), Err(Errno::ENOENT));
    assert_eq!(waiting.cancel(polls_of_one.all()), Ok(1));
    waiting.expect(&[POLL_ONE]);
    let read = CancelMatch::user_data(READ_ONE);
    assert_eq!(
        waiting.cancel(read.with_opcode(Opcode::POLL_ADD)),
        Err(Errno::ENOENT)
    );
    assert_eq!(waiting.cancel(read.with_opcode(Opcode::READ)), Ok(0));
    waiting.expect(&[READ_ONE]);
    let rest_of_one = CancelMatch::any().with_user_data(READ_SLOT);
    assert_eq!(waiting.cancel(rest_of_one), Ok(1));
    waiting.expect(&[READ_SLOT]);
    let rest_of_reads = CancelMatch::any().with_opcode(Opcode::READ);
    assert_eq!(waiting.cancel(rest_of_reads), Ok(1));
    waiting.expect(&[READ_TWO]);
}

#[test]
fn everything_is_cancelled_at_once() {
    let mut waiting = Waiting::new();
    assert_eq!(waiting.cancel(CancelMatch::any()), Ok(5));
    waiting.expect(&[READ_ONE, READ_TWO, READ_SLOT, POLL_ONE, POLL_TWO]);
    assert_eq!(waiting.cancel(CancelMatch::any()), Ok(0));
}

#[test]
fn an_entry_cancels_what_matches() {
    let mut waiting = Waiting::new();
    let mut cancel = |which: CancelMatch| {
        queue(&mut waiting.ring, |sqe| {
            sqe.prep_cancel_match(&which).set_user_data(0);
        });
        waiting.ring.submit_and_wait(1).expect("entered");
        let mut all = Vec::new();
        while let Some(cqe) = waiting.ring.pop() {
            all.push((cqe.user_data(), cqe.res()));
            waiting.ring.submit_and_wait(0).expect("entered");
        }
        all.sort_unstable();
        all
    };
    let polls = cancel(CancelMatch::opcode(Opcode::POLL_ADD).all());
    assert_eq!(polls, [(0, 2), (POLL_ONE, CANCELED), (POLL_TWO, CANCELED)]);
    let slot = cancel(CancelMatch::slot(0).with_user_data(READ_SLOT));
    assert_eq!(slot, [(0, 0), (READ_SLOT, CANCELED)]);
    let rest = cancel(CancelMatch::any());
    assert_eq!(rest, [(0, 2), (READ_ONE, CANCELED), (READ_TWO, CANCELED)]);
    assert_eq!(cancel(CancelMatch::user_data(1)), [(0, -libc::ENOENT)]);
}

#[test]
fn another_thread_cancels_unless_the_ring_is_pinned() {
    let mut waiting = Waiting::new();
    let ring = waiting.ring.ring_ref();
    let cancel = move || ring.sync_cancel(READ_ONE, None);
    assert_eq!(thread::spawn(cancel).join().expect("no panic"), Ok(()));
    waiting.expect(&[READ_ONE]);
    let pinned = pinned_ring();
    let ring = pinned.ring_ref();
    let cancel = move || ring.sync_cancel_match(&CancelMatch::any(), None);
    assert_eq!(
        thread::spawn(cancel).join().expect("no panic"),
        Err(Errno::EEXIST)
    );
    let gone = pinned.ring_ref();
    drop(pinned);
    assert_eq!(gone.sync_cancel(1, None), Err(Errno::EBADF));
}

#[test]
fn a_cancelled_operation_waits_no_more() {
    // The memory of a cancelled read is free once its completion was seen.
    let mut ring = ring();
    let (reader, _writer) = pipe();
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which is waited for below.
        unsafe { sqe.prep_read(reader.as_raw_fd(), start, 8, u64::MAX) }.set_user_data(1);
    });
    ring.submit().expect("submitted");
    let cqe = run(&mut ring, |sqe| {
        sqe.prep_cancel_match(&CancelMatch::user_data(1))
            .set_user_data(1);
    });
    let other = super::next(&mut ring);
    let mut results = [cqe.res(), other.res()];
    results.sort_unstable();
    assert_eq!(results, [CANCELED, 0]);
}

//! Pipes that the ring makes, as descriptors and in the file table.

use std::os::fd::{AsRawFd, OwnedFd};

use annulus_ring::{CURRENT_POSITION, Errno, Opcode, Ring, SqeFlags};
use annulus_syscalls::io_uring::register::io_uring_rsrc_register;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_FILES2;

use super::support::{entry, has, owned, reap_one, results, ring};

/// Registers a table of `count` empty slots.
fn register_empty_table(ring: &Ring, count: u32) {
    let sparse = 1;
    let table = io_uring_rsrc_register {
        nr: count,
        flags: sparse,
        ..io_uring_rsrc_register::default()
    };
    let arg = (&raw const table).expose_provenance();
    let size = size_of::<io_uring_rsrc_register>() as u32;
    // SAFETY: the request is read by the call, and names no memory.
    unsafe { ring.register(IORING_REGISTER_FILES2, arg, size) }.expect("registered");
}

fn made(ring: &mut Ring, flags: i32) -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut ends = [-1, -1];
    // SAFETY: `ends` outlives the completion, which is waited for.
    unsafe { entry(ring, 1).prep_pipe(&raw mut ends, flags) };
    reap_one(ring).result()?;
    Ok((owned(ends[0]), owned(ends[1])))
}

/// Writes through `writing` and reads through `reading`, which are slots if `flags` say so.
fn passes(ring: &mut Ring, reading: i32, writing: i32, flags: SqeFlags) {
    let sent = *b"through";
    let mut got = [0_u8; 7];
    // SAFETY: `sent` outlives the completion, which is waited for.
    unsafe { entry(ring, 10).prep_write(writing, sent.as_ptr(), 7, CURRENT_POSITION) }
        .add_flags(flags | SqeFlags::IO_LINK);
    // SAFETY: `got` outlives the completion, which is waited for.
    unsafe { entry(ring, 11).prep_read(reading, got.as_mut_ptr(), 7, CURRENT_POSITION) }
        .add_flags(flags);
    let ended = results(ring, 2);
    assert_eq!((ended[&10], ended[&11]), (Ok(7), Ok(7)));
    assert_eq!(got, sent);
}

#[test]
fn a_pipe_has_two_ends_with_the_flags_asked_for() {
    let mut ring = ring();
    if !has(&ring, Opcode::PIPE) {
        return;
    }
    let (reading, writing) = made(&mut ring, libc::O_CLOEXEC).expect("made");
    passes(
        &mut ring,
        reading.as_raw_fd(),
        writing.as_raw_fd(),
        SqeFlags::NONE,
    );
    let flags = |fd: &OwnedFd, command| {
        // SAFETY: takes no pointer.
        unsafe { libc::fcntl(fd.as_raw_fd(), command) }
    };
    assert_eq!(flags(&reading, libc::F_GETFD), libc::FD_CLOEXEC);
    let (reading, writing) = made(&mut ring, libc::O_NONBLOCK).expect("made");
    for end in [&reading, &writing] {
        assert_eq!(flags(end, libc::F_GETFD), 0);
        assert_ne!(flags(end, libc::F_GETFL) & libc::O_NONBLOCK, 0);
    }
}

#[test]
fn bad_flags_and_bad_memory_are_refused() {
    let mut ring = ring();
    if !has(&ring, Opcode::PIPE) {
        return;
    }
    assert_eq!(made(&mut ring, libc::O_TRUNC).map(drop), Err(Errno::EINVAL));
    // SAFETY: nowhere, which the kernel finds out.
    unsafe { entry(&mut ring, 1).prep_pipe(std::ptr::null_mut(), 0) };
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EFAULT));
}

#[test]
fn a_pipe_goes_to_two_slots_and_again_once_they_are_empty() {
    let mut ring = ring();
    if !has(&ring, Opcode::PIPE) {
        return;
    }
    register_empty_table(&ring, 4);
    let mut ends = [-1, -1];
    for _ in 0..3 {
        // 1. Slots 1 and 2, as asked for: the result does not name them.
        // SAFETY: `ends` outlives the completion, which is waited for.
        unsafe { entry(&mut ring, 1).prep_pipe(&raw mut ends, 0) }.set_direct_slot(1);
        assert_eq!(reap_one(&mut ring).result(), Ok(0));
        passes(&mut ring, 1, 2, SqeFlags::FIXED_FILE);
        // 2. Emptied, they can be taken again.
        entry(&mut ring, 2).prep_close_direct(1);
        entry(&mut ring, 3).prep_close_direct(2);
        let closed = results(&mut ring, 2);
        assert_eq!((closed[&2], closed[&3]), (Ok(0), Ok(0)));
        // 3. Or the kernel chooses, and tells which.
        // SAFETY: as above.
        unsafe { entry(&mut ring, 1).prep_pipe(&raw mut ends, 0) }.set_direct_alloc();
        assert_eq!(reap_one(&mut ring).result(), Ok(0));
        assert!(ends.iter().all(|slot| (0..4).contains(slot)), "{ends:?}");
        passes(&mut ring, ends[0], ends[1], SqeFlags::FIXED_FILE);
        for slot in ends {
            entry(&mut ring, 4).prep_close_direct(slot as u32);
            assert_eq!(reap_one(&mut ring).result(), Ok(0));
        }
    }
}

#[test]
fn a_pipe_that_finds_no_two_slots_leaves_none() {
    let mut ring = ring();
    if !has(&ring, Opcode::PIPE) {
        return;
    }
    register_empty_table(&ring, 1);
    let mut ends = [-1, -1];
    // SAFETY: `ends` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_pipe(&raw mut ends, 0) }.set_direct_alloc();
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::ENFILE));
    // The one slot is empty: it cannot be emptied.
    entry(&mut ring, 2).prep_close_direct(0);
    assert_eq!(reap_one(&mut ring).result(), Err(Errno::EBADF));
}

#[test]
fn the_end_of_file_follows_the_last_byte() {
    let mut ring = ring();
    if !has(&ring, Opcode::PIPE) {
        return;
    }
    let (reading, writing) = made(&mut ring, 0).expect("made");
    passes(
        &mut ring,
        reading.as_raw_fd(),
        writing.as_raw_fd(),
        SqeFlags::NONE,
    );
    let mut byte = [0_u8];
    let fd = reading.as_raw_fd();
    // SAFETY: `byte` outlives the completion, which is waited for.
    unsafe { entry(&mut ring, 1).prep_read(fd, byte.as_mut_ptr(), 1, CURRENT_POSITION) };
    ring.submit().expect("submitted");
    drop(writing);
    assert_eq!(reap_one(&mut ring).result(), Ok(0));
}

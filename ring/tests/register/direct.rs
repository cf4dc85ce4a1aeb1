//! Operations that open into the table of files, take a file out of it, or hand it on.

use std::ffi::CStr;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use annulus_ring::{
    Errno, FileTable, Message, Opcode, Ring, RingConfig, RingMemory, Sqe, SqeFlags,
};
use annulus_syscalls::io_uring::flags::file::IORING_FIXED_FD_NO_CLOEXEC;

use super::{
    assert_quiet, file_with, has, next_sorted, pipe, queue, read_slot, ring, run, skip_newer,
};

const ZERO: &CStr = c"/dev/zero";

/// Prepares an open of `path` for reading, the target of which is set afterwards.
fn open<'a>(sqe: &'a mut Sqe, path: &'static CStr) -> &'a mut Sqe {
    // SAFETY: the path is static.
    unsafe { sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY, 0) }
}

#[test]
fn an_open_goes_to_the_slot_that_it_names() {
    let mut ring = ring();
    let _table = FileTable::sparse(&ring, 4).expect("sparse");
    let cqe = run(&mut ring, |sqe| {
        open(sqe, ZERO).set_direct_slot(2);
    });
    assert_eq!(cqe.res(), 0, "the result names no descriptor");
    assert_eq!(read_slot(&mut ring, 2), Ok(vec![0; 16]));
    // Over what is there, but not beyond the end.
    let cqe = run(&mut ring, |sqe| {
        open(sqe, c"/dev/null").set_direct_slot(2);
    });
    assert_eq!(cqe.res(), 0);
    assert_eq!(read_slot(&mut ring, 2), Ok(vec![]));
    let cqe = run(&mut ring, |sqe| {
        open(sqe, ZERO).set_direct_slot(4);
    });
    assert_eq!(cqe.result(), Err(Errno::EINVAL));
    let close = |ring: &mut Ring, slot| {
        run(ring, |sqe| {
            sqe.prep_close_direct(slot);
        })
        .result()
    };
    assert_eq!(close(&mut ring, 2), Ok(0));
    assert_eq!(close(&mut ring, 2), Err(Errno::EBADF));
    assert_eq!(read_slot(&mut ring, 2), Err(Errno::EBADF));
}

#[test]
fn an_open_without_a_table_is_refused() {
    let mut ring = ring();
    let cqe = run(&mut ring, |sqe| {
        open(sqe, ZERO).set_direct_slot(0);
    });
    assert_eq!(cqe.result(), Err(Errno::ENXIO));
    assert_eq!(open_picked(&mut ring), Err(Errno::ENFILE));
}

fn open_picked(ring: &mut Ring) -> Result<u32, Errno> {
    let cqe = run(ring, |sqe| {
        open(sqe, ZERO).set_direct_alloc();
    });
    cqe.result()
}

#[test]
fn the_kernel_picks_free_slots_until_there_is_none() {
    let mut ring = ring();
    let file = file_with(b"x");
    let table = FileTable::register(&ring, &[-1, file.as_raw_fd(), -1]).expect("registered");
    assert_eq!(open_picked(&mut ring), Ok(0));
    assert_eq!(open_picked(&mut ring), Ok(2), "slot 1 is taken");
    assert_eq!(open_picked(&mut ring), Err(Errno::ENFILE));
    let cqe = run(&mut ring, |sqe| {
        sqe.prep_close_direct(1);
    });
    assert_eq!(cqe.res(), 0);
    assert_eq!(open_picked(&mut ring), Ok(1));
    table.unregister().expect("unregistered");
}

#[test]
fn the_kernel_picks_in_its_range_only_and_goes_round_in_it() {
    let mut ring = ring();
    let mut table = FileTable::sparse(&ring, 10).expect("sparse");
    if let Err(errno) = table.set_alloc_range(4..7) {
        return skip_newer("range for the kernel's picks", errno);
    }
    let picks = [(); 4].map(|()| open_picked(&mut ring));
    assert_eq!(picks, [Ok(4), Ok(5), Ok(6), Err(Errno::ENFILE)]);
    // A slot that becomes free is found, before or behind the last pick.
    for slot in [5, 4, 6] {
        let cqe = run(&mut ring, |sqe| {
            sqe.prep_close_direct(slot);
        });
        assert_eq!(cqe.res(), 0);
        assert_eq!(open_picked(&mut ring), Ok(slot));
    }
    // By name every slot can be had, and the range can move.
    let cqe = run(&mut ring, |sqe| {
        open(sqe, ZERO).set_direct_slot(9);
    });
    assert_eq!(cqe.res(), 0);
    table.set_alloc_range(8..10).expect("moved");
    assert_eq!(open_picked(&mut ring), Ok(8));
    assert_eq!(open_picked(&mut ring), Err(Errno::ENFILE));
    table.set_alloc_range(0..0).expect("nothing to pick");
    assert_eq!(open_picked(&mut ring), Err(Errno::ENFILE));
    assert_eq!(table.claim().expect("free").index(), 0);
}

#[test]
fn an_open_is_used_by_what_is_linked_to_it() {
    let mut ring = ring();
    let _table = FileTable::sparse(&ring, 1).expect("sparse");
    let mut buf = [7; 32];
    let start = buf.as_mut_ptr();
    // Twice: the second round's slot is used again, and the read must not see the old file.
    for (path, read) in [(ZERO, 32), (c"/dev/null", 0)] {
        queue(&mut ring, |sqe| {
            open(sqe, path).set_direct_slot(0);
            sqe.set_flags(SqeFlags::IO_LINK).set_user_data(1);
        });
        queue(&mut ring, |sqe| {
            // SAFETY: `buf` stays until all completions were seen, below.
            let sqe = unsafe { sqe.prep_read(0, start, 32, 0) };
            // A short read would cut a soft link.
            sqe.set_flags(SqeFlags::FIXED_FILE | SqeFlags::IO_HARDLINK);
            sqe.set_user_data(2);
        });
        queue(&mut ring, |sqe| {
            sqe.prep_close_direct(0).set_user_data(3);
        });
        let done = next_sorted(&mut ring, 3);
        assert_eq!(done, [(1, 0), (2, read), (3, 0)]);
    }
    assert_eq!(buf, [0; 32]);
    assert_eq!(read_slot(&mut ring, 0), Err(Errno::EBADF));
}

#[test]
fn a_linked_operation_uses_the_slot_as_the_link_left_it() {
    let mut ring = ring();
    let old = file_with(b"old file");
    let _table = FileTable::register(&ring, &[old.as_raw_fd()]).expect("registered");
    let mut buf = [7; 8];
    let start = buf.as_mut_ptr();
    queue(&mut ring, |sqe| {
        open(sqe, ZERO).set_direct_slot(0);
        sqe.set_flags(SqeFlags::IO_LINK).set_user_data(1);
    });
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until both completions were seen, below.
        let sqe = unsafe { sqe.prep_read(0, start, 8, 0) };
        sqe.set_flags(SqeFlags::FIXED_FILE).set_user_data(2);
    });
    assert_eq!(next_sorted(&mut ring, 2), [(1, 0), (2, 8)]);
    assert_eq!(buf, [0; 8], "read from the new file");
}

#[test]
fn a_close_in_a_link_comes_after_the_operation_before_it() {
    let mut ring = ring();
    let (reader, mut writer) = pipe();
    let _table = FileTable::register(&ring, &[reader.as_raw_fd()]).expect("registered");
    drop(reader);
    let mut buf = [0; 8];
    let start = buf.as_mut_ptr();
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which is waited for below.
        let sqe = unsafe { sqe.prep_read(0, start, 8, u64::MAX) };
        sqe.set_flags(SqeFlags::FIXED_FILE | SqeFlags::IO_HARDLINK);
        sqe.set_user_data(1);
    });
    queue(&mut ring, |sqe| {
        sqe.prep_close_direct(0).set_user_data(2);
    });
    // A nop that must wait for both.
    queue(&mut ring, |sqe| {
        sqe.prep_nop()
            .set_flags(SqeFlags::IO_DRAIN)
            .set_user_data(3);
    });
    assert_quiet(&mut ring);
    writer.write_all(b"data").expect("the slot is open");
    assert_eq!(next_sorted(&mut ring, 3), [(1, 4), (2, 0), (3, 0)]);
    assert!(writer.write_all(b"more").is_err(), "nobody reads any more");
}

fn install(ring: &mut Ring, slot: u32, flags: u32) -> Result<OwnedFd, Errno> {
    let cqe = run(ring, |sqe| {
        sqe.prep_fixed_fd_install(slot, flags);
    });
    let fd = cqe.result()? as i32;
    // SAFETY: just made, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn closes_on_exec(fd: &OwnedFd) -> bool {
    // SAFETY: takes numbers only.
    let flags = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) };
    flags & libc::FD_CLOEXEC != 0
}

#[test]
fn a_file_of_the_table_becomes_a_descriptor() {
    let mut ring = ring();
    if !has(&ring, Opcode::FIXED_FD_INSTALL) {
        return;
    }
    let file = file_with(b"installed");
    let table = FileTable::register(&ring, &[-1, file.as_raw_fd()]).expect("registered");
    let plain = install(&mut ring, 1, 0).expect("installed");
    let kept = install(&mut ring, 1, IORING_FIXED_FD_NO_CLOEXEC).expect("installed");
    assert!(closes_on_exec(&plain) && !closes_on_exec(&kept));
    assert_eq!(
        install(&mut ring, 0, 0).map(drop),
        Err(Errno::EBADF),
        "empty"
    );
    assert_eq!(
        install(&mut ring, 2, 0).map(drop),
        Err(Errno::EBADF),
        "beyond"
    );
    assert_eq!(install(&mut ring, 1, 1 << 7).map(drop), Err(Errno::EINVAL));
    let cqe = run(&mut ring, |sqe| {
        sqe.prep_fixed_fd_install(1, 0).set_flags(SqeFlags::NONE);
    });
    assert_eq!(cqe.result(), Err(Errno::EBADF), "not an index of the table");
    // The descriptor does not need the slot any more.
    table.unregister().expect("unregistered");
    drop(file);
    let copy = std::fs::File::from(plain);
    assert_eq!(
        std::os::unix::fs::FileExt::read_at(&copy, &mut [0; 16], 0).ok(),
        Some(9)
    );
}

/// Passes the file of slot `source` on to slot `to`, or to one that the kernel picks.
fn pass(ring: &mut Ring, target: &Ring, source: u32, to: Option<u32>) -> Result<u32, Errno> {
    let fd = target.fd();
    let cqe = run(ring, |sqe| {
        sqe.prep_msg_ring_fd(fd, source, to.unwrap_or(0), 9, 0);
        if to.is_none() {
            sqe.set_direct_alloc();
        }
    });
    cqe.result()
}

#[test]
fn a_file_goes_from_table_to_table() {
    let (mut here, mut there) = (ring(), ring());
    let file = file_with(b"passed on");
    let _source = FileTable::register(&here, &[file.as_raw_fd(), -1]).expect("registered");
    drop(file);
    assert_eq!(
        pass(&mut here, &there, 0, Some(1)),
        Err(Errno::ENXIO),
        "no table there"
    );
    let _target = FileTable::sparse(&there, 2).expect("sparse");
    // To a slot that is named.
    assert_eq!(pass(&mut here, &there, 0, Some(1)), Ok(0));
    let cqe = there.pop().expect("told");
    assert_eq!((cqe.user_data(), cqe.res()), (9, 0));
    assert_eq!(read_slot(&mut there, 1), Ok(b"passed on".to_vec()));
    // To one that the kernel picks, which both sides learn.
    assert_eq!(pass(&mut here, &there, 0, None), Ok(0));
    assert_eq!(there.pop().map(|cqe| cqe.res()), Some(0));
    assert_eq!(read_slot(&mut there, 0), Ok(b"passed on".to_vec()));
    assert_eq!(pass(&mut here, &there, 0, None), Err(Errno::ENFILE));
    assert_eq!(
        pass(&mut here, &there, 1, Some(0)),
        Err(Errno::EBADF),
        "empty here"
    );
    assert_eq!(
        pass(&mut here, &there, 0, Some(2)),
        Err(Errno::EINVAL),
        "beyond"
    );
    assert_eq!(there.pop(), None);
}

#[test]
fn a_ring_cannot_pass_a_file_to_itself() {
    let mut ring = ring();
    let file = file_with(b"x");
    let _table = FileTable::register(&ring, &[file.as_raw_fd(), -1]).expect("registered");
    let fd = ring.fd();
    let cqe = run(&mut ring, |sqe| {
        sqe.prep_msg_ring_fd(fd, 0, 1, 9, 0);
    });
    assert_eq!(cqe.result(), Err(Errno::EINVAL));
}

#[test]
fn a_pipe_is_made_in_two_slots() {
    let mut ring = ring();
    if !has(&ring, Opcode::PIPE) {
        return;
    }
    let _table = FileTable::sparse(&ring, 4).expect("sparse");
    let mut slots = [-1; 2];
    let ends = &raw mut slots;
    let make = |ring: &mut Ring| {
        let cqe = run(ring, |sqe| {
            // SAFETY: `slots` stays until the completion, which `run` waits for.
            unsafe { sqe.prep_pipe(ends, 0) }.set_direct_alloc();
        });
        cqe.result()
    };
    assert_eq!(make(&mut ring), Ok(0));
    assert_eq!(slots, [0, 1]);
    let mut buf = [0; 4];
    let (from, to) = (c"pipe".as_ptr().cast::<u8>(), buf.as_mut_ptr());
    queue(&mut ring, |sqe| {
        // SAFETY: the bytes are static.
        let sqe = unsafe { sqe.prep_write(1, from, 4, 0) };
        sqe.set_flags(SqeFlags::FIXED_FILE | SqeFlags::IO_LINK);
        sqe.set_user_data(1);
    });
    queue(&mut ring, |sqe| {
        // SAFETY: `buf` stays until the completion, which is waited for below.
        let sqe = unsafe { sqe.prep_read(0, to, 4, 0) };
        sqe.set_flags(SqeFlags::FIXED_FILE).set_user_data(2);
    });
    assert_eq!(next_sorted(&mut ring, 2), [(1, 4), (2, 4)]);
    assert_eq!(&buf, b"pipe");
    assert_eq!(make(&mut ring), Ok(0));
    assert_eq!(slots, [2, 3]);
    assert_eq!(make(&mut ring), Err(Errno::ENFILE));
}

#[test]
fn an_operation_of_the_ring_updates_the_table() {
    let mut ring = ring();
    let _table = FileTable::sparse(&ring, 2).expect("sparse");
    let file = file_with(b"updated");
    let mut fds = [file.as_raw_fd()];
    let start = fds.as_mut_ptr();
    let update = |ring: &mut Ring, offset| {
        let cqe = run(ring, |sqe| {
            // SAFETY: `fds` stays until the completion, which `run` waits for.
            unsafe { sqe.prep_files_update(start, 1, offset) };
        });
        cqe.result()
    };
    assert_eq!(update(&mut ring, 1), Ok(1));
    assert_eq!(read_slot(&mut ring, 1), Ok(b"updated".to_vec()));
    assert_eq!(update(&mut ring, 2), Err(Errno::EINVAL));
}

#[test]
fn an_update_that_lets_the_kernel_choose_says_what_it_chose() {
    let mut ring = ring();
    let _table = FileTable::sparse(&ring, 3).expect("sparse");
    let file = file_with(b"chosen");
    let fd = file.as_raw_fd();
    let update = |ring: &mut Ring, fds: &mut [i32]| {
        let (start, count) = (fds.as_mut_ptr(), fds.len() as u32);
        let cqe = run(ring, |sqe| {
            // SAFETY: `fds` stays until the completion, which `run` waits for.
            unsafe { sqe.prep_files_update_alloc(start, count) };
        });
        cqe.result()
    };
    let mut fds = [fd; 2];
    assert_eq!(update(&mut ring, &mut fds), Ok(2));
    assert_eq!(fds, [0, 1]);
    assert_eq!(read_slot(&mut ring, 1), Ok(b"chosen".to_vec()));
    // One slot is left, for the first of two.
    let mut fds = [fd; 2];
    assert_eq!(update(&mut ring, &mut fds), Ok(1));
    assert_eq!(fds[0], 2);
    assert_eq!(update(&mut ring, &mut [fd]), Err(Errno::ENFILE));
}

#[test]
fn a_ring_without_a_descriptor_has_a_table_too() {
    let config = RingConfig {
        sq_entries: 8,
        registered_fd_only: true,
        ..RingConfig::default()
    };
    let bytes = RingMemory::bytes_for(&config).expect("a size");
    let memory = RingMemory::new(bytes).expect("memory");
    let mut ring = match Ring::on_memory(&config, memory) {
        Ok(ring) => ring,
        Err(errno) => return skip_newer("rings without a descriptor", errno),
    };
    let file = file_with(b"by index");
    let mut table = FileTable::register(&ring, &[-1, -1]).expect("registered");
    assert_eq!(table.update(1, &[file.as_raw_fd()]), Ok(1));
    assert_eq!(read_slot(&mut ring, 1), Ok(b"by index".to_vec()));
    table.unregister().expect("unregistered");
    let message = Message {
        user_data: 7,
        res: 42,
        cqe_flags: None,
    };
    assert_eq!(ring.ring_ref().send(&message), Err(Errno::EBADF));
}

//! Files and names, which threads serve.

use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use annulus_ring::{CURRENT_POSITION, Errno, Ring, SqeFlags};

use crate::both::{Seen, emulated, fd_of, now, on_both, push, reap, reap_sorted};
use crate::support::{TempDir, TempFile, pattern, pipe};

#[test]
fn a_file_is_written_synced_and_read_at_positions() {
    on_both(|ring| {
        let file = TempFile::with(b"0123456789");
        let fd = file.fd();
        let mut buf = [0_u8; 8];
        let start = buf.as_mut_ptr();
        let mut all = Vec::new();
        push(ring, 0, |sqe| {
            // SAFETY: the data is static.
            unsafe { sqe.prep_write(fd, b"abc".as_ptr(), 3, 4) };
            sqe.set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 1, |sqe| {
            sqe.prep_fsync(fd, 0).set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 2, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_read(fd, start, 8, 2) };
        });
        all.extend(reap(ring, 3));
        for (nth, offset) in [0, CURRENT_POSITION, CURRENT_POSITION, 100]
            .into_iter()
            .enumerate()
        {
            push(ring, 10 + nth as u64, |sqe| {
                // SAFETY: as above.
                unsafe { sqe.prep_read(fd, start, 8, offset) };
            });
            all.extend(reap(ring, 1));
        }
        (all, file.content())
    });
}

#[test]
fn a_read_of_which_memory_has_a_part_is_whole() {
    const BYTES: usize = 1 << 18;
    on_both(|ring| {
        let content = pattern(BYTES);
        let file = TempFile::with(&content);
        file.file().sync_all().expect("synced");
        // 1. Memory has the start of it alone: nothing is read ahead.
        for advice in [libc::POSIX_FADV_DONTNEED, libc::POSIX_FADV_RANDOM] {
            // SAFETY: takes numbers only.
            let advised = unsafe { libc::posix_fadvise(file.fd(), 0, 0, advice) };
            assert_eq!(advised, 0);
        }
        let mut start = [0; 8192];
        file.file().read_exact_at(&mut start, 0).expect("read");
        // 2. All of it, and what would be behind it.
        let mut buf = vec![0_u8; BYTES + 1];
        let (first, rest) = buf.split_at_mut(10_000);
        let parts = [first, rest].map(|part| libc::iovec {
            iov_base: part.as_mut_ptr().cast(),
            iov_len: part.len(),
        });
        push(ring, 0, |sqe| {
            // SAFETY: parts and buffer outlive the completion.
            unsafe { sqe.prep_readv(file.fd(), parts.as_ptr().cast(), 2, 0, 0) };
        });
        let seen = reap(ring, 1);
        assert_eq!(seen, [(0, Ok(BYTES as u32), 0)]);
        assert!(buf[..BYTES] == content[..]);
        seen
    });
}

#[test]
fn a_short_read_breaks_its_chain() {
    on_both(|ring| {
        let file = TempFile::with(b"short");
        let mut buf = [0_u8; 8];
        let start = buf.as_mut_ptr();
        push(ring, 0, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_read(file.fd(), start, 8, 0) };
            sqe.set_flags(SqeFlags::IO_LINK);
        });
        push(ring, 1, |sqe| {
            sqe.prep_nop();
        });
        reap_sorted(ring, 2)
    });
}

/// What becomes of a name, step by step.
fn names(ring: &mut Ring) -> Vec<Seen> {
    let dir = TempDir::new();
    let open = dir.open();
    let at = open.as_raw_fd();
    let mut all = Vec::new();
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC;
    for user_data in 0..2 {
        push(ring, user_data, |sqe| {
            // SAFETY: the path is static.
            unsafe { sqe.prep_openat(at, c"file".as_ptr(), flags, 0o600) };
        });
        let mut seen = reap(ring, 1)[0];
        if seen.1.is_ok() {
            drop(fd_of(&seen));
            seen.1 = Ok(0);
        }
        all.push(seen);
    }
    type Names = fn(&mut annulus_ring::Sqe, i32) -> &mut annulus_ring::Sqe;
    let steps: [Names; 9] = [
        // SAFETY: the path is static.
        |sqe, at| unsafe { sqe.prep_mkdirat(at, c"dir".as_ptr(), 0o700) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_mkdirat(at, c"dir".as_ptr(), 0o700) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_linkat(at, c"file".as_ptr(), at, c"link".as_ptr(), 0) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_symlinkat(c"file".as_ptr(), at, c"soft".as_ptr()) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_renameat(at, c"file".as_ptr(), at, c"dir/moved".as_ptr(), 0) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_unlinkat(at, c"file".as_ptr(), 0) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_unlinkat(at, c"dir".as_ptr(), libc::AT_REMOVEDIR) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_unlinkat(at, c"dir/moved".as_ptr(), 0) },
        // SAFETY: as above.
        |sqe, at| unsafe { sqe.prep_unlinkat(at, c"dir".as_ptr(), libc::AT_REMOVEDIR) },
    ];
    for (nth, step) in steps.iter().enumerate() {
        push(ring, 10 + nth as u64, |sqe| {
            step(sqe, at);
        });
        all.extend(reap(ring, 1));
    }
    all
}

#[test]
fn names_come_and_go() {
    let all = on_both(names);
    assert_eq!(all[1].1, Err(Errno::EEXIST));
}

#[test]
fn a_pipe_is_read_when_there_is_something_blocking_or_not() {
    for flags in [0, libc::O_NONBLOCK] {
        on_both(|ring| {
            let (reader, mut writer) = pipe(flags);
            let mut buf = [0_u8; 8];
            let start = buf.as_mut_ptr();
            push(ring, 0, |sqe| {
                // SAFETY: the buffer outlives the completion.
                unsafe { sqe.prep_read(reader.as_raw_fd(), start, 8, CURRENT_POSITION) };
            });
            assert_eq!(now(ring), [], "it waits");
            std::io::Write::write_all(&mut writer, b"data").expect("written");
            let mut all = reap(ring, 1);
            drop(writer);
            push(ring, 1, |sqe| {
                // SAFETY: as above.
                unsafe { sqe.prep_read(reader.as_raw_fd(), start, 8, CURRENT_POSITION) };
            });
            all.extend(reap(ring, 1));
            all
        });
    }
}

#[test]
fn a_waiting_read_of_a_pipe_is_cancelled() {
    for flags in [0, libc::O_NONBLOCK] {
        on_both(|ring| {
            let (reader, _writer) = pipe(flags);
            let mut buf = [0_u8; 8];
            let start = buf.as_mut_ptr();
            push(ring, 0, |sqe| {
                // SAFETY: the buffer outlives the completion.
                unsafe { sqe.prep_read(reader.as_raw_fd(), start, 8, CURRENT_POSITION) };
            });
            assert_eq!(now(ring), []);
            push(ring, 1, |sqe| {
                sqe.prep_cancel64(0, 0);
            });
            reap_sorted(ring, 2)
        });
    }
}

#[test]
fn many_files_are_read_at_once() {
    let mut ring = emulated();
    let content = crate::support::pattern(4096);
    let file = TempFile::with(&content);
    let mut bufs = vec![vec![0_u8; 4096]; 200];
    for (nth, buf) in bufs.iter_mut().enumerate() {
        let start = buf.as_mut_ptr();
        push(&mut ring, nth as u64, |sqe| {
            // SAFETY: the buffer outlives the completion.
            unsafe { sqe.prep_read(file.fd(), start, 4096, 0) };
        });
    }
    let all = reap_sorted(&mut ring, 200);
    assert!(all.iter().all(|seen| seen.1 == Ok(4096)), "{all:?}");
    assert!(bufs.iter().all(|buf| *buf == content));
}

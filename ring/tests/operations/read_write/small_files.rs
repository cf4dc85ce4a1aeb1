//! Files whose reads are always short, or are not what they seem: counters, timers, terminals,
//! files of the kernel.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{null, null_mut};

use annulus_ring::{CURRENT_POSITION, Cqe, Errno, Ring, SqeFlags};

use crate::support::{
    collect, of, openat, owned, push, read, readv, register_files, result, ring, skip_feature,
    write,
};

fn eventfd(flags: i32) -> OwnedFd {
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::eventfd(0, flags | libc::EFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: just made, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[test]
fn a_counter_fills_eight_bytes_of_a_larger_buffer_and_is_not_asked_again() {
    let mut ring = ring();
    for flags in [0, libc::EFD_NONBLOCK] {
        let counter = eventfd(flags);
        let fd = counter.as_raw_fd();
        let mut buf = [0xff_u8; 64];
        let start = buf.as_mut_ptr();
        // SAFETY: `buf` outlives the completion.
        push(&mut ring, 1, |sqe| unsafe {
            sqe.prep_read(fd, start, 64, CURRENT_POSITION)
        });
        ring.submit().expect("submitted");
        assert_eq!(ring.cq_ready(), 0, "it waits");
        push(&mut ring, 2, |sqe| {
            // SAFETY: the data is a constant.
            unsafe { sqe.prep_write(fd, [1_u8, 0, 0, 0, 0, 0, 0, 0].as_ptr(), 8, 0) }
        });
        let cqes = collect(&mut ring, 2);
        assert_eq!(of(&cqes, 1).result(), Ok(8));
        assert_eq!(buf[..8], 1_u64.to_ne_bytes());
        assert_eq!(buf[8..], [0xff; 56]);
    }
}

#[test]
fn a_vectored_read_of_a_counter_is_short_too() {
    let mut ring = ring();
    let counter = eventfd(0);
    assert_eq!(
        write(&mut ring, counter.as_raw_fd(), &7_u64.to_ne_bytes(), 0),
        Ok(8)
    );
    let (mut first, mut second) = ([0xff_u8; 8], [0xff_u8; 8]);
    let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(
        readv(&mut ring, counter.as_raw_fd(), &mut bufs, 0, 0),
        Ok(8)
    );
    assert_eq!((first, second), (7_u64.to_ne_bytes(), [0xff; 8]));
}

#[test]
fn a_timer_fills_eight_bytes_of_a_larger_buffer_and_is_not_asked_again() {
    let mut ring = ring();
    // SAFETY: takes numbers only.
    let fd = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
    assert!(fd >= 0);
    // SAFETY: just made, and nobody else's.
    let timer = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut buf = [0xff_u8; 64];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read(timer.as_raw_fd(), start, 64, CURRENT_POSITION)
    });
    ring.submit().expect("submitted");
    assert_eq!(ring.cq_ready(), 0, "it waits");
    let soon = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: libc::timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        },
    };
    // SAFETY: `soon` is valid for reads, and no old value is asked for.
    let set = unsafe {
        libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const soon, std::ptr::null_mut())
    };
    assert_eq!(set, 0);
    assert_eq!(collect(&mut ring, 1)[0].result(), Ok(8));
    assert_eq!(buf[..8], 1_u64.to_ne_bytes(), "it ran out once");
    assert_eq!(buf[8..], [0xff; 56]);
}

/// Reads all of `fd` in pieces of `size`.
fn all(ring: &mut Ring, fd: i32, size: usize, vectored: bool) -> Vec<u8> {
    let mut back = Vec::new();
    loop {
        let mut buf = vec![0; size];
        let len = if vectored {
            readv(
                ring,
                fd,
                &mut [IoSliceMut::new(&mut buf)],
                CURRENT_POSITION,
                0,
            )
        } else {
            read(ring, fd, &mut buf, CURRENT_POSITION)
        };
        let len = len.expect("read") as usize;
        if len == 0 {
            return back;
        }
        back.extend_from_slice(&buf[..len]);
    }
}

#[test]
fn a_file_that_the_kernel_writes_as_it_is_read_comes_in_pieces_and_whole() {
    let mut ring = ring();
    // It does not change while the system runs.
    let path = "/proc/filesystems";
    let expected = std::fs::read(path).expect("read");
    for vectored in [false, true] {
        for size in [7, 100, 1 << 16] {
            let file = File::open(path).expect("opened");
            let back = all(&mut ring, file.as_raw_fd(), size, vectored);
            assert_eq!(back, expected, "in pieces of {size}");
        }
    }
    // The largest such file there is.
    let Ok(symbols) = File::open("/proc/kallsyms") else {
        return skip_feature("this kernel shows no symbols");
    };
    let back = all(&mut ring, symbols.as_raw_fd(), 1 << 16, true);
    assert_eq!(back.last().copied().unwrap_or(b'\n'), b'\n');
}

/// The content of the file at `path`, opened and read with these flags.
fn content(path: &std::ffi::CStr, flags: SqeFlags) -> String {
    let mut ring = ring();
    // SAFETY: `path` outlives the completion.
    let opened = result(&mut ring, |sqe| unsafe {
        sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), libc::O_CLOEXEC, 0)
            .add_flags(flags)
    });
    let file = owned(opened).expect("opened");
    let mut buf = [0_u8; 64];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    let len = result(&mut ring, |sqe| unsafe {
        sqe.prep_read(file.as_raw_fd(), start, 64, 0)
            .add_flags(flags)
    });
    let len = len.expect("read") as usize;
    String::from_utf8_lossy(&buf[..len]).into_owned()
}

#[test]
fn the_files_of_oneself_are_one_s_own_even_when_a_worker_opens_and_reads_them() {
    let thread = std::thread::Builder::new().name("annulus-self".into());
    let thread = thread.spawn(|| {
        let start = format!("{} ", std::process::id());
        for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
            let stat = content(c"/proc/self/stat", flags);
            assert!(stat.starts_with(&start), "{stat}");
        }
        // Those of the thread are those of whichever thread opened them: a path that is not
        // cached is followed by a worker, without having been asked for.
        let name = content(c"/proc/thread-self/comm", SqeFlags::ASYNC);
        assert!(name.starts_with("iou-wrk-"), "{name}");
    });
    thread.expect("a thread").join().expect("no panic");
}

/// A pseudo terminal: our end, and the terminal.
fn terminal() -> Option<(File, File)> {
    let (mut ours, mut theirs) = (0, 0);
    let (name, modes, size) = (null_mut(), null(), null());
    // SAFETY: both ends are valid for writes; no name, modes or size.
    let made = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, name, modes, size) };
    if made != 0 {
        skip_feature("there are no pseudo terminals");
        return None;
    }
    // SAFETY: just made, and nobody else's.
    let [ours, theirs] = [ours, theirs].map(|fd| unsafe { File::from_raw_fd(fd) });
    Some((ours, theirs))
}

#[test]
fn many_writes_to_a_terminal_that_never_blocks_all_arrive() {
    let Some((mut ours, theirs)) = terminal() else {
        return;
    };
    let mut ring = ring();
    let fd = theirs.as_raw_fd();
    // SAFETY: takes numbers only.
    let set = unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
    register_files(&ring, &[fd]).expect("registered");
    // 1. More than the terminal holds, so that some of them wait for room.
    const WRITES: usize = 48;
    const BYTES: usize = 256;
    let line = [b'x'; BYTES];
    let start = line.as_ptr();
    for user_data in 0..WRITES {
        // SAFETY: `line` outlives the completions.
        push(&mut ring, user_data as u64, |sqe| unsafe {
            sqe.prep_write(0, start, BYTES as u32, CURRENT_POSITION)
                .add_flags(SqeFlags::FIXED_FILE)
        });
    }
    ring.submit().expect("submitted");
    // 2. Read at the other end as long as writes complete.
    let reader = std::thread::spawn(move || {
        let mut total = 0;
        let mut buf = [0; 1024];
        while let Ok(len) = ours.read(&mut buf) {
            if len == 0 || buf[..len].contains(&b'.') {
                return total + len;
            }
            total += len;
        }
        total
    });
    let cqes = collect(&mut ring, WRITES);
    let written: u32 = cqes.iter().map(|cqe| cqe.result().expect("written")).sum();
    assert!(written > 0 && written as usize <= WRITES * BYTES);
    // 3. A full stop ends it.
    // SAFETY: takes numbers only.
    unsafe { libc::fcntl(fd, libc::F_SETFL, 0) };
    (&theirs).write_all(b".").expect("written");
    assert_eq!(reader.join().expect("no panic"), written as usize + 1);
}

#[test]
fn a_read_of_a_terminal_waits_for_a_line() {
    let Some((ours, theirs)) = terminal() else {
        return;
    };
    let mut ring = ring();
    let mut buf = [0_u8; 16];
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read(theirs.as_raw_fd(), start, 16, CURRENT_POSITION)
    });
    ring.submit().expect("submitted");
    (&ours).write_all(b"one line\n").expect("written");
    assert_eq!(collect(&mut ring, 1)[0], Cqe::synthetic(1, 9, 0));
    assert_eq!(&buf[..9], b"one line\n");
}

#[test]
fn a_read_of_the_ring_itself_waits_for_a_completion_and_is_then_refused() {
    let mut ring = ring();
    let fd = ring.fd();
    let mut buf = [0_u8; 8];
    assert_eq!(write(&mut ring, fd, &buf, 0), Err(Errno::EINVAL));
    let start = buf.as_mut_ptr();
    // SAFETY: `buf` outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read(fd, start, 8, 0)
    });
    ring.submit().expect("submitted");
    assert_eq!(
        ring.cq_ready(),
        0,
        "a ring is readable when completions wait"
    );
    push(&mut ring, 2, |sqe| sqe.prep_nop());
    let cqes = collect(&mut ring, 2);
    assert_eq!(of(&cqes, 1).result(), Err(Errno::EINVAL));
    assert_eq!(of(&cqes, 2).result(), Ok(0));
}

#[test]
fn devices_that_are_always_ready_answer_at_once() {
    let mut ring = ring();
    let zero = openat(&mut ring, libc::AT_FDCWD, c"/dev/zero", libc::O_RDONLY, 0).expect("opened");
    let null = openat(&mut ring, libc::AT_FDCWD, c"/dev/null", libc::O_RDWR, 0).expect("opened");
    let full = openat(&mut ring, libc::AT_FDCWD, c"/dev/full", libc::O_WRONLY, 0).expect("opened");
    let mut buf = [1; 100];
    assert_eq!(read(&mut ring, zero.as_raw_fd(), &mut buf, 0), Ok(100));
    assert_eq!(buf, [0; 100]);
    assert_eq!(write(&mut ring, null.as_raw_fd(), &buf, 0), Ok(100));
    assert_eq!(read(&mut ring, null.as_raw_fd(), &mut buf, 0), Ok(0));
    assert_eq!(
        write(&mut ring, full.as_raw_fd(), &buf, 0),
        Err(Errno::ENOSPC)
    );
}

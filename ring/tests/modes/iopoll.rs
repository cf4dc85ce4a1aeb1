//! IOPOLL and HYBRID_IOPOLL: completions are looked for at the device, in an enter.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use annulus_ring::{Errno, Ring, RingConfig};
use annulus_syscalls::io_uring::setup;

use super::{nop_works, push_nop, skip, small};

const PAGE_BYTES: usize = 4096;
const PAGES: usize = 8;

/// Memory that O_DIRECT takes.
#[repr(align(4096))]
#[derive(Clone)]
struct Page([u8; PAGE_BYTES]);

fn page(byte: u8) -> Box<Page> {
    Box::new(Page([byte; PAGE_BYTES]))
}

fn iopoll() -> RingConfig {
    RingConfig {
        iopoll: true,
        ..small()
    }
}

/// A file of some pages on this machine's disk; each page is filled with its number. It has no
/// name any more.
struct OnDisk {
    path: PathBuf,
}

impl OnDisk {
    fn new() -> OnDisk {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("iopoll-{}-{number}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let bytes: Vec<u8> = (0..PAGES)
            .flat_map(|number| [number as u8; PAGE_BYTES])
            .collect();
        std::fs::write(&path, bytes).expect("written");
        let file = File::open(&path).expect("opened");
        file.sync_all().expect("on disk");
        OnDisk { path }
    }

    fn open(&self, flags: i32) -> std::io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(&self.path)
    }

    /// `None`, with a line that says so, where the file system has no direct I/O.
    fn direct(&self) -> Option<File> {
        match self.open(libc::O_DIRECT) {
            Ok(file) => Some(file),
            Err(error) => {
                skip(&format!("no O_DIRECT here: {error}"));
                None
            }
        }
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Enters until a completion is there: a polling enter may come back with fewer than asked for.
fn wait_for_one(ring: &mut Ring) -> annulus_ring::Cqe {
    loop {
        if let Some(cqe) = ring.pop() {
            return cqe;
        }
        ring.enter(1, None).expect("entered");
    }
}

fn read(ring: &mut Ring, file: &File, into: &mut Page, number: usize) -> Result<u32, Errno> {
    let sqe = ring.get_sqe().expect("room");
    let offset = (number * PAGE_BYTES) as u64;
    // SAFETY: the page is borrowed until the completion, which is waited for.
    unsafe { sqe.prep_read(file.as_raw_fd(), into.0.as_mut_ptr(), 4096, offset) };
    wait_for_one(ring).result()
}

fn write(ring: &mut Ring, file: &File, from: &Page, number: usize) -> Result<u32, Errno> {
    let sqe = ring.get_sqe().expect("room");
    let offset = (number * PAGE_BYTES) as u64;
    // SAFETY: the page is borrowed until the completion, which is waited for.
    unsafe { sqe.prep_write(file.as_raw_fd(), from.0.as_ptr(), 4096, offset) };
    wait_for_one(ring).result()
}

fn reads_and_writes_are_polled(config: &RingConfig) {
    let on_disk = OnDisk::new();
    let Some(file) = on_disk.direct() else { return };
    let mut ring = Ring::new(config).expect("a ring");
    for number in 0..PAGES {
        let mut into = page(0xff);
        match read(&mut ring, &file, &mut into, number) {
            Ok(count) => assert_eq!(count, 4096),
            Err(errno) => {
                assert_eq!(errno, Errno::EOPNOTSUPP);
                return skip("this disk has no polling queues");
            }
        }
        assert!(into.0.iter().all(|byte| usize::from(*byte) == number));
        let from = page(0xa0 + number as u8);
        assert_eq!(write(&mut ring, &file, &from, number), Ok(4096));
        assert_eq!(read(&mut ring, &file, &mut into, number), Ok(4096));
        assert!(into.0 == from.0);
    }
}

#[test]
fn direct_reads_and_writes_are_polled() {
    reads_and_writes_are_polled(&iopoll());
}

#[test]
fn direct_reads_and_writes_are_polled_after_a_sleep() {
    let config = RingConfig {
        hybrid_iopoll: true,
        ..iopoll()
    };
    match Ring::new(&config) {
        Ok(ring) => assert_ne!(ring.setup_flags() & setup::IORING_SETUP_HYBRID_IOPOLL, 0),
        Err(errno) => {
            assert_eq!(errno, Errno::EINVAL);
            return skip("HYBRID_IOPOLL needs Linux 6.13");
        }
    }
    reads_and_writes_are_polled(&config);
}

#[test]
fn direct_reads_and_writes_are_polled_by_the_kernel_s_thread_and_in_a_pinned_ring() {
    reads_and_writes_are_polled(&RingConfig {
        sqpoll_idle_ms: Some(1),
        ..iopoll()
    });
    reads_and_writes_are_polled(&RingConfig {
        pinned: true,
        ..iopoll()
    });
}

#[test]
fn files_that_cannot_be_polled_are_refused() {
    let mut ring = Ring::new(&iopoll()).expect("a ring");
    assert_ne!(ring.setup_flags() & setup::IORING_SETUP_IOPOLL, 0);
    let mut into = page(0xff);
    let on_disk = OnDisk::new();
    let buffered = on_disk.open(0).expect("opened");
    let result = read(&mut ring, &buffered, &mut into, 0);
    assert_eq!(result, Err(Errno::EOPNOTSUPP), "without O_DIRECT");
    let null = File::open("/dev/null").expect("opened");
    let result = read(&mut ring, &null, &mut into, 0);
    assert_eq!(result, Err(Errno::EOPNOTSUPP), "no disk");
    assert!(into.0.iter().all(|byte| *byte == 0xff), "nothing was read");
}

#[test]
fn operations_without_a_polled_form_are_refused() {
    let mut ring = Ring::new(&iopoll()).expect("a ring");
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_poll_add(reader.as_raw_fd(), libc::POLLIN as u32);
    assert_eq!(wait_for_one(&mut ring).result(), Err(Errno::EINVAL));
    nop_works(&mut ring);
}

#[test]
fn a_time_limit_does_not_stop_a_polling_enter_from_coming_back_empty() {
    // With nothing under way there is nothing to look for: it does not wait at all.
    let mut ring = Ring::new(&iopoll()).expect("a ring");
    let limit = std::time::Duration::from_secs(3600);
    assert_eq!(ring.enter(1, Some(limit)), Ok(0));
    assert_eq!(ring.enter(1, None), Ok(0));
    assert_eq!(ring.cq_ready(), 0);
}

#[test]
fn an_overflowing_cq_of_a_polling_ring_loses_nothing() {
    let config = RingConfig {
        sq_entries: 4,
        cq_entries: 4,
        ..iopoll()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    for user_data in 0..40 {
        push_nop(&mut ring, user_data);
        ring.submit().expect("submitted");
    }
    assert!(ring.cq_overflowed());
    for user_data in 0..40 {
        assert_eq!(wait_for_one(&mut ring).user_data(), user_data);
    }
    assert_eq!(ring.cq_lost(), 0);
}

#[test]
fn polled_reads_overflow_without_loss() {
    let on_disk = OnDisk::new();
    let Some(file) = on_disk.direct() else { return };
    let config = RingConfig {
        sq_entries: 16,
        cq_entries: 16,
        ..iopoll()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let mut pages: Vec<Page> = vec![Page([0xff; PAGE_BYTES]); 64];
    // 1. More reads than the CQ has slots, and none reaped.
    for (number, page) in pages.iter_mut().enumerate() {
        let offset = (number % PAGES * PAGE_BYTES) as u64;
        let sqe = ring.get_sqe().expect("room");
        // SAFETY: the pages stay until every completion has come.
        unsafe { sqe.prep_read(file.as_raw_fd(), page.0.as_mut_ptr(), 4096, offset) };
        sqe.set_user_data(number as u64);
        ring.submit().expect("submitted");
    }
    // 2. Each comes once.
    let mut seen = [false; 64];
    let mut polled = true;
    for _ in 0..64 {
        let cqe = wait_for_one(&mut ring);
        let number = cqe.user_data() as usize;
        assert!(!std::mem::replace(&mut seen[number], true));
        match cqe.result() {
            Ok(count) => assert_eq!(count, 4096),
            Err(errno) => {
                assert_eq!(errno, Errno::EOPNOTSUPP);
                polled = false;
            }
        }
    }
    if !polled {
        return skip("this disk has no polling queues");
    }
    for (number, page) in pages.iter().enumerate() {
        assert!(
            page.0
                .iter()
                .all(|byte| usize::from(*byte) == number % PAGES)
        );
    }
}

#[test]
fn a_polling_ring_dropped_with_reads_under_way_lets_their_file_go() {
    let on_disk = OnDisk::new();
    for _ in 0..50 {
        let Some(file) = on_disk.direct() else { return };
        // 1. Whoever holds this open file holds the lock.
        // SAFETY: takes numbers only.
        let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) };
        assert_eq!(locked, 0);
        let mut ring = Ring::new(&iopoll()).expect("a ring");
        let into: &'static mut [Page] = vec![Page([0; PAGE_BYTES]); 4].leak();
        for page in into {
            let sqe = ring.get_sqe().expect("room");
            // SAFETY: the page is leaked.
            unsafe { sqe.prep_read(file.as_raw_fd(), page.0.as_mut_ptr(), 4096, 0) };
        }
        ring.submit().expect("submitted");
        // 2. Nothing is reaped. The next round waits for the lock, which comes when the kernel has
        //    let the file go.
        drop(ring);
        drop(file);
    }
}

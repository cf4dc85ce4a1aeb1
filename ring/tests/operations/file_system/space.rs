//! Room for data: taken, given back, and cut off.

use std::os::fd::AsRawFd;

use annulus_ring::{Errno, Opcode, Ring, Sqe, SqeFlags};

use crate::support::{
    TempFile, has, in_a_child, in_order, no_more_than, pattern, pipe, push, read, result, ring,
    skip_feature,
};

fn fallocate(ring: &mut Ring, fd: i32, mode: i32, offset: u64, len: u64) -> Result<u32, Errno> {
    result(ring, |sqe| sqe.prep_fallocate(fd, mode, offset, len))
}

fn size(file: &TempFile) -> u64 {
    file.file().metadata().expect("its size").len()
}

#[test]
fn allocated_space_reads_as_zeros_and_a_punched_hole_does_too() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(64 << 10));
    assert_eq!(fallocate(&mut ring, file.fd(), 0, 64 << 10, 4096), Ok(0));
    assert_eq!(size(&file), (64 << 10) + 4096);
    let keep = libc::FALLOC_FL_KEEP_SIZE;
    assert_eq!(fallocate(&mut ring, file.fd(), keep, 1 << 20, 4096), Ok(0));
    assert_eq!(size(&file), (64 << 10) + 4096, "beyond the end, as asked");
    let punch = keep | libc::FALLOC_FL_PUNCH_HOLE;
    match fallocate(&mut ring, file.fd(), punch, 4096, 8192) {
        Err(Errno::EOPNOTSUPP) => return skip_feature("this file system punches no holes"),
        punched => assert_eq!(punched, Ok(0)),
    }
    let mut expected = pattern(64 << 10);
    expected[4096..4096 + 8192].fill(0);
    expected.extend([0; 4096]);
    assert_eq!(file.content(), expected);
}

#[test]
fn space_that_makes_no_sense_is_refused() {
    let mut ring = ring();
    let file = TempFile::new();
    assert_eq!(fallocate(&mut ring, file.fd(), 0, 0, 0), Err(Errno::EINVAL));
    assert_eq!(
        fallocate(&mut ring, file.fd(), 0, u64::MAX, 1),
        Err(Errno::EINVAL)
    );
    let beyond = fallocate(&mut ring, file.fd(), 0, i64::MAX as u64, 4096);
    assert_eq!(beyond, Err(Errno::EFBIG));
    let unknown = fallocate(&mut ring, file.fd(), 1 << 30, 0, 4096);
    assert_eq!(unknown, Err(Errno::EOPNOTSUPP));
    assert_eq!(fallocate(&mut ring, -1, 0, 0, 4096), Err(Errno::EBADF));
    let (_reading, writing) = pipe(0);
    let no_file = fallocate(&mut ring, writing.as_raw_fd(), 0, 0, 4096);
    assert_eq!(no_file, Err(Errno::ESPIPE));
    assert_eq!(size(&file), 0);
}

#[test]
fn an_allocation_beyond_the_limit_of_file_sizes_fails() {
    let held = in_a_child(|| {
        no_more_than(libc::RLIMIT_FSIZE, 64 << 10);
        // SAFETY: takes numbers only; the child is alone with it.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let mut ring = ring();
        let file = TempFile::new();
        let within = fallocate(&mut ring, file.fd(), 0, 0, 64 << 10);
        let beyond = fallocate(&mut ring, file.fd(), 0, 0, 128 << 10);
        (within, beyond) == (Ok(0), Err(Errno::EFBIG))
    });
    assert!(held);
}

/// Whether `NOP` behind the failing `prep` is cancelled.
fn breaks_its_chain(
    ring: &mut Ring,
    errno: Errno,
    prep: impl for<'a> FnOnce(&'a mut Sqe) -> &'a mut Sqe,
) -> bool {
    push(ring, 0, |sqe| prep(sqe).add_flags(SqeFlags::IO_LINK));
    push(ring, 1, |sqe| sqe.prep_nop());
    let results = in_order(ring, 2);
    assert_eq!(results[0], -errno.raw());
    assert!([0, -Errno::ECANCELED.raw()].contains(&results[1]));
    results[1] != 0
}

#[test]
fn a_failing_allocation_or_sync_does_not_break_its_chain_where_other_failures_do() {
    let mut ring = ring();
    let (reading, _writing) = pipe(0);
    let fd = reading.as_raw_fd();
    let advice = libc::POSIX_FADV_NORMAL;
    // These report their failure only: whoever links to them looks at the result as well.
    let allocated = breaks_its_chain(&mut ring, Errno::EBADF, |sqe| {
        sqe.prep_fallocate(fd, 0, 0, 4096)
    });
    let synced = breaks_its_chain(&mut ring, Errno::EINVAL, |sqe| sqe.prep_fsync(fd, 0));
    let ranged = breaks_its_chain(&mut ring, Errno::ESPIPE, |sqe| {
        sqe.prep_sync_file_range(fd, 4096, 0, 7)
    });
    assert_eq!([allocated, synced, ranged], [false; 3]);
    let advised = breaks_its_chain(&mut ring, Errno::ESPIPE, |sqe| {
        sqe.prep_fadvise(fd, 0, 0, advice)
    });
    // SAFETY: the path is a constant.
    let opened = breaks_its_chain(&mut ring, Errno::ENOENT, |sqe| unsafe {
        sqe.prep_openat(libc::AT_FDCWD, c"/absent/file".as_ptr(), libc::O_RDONLY, 0)
    });
    assert_eq!((advised, opened), (true, true));
}

#[test]
fn a_file_is_cut_and_stretched() {
    let mut ring = ring();
    if !has(&ring, Opcode::FTRUNCATE) {
        return;
    }
    let file = TempFile::with(&pattern(5000));
    let mut cut = |fd, len| result(&mut ring, |sqe| sqe.prep_ftruncate(fd, len));
    assert_eq!(cut(file.fd(), 100), Ok(0));
    assert_eq!(file.content(), pattern(100));
    assert_eq!(cut(file.fd(), 300), Ok(0));
    assert_eq!(file.content()[100..], [0; 200]);
    assert_eq!(cut(file.fd(), (5 << 30) + 1), Ok(0), "more than 32 bits");
    assert_eq!(size(&file), (5 << 30) + 1);
    assert_eq!(cut(file.fd(), 0), Ok(0));
    assert_eq!(size(&file), 0);
    // What cannot be cut.
    assert_eq!(cut(file.fd(), u64::MAX), Err(Errno::EINVAL));
    assert_eq!(cut(-1, 0), Err(Errno::EBADF));
    let reading = std::fs::File::open(file.path()).expect("opened");
    assert_eq!(
        cut(reading.as_raw_fd(), 0),
        Err(Errno::EINVAL),
        "not open for writing"
    );
    let (_reading, writing) = pipe(0);
    assert_eq!(cut(writing.as_raw_fd(), 0), Err(Errno::EINVAL));
}

/// A loop device over a file, or why there is none.
struct LoopDevice {
    device: std::fs::File,
    _backing: TempFile,
}

const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4c82;
const LOOP_SET_FD: libc::c_ulong = 0x4c00;
const LOOP_CLR_FD: libc::c_ulong = 0x4c01;

impl LoopDevice {
    fn new(backing: TempFile) -> Result<LoopDevice, String> {
        let control = std::fs::File::open("/dev/loop-control");
        let control = control.map_err(|error| format!("no loop devices: {error}"))?;
        // Somebody else may take the free one first: a few attempts.
        for _ in 0..8 {
            // SAFETY: takes no argument.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE as _) };
            let path = format!("/dev/loop{number}");
            let mut options = std::fs::OpenOptions::new();
            let device = options.read(true).write(true).open(&path);
            let device = device.map_err(|error| format!("{path}: {error}"))?;
            // SAFETY: takes a descriptor only.
            let set = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_SET_FD as _, backing.fd()) };
            if set == 0 {
                return Ok(LoopDevice {
                    device,
                    _backing: backing,
                });
            }
        }
        Err("no loop device is free".into())
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // SAFETY: takes no argument.
        unsafe { libc::ioctl(self.device.as_raw_fd(), LOOP_CLR_FD as _, 0) };
    }
}

#[test]
fn a_discarded_range_of_a_block_device_reads_as_zeros() {
    let mut ring = ring();
    let backing = TempFile::with(&pattern(1 << 20));
    backing.file().sync_all().expect("on the disk");
    let device = match LoopDevice::new(backing) {
        Ok(device) => device,
        Err(reason) => return crate::support::skip(&reason),
    };
    let fd = device.device.as_raw_fd();
    let mut discard = |offset, len| result(&mut ring, |sqe| sqe.prep_cmd_discard(fd, offset, len));
    match discard(64 << 10, 128 << 10) {
        Err(Errno::EINVAL | Errno::EOPNOTSUPP) => {
            return skip_feature("this kernel discards by system call only");
        }
        discarded => assert_eq!(discarded, Ok(0)),
    }
    assert_eq!(discard(1, 512), Err(Errno::EINVAL), "not at a sector");
    assert_eq!(discard(0, 1), Err(Errno::EINVAL), "not a sector");
    assert_eq!(discard(0, 0), Err(Errno::EINVAL), "nothing");
    assert_eq!(discard(1 << 20, 4096), Err(Errno::EINVAL), "beyond the end");
    let mut back = vec![1; 1 << 20];
    assert_eq!(read(&mut ring, fd, &mut back, 0), Ok(1 << 20));
    let mut expected = pattern(1 << 20);
    expected[64 << 10..(64 + 128) << 10].fill(0);
    assert!(back == expected, "only the range, and all of it");
}

#[test]
fn a_plain_file_knows_no_discard() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(4096));
    let refused = result(&mut ring, |sqe| sqe.prep_cmd_discard(file.fd(), 0, 4096));
    assert_eq!(refused, Err(Errno::EOPNOTSUPP));
    assert_eq!(file.content(), pattern(4096));
}

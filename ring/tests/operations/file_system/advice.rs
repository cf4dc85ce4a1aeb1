//! Advice: on files and on memory.

use std::os::fd::AsRawFd;
use std::ptr::null_mut;

use annulus_ring::Errno;

use crate::support::{TempFile, pattern, pipe, read, result, ring, skip_feature};

#[test]
fn every_advice_on_a_file_is_taken_and_changes_no_data() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(128 << 10));
    file.file().sync_all().expect("on the disk");
    for advice in [
        libc::POSIX_FADV_NORMAL,
        libc::POSIX_FADV_SEQUENTIAL,
        libc::POSIX_FADV_RANDOM,
        libc::POSIX_FADV_NOREUSE,
        libc::POSIX_FADV_WILLNEED,
        libc::POSIX_FADV_DONTNEED,
    ] {
        let taken = result(&mut ring, |sqe| {
            sqe.prep_fadvise(file.fd(), 0, 128 << 10, advice)
        });
        assert_eq!(taken, Ok(0), "{advice}");
        let taken = result(&mut ring, |sqe| {
            sqe.prep_fadvise64(file.fd(), 4096, 5 << 30, advice)
        });
        assert_eq!(taken, Ok(0), "{advice} on more than 32 bits");
        let mut back = vec![0; 128 << 10];
        assert_eq!(read(&mut ring, file.fd(), &mut back, 0), Ok(128 << 10));
        assert_eq!(back, pattern(128 << 10));
    }
}

#[test]
fn advice_that_makes_no_sense_is_refused() {
    let mut ring = ring();
    let file = TempFile::new();
    let unknown = result(&mut ring, |sqe| sqe.prep_fadvise(file.fd(), 0, 0, 99));
    assert_eq!(unknown, Err(Errno::EINVAL));
    let (reading, _writing) = pipe(0);
    let on_pipe = result(&mut ring, |sqe| {
        sqe.prep_fadvise(reading.as_raw_fd(), 0, 0, libc::POSIX_FADV_NORMAL)
    });
    assert_eq!(on_pipe, Err(Errno::ESPIPE));
    // SAFETY: nothing is there that could change.
    let unknown = result(&mut ring, |sqe| unsafe {
        sqe.prep_madvise(null_mut(), 4096, 9999)
    });
    assert_eq!(unknown, Err(Errno::EINVAL));
    // SAFETY: as above.
    let not_mapped = result(&mut ring, |sqe| unsafe {
        let low = std::ptr::without_provenance_mut(4096);
        sqe.prep_madvise(low, 4096, libc::MADV_DONTNEED)
    });
    assert_eq!(not_mapped, Err(Errno::ENOMEM));
}

#[test]
fn memory_that_is_not_needed_reads_as_zeros_afterwards() {
    let mut ring = ring();
    let len = 1 << 20;
    let (read_write, flags) = (3, (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u32);
    // SAFETY: no MAP_FIXED.
    let map = unsafe { annulus_syscalls::calls::mmap(len, read_write, flags, -1, 0) };
    let map = map.expect("mapped");
    let fill = || {
        // SAFETY: mapped with this size, ours alone.
        unsafe { map.as_ptr().write_bytes(7, len) }
    };
    let at = |offset| {
        // SAFETY: inside the mapping.
        let place = unsafe { map.add(offset) };
        // SAFETY: mapped, and not written meanwhile.
        unsafe { place.read_volatile() }
    };
    fill();
    // SAFETY: the mapping is ours, and its contents may go.
    let advised = result(&mut ring, |sqe| unsafe {
        sqe.prep_madvise(map.as_ptr().cast(), 4096, libc::MADV_DONTNEED)
    });
    assert_eq!(advised, Ok(0));
    assert_eq!(
        (at(0), at(4095), at(4096)),
        (0, 0, 7),
        "the first page only"
    );
    fill();
    // SAFETY: as above.
    let advised = result(&mut ring, |sqe| unsafe {
        sqe.prep_madvise64(map.as_ptr().cast(), len as u64, libc::MADV_DONTNEED)
    });
    if advised == Err(Errno::EINVAL) {
        skip_feature("advice on more than 32 bits comes with 6.11");
    } else {
        assert_eq!(advised, Ok(0));
        assert_eq!((at(0), at(len - 1)), (0, 0));
    }
    // SAFETY: mapped above, and used no more.
    unsafe { annulus_syscalls::calls::munmap(map, len) }.expect("unmapped");
}

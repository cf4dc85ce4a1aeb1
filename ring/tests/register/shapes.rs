//! Registered memory of every shape, and operations on any part of it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::ptr::null_mut;

use annulus_ring::{BufferPool, BufferSpan, BufferTable, Errno, Opcode, Ring};

use super::buffers::{fixed_read, one_lent, pattern};
use super::{file_with, has, ring, run};

#[test]
fn a_read_goes_anywhere_in_its_buffer_and_nowhere_else() {
    let mut ring = ring();
    const SIZE: usize = 3 * 4096;
    let content = pattern(SIZE);
    let file = file_with(&content);
    let pool = BufferPool::new(&ring, 1, SIZE as u32).expect("registered");
    let at = [0, 1, 4095, 4096, 4097, 8191, SIZE - 1];
    let mut reads = 0;
    for start in at {
        for end in at.into_iter().chain([SIZE]).filter(|end| *end > start) {
            let mut buf = pool.claim().expect("free");
            buf.fill(0xff);
            let lent = buf.lend();
            let cqe = run(&mut ring, |sqe| {
                lent.prep_read(sqe, file.as_raw_fd(), start..end, 7);
            });
            // SAFETY: the read has completed.
            let buf = unsafe { lent.land() };
            let read = (end - start).min(SIZE - 7);
            assert_eq!(cqe.res() as usize, read);
            assert_eq!(buf[start..start + read], content[7..7 + read]);
            assert!(buf[..start].iter().all(|byte| *byte == 0xff));
            assert!(buf[start + read..].iter().all(|byte| *byte == 0xff));
            reads += 1;
        }
    }
    assert_eq!(reads, 28);
}

#[test]
fn a_buffer_may_span_what_was_mapped_in_pieces() {
    const PIECE: usize = 64 * 1024; // page sizes divide it
    let mut ring = ring();
    let content = pattern(3 * PIECE);
    let file = file_with(&content);
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: no fixed address.
    let start = unsafe { libc::mmap(null_mut(), 3 * PIECE, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    // The middle becomes a mapping of its own, which advice keeps apart from its neighbours.
    // SAFETY: inside the mapping.
    let middle = unsafe { start.add(PIECE) };
    // SAFETY: the range is ours.
    let advised = unsafe { libc::madvise(middle, PIECE, libc::MADV_DONTDUMP) };
    assert_eq!(advised, 0);
    let span = BufferSpan {
        start: start.cast(),
        size_bytes: 3 * PIECE,
    };
    // SAFETY: unmapped after the table is gone.
    let table = unsafe { BufferTable::register(&ring, &[span]) }.expect("registered");
    // Across both borders, at an odd place.
    let to = span.start.wrapping_add(11);
    let len = 3 * PIECE - 22;
    assert_eq!(
        fixed_read(&mut ring, &file, to, len as u32, 0),
        Ok(len as u32)
    );
    // SAFETY: inside the mapping, and no operation uses it any more.
    let read = unsafe { std::slice::from_raw_parts(to, len) };
    assert!(read == &content[..len]);
    drop(table);
    // SAFETY: ours, and nobody refers to it any more.
    assert_eq!(unsafe { libc::munmap(start, 3 * PIECE) }, 0);
}

#[test]
fn a_huge_page_is_one_buffer_and_any_part_of_it() {
    const HUGE: usize = 2 << 20;
    let mut ring = ring();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: no fixed address.
    let mapped = unsafe { libc::mmap(null_mut(), 2 * HUGE, protection, flags, -1, 0) };
    assert_ne!(mapped, libc::MAP_FAILED);
    let ahead = mapped.align_offset(HUGE);
    // SAFETY: less than `HUGE`, so inside the mapping, with as much behind it.
    let start = unsafe { mapped.add(ahead) };
    // SAFETY: the range is ours: every page is there from now on.
    unsafe { start.cast::<u8>().write_bytes(1, HUGE) };
    // SAFETY: the range is ours.
    if unsafe { libc::madvise(start, HUGE, libc::MADV_COLLAPSE) } != 0 {
        let error = std::io::Error::last_os_error();
        return eprintln!("skipped: no huge page is to be had: {error}");
    }
    let content = pattern(HUGE);
    let file = file_with(&content);
    let span = BufferSpan {
        start: start.cast(),
        size_bytes: HUGE,
    };
    // SAFETY: unmapped after the table is gone.
    let table = unsafe { BufferTable::register(&ring, &[span]) }.expect("registered");
    for (offset, len) in [(0, HUGE), (4096, 8192), (4097, HUGE - 4097), (HUGE - 1, 1)] {
        let to = span.start.wrapping_add(offset);
        assert_eq!(
            fixed_read(&mut ring, &file, to, len as u32, 0),
            Ok(len as u32)
        );
        // SAFETY: inside the mapping, and no operation uses it any more.
        let read = unsafe { std::slice::from_raw_parts(to, len) };
        assert!(read == &content[..len]);
    }
    drop(table);
    // SAFETY: ours, and nobody refers to it any more.
    assert_eq!(unsafe { libc::munmap(mapped, 2 * HUGE) }, 0);
}

#[test]
fn direct_io_reads_segments_of_a_buffer() {
    const SIZE: usize = 64 * 1024;
    let mut ring = ring();
    let name = format!("annulus-ring-segments-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let content = pattern(SIZE);
    std::fs::write(&path, &content).expect("a temporary file");
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(&path);
    std::fs::remove_file(&path).expect("removed");
    let file = match opened {
        Ok(file) => file,
        Err(error) => return eprintln!("skipped: no O_DIRECT on this file system: {error}"),
    };
    let (_pool, lent) = one_lent(&ring, SIZE as u32);
    // Offsets into the buffer and the file that are multiples of 4096, which every disk allows.
    let page = 4096;
    for (at, len, from) in [
        (0, SIZE, 0),
        (page, 3 * page, 5 * page),
        (SIZE - page, page, page),
    ] {
        let cqe = run(&mut ring, |sqe| {
            lent.prep_read(sqe, file.as_raw_fd(), at..at + len, from as u64);
        });
        assert_eq!(cqe.res() as usize, len);
        // SAFETY: inside the buffer, and no operation uses it any more.
        let part = unsafe { lent.start().add(at) };
        // SAFETY: as above.
        let read = unsafe { std::slice::from_raw_parts(part.as_ptr(), len) };
        assert!(read == &content[from..from + len]);
    }
}

#[test]
fn vectors_lie_inside_one_registered_buffer() {
    let mut ring = ring();
    if !has(&ring, Opcode::READV_FIXED) {
        return;
    }
    let file = file_with(b"");
    let pool = BufferPool::new(&ring, 2, 8192).expect("registered");
    let mut buf = pool.claim().expect("free");
    buf.copy_from_slice(&pattern(8192));
    let lent = buf.lend();
    let part = |offset: usize, len: usize| libc::iovec {
        iov_base: lent.start().as_ptr().wrapping_add(offset).cast(),
        iov_len: len,
    };
    let fd = file.as_raw_fd();
    let write = |ring: &mut Ring, parts: &[libc::iovec], slot| {
        let cqe = run(ring, |sqe| {
            let iov = parts.as_ptr().cast();
            // SAFETY: the parts, where they are memory at all, are lent memory of the pool.
            unsafe { sqe.prep_writev_fixed(fd, iov, parts.len() as u32, 0, 0, slot) };
        });
        cqe.result()
    };
    let parts = [part(0, 10), part(4090, 20), part(8191, 1)];
    assert_eq!(write(&mut ring, &parts, 0), Ok(31));
    let mut written = [0; 31];
    file.read_exact_at(&mut written, 0).expect("written");
    let source = pattern(8192);
    assert_eq!(
        written,
        [&source[..10], &source[4090..4110], &source[8191..]].concat()[..]
    );
    // Back, in another order.
    let parts = [part(100, 1), part(0, 30)];
    let cqe = run(&mut ring, |sqe| {
        let iov = parts.as_ptr().cast();
        // SAFETY: the parts are lent memory of the pool.
        unsafe { sqe.prep_readv_fixed(fd, iov, 2, 0, 0, 0) };
    });
    assert_eq!(cqe.res(), 31);
    // One part outside, or all of them in another slot's memory.
    assert_eq!(
        write(&mut ring, &[part(0, 1), part(8191, 2)], 0),
        Err(Errno::EFAULT)
    );
    assert_eq!(write(&mut ring, &[part(0, 1)], 1), Err(Errno::EFAULT));
    // SAFETY: all have completed.
    let buf = unsafe { lent.land() };
    assert_eq!((buf[100], &buf[..30]), (written[0], &written[1..]));
}

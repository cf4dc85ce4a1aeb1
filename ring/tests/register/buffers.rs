//! Registered buffers: the table and the pool, and the operations that use them.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::ptr::null_mut;
use std::thread;

use annulus_ring::{
    BufferPool, BufferSpan, BufferTable, Errno, LentBuf, Opcode, Ring, Sqe, SqeFlags,
};
use annulus_syscalls::io_uring::flags::net::IORING_RECVSEND_FIXED_BUF;
use annulus_syscalls::io_uring::register::op::IORING_UNREGISTER_BUFFERS;

use super::{assert_quiet, file_with, has, next, next_sorted, pinned_ring, pipe, queue, ring, run};

/// A pool with one buffer, lent.
fn one_lent(ring: &Ring, size_bytes: u32) -> (BufferPool, LentBuf) {
    let pool = BufferPool::new(ring, 1, size_bytes).expect("registered");
    let lent = pool.claim().expect("free").lend();
    (pool, lent)
}

/// Bytes that differ from those near them and a page away.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn fixed_read(
    ring: &mut Ring,
    file: &File,
    to: *mut u8,
    len: u32,
    slot: u16,
) -> Result<u32, Errno> {
    let fd = file.as_raw_fd();
    let cqe = run(ring, |sqe| {
        // SAFETY: the memory, where there is any, stays until the completion that `run` waits for.
        unsafe { sqe.prep_read_fixed(fd, to, len, 0, slot) };
    });
    cqe.result()
}

#[test]
fn what_one_buffer_wrote_another_reads() {
    let mut ring = ring();
    let pool = BufferPool::new(&ring, 2, 4096).expect("registered");
    assert_eq!((pool.count(), pool.size_bytes()), (2, 4096));
    let file = file_with(b"");
    let mut out = pool.claim().expect("free");
    out[..6].copy_from_slice(b"foobar");
    let mut back = pool.claim().expect("free");
    back.fill(b'z');
    assert!(pool.claim().is_none());
    let (out, back) = (out.lend(), back.lend());
    let cqe = run(&mut ring, |sqe| {
        out.prep_write(sqe, file.as_raw_fd(), 0..6, 3);
    });
    assert_eq!(cqe.res(), 6);
    let cqe = run(&mut ring, |sqe| {
        back.prep_read(sqe, file.as_raw_fd(), 0..4096, 0);
    });
    assert_eq!(cqe.res(), 9);
    // SAFETY: the read has completed.
    let back = unsafe { back.land() };
    assert_eq!(&back[..10], b"\0\0\0foobarz");
    // SAFETY: the write has completed.
    drop(unsafe { out.land() });
    assert_eq!(pool.claim().expect("given back").index(), 0);
}

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
fn memory_outside_of_the_buffer_is_refused() {
    let mut ring = ring();
    let file = file_with(&pattern(100));
    let mut memory = vec![0; 8192];
    let spans = [BufferSpan::EMPTY, BufferSpan::of(&mut memory[..4096])];
    // SAFETY: `memory` outlives the table.
    let table = unsafe { BufferTable::register(&ring, &spans) }.expect("registered");
    let start = spans[1].start;
    let inside = start.wrapping_add(4090);
    assert_eq!(fixed_read(&mut ring, &file, inside, 6, 1), Ok(6));
    assert_eq!(
        fixed_read(&mut ring, &file, inside, 7, 1),
        Err(Errno::EFAULT)
    );
    let before = start.wrapping_sub(1);
    assert_eq!(
        fixed_read(&mut ring, &file, before, 2, 1),
        Err(Errno::EFAULT)
    );
    assert_eq!(
        fixed_read(&mut ring, &file, start, 1, 0),
        Err(Errno::EFAULT),
        "empty"
    );
    assert_eq!(
        fixed_read(&mut ring, &file, start, 1, 2),
        Err(Errno::EFAULT),
        "beyond"
    );
    assert_eq!(
        fixed_read(&mut ring, &file, start, 1, u16::MAX),
        Err(Errno::EFAULT)
    );
    table.unregister().expect("unregistered");
    assert_eq!(
        fixed_read(&mut ring, &file, start, 1, 1),
        Err(Errno::EFAULT),
        "gone"
    );
}

#[test]
fn a_refused_table_of_buffers_says_why() {
    let ring = ring();
    let mut byte = [0];
    let good = BufferSpan::of(&mut byte);
    let refusal = |spans: &[BufferSpan]| {
        // SAFETY: what is registered is unregistered at once.
        unsafe { BufferTable::register(&ring, spans) }.map(drop)
    };
    let span = |start, size_bytes| BufferSpan { start, size_bytes };
    assert_eq!(refusal(&[]), Err(Errno::EINVAL));
    assert_eq!(
        refusal(&vec![BufferSpan::EMPTY; (1 << 14) + 1]),
        Err(Errno::EINVAL)
    );
    assert_eq!(refusal(&[span(null_mut(), 4096)]), Err(Errno::EFAULT));
    assert_eq!(refusal(&[span(good.start, 0)]), Err(Errno::EFAULT));
    assert_eq!(
        refusal(&[span(good.start, (1 << 30) + 1)]),
        Err(Errno::EFAULT)
    );
    let read_only = c"static".as_ptr().cast_mut().cast();
    assert_eq!(refusal(&[good, span(read_only, 4)]), Err(Errno::EFAULT));
    let tagged = |spans: &[BufferSpan], tags: &[u64]| {
        // SAFETY: as above.
        unsafe { BufferTable::register_tagged(&ring, spans, tags) }.map(drop)
    };
    assert_eq!(tagged(&[BufferSpan::EMPTY], &[7]), Err(Errno::EINVAL));
    assert_eq!(tagged(&[good], &[]), Err(Errno::EINVAL));
    assert_eq!(BufferTable::sparse(&ring, 0).map(drop), Err(Errno::EINVAL));
    assert_eq!(
        BufferTable::sparse(&ring, (1 << 14) + 1).map(drop),
        Err(Errno::EINVAL)
    );
    for (count, size) in [(0, 1), (1, 0), ((1 << 14) + 1, 1)] {
        assert_eq!(
            BufferPool::new(&ring, count, size).map(drop),
            Err(Errno::EINVAL)
        );
    }
    // SAFETY: this registration reads nothing.
    let nothing_there = unsafe { ring.register(IORING_UNREGISTER_BUFFERS, 0, 0) };
    assert_eq!(nothing_there, Err(Errno::ENXIO));
    let table = BufferTable::sparse(&ring, 1).expect("the first");
    assert_eq!(refusal(&[good]), Err(Errno::EBUSY), "one table a ring");
    table.unregister().expect("there");
    assert_eq!(refusal(&[good]), Ok(()));
}

#[test]
fn slots_of_buffers_are_filled_changed_and_emptied() {
    let mut ring = ring();
    let file = file_with(b"content");
    let mut table = BufferTable::sparse(&ring, 3).expect("sparse");
    let (mut one, mut two) = ([0; 8], [0; 8]);
    let (first, second) = (BufferSpan::of(&mut one), BufferSpan::of(&mut two));
    let mut update = |slot, spans: &[BufferSpan]| {
        // SAFETY: both arrays outlive the table.
        unsafe { table.update(slot, spans) }
    };
    assert_eq!(
        fixed_read(&mut ring, &file, first.start, 8, 1),
        Err(Errno::EFAULT)
    );
    assert_eq!(update(1, &[first, second]), Ok(2));
    assert_eq!(fixed_read(&mut ring, &file, first.start, 8, 1), Ok(7));
    assert_eq!(fixed_read(&mut ring, &file, second.start, 8, 2), Ok(7));
    assert_eq!(update(1, &[second, BufferSpan::EMPTY]), Ok(2));
    assert_eq!(
        fixed_read(&mut ring, &file, first.start, 8, 1),
        Err(Errno::EFAULT)
    );
    assert_eq!(fixed_read(&mut ring, &file, second.start, 8, 1), Ok(7));
    assert_eq!(
        fixed_read(&mut ring, &file, second.start, 8, 2),
        Err(Errno::EFAULT)
    );
    let bad = BufferSpan {
        start: null_mut(),
        size_bytes: 1,
    };
    assert_eq!(
        update(2, &[first, first]),
        Err(Errno::EINVAL),
        "beyond the end"
    );
    assert_eq!(update(0, &[]), Err(Errno::EINVAL));
    assert_eq!(update(0, &[bad]), Err(Errno::EFAULT));
    assert_eq!(update(0, &[first, bad]), Ok(1), "the first is in place");
    assert_eq!(fixed_read(&mut ring, &file, first.start, 8, 0), Ok(7));
    drop(table);
    assert_eq!((&one[..7], &two[..7]), (&b"content"[..], &b"content"[..]));
}

#[test]
fn a_tag_tells_when_memory_was_let_go() {
    let mut ring = ring();
    let (reader, mut writer) = pipe();
    let mut memory = [[0; 8]; 2];
    let [one, two] = &mut memory;
    let spans = [BufferSpan::of(one), BufferSpan::of(two)];
    // SAFETY: `memory` outlives the table.
    let table = unsafe { BufferTable::register_tagged(&ring, &spans, &[70, 71]) };
    let mut table = table.expect("registered");
    let fd = reader.as_raw_fd();
    queue(&mut ring, |sqe| {
        // SAFETY: `memory` stays until the completion, which is waited for below.
        let sqe = unsafe { sqe.prep_read_fixed(fd, spans[0].start, 8, u64::MAX, 0) };
        sqe.set_user_data(1);
    });
    assert_quiet(&mut ring);
    // Idle memory goes at once, that of an operation under way after it.
    // SAFETY: nothing is registered.
    let emptied = unsafe { table.update(0, &[BufferSpan::EMPTY; 2]) };
    assert_eq!(emptied, Ok(2));
    assert_eq!(next(&mut ring).user_data(), 71);
    assert_quiet(&mut ring);
    writer.write_all(b"data").expect("written");
    let cqe = next(&mut ring);
    assert_eq!((cqe.user_data(), cqe.res()), (1, 4));
    let cqe = next(&mut ring);
    assert_eq!((cqe.user_data(), cqe.res()), (70, 0));
    let mut update = |spans: &[BufferSpan], tags: &[u64]| {
        // SAFETY: `memory` outlives the table.
        unsafe { table.update_tagged(0, spans, tags) }
    };
    assert_eq!(update(&spans, &[72, 0]), Ok(2));
    assert_eq!(update(&[BufferSpan::EMPTY], &[9]), Err(Errno::EINVAL));
    assert_eq!(update(&spans, &[9]), Err(Errno::EINVAL));
    assert_quiet(&mut ring);
    table.unregister().expect("unregistered");
    assert_eq!(next(&mut ring).user_data(), 72);
    assert_quiet(&mut ring);
    assert_eq!(
        &memory[0][..4],
        b"data",
        "the old memory was used to the end"
    );
}

#[test]
fn a_table_that_goes_leaves_its_memory_to_operations_under_way() {
    let mut ring = ring();
    let (reader, mut writer) = pipe();
    let (pool, lent) = one_lent(&ring, 64);
    queue(&mut ring, |sqe| {
        lent.prep_read(sqe, reader.as_raw_fd(), 0..64, u64::MAX);
    });
    assert_quiet(&mut ring);
    drop(pool); // the lent buffer keeps table and memory
    writer.write_all(b"late").expect("written");
    assert_eq!(next(&mut ring).res(), 4);
    // SAFETY: the read has completed.
    let buf = unsafe { lent.land() };
    assert_eq!(&buf[..4], b"late");
    drop(buf);
    assert!(
        BufferTable::sparse(&ring, 1).is_ok(),
        "unregistered with the last buffer"
    );
}

#[test]
fn a_lent_buffer_that_is_dropped_is_never_handed_out_again() {
    let ring = ring();
    let pool = BufferPool::new(&ring, 2, 64).expect("registered");
    drop(pool.claim().expect("free").lend());
    let other = pool.claim().expect("free");
    assert_eq!(other.index(), 1);
    assert!(pool.claim().is_none());
    drop((other, pool));
    assert_eq!(
        BufferTable::sparse(&ring, 1).map(drop),
        Err(Errno::EBUSY),
        "leaked"
    );
}

#[test]
#[should_panic(expected = "a buffer has no more bytes")]
fn a_range_beyond_the_buffer_is_a_panic() {
    let ring = ring();
    let (_pool, lent) = one_lent(&ring, 64);
    lent.prep_read(&mut Sqe::new(), 0, 60..65, 0);
}

#[test]
fn linked_operations_share_registered_buffers() {
    let mut ring = ring();
    let pool = BufferPool::new(&ring, 2, 128).expect("registered");
    let file = file_with(b"");
    let mut one = pool.claim().expect("free");
    one.copy_from_slice(&pattern(128));
    let (one, two) = (one.lend(), pool.claim().expect("free").lend());
    let fd = file.as_raw_fd();
    // one -> file -> two -> file, behind the first -> one
    queue(&mut ring, |sqe| {
        one.prep_write(sqe, fd, 0..128, 0)
            .add_flags(SqeFlags::IO_LINK)
            .set_user_data(1);
    });
    queue(&mut ring, |sqe| {
        two.prep_read(sqe, fd, 0..128, 0)
            .add_flags(SqeFlags::IO_LINK)
            .set_user_data(2);
    });
    queue(&mut ring, |sqe| {
        two.prep_write(sqe, fd, 64..128, 128)
            .add_flags(SqeFlags::IO_LINK)
            .set_user_data(3);
    });
    queue(&mut ring, |sqe| {
        one.prep_read(sqe, fd, 0..64, 128).set_user_data(4);
    });
    let done = next_sorted(&mut ring, 4);
    assert_eq!(done, [(1, 128), (2, 128), (3, 64), (4, 64)]);
    // SAFETY: all have completed.
    let one = unsafe { one.land() };
    // SAFETY: as above.
    let two = unsafe { two.land() };
    assert_eq!(two[..], pattern(128));
    assert_eq!(one[..64], pattern(128)[64..]);
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

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (server, _) = listener.accept().expect("accepted");
    (client, server)
}

/// The result of a zero-copy send, after its notification.
fn sent(ring: &mut Ring, prep: impl FnOnce(&mut Sqe)) -> Result<u32, Errno> {
    let cqe = run(ring, prep);
    if cqe.more() {
        assert!(next(ring).notif());
    }
    cqe.result()
}

#[test]
fn a_zero_copy_send_uses_a_registered_buffer() {
    let mut ring = ring();
    if !has(&ring, Opcode::SEND_ZC) {
        return;
    }
    let (client, mut server) = connection();
    let pool = BufferPool::new(&ring, 1, 8192).expect("registered");
    let mut buf = pool.claim().expect("free");
    buf.copy_from_slice(&pattern(8192));
    let lent = buf.lend();
    let fd = client.as_raw_fd();
    let result = sent(&mut ring, |sqe| {
        lent.prep_send_zc(sqe, fd, 100..8192, 0);
    });
    assert_eq!(result, Ok(8092));
    let mut received = vec![0; 8092];
    server.read_exact(&mut received).expect("received");
    assert!(received == pattern(8192)[100..]);
    // Memory that is not in the slot.
    let result = sent(&mut ring, |sqe| {
        let start = lent.start().as_ptr();
        // SAFETY: the kernel refuses what is beyond the lent buffer.
        unsafe { sqe.prep_send_zc_fixed(fd, start, 8193, 0, 0, 0) };
    });
    assert_eq!(result, Err(Errno::EFAULT));
    // SAFETY: the notification has come.
    drop(unsafe { lent.land() });
}

#[test]
fn a_zero_copy_message_takes_vectors_of_a_registered_buffer() {
    let mut ring = ring();
    // The vectors came with READV_FIXED.
    if !has(&ring, Opcode::READV_FIXED) {
        return;
    }
    let (client, mut server) = connection();
    let (_pool, lent) = one_lent(&ring, 4096);
    let start = lent.start().as_ptr();
    // SAFETY: inside the lent buffer, which no operation uses yet.
    unsafe { start.copy_from(b"onetwo".as_ptr(), 6) };
    let part = |offset: usize| libc::iovec {
        iov_base: start.wrapping_add(offset).cast(),
        iov_len: 3,
    };
    let mut parts = [part(3), part(0)];
    // SAFETY: zero is a value of every field.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 2;
    let fd = client.as_raw_fd();
    let result = sent(&mut ring, |sqe| {
        let message = (&raw const message).cast();
        // SAFETY: message and buffer stay until the notification, which `sent` waits for.
        let sqe = unsafe { sqe.prep_sendmsg_zc(fd, message, 0, IORING_RECVSEND_FIXED_BUF) };
        // SAFETY: the index is that of the lent buffer.
        unsafe { sqe.as_raw_mut() }.buf_index = lent.index();
    });
    assert_eq!(result, Ok(6));
    let mut received = [0; 6];
    server.read_exact(&mut received).expect("received");
    assert_eq!(&received, b"twoone");
    // SAFETY: the notification has come.
    drop(unsafe { lent.land() });
}

#[test]
fn a_pool_is_used_from_other_threads() {
    let mut ring = ring();
    let pool = BufferPool::new(&ring, 8, 64).expect("registered");
    let buffers: Vec<_> = thread::scope(|scope| {
        let claims: Vec<_> = (0..8_u8)
            .map(|n| {
                let pool = &pool;
                scope.spawn(move || {
                    let mut buf = pool.claim().expect("eight for eight");
                    buf.fill(n);
                    (n, buf)
                })
            })
            .collect();
        claims
            .into_iter()
            .map(|claim| claim.join().expect("no panic"))
            .collect()
    });
    let file = file_with(b"");
    for (n, buf) in buffers {
        let lent = buf.lend();
        let cqe = run(&mut ring, |sqe| {
            lent.prep_write(sqe, file.as_raw_fd(), 0..64, 64 * u64::from(n));
        });
        assert_eq!(cqe.res(), 64);
        // SAFETY: the write has completed.
        drop(unsafe { lent.land() });
    }
    let mut written = [0; 512];
    file.read_exact_at(&mut written, 0).expect("written");
    assert!((0..512).all(|i| usize::from(written[i]) == i / 64));
}

#[test]
fn a_pinned_rings_buffers_are_its_threads() {
    let ring = pinned_ring();
    let mut table = BufferTable::sparse(&ring, 1).expect("sparse");
    let refused = thread::scope(|scope| {
        // SAFETY: nothing is registered.
        let update = || unsafe { table.update(0, &[BufferSpan::EMPTY]) };
        scope.spawn(update).join().expect("no panic")
    });
    assert_eq!(refused, Err(Errno::EEXIST));
    table.unregister().expect("at home");
}

//! The table of registered buffers: what it takes, how it changes, and when it lets go.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::thread;

use annulus_ring::{BufferPool, BufferSpan, BufferTable, Errno, LentBuf, Ring};
use annulus_syscalls::io_uring::register::op::IORING_UNREGISTER_BUFFERS;

use super::{assert_quiet, file_with, next, pinned_ring, pipe, queue, ring, run};

/// A pool with one buffer, lent.
pub(super) fn one_lent(ring: &Ring, size_bytes: u32) -> (BufferPool, LentBuf) {
    let pool = BufferPool::new(ring, 1, size_bytes).expect("registered");
    let lent = pool.claim().expect("free").lend();
    (pool, lent)
}

/// Bytes that differ from those near them and a page away.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

pub(super) fn fixed_read(
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

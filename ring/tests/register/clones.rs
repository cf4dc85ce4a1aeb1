//! Buffers that a second ring takes over from the first.

use std::os::fd::AsRawFd;

use annulus_ring::{BufferPool, BufferSpan, BufferTable, CloneSource, Errno, Ring};
use annulus_syscalls::io_uring::register::io_uring_rsrc_update;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS,
};

use super::{file_with, pinned_ring, ring, run, skip_newer};

/// Reads 4 bytes of a file into the first bytes of `span`, as the buffer of `slot`.
fn read(ring: &mut Ring, span: BufferSpan, slot: u16) -> Result<u32, Errno> {
    let file = file_with(b"data");
    let fd = file.as_raw_fd();
    let cqe = run(ring, |sqe| {
        // SAFETY: the memory stays until the completion, which `run` waits for.
        unsafe { sqe.prep_read_fixed(fd, span.start, 4, 0, slot) };
    });
    cqe.result()
}

/// The table of `to` as a clone of `from`, or `None` where there are no clones.
fn clone_of(to: &Ring, from: &BufferTable) -> Option<BufferTable> {
    match BufferTable::clone_of(to, from) {
        Err(errno @ Errno::EINVAL) => {
            skip_newer("clones of buffers", errno);
            None
        }
        table => Some(table.expect("cloned")),
    }
}

#[test]
fn a_clone_is_the_same_memory_and_outlives_its_source() {
    let (here, mut there) = (ring(), ring());
    let pool = BufferPool::new(&here, 3, 4096).expect("registered");
    let Some(table) = clone_of(&there, pool.table()) else {
        return;
    };
    assert_eq!(table.capacity(), 3);
    assert_eq!(
        BufferTable::clone_of(&there, pool.table()).map(drop),
        Err(Errno::EBUSY)
    );
    let [_, _, buf] = [(); 3].map(|()| pool.claim().expect("free"));
    let lent = buf.lend();
    let file = file_with(b"cloned");
    let cqe = run(&mut there, |sqe| {
        lent.prep_read(sqe, file.as_raw_fd(), 0..6, 0);
    });
    assert_eq!(cqe.res(), 6);
    drop(here); // the source's ring
    let cqe = run(&mut there, |sqe| {
        lent.prep_read(sqe, file.as_raw_fd(), 10..16, 0);
    });
    assert_eq!(cqe.res(), 6);
    // SAFETY: both have completed.
    let buf = unsafe { lent.land() };
    assert_eq!((&buf[..6], &buf[10..16]), (&b"cloned"[..], &b"cloned"[..]));
    let again = BufferTable::clone_of(&there, pool.table()).map(drop);
    assert_eq!(again, Err(Errno::EBADF), "the source's ring is gone");
}

#[test]
fn a_clone_of_nothing_is_refused() {
    let (here, there) = (ring(), ring());
    let source = BufferTable::sparse(&here, 2).expect("sparse");
    let Some(clone) = clone_of(&there, &source) else {
        return;
    };
    drop(clone);
    source.unregister().expect("unregistered");
    let mut table = BufferTable::sparse(&there, 2).expect("sparse");
    let from = |table: &mut BufferTable, source, range| table.clone_range(0, source, range);
    let here_fd = CloneSource::Ring(here.fd());
    assert_eq!(
        from(&mut table, here_fd, 0..1),
        Err(Errno::ENXIO),
        "no table there"
    );
    let file = file_with(b"");
    let no_ring = CloneSource::Ring(file.as_raw_fd());
    let refused = from(&mut table, no_ring, 0..1).expect_err("no ring");
    assert!(
        [Errno::EBADF, Errno::EOPNOTSUPP].contains(&refused),
        "{refused:?}"
    );
    assert_eq!(
        from(&mut table, CloneSource::Ring(-1), 0..1),
        Err(Errno::EBADF)
    );
    let refused = from(&mut table, CloneSource::Registered(15), 0..1).expect_err("not registered");
    assert!(
        [Errno::EBADF, Errno::EINVAL].contains(&refused),
        "{refused:?}"
    );
    let _source = BufferTable::sparse(&here, 2).expect("sparse");
    assert_eq!(
        from(&mut table, here_fd, 0..0),
        Err(Errno::EINVAL),
        "none, not all"
    );
    let beyond = from(&mut table, here_fd, 1..3);
    assert_eq!(beyond, Err(Errno::EOVERFLOW), "beyond its end");
    assert_eq!(from(&mut table, here_fd, 0..2), Ok(()));
    let far = table.clone_range(u32::MAX, here_fd, 0..2);
    assert_eq!(far, Err(Errno::EOVERFLOW));
}

#[test]
fn a_part_is_cloned_over_what_is_there() {
    let (mut here, mut there) = (ring(), ring());
    let mut memory = [[0; 16]; 4];
    let spans = memory.each_mut().map(|part| BufferSpan::of(part));
    // SAFETY: `memory` outlives both tables.
    let source = unsafe { BufferTable::register(&here, &spans) }.expect("registered");
    // SAFETY: as above.
    let table = unsafe { BufferTable::register(&there, &spans[..2]) };
    let mut table = table.expect("registered");
    let from = CloneSource::Ring(here.fd());
    if let Err(errno) = table.clone_range(1, from, 2..4) {
        return skip_newer("clones of a part", errno);
    }
    assert_eq!(table.capacity(), 3, "it has grown");
    assert_eq!(read(&mut there, spans[0], 0), Ok(4), "as it was");
    assert_eq!(
        read(&mut there, spans[1], 1),
        Err(Errno::EFAULT),
        "replaced"
    );
    assert_eq!(read(&mut there, spans[2], 1), Ok(4));
    assert_eq!(read(&mut there, spans[3], 2), Ok(4));
    // The source still has all of them, also when the clone goes.
    table.unregister().expect("unregistered");
    assert_eq!(read(&mut here, spans[3], 3), Ok(4));
    source.unregister().expect("unregistered");
}

#[test]
fn a_ring_clones_its_own_slots() {
    let mut ring = ring();
    let mut memory = [0; 16];
    let span = BufferSpan::of(&mut memory);
    // SAFETY: `memory` outlives the table.
    let table = unsafe { BufferTable::register(&ring, &[span, BufferSpan::EMPTY]) };
    let mut table = table.expect("registered");
    if let Err(errno) = table.clone_range(1, CloneSource::Ring(ring.fd()), 0..1) {
        return skip_newer("clones of a part", errno);
    }
    assert_eq!(read(&mut ring, span, 0), Ok(4));
    assert_eq!(read(&mut ring, span, 1), Ok(4));
}

#[test]
fn a_registered_ring_is_a_source() {
    let (here, mut there) = (ring(), ring());
    let mut memory = [0; 16];
    let span = BufferSpan::of(&mut memory);
    // SAFETY: `memory` outlives both tables.
    let _source = unsafe { BufferTable::register(&here, &[span]) }.expect("registered");
    let mut table = BufferTable::sparse(&there, 1).expect("sparse");
    let mut update = io_uring_rsrc_update {
        offset: u32::MAX,
        data: here.fd() as u64,
        ..io_uring_rsrc_update::default()
    };
    let arg = (&raw mut update).expose_provenance();
    // SAFETY: `arg` is the one update that this registration reads and writes.
    let registered = unsafe { here.register(IORING_REGISTER_RING_FDS, arg, 1) };
    assert_eq!(registered, Ok(1));
    let cloned = table.clone_range(0, CloneSource::Registered(update.offset), 0..1);
    update.data = 0;
    let arg = (&raw const update).expose_provenance();
    // SAFETY: as above; the index is the thread's.
    let unregistered = unsafe { here.register(IORING_UNREGISTER_RING_FDS, arg, 1) };
    assert_eq!(unregistered, Ok(1));
    if let Err(errno) = cloned {
        return skip_newer("clones of a part", errno);
    }
    assert_eq!(read(&mut there, span, 0), Ok(4));
}

#[test]
fn a_pinned_ring_is_a_source_and_a_target() {
    let (here, mut there) = (pinned_ring(), pinned_ring());
    let mut memory = [0; 16];
    let span = BufferSpan::of(&mut memory);
    // SAFETY: `memory` outlives both tables.
    let source = unsafe { BufferTable::register(&here, &[span]) }.expect("registered");
    let Some(_clone) = clone_of(&there, &source) else {
        return;
    };
    assert_eq!(read(&mut there, span, 0), Ok(4));
}

//! Files: opening, reading and writing in every form, moving data, and asking about them.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, IntoRawFd};

use annulus_ring::{Cqe, Errno, Opcode, Ring, RingConfig, SqeFlags};
use annulus_syscalls::io_uring::io_uring_sqe;

use crate::support::{
    TempDir, TempFile, close, collect, complete, of, openat, pattern, pipe, push, read,
    register_buffers, register_files, result, ring, skip_feature, unregister_files, update_files,
    write,
};

#[test]
fn a_vectored_read_through_a_registered_file_fills_its_buffer() {
    let config = RingConfig {
        sq_entries: 1,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let zero = std::fs::File::open("/dev/zero").expect("/dev/zero");
    register_files(&ring, &[zero.as_raw_fd()]).expect("registered");
    let mut buf = [42_u8; 128];
    let mut bufs = [IoSliceMut::new(&mut buf)];
    let iov = bufs.as_mut_ptr().cast();
    // SAFETY: the buffer outlives the completion.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_readv(0, iov, 1, 0, 0)
            .add_flags(SqeFlags::FIXED_FILE)
    });
    assert!(ring.get_sqe().is_none(), "the SQ of one is full");
    let cqes = collect(&mut ring, 1);
    assert_eq!(cqes, [Cqe::synthetic(1, 128, 0)]);
    assert_eq!(buf, [0; 128]);
    unregister_files(&ring).expect("unregistered");
    assert_eq!(unregister_files(&ring), Err(Errno::ENXIO));
}

#[test]
fn a_linked_write_sync_and_read_run_in_order() {
    let config = RingConfig {
        sq_entries: 4,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    let file = TempFile::new();
    let (first, second) = ([1_u8; 100], [2_u8; 28]);
    let out = [IoSlice::new(&first), IoSlice::new(&second)];
    let mut back = [0_u8; 128];
    let mut into = [IoSliceMut::new(&mut back)];
    let (out_at, into_at) = (out.as_ptr().cast(), into.as_mut_ptr().cast());
    // SAFETY: the buffers outlive the completion.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_writev(file.fd(), out_at, 2, 17, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    push(&mut ring, 1, |sqe| {
        sqe.prep_fsync(file.fd(), 0).add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: the buffer outlives the completion.
    push(&mut ring, 2, |sqe| unsafe {
        sqe.prep_readv(file.fd(), into_at, 1, 17, 0)
    });
    assert_eq!(ring.sq_queued(), 3);
    assert_eq!(ring.submit_and_wait(3), Ok(3));
    for (user_data, res) in [(0, 128), (1, 0), (2, 128)] {
        assert_eq!(u64::from(ring.cq_ready()), 3 - user_data);
        assert_eq!(ring.pop(), Some(Cqe::synthetic(user_data, res, 0)));
    }
    assert_eq!(ring.cq_ready(), 0);
    assert_eq!(back[..100], first);
    assert_eq!(back[100..], second);
}

#[test]
fn what_was_written_at_an_offset_is_read_there() {
    let mut ring = ring();
    let file = TempFile::new();
    let out = [95_u8; 20];
    let mut back = [92_u8; 20];
    let (out_at, back_at) = (out.as_ptr(), back.as_mut_ptr());
    // SAFETY: the buffers outlive the completions.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_write(file.fd(), out_at, 20, 10)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: as above.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read(file.fd(), back_at, 20, 10)
    });
    let cqes = collect(&mut ring, 2);
    assert_eq!((cqes[0].user_data(), cqes[0].res()), (0, 20));
    assert_eq!((cqes[1].user_data(), cqes[1].res()), (1, 20));
    assert_eq!(back, out);
    assert_eq!(file.content()[..10], [0; 10]);
}

#[test]
fn two_splices_through_a_pipe_copy_a_part_of_a_file() {
    let mut ring = ring();
    let source = TempFile::with(&pattern(20));
    let target = TempFile::with(&[0; 10]);
    let (reading, writing) = pipe(0);
    let no_offset = u64::MAX;
    let sqe = ring.get_sqe().expect("room");
    sqe.prep_splice(source.fd(), 10, writing.as_raw_fd(), no_offset, 10, 0)
        .add_flags(SqeFlags::IO_LINK)
        .set_user_data(0);
    let expected = io_uring_sqe {
        opcode: Opcode::SPLICE.0,
        flags: SqeFlags::IO_LINK.bits(),
        fd: writing.as_raw_fd(),
        off: no_offset,
        addr: 10,
        len: 10,
        file_index: source.fd() as u32,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    push(&mut ring, 1, |sqe| {
        sqe.prep_splice(reading.as_raw_fd(), no_offset, target.fd(), 10, 10, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    let mut back = [0_u8; 20];
    let start = back.as_mut_ptr();
    // SAFETY: `back` outlives the completion.
    push(&mut ring, 2, |sqe| unsafe {
        sqe.prep_read(target.fd(), start, 20, 0)
    });
    assert_eq!(ring.submit_and_wait(3), Ok(3));
    let cqes = collect(&mut ring, 3);
    for (user_data, res) in [(0, 10), (1, 10), (2, 20)] {
        assert_eq!(of(&cqes, user_data).res(), res);
    }
    assert_eq!(back[..10], [0; 10]);
    assert_eq!(back[10..], pattern(20)[10..]);
}

#[test]
fn registered_buffers_carry_a_write_and_a_read() {
    let mut ring = ring();
    let file = TempFile::new();
    let mut out = vec![0x11_u8; 4096];
    let mut back = vec![0x22_u8; 4096];
    out[..6].copy_from_slice(b"foobar");
    let mut bufs = [IoSliceMut::new(&mut out), IoSliceMut::new(&mut back)];
    // SAFETY: both vectors outlive the ring's use of them: it is dropped first, below.
    match unsafe { register_buffers(&ring, &mut bufs) } {
        Ok(()) => {}
        Err(Errno::ENOMEM) => return skip_feature("no memory may be locked here"),
        Err(errno) => panic!("buffers: {errno}"),
    }
    let (out_at, back_at) = (out.as_ptr(), back.as_mut_ptr());
    // SAFETY: the buffers outlive the completions.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_write_fixed(file.fd(), out_at, 6, 3, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    // SAFETY: as above.
    push(&mut ring, 1, |sqe| unsafe {
        sqe.prep_read_fixed(file.fd(), back_at, 4096, 0, 1)
    });
    let cqes = collect(&mut ring, 2);
    assert_eq!((of(&cqes, 0).res(), of(&cqes, 1).res()), (6, 9));
    drop(ring);
    assert_eq!(back[..3], [0; 3], "the hole");
    assert_eq!(back[3..9], *b"foobar");
    assert!(
        back[9..].iter().all(|byte| *byte == 0x22),
        "the rest is not touched"
    );
}

#[test]
fn a_file_is_opened_by_an_entry_of_the_documented_layout() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("opened");
    let flags = libc::O_CLOEXEC | libc::O_RDWR | libc::O_CREAT;
    let sqe = ring.get_sqe().expect("room");
    // SAFETY: `path` outlives the submission.
    unsafe { sqe.prep_openat(libc::AT_FDCWD, path.as_ptr(), flags, 0o666) }.set_user_data(5);
    let expected = io_uring_sqe {
        opcode: Opcode::OPENAT.0,
        fd: libc::AT_FDCWD,
        addr: path.as_ptr().addr() as u64,
        len: 0o666,
        op_flags: flags as u32,
        user_data: 5,
        ..io_uring_sqe::default()
    };
    assert_eq!(*sqe.as_raw(), expected);
    let cqe = collect(&mut ring, 1)[0];
    assert!(cqe.res() > 2);
    assert_eq!(cqe.flags(), 0);
    assert_eq!(close(&mut ring, cqe.res()), Ok(0));
}

#[test]
fn a_closed_descriptor_is_gone() {
    let mut ring = ring();
    let directory = TempDir::new();
    let path = directory.c_path("closed");
    let file = openat(
        &mut ring,
        libc::AT_FDCWD,
        &path,
        libc::O_RDWR | libc::O_CREAT,
        0o600,
    )
    .expect("opened");
    let cqe = complete(&mut ring, |sqe| sqe.prep_close(file.into_raw_fd()));
    assert_eq!((cqe.res(), cqe.flags()), (0, 0));
}

#[test]
fn an_empty_file_grows_by_fallocate() {
    let mut ring = ring();
    let file = TempFile::new();
    let len = 64 << 10;
    match result(&mut ring, |sqe| sqe.prep_fallocate(file.fd(), 0, 0, len)) {
        Ok(0) => assert_eq!(file.file().metadata().expect("its size").len(), len),
        Err(Errno::EOPNOTSUPP) => skip_feature("this file system has no fallocate"),
        other => panic!("fallocate: {other:?}"),
    }
}

#[test]
fn statx_tells_the_size_of_a_file() {
    let mut ring = ring();
    let file = TempFile::with(b"foobar");
    let path = file.c_path();
    let mut out = std::mem::MaybeUninit::<libc::statx>::zeroed();
    let at = out.as_mut_ptr().cast();
    // SAFETY: `path` and `out` outlive the completion.
    let told = result(&mut ring, |sqe| unsafe {
        sqe.prep_statx(libc::AT_FDCWD, path.as_ptr(), 0, libc::STATX_SIZE, at)
    });
    assert_eq!(told, Ok(0));
    // SAFETY: every bit pattern is a statx, and it was zeroed at first.
    let out = unsafe { out.assume_init() };
    assert_ne!(out.stx_mask & libc::STATX_SIZE, 0);
    assert_eq!(out.stx_size, 6);
}

#[test]
fn a_slot_of_the_file_table_is_filled_and_emptied_while_the_ring_runs() {
    let mut ring = ring();
    let zero = std::fs::File::open("/dev/zero").expect("/dev/zero");
    register_files(&ring, &[-1; 9]).expect("registered");
    let read_slot = |ring: &mut Ring| {
        let mut buf = [42_u8; 10];
        let start = buf.as_mut_ptr();
        // SAFETY: `buf` outlives the completion.
        let got = result(ring, |sqe| unsafe {
            sqe.prep_read(8, start, 10, 0)
                .add_flags(SqeFlags::FIXED_FILE)
        });
        got.map(|_| buf)
    };
    assert_eq!(read_slot(&mut ring), Err(Errno::EBADF));
    let mut all = [-1; 9];
    all[8] = zero.as_raw_fd();
    assert_eq!(update_files(&ring, 0, &all), Ok(9));
    assert_eq!(read_slot(&mut ring), Ok([0; 10]));
    assert_eq!(update_files(&ring, 8, &[-1]), Ok(1));
    assert_eq!(read_slot(&mut ring), Err(Errno::EBADF));
    assert_eq!(update_files(&ring, 8, &[zero.as_raw_fd()]), Ok(1));
    assert_eq!(read_slot(&mut ring), Ok([0; 10]));
    assert_eq!(
        update_files(&ring, 9, &[-1]),
        Err(Errno::EINVAL),
        "beyond the table"
    );
    unregister_files(&ring).expect("unregistered");
}

#[test]
fn what_one_ring_writes_another_reads() {
    let (mut writing, mut reading) = (ring(), ring());
    let file = TempFile::new();
    let data = pattern(5000);
    assert_eq!(write(&mut writing, file.fd(), &data, 0), Ok(5000));
    let mut back = vec![0; 5000];
    assert_eq!(read(&mut reading, file.fd(), &mut back, 0), Ok(5000));
    assert_eq!(back, data);
}

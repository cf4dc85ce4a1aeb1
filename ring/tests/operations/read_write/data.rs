//! The data itself: every byte written is the byte read, in whatever form it went.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fs::OpenOptions;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::ptr::NonNull;

use annulus_ring::{Errno, Opcode, Ring, RingConfig, Sqe, SqeFlags};
use annulus_syscalls::io_uring::feat::IORING_FEAT_RW_ATTR;
use annulus_syscalls::io_uring::flags::rw::{
    IORING_RW_ATTR_FLAG_PI, RWF_APPEND, RWF_ATOMIC, RWF_DONTCACHE, RWF_DSYNC, RWF_NOAPPEND,
    RWF_NOWAIT, RWF_SYNC,
};
use annulus_syscalls::io_uring::io_uring_attr_pi;

use crate::support::{
    TempFile, collect, has, in_a_child, no_more_than, openat, pattern, push, read, readv,
    register_buffers, register_files, result, ring, skip_feature, write, writev,
};

const PAGE: usize = 4096;

/// Memory that starts at a page, as direct I/O wants it.
struct Pages {
    start: NonNull<u8>,
    layout: Layout,
}

impl Pages {
    fn new(len: usize) -> Pages {
        let layout = Layout::from_size_align(len, PAGE).expect("a layout");
        // SAFETY: the size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory");
        Pages { start, layout }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: allocated with this size, initialized, and borrowed as long as we are.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// The ways a block of data is moved.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Plain,
    Vectored,
    Registered,
    VectoredRegistered,
}

/// Prepares `form` of a read or write of the `len` bytes at `start`, whose `iovec` is at `iov`.
///
/// # Safety
/// As the `prep_*` methods say.
unsafe fn prepare<'a>(
    sqe: &'a mut Sqe,
    form: Form,
    is_write: bool,
    place: (i32, u64),
    start: *mut u8,
    iov: &libc::iovec,
) -> &'a mut Sqe {
    let (fd, offset) = place;
    let len = iov.iov_len as u32;
    let iov = std::ptr::from_ref(iov).cast();
    match (form, is_write) {
        // SAFETY: promised by the caller.
        (Form::Plain, true) => unsafe { sqe.prep_write(fd, start, len, offset) },
        // SAFETY: promised by the caller.
        (Form::Plain, false) => unsafe { sqe.prep_read(fd, start, len, offset) },
        // SAFETY: promised by the caller.
        (Form::Vectored, true) => unsafe { sqe.prep_writev(fd, iov, 1, offset, 0) },
        // SAFETY: promised by the caller.
        (Form::Vectored, false) => unsafe { sqe.prep_readv(fd, iov, 1, offset, 0) },
        // SAFETY: promised by the caller.
        (Form::Registered, true) => unsafe { sqe.prep_write_fixed(fd, start, len, offset, 0) },
        // SAFETY: promised by the caller.
        (Form::Registered, false) => unsafe { sqe.prep_read_fixed(fd, start, len, offset, 0) },
        // SAFETY: promised by the caller.
        (Form::VectoredRegistered, true) => unsafe {
            sqe.prep_writev_fixed(fd, iov, 1, offset, 0, 0)
        },
        // SAFETY: promised by the caller.
        (Form::VectoredRegistered, false) => unsafe {
            sqe.prep_readv_fixed(fd, iov, 1, offset, 0, 0)
        },
    }
}

/// Writes 16 blocks in a scattered order, then reads them, in one form; what came back.
fn round_trip(ring: &mut Ring, fd: i32, form: Form, flags: SqeFlags, block: usize) -> Vec<u8> {
    const BLOCKS: usize = 16;
    let expected = pattern(BLOCKS * block);
    let mut pages = Pages::new(BLOCKS * block);
    let start = pages.bytes().as_mut_ptr();
    let is_registered = matches!(form, Form::Registered | Form::VectoredRegistered);
    if is_registered {
        let mut bufs = [IoSliceMut::new(pages.bytes())];
        // SAFETY: unregistered below, before the pages go.
        unsafe { register_buffers(ring, &mut bufs) }.expect("registered");
    }
    pages.bytes().copy_from_slice(&expected);
    for is_write in [true, false] {
        let iovecs: Vec<_> = (0..BLOCKS)
            .map(|index| libc::iovec {
                iov_base: start.wrapping_add(index * block).cast(),
                iov_len: block,
            })
            .collect();
        for step in 0..BLOCKS {
            // 5 and 16 have no common divisor, so that each block has its turn.
            let index = step * 5 % BLOCKS;
            let iovec = &iovecs[index];
            let place = (fd, (index * block) as u64);
            push(ring, index as u64, |sqe| {
                // SAFETY: the pages and the vectors outlive the completions.
                unsafe { prepare(sqe, form, is_write, place, iovec.iov_base.cast(), iovec) }
                    .add_flags(flags)
            });
        }
        for cqe in collect(ring, BLOCKS) {
            assert_eq!(cqe.result(), Ok(block as u32), "{form:?} {flags:?}");
        }
        if is_write {
            pages.bytes().fill(0xff);
        }
    }
    let back = pages.bytes().to_vec();
    if is_registered {
        let opcode = annulus_syscalls::io_uring::register::op::IORING_UNREGISTER_BUFFERS;
        // SAFETY: there is no argument.
        unsafe { ring.register(opcode, 0, 0) }.expect("unregistered");
    }
    assert_eq!(back, expected, "{form:?} {flags:?}");
    back
}

fn forms(ring: &Ring) -> Vec<Form> {
    let mut forms = vec![Form::Plain, Form::Vectored, Form::Registered];
    if has(ring, Opcode::READV_FIXED) {
        forms.push(Form::VectoredRegistered);
    }
    forms
}

#[test]
fn buffered_data_comes_back_in_every_form_at_once_and_through_workers() {
    let mut ring = ring();
    for form in forms(&ring) {
        for flags in [SqeFlags::NONE, SqeFlags::ASYNC, SqeFlags::IO_DRAIN] {
            let file = TempFile::new();
            // A size that is no multiple of anything.
            let back = round_trip(&mut ring, file.fd(), form, flags, 5003);
            assert_eq!(file.content(), back);
        }
    }
}

#[test]
fn data_comes_back_through_a_registered_file_in_every_form() {
    let mut ring = ring();
    let file = TempFile::new();
    register_files(&ring, &[file.fd()]).expect("registered");
    for form in forms(&ring) {
        let back = round_trip(&mut ring, 0, form, SqeFlags::FIXED_FILE, PAGE);
        assert_eq!(file.content(), back);
    }
}

#[test]
fn direct_data_comes_back_in_every_form_at_once_and_through_workers() {
    let mut ring = ring();
    for form in forms(&ring) {
        for flags in [SqeFlags::NONE, SqeFlags::ASYNC] {
            let file = TempFile::new();
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(libc::O_DIRECT);
            let Ok(direct) = options.open(file.path()) else {
                return skip_feature("this file system has no direct I/O");
            };
            let back = round_trip(&mut ring, direct.as_raw_fd(), form, flags, PAGE);
            assert_eq!(file.content(), back);
        }
    }
}

#[test]
fn data_comes_back_from_a_ring_whose_entries_a_kernel_thread_takes() {
    let config = RingConfig {
        sq_entries: 64,
        sqpoll_idle_ms: Some(10),
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    for form in forms(&ring) {
        let file = TempFile::new();
        round_trip(&mut ring, file.fd(), form, SqeFlags::NONE, PAGE);
    }
}

#[test]
fn vectors_of_many_pieces_keep_their_order() {
    let mut ring = ring();
    let file = TempFile::new();
    let data = pattern(10_000);
    let pieces: Vec<_> = data.chunks(17).map(IoSlice::new).collect();
    assert!(pieces.len() > 8, "more than the kernel keeps at hand");
    assert_eq!(writev(&mut ring, file.fd(), &pieces, 0, 0), Ok(10_000));
    let mut back = vec![0; 10_000];
    let mut pieces: Vec<_> = back.chunks_mut(23).map(IoSliceMut::new).collect();
    assert_eq!(readv(&mut ring, file.fd(), &mut pieces, 0, 0), Ok(10_000));
    assert_eq!(back, data);
}

#[test]
fn an_empty_vector_an_empty_buffer_and_too_many_vectors_get_what_the_calls_give() {
    let mut ring = ring();
    let file = TempFile::with(b"something");
    assert_eq!(readv(&mut ring, file.fd(), &mut [], 0, 0), Ok(0));
    assert_eq!(read(&mut ring, file.fd(), &mut [], 0), Ok(0));
    assert_eq!(write(&mut ring, file.fd(), &[], 0), Ok(0));
    let iov = libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    };
    let many = vec![iov; 1025];
    let start = many.as_ptr().cast();
    // SAFETY: the vectors outlive the completion, and have no memory.
    let refused = result(&mut ring, |sqe| unsafe {
        sqe.prep_readv(file.fd(), start, 1025, 0, 0)
    });
    assert_eq!(refused, Err(Errno::EINVAL));
    // SAFETY: the kernel checks the address.
    let nowhere = result(&mut ring, |sqe| unsafe {
        sqe.prep_read(file.fd(), std::ptr::without_provenance_mut(8), 8, 0)
    });
    assert_eq!(nowhere, Err(Errno::EFAULT));
}

#[test]
fn a_registered_read_outside_of_its_buffer_is_refused() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(64));
    let mut memory = vec![0_u8; 64];
    // SAFETY: the ring is dropped before the memory.
    unsafe { register_buffers(&ring, &mut [IoSliceMut::new(&mut memory)]) }.expect("registered");
    let start = memory.as_mut_ptr();
    for (skip, len, index, expected) in [
        (0, 64, 0, Ok(64)),
        (60, 4, 0, Ok(4)),
        (0, 65, 0, Err(Errno::EFAULT)),
        (61, 4, 0, Err(Errno::EFAULT)),
        (0, 64, 1, Err(Errno::EFAULT)),
    ] {
        // SAFETY: the kernel refuses what does not lie in the buffer.
        let got = result(&mut ring, |sqe| unsafe {
            sqe.prep_read_fixed(file.fd(), start.wrapping_add(skip), len, 0, index)
        });
        assert_eq!(got, expected, "{len} bytes at {skip} of buffer {index}");
    }
    drop(ring);
}

#[test]
fn flags_of_single_writes_are_taken() {
    let mut ring = ring();
    let file = TempFile::with(b"begin ");
    for flags in [RWF_DSYNC, RWF_SYNC] {
        let piece = [IoSlice::new(b"begin ")];
        assert_eq!(writev(&mut ring, file.fd(), &piece, 0, flags), Ok(6));
    }
    // The offset does not count: it goes to the end.
    let piece = [IoSlice::new(b"end")];
    assert_eq!(writev(&mut ring, file.fd(), &piece, 0, RWF_APPEND), Ok(3));
    assert_eq!(file.content(), b"begin end");
    let unknown = writev(&mut ring, file.fd(), &piece, 0, 1 << 31);
    assert!(
        [Err(Errno::EOPNOTSUPP), Err(Errno::EINVAL)].contains(&unknown),
        "{unknown:?}"
    );
    match writev(&mut ring, file.fd(), &piece, 6, RWF_DONTCACHE) {
        Err(Errno::EOPNOTSUPP) => skip_feature("this file system caches always"),
        written => assert_eq!(written, Ok(3)),
    }
    // In spite of O_APPEND it goes where it is told to; and whole or not at all, where files can.
    let path = file.c_path();
    let flags = libc::O_WRONLY | libc::O_APPEND;
    let appending = openat(&mut ring, libc::AT_FDCWD, &path, flags, 0).expect("opened");
    match writev(&mut ring, appending.as_raw_fd(), &piece, 0, RWF_NOAPPEND) {
        Err(Errno::EOPNOTSUPP) => skip_feature("a write always appends to such a file (6.9)"),
        written => {
            assert_eq!(written, Ok(3));
            assert_eq!(file.content(), b"endin end");
        }
    }
    let atomic = writev(&mut ring, file.fd(), &piece, 0, RWF_ATOMIC);
    assert!(
        [Err(Errno::EOPNOTSUPP), Err(Errno::EINVAL)].contains(&atomic),
        "three bytes are no block: {atomic:?}"
    );
}

#[test]
fn a_file_without_protection_information_takes_no_attributes() {
    let mut ring = ring();
    if ring.features() & IORING_FEAT_RW_ATTR == 0 {
        return skip_feature("this kernel knows no attributes of reads (6.14)");
    }
    let file = TempFile::with(b"plain");
    let mut back = [0_u8; 5];
    let start = back.as_mut_ptr();
    let attributes = io_uring_attr_pi::default();
    let at = (&raw const attributes).cast();
    for mask in [IORING_RW_ATTR_FLAG_PI, 1 << 63] {
        let refused = result(&mut ring, |sqe| {
            // SAFETY: the buffer outlives the completion.
            let sqe = unsafe { sqe.prep_read(file.fd(), start, 5, 0) };
            // SAFETY: so do the attributes.
            unsafe { sqe.set_rw_attributes(mask, at) }
        });
        assert_eq!(refused, Err(Errno::EINVAL), "{mask:#x}");
    }
}

#[test]
fn a_read_of_what_is_not_cached_says_so_when_it_may_not_wait_and_a_linked_one_is_cancelled() {
    let mut ring = ring();
    let file = TempFile::with(&pattern(1 << 20));
    file.file().sync_all().expect("on the disk");
    let forgotten = result(&mut ring, |sqe| {
        sqe.prep_fadvise(file.fd(), 0, 1 << 20, libc::POSIX_FADV_DONTNEED)
    });
    assert_eq!(forgotten, Ok(0));
    let mut back = vec![0_u8; 1 << 20];
    let start = back.as_mut_ptr();
    // SAFETY: the buffer outlives the completions.
    push(&mut ring, 0, |sqe| unsafe {
        sqe.prep_read(file.fd(), start, 1 << 20, 0)
            .set_rw_flags(RWF_NOWAIT)
            .add_flags(SqeFlags::IO_LINK)
    });
    push(&mut ring, 1, |sqe| sqe.prep_nop());
    let cqes = collect(&mut ring, 2);
    let linked = crate::support::of(&cqes, 1).result();
    match crate::support::of(&cqes, 0).result() {
        Err(Errno::EAGAIN) => assert_eq!(linked, Err(Errno::ECANCELED)),
        Err(Errno::EOPNOTSUPP) => skip_feature("this file system always waits"),
        // Read ahead brought some or all of it back before we asked.
        Ok(len) if len < 1 << 20 => assert_eq!(linked, Err(Errno::ECANCELED)),
        read => assert_eq!((read, linked), (Ok(1 << 20), Ok(0))),
    }
    assert_eq!(read(&mut ring, file.fd(), &mut back, 0), Ok(1 << 20));
    assert_eq!(back, pattern(1 << 20));
    // Now it is cached: at least its start comes without waiting.
    let mut bufs = [IoSliceMut::new(&mut back)];
    let cached = readv(&mut ring, file.fd(), &mut bufs, 0, RWF_NOWAIT);
    assert!(
        matches!(cached, Ok(1..=1_048_576) | Err(Errno::EOPNOTSUPP)),
        "{cached:?}"
    );
}

#[test]
fn a_write_beyond_the_limit_of_file_sizes_is_refused() {
    let held = in_a_child(|| {
        no_more_than(libc::RLIMIT_FSIZE, 8192);
        // SAFETY: takes numbers only; the child is alone with it.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let mut ring = ring();
        let file = TempFile::new();
        let data = [1_u8; 4096];
        let within = write(&mut ring, file.fd(), &data, 4096);
        let beyond = write(&mut ring, file.fd(), &data, 8192);
        within == Ok(4096) && beyond == Err(Errno::EFBIG)
    });
    assert!(held);
}

#[test]
fn a_read_takes_the_priority_it_is_given_and_refuses_one_there_is_not() {
    let mut ring = ring();
    let file = TempFile::with(b"content");
    let mut buf = [0_u8; 7];
    let start = buf.as_mut_ptr();
    let mut read_at = |class: u16, level: u16| {
        // SAFETY: `buf` outlives the completion.
        result(&mut ring, |sqe| unsafe {
            sqe.prep_read(file.fd(), start, 7, 0)
                .set_io_priority(class << 13 | level)
        })
    };
    let (none, best_effort, idle) = (0, 2, 3);
    assert_eq!(read_at(none, 0), Ok(7));
    assert_eq!(read_at(best_effort, 7), Ok(7));
    assert_eq!(read_at(idle, 0), Ok(7));
    assert_eq!(read_at(7, 0), Err(Errno::EINVAL), "no such class");
}

#[test]
fn a_descriptor_not_open_for_it_is_refused() {
    let mut ring = ring();
    let file = TempFile::with(b"content");
    let reading = std::fs::File::open(file.path()).expect("opened");
    let writing = OpenOptions::new()
        .write(true)
        .open(file.path())
        .expect("opened");
    let mut buf = [0; 8];
    assert_eq!(
        write(&mut ring, reading.as_raw_fd(), &buf, 0),
        Err(Errno::EBADF)
    );
    assert_eq!(
        read(&mut ring, writing.as_raw_fd(), &mut buf, 0),
        Err(Errno::EBADF)
    );
    assert_eq!(read(&mut ring, -1, &mut buf, 0), Err(Errno::EBADF));
    let directory = std::fs::File::open("/").expect("opened");
    assert_eq!(
        read(&mut ring, directory.as_raw_fd(), &mut buf, 0),
        Err(Errno::EISDIR)
    );
}

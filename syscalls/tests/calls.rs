//! The calls themselves, against the running kernel.

use annulus_syscalls::io_uring::io_uring_params;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_QUERY;
use annulus_syscalls::io_uring::register::{io_uring_query_hdr, io_uring_query_opcode};
use annulus_syscalls::io_uring::{enter, feat, setup, sqe_flags};
use annulus_syscalls::{Errno, calls, nr, syscall0, syscall6};

#[test]
fn the_instruction_carries_all_six_arguments() {
    // SAFETY: getpid takes nothing and changes nothing.
    let pid = unsafe { syscall0(nr::GETPID) };
    assert_eq!(pid, std::process::id() as usize);
    // A page of a file at an offset needs all six: the sixth chooses which.
    let path = std::env::temp_dir().join(format!("annulus-six-{pid}"));
    let mut contents = vec![b'a'; 65_536];
    contents.extend_from_slice(b"second");
    std::fs::write(&path, contents).expect("written");
    let file = std::fs::File::open(&path).expect("opened");
    std::fs::remove_file(&path).expect("removed");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
    let (read, private) = (1, 2);
    // SAFETY: a fresh read-only mapping at an address of the kernel's choice.
    let ret = unsafe { syscall6(nr::MMAP, 0, 6, read, private, fd, 65_536) };
    let address = Errno::check(ret).expect("mapped");
    let page: *const [u8; 6] = std::ptr::with_exposed_provenance(address);
    // SAFETY: six bytes of the file were just mapped there.
    assert_eq!(unsafe { &*page }, b"second");
}

#[test]
fn a_descriptor_goes_through_its_life() {
    let [reading, writing] = calls::pipe2(0).expect("a pipe");
    assert_eq!(calls::write(writing, b"abc"), Ok(3));
    let mut buf = [0; 8];
    // SAFETY: `buf` has eight bytes.
    assert_eq!(unsafe { calls::read(reading, buf.as_mut_ptr(), 8) }, Ok(3));
    assert_eq!(&buf[..3], b"abc");
    // SAFETY: `writing` is ours to replace.
    assert_eq!(unsafe { calls::dup3(reading, writing, 0) }, Ok(writing));
    assert_eq!(
        calls::write(writing, b"abc"),
        Err(Errno::EBADF),
        "it is a reading end now"
    );
    assert_eq!(calls::lseek(reading, 0, 0), Err(Errno::ESPIPE));
    for fd in [reading, writing] {
        // SAFETY: ours, and not used afterwards.
        assert_eq!(unsafe { calls::close(fd) }, Ok(()));
    }
}

#[test]
fn files_are_opened_and_read_at_offsets() {
    let at_cwd = -100;
    let missing = calls::openat(at_cwd, c"/nowhere/at/all", 0, 0);
    assert_eq!(missing, Err(Errno::ENOENT));
    let fd = calls::openat(at_cwd, c"/proc/self/comm", 0, 0).expect("opened");
    let mut buf = [0; 4];
    // SAFETY: `buf` has four bytes.
    assert_eq!(unsafe { calls::pread64(fd, buf.as_mut_ptr(), 4, 1) }, Ok(4));
    // SAFETY: ours, and not used afterwards.
    assert_eq!(unsafe { calls::close(fd) }, Ok(()));
}

#[test]
fn a_process_has_a_descriptor() {
    let fd = calls::pidfd_open(std::process::id() as i32, 0).expect("a descriptor of our own");
    // SAFETY: ours, and not used afterwards.
    assert_eq!(unsafe { calls::close(fd) }, Ok(()));
    assert_eq!(calls::pidfd_open(0, 0), Err(Errno::EINVAL));
    assert_eq!(calls::pidfd_open(i32::MAX, 0), Err(Errno::ESRCH));
}

#[test]
fn memory_is_mapped_advised_and_unmapped() {
    let (read_write, private_anonymous, dont_fork) = (3, 0x22, 10);
    // SAFETY: no MAP_FIXED, and nobody else has this memory.
    let page = unsafe { calls::mmap(4096, read_write, private_anonymous, -1, 0) }.expect("mapped");
    // SAFETY: mapped writable.
    unsafe { page.as_ptr().write(7) };
    // SAFETY: ours.
    assert_eq!(unsafe { calls::madvise(page, 4096, dont_fork) }, Ok(()));
    // SAFETY: ours.
    let unknown = unsafe { calls::madvise(page, 4096, 9999) };
    assert_eq!(unknown, Err(Errno::EINVAL));
    // SAFETY: ours, and not used afterwards.
    assert_eq!(unsafe { calls::munmap(page, 4096) }, Ok(()));
}

#[test]
fn a_ring_is_set_up_entered_and_closed() {
    let mut params = io_uring_params::default();
    // SAFETY: no flags, so no memory of ours.
    let fd = unsafe { calls::io_uring_setup(4, &mut params) }.expect("a ring");
    assert_eq!((params.sq_entries, params.cq_entries), (4, 8));
    assert_ne!(params.features & feat::IORING_FEAT_EXT_ARG, 0);
    let events = enter::IORING_ENTER_GETEVENTS;
    // SAFETY: nothing is queued.
    let entered = unsafe { calls::io_uring_enter(fd, 0, 0, events, 0, 0) };
    assert_eq!(entered, Ok(0));
    // SAFETY: ours, and not used afterwards.
    assert_eq!(unsafe { calls::close(fd) }, Ok(()));
}

#[test]
fn flags_this_kernel_does_not_know_are_einval() {
    let mut params = io_uring_params {
        flags: 1 << 31,
        ..io_uring_params::default()
    };
    // SAFETY: the flag is unknown, so nothing is set up.
    let refused = unsafe { calls::io_uring_setup(4, &mut params) };
    assert_eq!(refused, Err(Errno::EINVAL));
}

/// All flags that we know, against what the kernel says it knows; skipped before 6.18.
#[test]
fn our_flags_cover_what_the_kernel_knows() {
    let mut answer = io_uring_query_opcode::default();
    let mut question = io_uring_query_hdr {
        query_data: (&raw mut answer).expose_provenance() as u64,
        size: size_of::<io_uring_query_opcode>() as u32,
        ..io_uring_query_hdr::default()
    };
    let arg = (&raw mut question).expose_provenance();
    // SAFETY: `question` names `answer` and its size; -1 asks without a ring.
    let asked = unsafe { calls::io_uring_register(-1, IORING_REGISTER_QUERY, arg, 0) };
    if asked.is_err() {
        return;
    }
    assert_eq!(question.result, 0);
    let newest_known = u64::from(setup::IORING_SETUP_SQ_REWIND);
    assert!(
        answer.ring_setup_flags < newest_known << 1,
        "{:#x}",
        answer.ring_setup_flags
    );
    assert!(answer.feature_flags < u64::from(feat::IORING_FEAT_NO_IOWAIT) << 1);
    assert!(answer.enter_flags < u64::from(enter::IORING_ENTER_NO_IOWAIT) << 1);
    assert!(answer.sqe_flags < u64::from(sqe_flags::IOSQE_CQE_SKIP_SUCCESS) << 1);
}

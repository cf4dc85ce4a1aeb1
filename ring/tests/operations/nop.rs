//! `NOP` and its flags: it completes, with what it is told, and takes and gives back files and
//! buffers as real operations do.

use std::io::{IoSliceMut, Read};
use std::os::fd::AsRawFd;

use annulus_ring::{Cqe, Errno, Ring, RingConfig, SqeFlags};
use annulus_syscalls::io_uring::flags::rw::{
    IORING_NOP_FILE, IORING_NOP_FIXED_BUFFER, IORING_NOP_FIXED_FILE, IORING_NOP_INJECT_RESULT,
    IORING_NOP_TW,
};

use crate::support::{
    collect, pipe, push, register_buffers, register_files, result, ring, skip_feature,
    unregister_files,
};

fn nop(ring: &mut Ring, flags: u32, res: i32, fd: i32, buf_index: u16) -> Result<u32, Errno> {
    result(ring, |sqe| sqe.prep_nop_with(flags, res, fd, buf_index))
}

/// Whether the kernel knows the flags of descriptors and buffers, since 6.13.
fn has_flags(ring: &mut Ring) -> bool {
    let is_there = nop(ring, IORING_NOP_TW, 0, -1, 0).is_ok();
    if !is_there {
        skip_feature("this kernel's NOP has no such flags");
    }
    is_there
}

#[test]
fn every_nop_of_a_batch_completes_with_its_user_data_whatever_its_entry_flags() {
    let mut ring = ring();
    for flags in [
        SqeFlags::NONE,
        SqeFlags::ASYNC,
        SqeFlags::IO_DRAIN,
        SqeFlags::IO_LINK,
        SqeFlags::IO_HARDLINK,
        SqeFlags::ASYNC | SqeFlags::IO_DRAIN,
    ] {
        for user_data in 0..16 {
            push(&mut ring, user_data, |sqe| sqe.prep_nop().set_flags(flags));
        }
        let mut cqes = collect(&mut ring, 16);
        cqes.sort_by_key(Cqe::user_data);
        for (user_data, cqe) in cqes.iter().enumerate() {
            assert_eq!(*cqe, Cqe::synthetic(user_data as u64, 0, 0), "{flags:?}");
        }
    }
}

#[test]
fn a_nop_completes_with_the_result_it_is_told() {
    let mut ring = ring();
    for res in [0, 1, 42, i32::MAX] {
        let told = nop(&mut ring, IORING_NOP_INJECT_RESULT, res, -1, 0);
        if told == Err(Errno::EINVAL) {
            return skip_feature("this kernel's NOP takes no result");
        }
        assert_eq!(told, Ok(res as u32));
    }
    for errno in [Errno::EIO, Errno::EPERM, Errno::EFAULT] {
        let told = nop(&mut ring, IORING_NOP_INJECT_RESULT, -errno.raw(), -1, 0);
        assert_eq!(told, Err(errno));
    }
    assert_eq!(nop(&mut ring, 0, 42, -1, 0), Ok(0), "not asked for");
}

#[test]
fn a_result_that_is_told_breaks_a_chain_like_any_failure() {
    let mut ring = ring();
    if !has_flags(&mut ring) {
        return;
    }
    push(&mut ring, 0, |sqe| {
        sqe.prep_nop_with(IORING_NOP_INJECT_RESULT, -Errno::EIO.raw(), -1, 0)
            .add_flags(SqeFlags::IO_LINK)
    });
    push(&mut ring, 1, |sqe| sqe.prep_nop());
    let results: Vec<_> = collect(&mut ring, 2).iter().map(Cqe::result).collect();
    assert_eq!(results, [Err(Errno::EIO), Err(Errno::ECANCELED)]);
}

#[test]
fn a_nop_with_an_unknown_flag_is_refused() {
    let mut ring = ring();
    assert_eq!(nop(&mut ring, 1 << 31, 0, -1, 0), Err(Errno::EINVAL));
}

#[test]
fn a_nop_with_a_descriptor_fails_only_where_there_is_none() {
    let mut ring = ring();
    if !has_flags(&mut ring) {
        return;
    }
    let (reading, _writing) = pipe(0);
    let fd = reading.as_raw_fd();
    assert_eq!(nop(&mut ring, IORING_NOP_FILE, 0, fd, 0), Ok(0));
    assert_eq!(nop(&mut ring, IORING_NOP_FILE, 0, -1, 0), Err(Errno::EBADF));
    let both = IORING_NOP_FILE | IORING_NOP_INJECT_RESULT;
    assert_eq!(nop(&mut ring, both, 3, fd, 0), Ok(3));
    assert_eq!(nop(&mut ring, both, 3, -1, 0), Err(Errno::EBADF));
}

#[test]
fn a_nop_with_a_slot_fails_only_where_it_is_empty_or_not_there() {
    let mut ring = ring();
    if !has_flags(&mut ring) {
        return;
    }
    let (reading, _writing) = pipe(0);
    let slot = IORING_NOP_FILE | IORING_NOP_FIXED_FILE;
    assert_eq!(nop(&mut ring, slot, 0, 0, 0), Err(Errno::EBADF), "no table");
    register_files(&ring, &[reading.as_raw_fd(), -1]).expect("registered");
    assert_eq!(nop(&mut ring, slot, 0, 0, 0), Ok(0));
    assert_eq!(nop(&mut ring, slot, 0, 1, 0), Err(Errno::EBADF), "empty");
    assert_eq!(nop(&mut ring, slot, 0, 2, 0), Err(Errno::EBADF), "beyond");
}

#[test]
fn a_nop_with_a_registered_buffer_fails_only_where_there_is_none() {
    let mut ring = ring();
    if !has_flags(&mut ring) {
        return;
    }
    let buffer = IORING_NOP_FIXED_BUFFER;
    assert_eq!(nop(&mut ring, buffer, 0, -1, 0), Err(Errno::EFAULT));
    let mut memory = vec![0_u8; 4096];
    // SAFETY: the ring is dropped before the memory.
    unsafe { register_buffers(&ring, &mut [IoSliceMut::new(&mut memory)]) }.expect("registered");
    assert_eq!(nop(&mut ring, buffer, 0, -1, 0), Ok(0));
    assert_eq!(nop(&mut ring, buffer, 0, -1, 1), Err(Errno::EFAULT));
    let both = buffer | IORING_NOP_INJECT_RESULT;
    assert_eq!(nop(&mut ring, both, 5, -1, 0), Ok(5));
    drop(ring);
}

#[test]
fn a_nop_through_task_work_completes_only_when_completion_work_is_run() {
    let config = RingConfig {
        pinned: true,
        ..RingConfig::default()
    };
    let mut ring = Ring::new(&config).expect("a ring");
    if !has_flags(&mut ring) {
        return;
    }
    push(&mut ring, 1, |sqe| {
        sqe.prep_nop_with(IORING_NOP_TW | IORING_NOP_INJECT_RESULT, 9, -1, 0)
    });
    assert_eq!(ring.submit(), Ok(1));
    assert_eq!(ring.cq_ready(), 0);
    assert!(ring.taskrun());
    assert_eq!(ring.enter(0, None), Ok(0));
    assert_eq!(ring.pop(), Some(Cqe::synthetic(1, 9, 0)));
}

#[test]
fn a_nop_gives_the_file_of_its_slot_back() {
    let mut ring = ring();
    if !has_flags(&mut ring) {
        return;
    }
    let (mut reading, writing) = pipe(0);
    register_files(&ring, &[writing.as_raw_fd()]).expect("registered");
    let slot = IORING_NOP_FILE | IORING_NOP_FIXED_FILE;
    for _ in 0..100 {
        assert_eq!(nop(&mut ring, slot, 0, 0, 0), Ok(0));
        let (failing, res) = (slot | IORING_NOP_INJECT_RESULT, -Errno::EIO.raw());
        assert_eq!(nop(&mut ring, failing, res, 0, 0), Err(Errno::EIO));
    }
    unregister_files(&ring).expect("unregistered");
    drop(writing);
    // Not one reference is left: the pipe is at its end. Were there one, this would wait.
    let mut rest = Vec::new();
    assert_eq!(reading.read_to_end(&mut rest).expect("read"), 0);
}

//! No operation is without its `prep_*` method.

use std::collections::BTreeSet;
use std::ptr::{null, null_mut};

use annulus_ring::Opcode;
use annulus_syscalls::io_uring::op;

use super::{A, entry, prepared};

#[test]
fn every_opcode_that_a_plain_entry_can_carry_has_a_method() {
    let path = A.as_ptr();
    let entries = [
        entry!(prep_nop()),
        entry!(prep_readv(1, null(), 0, 0, 0)),
        entry!(prep_writev(1, null(), 0, 0, 0)),
        entry!(prep_fsync(1, 0)),
        entry!(prep_read_fixed(1, null_mut(), 0, 0, 0)),
        entry!(prep_write_fixed(1, null(), 0, 0, 0)),
        entry!(prep_poll_add(1, 0)),
        entry!(prep_poll_remove(1)),
        entry!(prep_sync_file_range(1, 0, 0, 0)),
        entry!(prep_sendmsg(1, null(), 0)),
        entry!(prep_recvmsg(1, null_mut(), 0)),
        entry!(prep_timeout(null(), 0, 0)),
        entry!(prep_timeout_remove(1)),
        entry!(prep_accept(1, null_mut(), null_mut(), 0)),
        entry!(prep_cancel64(1, 0)),
        entry!(prep_link_timeout(null(), 0)),
        entry!(prep_connect(1, null(), 0)),
        entry!(prep_fallocate(1, 0, 0, 0)),
        entry!(prep_openat(1, path, 0, 0)),
        entry!(prep_close(1)),
        entry!(prep_files_update(null_mut(), 0, 0)),
        entry!(prep_statx(1, path, 0, 0, null_mut())),
        entry!(prep_read(1, null_mut(), 0, 0)),
        entry!(prep_write(1, null(), 0, 0)),
        entry!(prep_fadvise(1, 0, 0, 0)),
        entry!(prep_madvise(null_mut(), 0, 0)),
        entry!(prep_send(1, null(), 0, 0)),
        entry!(prep_recv(1, null_mut(), 0, 0)),
        entry!(prep_openat2(1, path, null())),
        entry!(prep_epoll_ctl(1, 0, 1, null())),
        entry!(prep_splice(1, 0, 1, 0, 0, 0)),
        entry!(prep_provide_buffers(null_mut(), 0, 0, 0, 0)),
        entry!(prep_remove_buffers(0, 0)),
        entry!(prep_tee(1, 1, 0, 0)),
        entry!(prep_shutdown(1, 0)),
        entry!(prep_renameat(1, path, 1, path, 0)),
        entry!(prep_unlinkat(1, path, 0)),
        entry!(prep_mkdirat(1, path, 0)),
        entry!(prep_symlinkat(path, 1, path)),
        entry!(prep_linkat(1, path, 1, path, 0)),
        entry!(prep_msg_ring(1, 0, 0, 0)),
        entry!(prep_fsetxattr(1, path, null(), 0, 0)),
        entry!(prep_setxattr(path, null(), path, 0, 0)),
        entry!(prep_fgetxattr(1, path, null_mut(), 0)),
        entry!(prep_getxattr(path, null_mut(), path, 0)),
        entry!(prep_socket(1, 1, 0)),
        entry!(prep_uring_cmd(1, 1, 0, [0; 2])),
        entry!(prep_send_zc(1, null(), 0, 0, 0)),
        entry!(prep_sendmsg_zc(1, null(), 0, 0)),
        entry!(prep_read_multishot(1, 0)),
        entry!(prep_waitid(1, 1, null_mut(), 0)),
        entry!(prep_futex_wait(null(), 0, 0, 0)),
        entry!(prep_futex_wake(null(), 0, 0, 0)),
        entry!(prep_futex_waitv(null(), 0)),
        entry!(prep_fixed_fd_install(1, 0)),
        entry!(prep_ftruncate(1, 0)),
        entry!(prep_bind(1, null(), 0)),
        entry!(prep_listen(1, 0)),
        entry!(prep_recv_zc(1, 0, 0)),
        entry!(prep_epoll_wait(1, null_mut(), 0)),
        entry!(prep_readv_fixed(1, null(), 0, 0, 0, 0)),
        entry!(prep_writev_fixed(1, null(), 0, 0, 0, 0)),
        entry!(prep_pipe(null_mut(), 0)),
    ];
    let have: BTreeSet<_> = entries.iter().map(|entry| entry.opcode).collect();
    assert_eq!(have.len(), entries.len(), "one method each");
    // The two after the last take entries of 128 bytes, which have a type of their own.
    let plain = 0..op::IORING_OP_NOP128;
    let missing: Vec<_> = plain
        .map(Opcode)
        .filter(|opcode| !have.contains(&opcode.0))
        .collect();
    assert!(missing.is_empty(), "without a method: {missing:?}");
    assert_eq!(have.last(), Some(&op::IORING_OP_PIPE));
}

#[test]
fn every_opcode_has_a_name_and_a_first_kernel_and_no_other_number_has() {
    let last = op::IORING_OP_URING_CMD128;
    let mut names = BTreeSet::new();
    for number in 0..=u8::MAX {
        let opcode = Opcode(number);
        assert_eq!(opcode.since().is_some(), number <= last, "{opcode:?}");
        if number <= last {
            assert!(names.insert(opcode.name()), "{opcode:?} twice");
        }
    }
}

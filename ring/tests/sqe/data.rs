//! Reads, writes, sends and receives, polls and splices.

use annulus_ring::{Opcode, Sqe, SqeFlags};
use annulus_syscalls::io_uring::flags::rw::IORING_RW_ATTR_FLAG_PI;
use annulus_syscalls::io_uring::{io_uring_attr_pi, io_uring_sqe};

use super::{address, entry, prepared, want};

#[test]
fn reads_and_writes() {
    let mut buf = [0_u8; 8];
    let addr = address(&buf);
    let start = buf.as_mut_ptr();
    let rw = |opcode| io_uring_sqe {
        addr,
        len: 8,
        off: 9,
        ..want(opcode, 5)
    };
    assert_eq!(entry!(prep_read(5, start, 8, 9)), rw(Opcode::READ));
    assert_eq!(entry!(prep_write(5, start, 8, 9)), rw(Opcode::WRITE));
    let vectored = |opcode| io_uring_sqe {
        len: 2,
        op_flags: 8,
        ..rw(opcode)
    };
    let iov = start.cast();
    assert_eq!(entry!(prep_readv(5, iov, 2, 9, 8)), vectored(Opcode::READV));
    assert_eq!(
        entry!(prep_writev(5, iov, 2, 9, 8)),
        vectored(Opcode::WRITEV)
    );
    let fixed = |sqe| io_uring_sqe {
        buf_index: 3,
        ..sqe
    };
    assert_eq!(
        entry!(prep_read_fixed(5, start, 8, 9, 3)),
        fixed(rw(Opcode::READ_FIXED))
    );
    assert_eq!(
        entry!(prep_write_fixed(5, start, 8, 9, 3)),
        fixed(rw(Opcode::WRITE_FIXED))
    );
    assert_eq!(
        entry!(prep_readv_fixed(5, iov, 2, 9, 8, 3)),
        fixed(vectored(Opcode::READV_FIXED))
    );
    assert_eq!(
        entry!(prep_writev_fixed(5, iov, 2, 9, 8, 3)),
        fixed(vectored(Opcode::WRITEV_FIXED))
    );
    let select = SqeFlags::BUFFER_SELECT.bits();
    assert_eq!(
        entry!(prep_read_select(5, 8, 9, 3)),
        io_uring_sqe {
            addr: 0,
            flags: select,
            ..fixed(rw(Opcode::READ))
        }
    );
    assert_eq!(
        entry!(prep_read_multishot(5, 3)),
        io_uring_sqe {
            flags: select,
            off: u64::MAX,
            ..fixed(want(Opcode::READ_MULTISHOT, 5))
        }
    );
}

#[test]
fn sends_and_receives() {
    let mut buf = [0_u8; 8];
    let addr = address(&buf);
    let start = buf.as_mut_ptr();
    let (len, op_flags) = (8, 0x40);
    let transfer = |opcode| io_uring_sqe {
        addr,
        len,
        op_flags,
        ..want(opcode, 5)
    };
    assert_eq!(entry!(prep_recv(5, start, 8, 0x40)), transfer(Opcode::RECV));
    assert_eq!(entry!(prep_send(5, start, 8, 0x40)), transfer(Opcode::SEND));
    let select = SqeFlags::BUFFER_SELECT.bits();
    assert_eq!(
        entry!(prep_recv_select(5, 8, 0x40, 3)),
        io_uring_sqe {
            addr: 0,
            flags: select,
            buf_index: 3,
            ..transfer(Opcode::RECV)
        }
    );
    assert_eq!(
        entry!(prep_recv_multishot(5, 0x40, 3)),
        io_uring_sqe {
            addr: 0,
            len: 0,
            flags: select,
            buf_index: 3,
            ioprio: 2,
            ..transfer(Opcode::RECV)
        }
    );
    assert_eq!(
        entry!(prep_send_zc(5, start, 8, 0x40, 8)),
        io_uring_sqe {
            ioprio: 8,
            ..transfer(Opcode::SEND_ZC)
        }
    );
    assert_eq!(
        entry!(prep_send_zc_fixed(5, start, 8, 0x40, 8, 3)),
        io_uring_sqe {
            ioprio: 8 | 4,
            buf_index: 3,
            ..transfer(Opcode::SEND_ZC)
        }
    );
    let to = entry!(prep_sendto(5, start, 8, 0x40, start.cast(), 16));
    assert_eq!(
        (to.off, to.file_index),
        (addr, u32::from_ne_bytes([16, 0, 0, 0]))
    );
    let message = |opcode| io_uring_sqe {
        len: 1,
        ..transfer(opcode)
    };
    let pointer = start.cast();
    assert_eq!(
        entry!(prep_sendmsg(5, pointer, 0x40)),
        message(Opcode::SENDMSG)
    );
    assert_eq!(
        entry!(prep_recvmsg(5, pointer, 0x40)),
        message(Opcode::RECVMSG)
    );
    assert_eq!(
        entry!(prep_sendmsg_zc(5, pointer, 0x40, 8)),
        io_uring_sqe {
            ioprio: 8,
            ..message(Opcode::SENDMSG_ZC)
        }
    );
    assert_eq!(
        entry!(prep_recvmsg_multishot(5, pointer, 0x40, 3)),
        io_uring_sqe {
            flags: select,
            buf_index: 3,
            ioprio: 2,
            ..message(Opcode::RECVMSG)
        }
    );
    let mut sqe = Sqe::new();
    // SAFETY: the entry is never submitted.
    unsafe { sqe.prep_recv(5, start, 8, 0) }
        .set_poll_first()
        .set_bundle();
    assert_eq!(sqe.as_raw().ioprio, 1 | 16);
}

#[test]
fn polls() {
    let poll = |len| io_uring_sqe {
        len,
        op_flags: 5,
        ..want(Opcode::POLL_ADD, 5)
    };
    assert_eq!(entry!(prep_poll_add(5, 5)), poll(0));
    assert_eq!(entry!(prep_poll_multishot(5, 5)), poll(1));
    assert_eq!(
        entry!(prep_poll_remove(9)),
        io_uring_sqe {
            addr: 9,
            ..want(Opcode::POLL_REMOVE, -1)
        }
    );
    assert_eq!(
        entry!(prep_poll_update(9, 10, 5, 6)),
        io_uring_sqe {
            addr: 9,
            off: 10,
            len: 6,
            op_flags: 5,
            ..want(Opcode::POLL_REMOVE, -1)
        }
    );
}

#[test]
fn splices() {
    assert_eq!(
        entry!(prep_splice(5, 6, 7, 8, 9, 1)),
        io_uring_sqe {
            addr: 6,
            off: 8,
            len: 9,
            op_flags: 1,
            file_index: 5,
            ..want(Opcode::SPLICE, 7)
        }
    );
    assert_eq!(
        entry!(prep_tee(5, 7, 9, 1)),
        io_uring_sqe {
            len: 9,
            op_flags: 1,
            file_index: 5,
            ..want(Opcode::TEE, 7)
        }
    );
}

#[test]
fn provided_buffers() {
    let mut buf = [0_u8; 8];
    assert_eq!(
        entry!(prep_provide_buffers(buf.as_mut_ptr(), 4, 2, 3, 9)),
        io_uring_sqe {
            addr: address(&buf),
            len: 4,
            off: 9,
            buf_index: 3,
            ..want(Opcode::PROVIDE_BUFFERS, 2)
        }
    );
    assert_eq!(
        entry!(prep_remove_buffers(2, 3)),
        io_uring_sqe {
            buf_index: 3,
            ..want(Opcode::REMOVE_BUFFERS, 2)
        }
    );
}

#[test]
fn a_read_is_given_flags_and_a_priority() {
    let mut sqe = Sqe::new();
    // SAFETY: the entry is never submitted.
    unsafe { sqe.prep_read(5, std::ptr::null_mut(), 0, 0) };
    sqe.set_rw_flags(8).set_io_priority(0x4002);
    assert_eq!((sqe.as_raw().op_flags, sqe.as_raw().ioprio), (8, 0x4002));
    let attributes = io_uring_attr_pi::default();
    let at = (&raw const attributes).cast();
    // SAFETY: as above.
    unsafe { sqe.set_rw_attributes(IORING_RW_ATTR_FLAG_PI, at) };
    assert_eq!(sqe.as_raw().addr3, at.addr() as u64);
    assert_eq!(sqe.as_raw().attr_type_mask, 1);
}

//! What steers other operations, rings and processes.

use annulus_ring::{CancelMatch, Opcode};
use annulus_syscalls::io_uring::{__kernel_timespec, futex_waitv, io_uring_sqe};

use super::{address, entry, prepared, want};

#[test]
fn nop() {
    assert_eq!(entry!(prep_nop()), want(Opcode::NOP, -1));
    assert_eq!(
        entry!(prep_nop_with(0x1f, -7, 5, 3)),
        io_uring_sqe {
            op_flags: 0x1f,
            len: -7_i32 as u32,
            buf_index: 3,
            ..want(Opcode::NOP, 5)
        }
    );
}

#[test]
fn cancels() {
    let cancel = |fd, addr, op_flags| io_uring_sqe {
        addr,
        op_flags,
        ..want(Opcode::ASYNC_CANCEL, fd)
    };
    assert_eq!(entry!(prep_cancel64(9, 1)), cancel(-1, 9, 1));
    assert_eq!(entry!(prep_cancel_fd(5, 1)), cancel(5, 0, 1 | 2));
    assert_eq!(entry!(prep_cancel_any()), cancel(-1, 0, 1 | 4));
    let which = CancelMatch::fd(5).with_user_data(9).all();
    assert_eq!(entry!(prep_cancel_match(&which)), cancel(5, 9, 1 | 2 | 16));
    let which = CancelMatch::fd(5).with_opcode(Opcode::RECV).all();
    assert_eq!(
        entry!(prep_cancel_match(&which)),
        io_uring_sqe {
            len: u32::from(Opcode::RECV.0),
            ..cancel(5, 0, 1 | 2 | 32)
        }
    );
    let which = CancelMatch::opcode(Opcode::RECV).all();
    assert_eq!(
        entry!(prep_cancel_match(&which)),
        io_uring_sqe {
            len: 27,
            ..cancel(-1, 0, 1 | 32)
        }
    );
}

#[test]
fn epoll() {
    let mut event = [0_u8; 12];
    let addr = address(&event);
    assert_eq!(
        entry!(prep_epoll_ctl(5, 3, 6, event.as_ptr().cast())),
        io_uring_sqe {
            addr,
            len: 3,
            off: 6,
            ..want(Opcode::EPOLL_CTL, 5)
        }
    );
    assert_eq!(
        entry!(prep_epoll_wait(5, event.as_mut_ptr().cast(), 1)),
        io_uring_sqe {
            addr,
            len: 1,
            ..want(Opcode::EPOLL_WAIT, 5)
        }
    );
}

#[test]
fn timeouts() {
    let time = __kernel_timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let addr = address(&time);
    assert_eq!(
        entry!(prep_timeout(&raw const time, 3, 1)),
        io_uring_sqe {
            addr,
            len: 1,
            off: 3,
            op_flags: 1,
            ..want(Opcode::TIMEOUT, -1)
        }
    );
    assert_eq!(
        entry!(prep_timeout_remove(9)),
        io_uring_sqe {
            addr: 9,
            ..want(Opcode::TIMEOUT_REMOVE, -1)
        }
    );
    assert_eq!(
        entry!(prep_timeout_update(9, &raw const time, 1)),
        io_uring_sqe {
            addr: 9,
            off: addr,
            op_flags: 3,
            ..want(Opcode::TIMEOUT_REMOVE, -1)
        }
    );
    assert_eq!(
        entry!(prep_link_timeout(&raw const time, 1)),
        io_uring_sqe {
            addr,
            len: 1,
            op_flags: 1,
            ..want(Opcode::LINK_TIMEOUT, -1)
        }
    );
}

#[test]
fn timeouts_that_need_no_memory_and_those_that_limit_others() {
    let immediate = 0x80;
    assert_eq!(
        entry!(prep_timeout_immediate(1_000, 3, 4)),
        io_uring_sqe {
            addr: 1_000,
            len: 1,
            off: 3,
            op_flags: immediate | 4,
            ..want(Opcode::TIMEOUT, -1)
        }
    );
    assert_eq!(
        entry!(prep_timeout_update_immediate(9, 1_000, 0)),
        io_uring_sqe {
            addr: 9,
            off: 1_000,
            op_flags: immediate | 2,
            ..want(Opcode::TIMEOUT_REMOVE, -1)
        }
    );
    assert_eq!(
        entry!(prep_link_timeout_immediate(1_000, 4)),
        io_uring_sqe {
            addr: 1_000,
            len: 1,
            op_flags: immediate | 4,
            ..want(Opcode::LINK_TIMEOUT, -1)
        }
    );
    let time = __kernel_timespec::default();
    assert_eq!(
        entry!(prep_link_timeout_update(9, &raw const time, 1)),
        io_uring_sqe {
            addr: 9,
            off: address(&time),
            op_flags: 0x10 | 2 | 1,
            ..want(Opcode::TIMEOUT_REMOVE, -1)
        }
    );
}

#[test]
fn messages() {
    let message = io_uring_sqe {
        off: 9,
        len: 3,
        op_flags: 1,
        ..want(Opcode::MSG_RING, 5)
    };
    assert_eq!(entry!(prep_msg_ring(5, 9, 3, 1)), message);
    assert_eq!(
        entry!(prep_msg_ring_cqe_flags(5, 9, 3, 1, 8)),
        io_uring_sqe {
            op_flags: 1 | 2,
            file_index: 8,
            ..message
        }
    );
    assert_eq!(
        entry!(prep_msg_ring_fd(5, 6, 7, 9, 1)),
        io_uring_sqe {
            addr: 1,
            len: 0,
            addr3: 6,
            file_index: 8,
            ..message
        }
    );
}

#[test]
fn futexes_and_children() {
    let word = 0_u32;
    let futex = |opcode| io_uring_sqe {
        addr: address(&word),
        off: 6,
        addr3: 7,
        ..want(opcode, 2)
    };
    assert_eq!(
        entry!(prep_futex_wait(&raw const word, 6, 7, 2)),
        futex(Opcode::FUTEX_WAIT)
    );
    assert_eq!(
        entry!(prep_futex_wake(&raw const word, 6, 7, 2)),
        futex(Opcode::FUTEX_WAKE)
    );
    let waits = [futex_waitv::default(); 2];
    assert_eq!(
        entry!(prep_futex_waitv(waits.as_ptr(), 2)),
        io_uring_sqe {
            addr: address(&waits),
            len: 2,
            ..want(Opcode::FUTEX_WAITV, 0)
        }
    );
    let mut info = [0_u8; 128];
    assert_eq!(
        entry!(prep_waitid(1, 42, info.as_mut_ptr().cast(), 4)),
        io_uring_sqe {
            len: 1,
            off: address(&info),
            file_index: 4,
            ..want(Opcode::WAITID, 42)
        }
    );
}

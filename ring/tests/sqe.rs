//! Where each `prep_*` method puts its arguments, field by field.

use std::ffi::CStr;
use std::ptr::from_ref;

use annulus_ring::{Opcode, Sqe, SqeFlags};
use annulus_syscalls::io_uring::{__kernel_timespec, futex_waitv, io_uring_sqe, open_how};

const A: &CStr = c"a";
const B: &CStr = c"b";

fn address<T: ?Sized>(of: &T) -> u64 {
    from_ref(of).cast::<u8>().addr() as u64
}

/// Prepares over an entry full of ones, so that a field left out is seen, and takes the kernel's
/// view of it.
fn prepared(prep: impl FnOnce(&mut Sqe)) -> io_uring_sqe {
    let mut sqe = Sqe::new();
    // SAFETY: the entry is never submitted.
    *unsafe { sqe.as_raw_mut() } = io_uring_sqe {
        opcode: 0xff,
        flags: 0xff,
        ioprio: 0xffff,
        fd: -1,
        off: u64::MAX,
        addr: u64::MAX,
        len: u32::MAX,
        op_flags: u32::MAX,
        user_data: 77,
        buf_index: 0xffff,
        personality: 0xffff,
        file_index: u32::MAX,
        addr3: u64::MAX,
        attr_type_mask: u64::MAX,
    };
    prep(&mut sqe);
    assert_eq!(sqe.user_data(), 77, "the user data stays");
    *sqe.as_raw()
}

fn want(opcode: Opcode, fd: i32) -> io_uring_sqe {
    io_uring_sqe {
        opcode: opcode.0,
        fd,
        user_data: 77,
        ..io_uring_sqe::default()
    }
}

/// `prepared(|sqe| ..)` for a method that is unsafe: nothing is ever submitted here.
macro_rules! entry {
    ($method:ident($($arg:expr),*)) => {
        prepared(|sqe| {
            #[allow(unused_unsafe)]
            // SAFETY: the entry is never submitted, so nothing is lent.
            let _ = unsafe { sqe.$method($($arg),*) };
        })
    };
}

#[test]
fn nop() {
    assert_eq!(entry!(prep_nop()), want(Opcode::NOP, -1));
}

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
fn sockets() {
    let mut buf = [0_u8; 8];
    let mut len = 8_u32;
    let (addr, off) = (address(&buf), address(&len));
    let (start, len_pointer) = (buf.as_mut_ptr().cast(), &raw mut len);
    assert_eq!(
        entry!(prep_accept(5, start, len_pointer, 0x800)),
        io_uring_sqe {
            addr,
            off,
            op_flags: 0x800,
            ..want(Opcode::ACCEPT, 5)
        }
    );
    assert_eq!(
        entry!(prep_multishot_accept(5, 0x800)),
        io_uring_sqe {
            op_flags: 0x800,
            ioprio: 1,
            ..want(Opcode::ACCEPT, 5)
        }
    );
    assert_eq!(
        entry!(prep_connect(5, start, 16)),
        io_uring_sqe {
            addr,
            off: 16,
            ..want(Opcode::CONNECT, 5)
        }
    );
    assert_eq!(
        entry!(prep_bind(5, start, 16)),
        io_uring_sqe {
            addr,
            off: 16,
            ..want(Opcode::BIND, 5)
        }
    );
    assert_eq!(
        entry!(prep_socket(2, 1, 6)),
        io_uring_sqe {
            off: 1,
            len: 6,
            ..want(Opcode::SOCKET, 2)
        }
    );
    assert_eq!(
        entry!(prep_listen(5, 128)),
        io_uring_sqe {
            len: 128,
            ..want(Opcode::LISTEN, 5)
        }
    );
    assert_eq!(
        entry!(prep_shutdown(5, 2)),
        io_uring_sqe {
            len: 2,
            ..want(Opcode::SHUTDOWN, 5)
        }
    );
    let command = entry!(prep_cmd_sock(3, 5, 1, 2, start, 4));
    assert_eq!(command.off.to_ne_bytes()[..4], 3_u32.to_ne_bytes());
    assert_eq!(command.addr.to_ne_bytes()[..4], 1_u32.to_ne_bytes());
    assert_eq!(command.addr.to_ne_bytes()[4..], 2_u32.to_ne_bytes());
    assert_eq!((command.file_index, command.addr3), (4, addr));
}

#[test]
fn closing_and_direct_slots() {
    assert_eq!(entry!(prep_close(5)), want(Opcode::CLOSE, 5));
    assert_eq!(
        entry!(prep_close_direct(5)),
        io_uring_sqe {
            file_index: 6,
            ..want(Opcode::CLOSE, 0)
        }
    );
    let mut sqe = Sqe::new();
    sqe.prep_socket(2, 1, 0).set_direct_slot(4);
    assert_eq!(sqe.as_raw().file_index, 5);
    sqe.set_direct_alloc();
    assert_eq!(sqe.as_raw().file_index, u32::MAX);
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
fn cancels() {
    let cancel = |fd, addr, op_flags| io_uring_sqe {
        addr,
        op_flags,
        ..want(Opcode::ASYNC_CANCEL, fd)
    };
    assert_eq!(entry!(prep_cancel64(9, 1)), cancel(-1, 9, 1));
    assert_eq!(entry!(prep_cancel_fd(5, 1)), cancel(5, 0, 1 | 2));
    assert_eq!(entry!(prep_cancel_any()), cancel(-1, 0, 1 | 4));
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
fn files() {
    let path = A.as_ptr();
    let addr = address(A);
    let mut out = [0_u8; 256];
    let off = address(&out);
    assert_eq!(
        entry!(prep_openat(5, path, 2, 0o600)),
        io_uring_sqe {
            addr,
            len: 0o600,
            op_flags: 2,
            ..want(Opcode::OPENAT, 5)
        }
    );
    let how = open_how::default();
    assert_eq!(
        entry!(prep_openat2(5, path, &raw const how)),
        io_uring_sqe {
            addr,
            len: 24,
            off: address(&how),
            ..want(Opcode::OPENAT2, 5)
        }
    );
    assert_eq!(
        entry!(prep_statx(5, path, 0x100, 0xfff, out.as_mut_ptr().cast())),
        io_uring_sqe {
            addr,
            len: 0xfff,
            off,
            op_flags: 0x100,
            ..want(Opcode::STATX, 5)
        }
    );
    assert_eq!(
        entry!(prep_fsync(5, 1)),
        io_uring_sqe {
            op_flags: 1,
            ..want(Opcode::FSYNC, 5)
        }
    );
    assert_eq!(
        entry!(prep_sync_file_range(5, 6, 7, 8)),
        io_uring_sqe {
            len: 6,
            off: 7,
            op_flags: 8,
            ..want(Opcode::SYNC_FILE_RANGE, 5)
        }
    );
    assert_eq!(
        entry!(prep_fallocate(5, 1, 6, 7)),
        io_uring_sqe {
            len: 1,
            off: 6,
            addr: 7,
            ..want(Opcode::FALLOCATE, 5)
        }
    );
    assert_eq!(
        entry!(prep_ftruncate(5, 6)),
        io_uring_sqe {
            off: 6,
            ..want(Opcode::FTRUNCATE, 5)
        }
    );
    assert_eq!(
        entry!(prep_fadvise(5, 6, 7, 3)),
        io_uring_sqe {
            off: 6,
            len: 7,
            op_flags: 3,
            ..want(Opcode::FADVISE, 5)
        }
    );
    assert_eq!(
        entry!(prep_madvise(out.as_mut_ptr().cast(), 256, 4)),
        io_uring_sqe {
            addr: off,
            len: 256,
            op_flags: 4,
            ..want(Opcode::MADVISE, -1)
        }
    );
    let mut fds = [1_i32, 2];
    assert_eq!(
        entry!(prep_files_update(fds.as_mut_ptr(), 2, 3)),
        io_uring_sqe {
            addr: address(&fds),
            len: 2,
            off: 3,
            ..want(Opcode::FILES_UPDATE, -1)
        }
    );
    assert_eq!(
        entry!(prep_fixed_fd_install(3, 1)),
        io_uring_sqe {
            flags: 1,
            op_flags: 1,
            ..want(Opcode::FIXED_FD_INSTALL, 3)
        }
    );
    assert_eq!(
        entry!(prep_pipe(&raw mut fds, 0x800)),
        io_uring_sqe {
            addr: address(&fds),
            op_flags: 0x800,
            ..want(Opcode::PIPE, 0)
        }
    );
}

#[test]
fn names() {
    let (a, b) = (A.as_ptr(), B.as_ptr());
    let two = |opcode| io_uring_sqe {
        addr: address(A),
        off: address(B),
        len: 6,
        op_flags: 1,
        ..want(opcode, 5)
    };
    assert_eq!(entry!(prep_renameat(5, a, 6, b, 1)), two(Opcode::RENAMEAT));
    assert_eq!(entry!(prep_linkat(5, a, 6, b, 1)), two(Opcode::LINKAT));
    assert_eq!(
        entry!(prep_symlinkat(a, 5, b)),
        io_uring_sqe {
            len: 0,
            op_flags: 0,
            ..two(Opcode::SYMLINKAT)
        }
    );
    let one = |opcode| io_uring_sqe {
        addr: address(A),
        ..want(opcode, 5)
    };
    assert_eq!(
        entry!(prep_unlinkat(5, a, 0x200)),
        io_uring_sqe {
            op_flags: 0x200,
            ..one(Opcode::UNLINKAT)
        }
    );
    assert_eq!(
        entry!(prep_mkdirat(5, a, 0o700)),
        io_uring_sqe {
            len: 0o700,
            ..one(Opcode::MKDIRAT)
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

#[test]
fn extended_attributes() {
    let (name, path) = (A.as_ptr(), B.as_ptr());
    let mut value = [0_u8; 8];
    let pointer = value.as_mut_ptr().cast();
    let xattr = |opcode, fd| io_uring_sqe {
        addr: address(A),
        off: address(&value),
        len: 8,
        ..want(opcode, fd)
    };
    let by_path = address(B);
    assert_eq!(
        entry!(prep_getxattr(name, pointer, path, 8)),
        io_uring_sqe {
            addr3: by_path,
            ..xattr(Opcode::GETXATTR, 0)
        }
    );
    assert_eq!(
        entry!(prep_fgetxattr(5, name, pointer, 8)),
        xattr(Opcode::FGETXATTR, 5)
    );
    assert_eq!(
        entry!(prep_setxattr(name, pointer, path, 1, 8)),
        io_uring_sqe {
            addr3: by_path,
            op_flags: 1,
            ..xattr(Opcode::SETXATTR, 0)
        }
    );
    assert_eq!(
        entry!(prep_fsetxattr(5, name, pointer, 1, 8)),
        io_uring_sqe {
            op_flags: 1,
            ..xattr(Opcode::FSETXATTR, 5)
        }
    );
}

#[test]
fn flags_are_kept_apart_and_opcodes_have_names() {
    let mut sqe = Sqe::new();
    sqe.prep_nop()
        .set_flags(SqeFlags::IO_LINK | SqeFlags::ASYNC)
        .set_personality(9);
    assert!(sqe.flags().contains(SqeFlags::IO_LINK));
    assert!(!sqe.flags().contains(SqeFlags::IO_DRAIN));
    sqe.add_flags(SqeFlags::IO_DRAIN);
    assert!(
        sqe.flags()
            .contains(SqeFlags::IO_DRAIN | SqeFlags::IO_LINK | SqeFlags::ASYNC)
    );
    assert_eq!(sqe.as_raw().personality, 9);
    assert_eq!(Opcode::READ.name(), "READ");
    assert_eq!(Opcode(200).name(), "UNKNOWN");
    assert_eq!(
        format!("{} {:?}", Opcode::SEND_ZC, Opcode(200)),
        "SEND_ZC UNKNOWN(200)"
    );
}

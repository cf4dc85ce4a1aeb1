//! Sockets, closing, and slots of the file table.

use annulus_ring::{Opcode, Sqe};
use annulus_syscalls::io_uring::io_uring_sqe;

use super::{address, entry, prepared, want};

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
    let name = entry!(prep_cmd_getsockname(5, start, len_pointer, true));
    assert_eq!(name.off.to_ne_bytes()[..4], 5_u32.to_ne_bytes());
    assert_eq!((name.addr, name.addr3, name.file_index), (addr, off, 1));
    assert_eq!((name.opcode, name.fd), (Opcode::URING_CMD.0, 5));
    assert_eq!(
        entry!(prep_recv_zc(5, 6, 7)),
        io_uring_sqe {
            len: 6,
            ioprio: 2,
            file_index: 7,
            ..want(Opcode::RECV_ZC, 5)
        }
    );
}

#[test]
fn commands() {
    let mut sqe = Sqe::new();
    // SAFETY: the entry is never submitted.
    unsafe { sqe.prep_uring_cmd(9, 5, 0, [6, 7]) }.set_command_buffer(3);
    assert_eq!((sqe.as_raw().op_flags, sqe.as_raw().buf_index), (1, 3));
    let command = entry!(prep_uring_cmd(9, 5, 1, [6, 7]));
    assert_eq!(command.off.to_ne_bytes()[..4], 9_u32.to_ne_bytes());
    assert_eq!(
        command,
        io_uring_sqe {
            off: command.off,
            op_flags: 1,
            addr3: 6,
            attr_type_mask: 7,
            ..want(Opcode::URING_CMD, 5)
        }
    );
    let discard = entry!(prep_cmd_discard(5, 512, 1024));
    assert_eq!(discard.off.to_ne_bytes()[..4], 0x1200_u32.to_ne_bytes());
    assert_eq!((discard.addr, discard.addr3), (512, 1024));
}

#[test]
fn accepts_are_told_how_to_wait() {
    let mut sqe = Sqe::new();
    sqe.prep_multishot_accept(5, 0).set_accept_dontwait();
    assert_eq!(sqe.as_raw().ioprio, 1 | 2);
    sqe.set_accept_poll_first();
    assert_eq!(sqe.as_raw().ioprio, 1 | 2 | 4);
}

#[test]
fn no_slot_number_turns_into_none_or_into_the_kernel_s_choice() {
    for slot in [u32::MAX - 2, u32::MAX - 1, u32::MAX] {
        let mut sqe = Sqe::new();
        sqe.prep_socket(2, 1, 0).set_direct_slot(slot);
        assert_eq!(sqe.as_raw().file_index, u32::MAX - 1);
    }
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

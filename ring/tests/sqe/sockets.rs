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

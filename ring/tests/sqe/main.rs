//! Where each `prep_*` method puts its arguments, field by field.

mod abi;
mod bytes_of_control;
mod bytes_of_data;
mod bytes_of_files;
mod control;
mod data;
mod files;
mod opcodes;
mod sockets;

use std::ffi::CStr;
use std::ptr::from_ref;

use annulus_ring::{Opcode, Sqe, SqeFlags};
use annulus_syscalls::io_uring::io_uring_sqe;

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
pub(crate) use entry;

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

#[test]
fn an_entry_says_how_much_memory_a_plain_operation_lends() {
    let mut buf = [0_u8; 16];
    let start = buf.as_mut_ptr();
    let mut sqe = Sqe::new();
    // SAFETY: the entry is never submitted, here and below.
    unsafe { sqe.prep_read(1, start, 16, 0) };
    assert_eq!(sqe.lent_bytes(), 16);
    // SAFETY: as above.
    unsafe { sqe.prep_send_zc(1, start, 9, 0, 0) };
    assert_eq!(sqe.lent_bytes(), 9);
    // SAFETY: as above.
    unsafe { sqe.prep_recv_select(1, 16, 0, 3) };
    assert_eq!(sqe.lent_bytes(), 0, "the kernel brings the buffer");
    sqe.prep_fallocate(1, 0, 0, 16);
    assert_eq!(sqe.lent_bytes(), 0, "that is no memory");
}

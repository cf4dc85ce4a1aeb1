//! Which memory an operation has: all of it until its last CQE, and more until its entry is
//! consumed.

use core::ffi::{CStr, c_char};
use core::ptr::with_exposed_provenance;

use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_sqe, op, open_how};

use crate::kernel::engine::{Args, Operation};

/// Bytes from an address on, and what the kernel does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) address: usize,
    pub(super) len: usize,
    pub(super) access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// It reads.
    Reads,
    /// It writes when data moves, and whoever waits need not have initialised it.
    Writes,
    /// It reads when data moves, and then writes.
    ReadsThenWrites,
    /// Nothing yet: the entry was not consumed, and what it will write is not initialised.
    Nothing,
}

impl Extent {
    fn new(address: u64, len: usize, access: Access) -> Extent {
        Extent {
            address: address as usize,
            len,
            access,
        }
    }

    fn of<T>(address: *const T, len: usize, access: Access) -> Extent {
        Extent::new(address.expose_provenance() as u64, len, access)
    }
}

/// Calls `see` with all that `op` has after its entry was consumed: paths, times, addresses and
/// the arrays of iovecs were copied then.
pub(super) fn of_operation(op: &Operation, mut see: impl FnMut(Extent)) {
    let sqe = &op.sqe;
    let access = access(sqe.opcode);
    let (address, len) = op.buffer();
    match (sqe.opcode, &op.args) {
        (op::IORING_OP_READV | op::IORING_OP_WRITEV, Args::Iov(parts)) => {
            see_parts(parts, access, see);
        }
        (op::IORING_OP_ACCEPT, _) if sqe.addr != 0 => {
            let room = with_exposed_provenance::<u32>(sqe.off as usize);
            // SAFETY: who prepared the entry lent the length with the address, until the last CQE.
            let len = unsafe { room.read() };
            see(Extent::new(sqe.addr, len as usize, Access::Writes));
            see(Extent::of(room, size_of::<u32>(), Access::ReadsThenWrites));
        }
        _ if moves_one(sqe.opcode) => see(Extent::new(address, len, access)),
        _ => {}
    }
}

/// Calls `see` with all that an entry has which was not consumed yet.
pub(super) fn of_entry(sqe: &io_uring_sqe, mut see: impl FnMut(Extent)) {
    let reads = |address, len| Extent::new(address, len, Access::Reads);
    match sqe.opcode {
        op::IORING_OP_OPENAT
        | op::IORING_OP_UNLINKAT
        | op::IORING_OP_MKDIRAT
        | op::IORING_OP_STATX => see(path(sqe.addr)),
        op::IORING_OP_OPENAT2 => {
            see(path(sqe.addr));
            see(reads(sqe.off, size_of::<open_how>()));
        }
        op::IORING_OP_RENAMEAT | op::IORING_OP_LINKAT | op::IORING_OP_SYMLINKAT => {
            see(path(sqe.addr));
            see(path(sqe.off));
        }
        op::IORING_OP_CONNECT | op::IORING_OP_BIND => see(reads(sqe.addr, sqe.off as usize)),
        op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT => {
            see(reads(sqe.addr, size_of::<__kernel_timespec>()));
        }
        op::IORING_OP_TIMEOUT_REMOVE => see(reads(sqe.off, size_of::<__kernel_timespec>())),
        op::IORING_OP_READV | op::IORING_OP_WRITEV => {
            let len = sqe.len as usize * size_of::<libc::iovec>();
            see(reads(sqe.addr, len));
            let start = with_exposed_provenance::<libc::iovec>(sqe.addr as usize);
            if sqe.addr != 0 {
                // SAFETY: who prepared the entry lent the array until it is consumed.
                let parts = unsafe { core::slice::from_raw_parts(start, sqe.len as usize) };
                see_parts(parts, not_yet(sqe.opcode), see);
            }
        }
        opcode if moves_one(opcode) => {
            see(Extent::new(sqe.addr, sqe.len as usize, not_yet(opcode)));
        }
        _ => {}
    }
}

fn see_parts(parts: &[libc::iovec], access: Access, mut see: impl FnMut(Extent)) {
    for part in parts {
        see(Extent::of(part.iov_base, part.iov_len, access));
    }
}

/// Whether data goes to, or comes from, the one buffer that the entry names.
fn moves_one(opcode: u8) -> bool {
    matches!(
        opcode,
        op::IORING_OP_RECV
            | op::IORING_OP_READ
            | op::IORING_OP_SEND
            | op::IORING_OP_SEND_ZC
            | op::IORING_OP_WRITE
    )
}

fn access(opcode: u8) -> Access {
    match opcode {
        op::IORING_OP_RECV | op::IORING_OP_READ | op::IORING_OP_READV => Access::Writes,
        _ => Access::Reads,
    }
}

fn not_yet(opcode: u8) -> Access {
    match access(opcode) {
        Access::Reads => Access::Reads,
        _ => Access::Nothing,
    }
}

fn path(address: u64) -> Extent {
    if address == 0 {
        return Extent::new(0, 0, Access::Reads);
    }
    let start = with_exposed_provenance::<c_char>(address as usize);
    // SAFETY: who prepared the entry lent a string that ends in a NUL until it is consumed.
    let path = unsafe { CStr::from_ptr(start) };
    Extent::new(address, path.to_bytes_with_nul().len(), Access::Reads)
}

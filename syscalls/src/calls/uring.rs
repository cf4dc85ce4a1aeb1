//! The three calls of io_uring.

use crate::io_uring::io_uring_params;
use crate::{Errno, nr, syscall2, syscall4, syscall6};

/// `io_uring_setup`(2): makes a ring of at least `entries` SQEs and returns its descriptor, which
/// has close-on-exec set.
///
/// # Errors
/// ENOSYS where io_uring is not there or a filter forbids it, EPERM where a filter or
/// `kernel.io_uring_disabled` does, EINVAL for flags this kernel does not know, ENOMEM over the
/// limit of locked memory, EMFILE, ENFILE.
///
/// # Safety
/// With `IORING_SETUP_NO_MMAP` the addresses in `params` are memory that the ring may use for as
/// long as it lives.
///
/// # Kernel
/// Since 5.1.
pub unsafe fn io_uring_setup(entries: u32, params: &mut io_uring_params) -> Result<i32, Errno> {
    let params = core::ptr::from_mut(params).expose_provenance();
    // SAFETY: `params` is exclusively borrowed for the call; the rest the caller promised.
    let ret = unsafe { syscall2(nr::IO_URING_SETUP, entries as usize, params) };
    Errno::check(ret).map(|fd| fd as i32)
}

/// `io_uring_enter`(2): submits up to `to_submit` SQEs and, with `IORING_ENTER_GETEVENTS`, waits
/// for `min_complete` completions. Returns how many SQEs were consumed.
///
/// # Errors
/// EINTR, ETIME when the timeout ran out, EBUSY when completions have to be reaped first, EAGAIN
/// without memory, EBADFD for a disabled ring, EEXIST from a thread that is not the single
/// issuer, EINVAL, EBADF, ENXIO.
///
/// # Safety
/// Every SQE in the queue may be run: the memory it lends stays as the opcode needs it until its
/// last CQE. `arg` and `arg_size` describe what `flags` say, or are 0.
///
/// # Kernel
/// Since 5.1.
#[inline]
pub unsafe fn io_uring_enter(
    fd: i32,
    to_submit: u32,
    min_complete: u32,
    flags: u32,
    arg: usize,
    arg_size: usize,
) -> Result<u32, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe {
        syscall6(
            nr::IO_URING_ENTER,
            fd as usize,
            to_submit as usize,
            min_complete as usize,
            flags as usize,
            arg,
            arg_size,
        )
    };
    Errno::check(ret).map(|submitted| submitted as u32)
}

/// `io_uring_register`(2): `opcode` is one of [`register::op`](crate::io_uring::register::op).
///
/// # Errors
/// EINVAL for what this kernel does not know, EBUSY or EEXIST for what is registered already,
/// ENXIO for what is not, EEXIST from a thread that is not the single issuer, and the errors of
/// the single registration.
///
/// # Safety
/// `arg` and `nr_args` describe what `opcode` says; memory that becomes registered stays valid
/// until it is unregistered or the ring is gone.
///
/// # Kernel
/// Since 5.1.
pub unsafe fn io_uring_register(
    fd: i32,
    opcode: u32,
    arg: usize,
    nr_args: u32,
) -> Result<u32, Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe {
        syscall4(
            nr::IO_URING_REGISTER,
            fd as usize,
            opcode as usize,
            arg,
            nr_args as usize,
        )
    };
    Errno::check(ret).map(|result| result as u32)
}

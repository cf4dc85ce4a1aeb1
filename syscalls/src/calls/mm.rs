//! Memory mappings.

use core::ptr::{NonNull, with_exposed_provenance_mut};

use super::wide;
use crate::{Errno, nr, syscall2, syscall3};

/// `mmap`(2) at an address of the kernel's choice: `len` bytes with `prot` (`PROT_*`) and `flags`
/// (`MAP_*`), of `fd` from `offset`, or anonymous with `fd` -1.
///
/// # Errors
/// ENOMEM, EINVAL, EBADF, EACCES, EPERM.
///
/// # Safety
/// `flags` has no `MAP_FIXED`. What is mapped is shared with whoever else has it: the caller
/// answers for each access.
pub unsafe fn mmap(
    len: usize,
    prot: u32,
    flags: u32,
    fd: i32,
    offset: u64,
) -> Result<NonNull<u8>, Errno> {
    // SAFETY: without MAP_FIXED a new mapping replaces none, as the caller promised.
    let ret = unsafe { wide::mmap(len, prot, flags, fd, offset) };
    let address = Errno::check(ret)?;
    NonNull::new(with_exposed_provenance_mut(address)).ok_or(Errno::ENOMEM)
}

/// `munmap`(2) of `len` bytes from `address`.
///
/// # Errors
/// EINVAL for an address that is not page-aligned or a length of 0.
///
/// # Safety
/// The range belongs to the caller, and nobody touches it afterwards.
pub unsafe fn munmap(address: NonNull<u8>, len: usize) -> Result<(), Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe { syscall2(nr::MUNMAP, address.as_ptr().expose_provenance(), len) };
    Errno::check(ret).map(drop)
}

/// `madvise`(2): `advice` (`MADV_*`) for `len` bytes from `address`.
///
/// # Errors
/// EINVAL for advice that this kernel or this kind of mapping does not take, ENOMEM.
///
/// # Safety
/// The range belongs to the caller, who answers for what the advice does to its contents.
pub unsafe fn madvise(address: NonNull<u8>, len: usize, advice: u32) -> Result<(), Errno> {
    // SAFETY: promised by the caller.
    let ret = unsafe {
        syscall3(
            nr::MADVISE,
            address.as_ptr().expose_provenance(),
            len,
            advice as usize,
        )
    };
    Errno::check(ret).map(drop)
}

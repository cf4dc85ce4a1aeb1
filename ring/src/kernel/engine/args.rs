//! What an SQE points to and lends only until it is consumed: copied then, as the kernel does.

use core::cmp::Ordering;
use core::ffi::{CStr, c_char};
use core::ptr::with_exposed_provenance;
use std::borrow::ToOwned;
use std::boxed::Box;
use std::ffi::CString;
use std::vec::Vec;

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::{__kernel_timespec, io_uring_sqe, op, open_how};

/// `sizeof(struct sockaddr_storage)`: no address is longer.
pub(crate) const ADDRESS_BYTES_MAX: usize = 128;
/// `IOV_MAX`: the kernel refuses more.
const IOV_MAX: u32 = 1024;

/// Copied arguments.
#[derive(Debug)]
pub(crate) enum Args {
    None,
    Path(CString),
    Paths(CString, CString),
    OpenHow(CString, open_how),
    Iov(Vec<libc::iovec>),
    Address(Box<[u8; ADDRESS_BYTES_MAX]>, u32),
    /// Path (none for an open file), name, and the value to set.
    Xattr(Option<CString>, CString, Vec<u8>),
    Time(__kernel_timespec),
    /// A message and its buffers.
    Message(Box<libc::msghdr>, Vec<libc::iovec>),
}

// SAFETY: the pointers in an iovec and in a message are addresses of memory that the SQE's submitter lends to
// whoever performs the operation, on whichever thread.
unsafe impl Send for Args {}

impl Args {
    /// Copies what `sqe` points to.
    ///
    /// # Errors
    /// EFAULT for null, EINVAL for a length that cannot be.
    pub(crate) fn of(sqe: &io_uring_sqe) -> Result<Args, Errno> {
        Ok(match sqe.opcode {
            op::IORING_OP_OPENAT
            | op::IORING_OP_UNLINKAT
            | op::IORING_OP_MKDIRAT
            | op::IORING_OP_STATX => Args::Path(path(sqe.addr)?),
            op::IORING_OP_OPENAT2 => {
                match (sqe.len as usize).cmp(&size_of::<open_how>()) {
                    Ordering::Less => return Err(Errno::EINVAL),
                    // Of a later kernel, which means more by it.
                    Ordering::Greater => return Err(Errno::E2BIG),
                    Ordering::Equal => {}
                }
                Args::OpenHow(path(sqe.addr)?, copied::<open_how>(sqe.off)?)
            }
            op::IORING_OP_RENAMEAT | op::IORING_OP_LINKAT | op::IORING_OP_SYMLINKAT => {
                Args::Paths(path(sqe.addr)?, path(sqe.off)?)
            }
            op::IORING_OP_READV | op::IORING_OP_WRITEV => Args::Iov(iov(sqe.addr, sqe.len)?),
            op::IORING_OP_SENDMSG | op::IORING_OP_SENDMSG_ZC | op::IORING_OP_RECVMSG => {
                message(sqe.addr)?
            }
            op::IORING_OP_CONNECT | op::IORING_OP_BIND => address(sqe.addr, sqe.off)?,
            op::IORING_OP_GETXATTR => {
                Args::Xattr(Some(path(sqe.addr3)?), path(sqe.addr)?, Vec::new())
            }
            op::IORING_OP_FGETXATTR => Args::Xattr(None, path(sqe.addr)?, Vec::new()),
            op::IORING_OP_SETXATTR => Args::Xattr(
                Some(path(sqe.addr3)?),
                path(sqe.addr)?,
                bytes(sqe.off, sqe.len as usize)?,
            ),
            op::IORING_OP_FSETXATTR => {
                Args::Xattr(None, path(sqe.addr)?, bytes(sqe.off, sqe.len as usize)?)
            }
            op::IORING_OP_TIMEOUT | op::IORING_OP_LINK_TIMEOUT => Args::Time(copied(sqe.addr)?),
            op::IORING_OP_TIMEOUT_REMOVE if sqe.off != 0 => Args::Time(copied(sqe.off)?),
            _ => Args::None,
        })
    }

    /// Bytes of all buffers of an iovec array.
    pub(crate) fn iov_bytes(&self) -> usize {
        match self {
            Args::Iov(iov) | Args::Message(_, iov) => iov.iter().map(|part| part.iov_len).sum(),
            _ => 0,
        }
    }
}

fn path(address: u64) -> Result<CString, Errno> {
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    let start = with_exposed_provenance::<c_char>(address as usize);
    // SAFETY: who prepared the entry promised a string that ends in a NUL, lent until the entry
    // is consumed, which is now.
    Ok(unsafe { CStr::from_ptr(start) }.to_owned())
}

fn copied<T: Copy>(address: u64) -> Result<T, Errno> {
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    let start = with_exposed_provenance::<T>(address as usize);
    // SAFETY: who prepared the entry promised that it is valid for reads until the entry is
    // consumed, which is now.
    Ok(unsafe { start.read_unaligned() })
}

fn bytes(address: u64, len: usize) -> Result<Vec<u8>, Errno> {
    if len == 0 {
        return Ok(Vec::new());
    }
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    let start = with_exposed_provenance::<u8>(address as usize);
    // SAFETY: as in `copied`, for as many bytes.
    Ok(unsafe { core::slice::from_raw_parts(start, len) }.to_vec())
}

fn iov(address: u64, count: u32) -> Result<Vec<libc::iovec>, Errno> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    if count == 0 {
        return Ok(Vec::new());
    }
    if address == 0 {
        return Err(Errno::EFAULT);
    }
    let start = with_exposed_provenance::<libc::iovec>(address as usize);
    // SAFETY: as in `copied`, for as many entries.
    Ok(unsafe { core::slice::from_raw_parts(start, count as usize) }.to_vec())
}

fn message(address: u64) -> Result<Args, Errno> {
    let header: libc::msghdr = copied(address)?;
    let count = u32::try_from(header.msg_iovlen).unwrap_or(u32::MAX);
    if count > IOV_MAX {
        return Err(Errno::EMSGSIZE);
    }
    let parts = iov(header.msg_iov.expose_provenance() as u64, count)?;
    Ok(Args::Message(Box::new(header), parts))
}

fn address(address: u64, len: u64) -> Result<Args, Errno> {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    if len > ADDRESS_BYTES_MAX {
        return Err(Errno::EINVAL);
    }
    let mut storage = Box::new([0; ADDRESS_BYTES_MAX]);
    storage[..len].copy_from_slice(&bytes(address, len)?);
    Ok(Args::Address(storage, len as u32))
}

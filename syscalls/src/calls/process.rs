//! Processes.

use crate::{Errno, nr, syscall2};

/// `pidfd_open`(2): a descriptor, closed on exec, that is readable once process `pid` has ended;
/// `flags` are `PIDFD_*`.
///
/// # Errors
/// ESRCH, EINVAL for a number that is no process' or for unknown flags, EMFILE, ENFILE, ENOMEM.
///
/// # Kernel
/// Since 5.3.
pub fn pidfd_open(pid: i32, flags: u32) -> Result<i32, Errno> {
    // SAFETY: the call touches no memory of this process.
    let ret = unsafe { syscall2(nr::PIDFD_OPEN, pid as usize, flags as usize) };
    Errno::check(ret).map(|fd| fd as i32)
}

//! A descriptor that stands in for one that was given up.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use annulus_syscalls::calls;

use super::Kernel;
use super::inline::retry;
use crate::Errno;

impl Kernel {
    /// A descriptor on which every operation fails with EBADF: the root directory, O_PATH.
    ///
    /// # Errors
    /// EMFILE, ENFILE.
    pub fn placeholder(&self) -> io::Result<OwnedFd> {
        match self {
            Kernel::Simulated(simulated) => simulated.placeholder().map_err(io::Error::from),
            Kernel::Uring(_) | Kernel::Emulated(_) => std::fs::OpenOptions::new()
                .read(true)
                .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
                .open("/")
                .map(OwnedFd::from),
        }
    }

    /// `dup3`(2): makes `over` another name of `placeholder`, in one step. What `over` was is
    /// closed.
    ///
    /// # Errors
    /// EBUSY while `over` is being opened by another thread; EINTR is retried.
    pub fn replace(&self, placeholder: BorrowedFd<'_>, over: BorrowedFd<'_>) -> Result<(), Errno> {
        let (from, to) = (placeholder.as_raw_fd(), over.as_raw_fd());
        match self {
            Kernel::Simulated(simulated) => simulated.replace(over),
            Kernel::Uring(_) | Kernel::Emulated(_) => retry(|| {
                // SAFETY: the number stays a valid descriptor for whoever owns it; only what it
                // names changes, which is what the caller asks for.
                unsafe { calls::dup3(from, to, libc::O_CLOEXEC as u32) }
            })
            .map(drop),
        }
    }
}

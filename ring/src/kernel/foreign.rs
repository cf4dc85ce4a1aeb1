//! Descriptors that somebody else has made: what they are, and whether they can be waited for.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use annulus_syscalls::calls;

use super::Kernel;
use crate::Errno;

impl Kernel {
    /// `fcntl`(2) `F_GETFL`: the access mode and the status flags, `O_*`.
    ///
    /// # Errors
    /// EBADF; EOPNOTSUPP on a simulated host, whose descriptors have none.
    pub fn status_flags(&self, fd: BorrowedFd<'_>) -> Result<i32, Errno> {
        match self {
            Kernel::Simulated(_) => Err(Errno::EOPNOTSUPP),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                // SAFETY: the command takes no argument.
                let flags = unsafe { calls::fcntl(fd.as_raw_fd(), libc::F_GETFL as u32, 0) }?;
                Ok(flags as i32)
            }
        }
    }

    /// Sets or clears O_NONBLOCK, for all descriptors of the same open file.
    ///
    /// # Errors
    /// EBADF; EOPNOTSUPP on a simulated host, where nothing ever blocks.
    pub fn set_nonblocking(&self, fd: BorrowedFd<'_>, nonblocking: bool) -> Result<(), Errno> {
        let before = self.status_flags(fd)?;
        let after = if nonblocking {
            before | libc::O_NONBLOCK
        } else {
            before & !libc::O_NONBLOCK
        };
        if after == before {
            return Ok(());
        }
        // SAFETY: the command takes flags.
        unsafe { calls::fcntl(fd.as_raw_fd(), libc::F_SETFL as u32, after as usize) }.map(drop)
    }

    /// Whether `fd` is open, and of a kind that says when it becomes ready. Sockets, pipes and
    /// what has no file type (an eventfd, a pidfd) always do; of others only epoll knows, and
    /// where that is refused they are taken to.
    ///
    /// # Errors
    /// EBADF if it is not open; EPERM for what is always ready, such as a regular file;
    /// EOPNOTSUPP on a simulated host.
    pub fn check_pollable(&self, fd: RawFd) -> Result<(), Errno> {
        if let Kernel::Simulated(_) = self {
            return Err(Errno::EOPNOTSUPP);
        }
        match file_type(fd)? {
            libc::S_IFSOCK | libc::S_IFIFO | 0 => Ok(()),
            _ => ask_epoll(fd),
        }
    }

    /// `pidfd_open`(2): a descriptor, closed on exec, that is readable once the process has ended.
    ///
    /// # Errors
    /// ESRCH, EMFILE, ENFILE, ENOMEM; EOPNOTSUPP on a simulated host, which has no processes.
    pub fn pidfd_open(&self, pid: i32) -> Result<OwnedFd, Errno> {
        match self {
            Kernel::Simulated(_) => Err(Errno::EOPNOTSUPP),
            Kernel::Uring(_) | Kernel::Emulated(_) => {
                let fd = calls::pidfd_open(pid, 0)?;
                // SAFETY: the kernel just made this descriptor for us.
                Ok(unsafe { OwnedFd::from_raw_fd(fd) })
            }
        }
    }
}

fn file_type(fd: RawFd) -> Result<libc::mode_t, Errno> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the call writes no more than the struct, which is exclusively borrowed.
    match unsafe { libc::fstat(fd, stat.as_mut_ptr()) } {
        -1 => Err(super::emulated::last_errno()),
        // SAFETY: the call succeeded, so it has filled the struct.
        _ => Ok(unsafe { stat.assume_init() }.st_mode & libc::S_IFMT),
    }
}

fn ask_epoll(fd: RawFd) -> Result<(), Errno> {
    // SAFETY: the call takes a flag only.
    let epoll = match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
        -1 => return Ok(()),
        // SAFETY: the kernel just made this descriptor for us.
        epoll => unsafe { OwnedFd::from_raw_fd(epoll) },
    };
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let (epoll, add) = (epoll.as_raw_fd(), libc::EPOLL_CTL_ADD);
    // SAFETY: `event` is valid for reads.
    match unsafe { libc::epoll_ctl(epoll, add, fd, &raw mut event) } {
        -1 => Err(super::emulated::last_errno()),
        _ => Ok(()),
    }
}

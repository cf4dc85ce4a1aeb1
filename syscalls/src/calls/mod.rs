//! One function per system call, with typed arguments and `Result<_, Errno>`.
//!
//! Descriptors are plain `i32` here: this crate owns nothing. Nothing is retried: EINTR is an
//! error like any other. Lengths are in bytes. A call is older than Linux 5.1, which has the first
//! of io_uring, unless its `# Kernel` says otherwise.

mod fd;
mod mm;
mod net;
mod process;
mod random;
mod uring;
mod wide;

pub use fd::{
    close, dup3, eventfd2, fcntl, lseek, openat, pipe2, pread64, read, readv, write, writev,
};
pub use mm::{madvise, mmap, munmap};
pub use net::{
    accept4, bind, connect, getpeername, getsockname, getsockopt, listen, recvfrom, recvmsg,
    sendmsg, sendto, setsockopt, shutdown, socket, socketpair,
};
pub use process::pidfd_open;
pub use random::getrandom;
pub use uring::{io_uring_enter, io_uring_register, io_uring_setup};

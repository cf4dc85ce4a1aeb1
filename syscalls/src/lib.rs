//! Raw Linux system calls and the io_uring ABI: no policy, no dependency, and by default no `std`.
//!
//! Three floors, each using only the one below:
//!
//! ```text
//!   calls      one function per system call, typed, Result<_, Errno>
//!   nr, io_uring   numbers, flags and repr(C) structs under their C names
//!   arch       syscall0..syscall6: one instruction, raw words in and out
//! ```
//!
//! The feature `std` turns an [`Errno`] into a `std::io::Error`. Supported are x86_64 and aarch64 Linux.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

pub mod arch;
pub mod calls;
mod errno;
pub mod io_uring;
pub mod ioctl;
#[cfg_attr(target_arch = "aarch64", path = "nr/aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "nr/x86_64.rs")]
pub mod nr;

pub use arch::{syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};
pub use errno::Errno;

//! The system call instruction of each architecture.
//!
//! The result is the register as the kernel left it: `-4095..=-1` as an unsigned word is an
//! error, anything else a value; [`Errno::check`](crate::Errno::check) splits the two.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::{
    syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6, thread_pointer,
};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
pub use x86_64::{
    syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6, thread_pointer,
};

#[cfg(not(any(
    target_arch = "aarch64",
    all(target_arch = "x86_64", target_pointer_width = "64")
)))]
compile_error!("annulus-syscalls supports x86_64 (64-bit pointers) and aarch64");

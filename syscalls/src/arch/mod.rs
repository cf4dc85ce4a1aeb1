//! The system call instruction of each architecture.
//!
//! The result is the register as the kernel left it: `-4095..=-1` as an unsigned word is an
//! error, anything else a value; [`Errno::check`](crate::Errno::check) splits the two. Where the
//! kernel says it otherwise, the stubs translate.
//!
//! Beside the calls there are `clone`, which a function cannot wrap because the child returns
//! to another stack, and `restore_rt`, to which a signal handler returns.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "arm")]
mod arm;
#[cfg(target_arch = "hexagon")]
mod hexagon;
#[cfg(target_arch = "loongarch64")]
mod loongarch64;
#[cfg(any(target_arch = "powerpc", target_arch = "powerpc64"))]
mod powerpc;
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
mod riscv;
#[cfg(target_arch = "s390x")]
mod s390x;
#[cfg(target_arch = "x86")]
mod x86;
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub use aarch64::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(target_arch = "arm")]
pub use arm::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(target_arch = "hexagon")]
pub use hexagon::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(target_arch = "loongarch64")]
pub use loongarch64::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(any(target_arch = "powerpc", target_arch = "powerpc64"))]
pub use powerpc::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
pub use riscv::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(target_arch = "s390x")]
pub use s390x::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(target_arch = "x86")]
pub use x86::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
pub use x86_64::{
    clone, restore_rt, syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6,
    thread_pointer,
};

#[cfg(not(any(
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "hexagon",
    target_arch = "loongarch64",
    any(target_arch = "powerpc", target_arch = "powerpc64"),
    any(target_arch = "riscv32", target_arch = "riscv64"),
    target_arch = "s390x",
    target_arch = "x86",
    all(target_arch = "x86_64", target_pointer_width = "64")
)))]
compile_error!("annulus-syscalls has no system call stubs for this architecture");

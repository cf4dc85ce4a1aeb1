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
//! Beside them stands [`btf`], a reader of the type format in which the kernel describes itself.
//!
//! The feature `std` turns an [`Errno`] into a `std::io::Error`. Supported is Linux on x86_64,
//! x86, aarch64, arm, riscv64, riscv32, loongarch64, powerpc, powerpc64 and s390x; on hexagon
//! with a compiler that allows unstable features.
#![no_std]
#![cfg_attr(target_arch = "hexagon", feature(asm_experimental_arch))]

#[cfg(feature = "std")]
extern crate std;

pub mod abi;
pub mod arch;
pub mod btf;
pub mod calls;
mod errno;
pub mod io_uring;
pub mod ioctl;
#[cfg_attr(target_arch = "aarch64", path = "nr/aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "nr/arm.rs")]
#[cfg_attr(target_arch = "hexagon", path = "nr/hexagon.rs")]
#[cfg_attr(target_arch = "loongarch64", path = "nr/loongarch64.rs")]
#[cfg_attr(target_arch = "powerpc", path = "nr/powerpc.rs")]
#[cfg_attr(target_arch = "powerpc64", path = "nr/powerpc64.rs")]
#[cfg_attr(target_arch = "riscv32", path = "nr/riscv32.rs")]
#[cfg_attr(target_arch = "riscv64", path = "nr/riscv64.rs")]
#[cfg_attr(target_arch = "s390x", path = "nr/s390x.rs")]
#[cfg_attr(target_arch = "x86", path = "nr/x86.rs")]
#[cfg_attr(target_arch = "x86_64", path = "nr/x86_64.rs")]
pub mod nr;

pub use arch::{syscall0, syscall1, syscall2, syscall3, syscall4, syscall5, syscall6};
pub use errno::Errno;

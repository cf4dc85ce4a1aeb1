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
//! Beside them stand [`btf`], a reader of the type format in which the kernel describes itself,
//! [`ioctl`], which makes requests, and [`abi`], which knows the calls of other machines.
//!
//! # A tour
//!
//! A ring by hand: three system calls, two mappings, and a struct for each thing in them. What
//! `annulus-ring` adds is that none of it can be got wrong.
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//!
//! use annulus_syscalls::io_uring::{enter, feat, op, queue};
//! use annulus_syscalls::io_uring::{io_uring_cqe, io_uring_params, io_uring_sqe};
//! use annulus_syscalls::{Errno, calls};
//!
//! const PROT_READ_WRITE: u32 = 1 | 2;
//! const MAP_SHARED_POPULATE: u32 = 0x01 | 0x8000;
//!
//! # fn main() -> Result<(), Errno> {
//! // 1. A ring for four operations. The kernel says in `params` where what lies.
//! let mut params = io_uring_params::default();
//! // SAFETY: without NO_MMAP the kernel brings the memory.
//! let fd = match unsafe { calls::io_uring_setup(4, &mut params) } {
//!     Err(Errno::ENOSYS | Errno::EPERM) => return Ok(()), // io_uring is off here
//!     ring => ring?,
//! };
//! assert_ne!(params.features & feat::IORING_FEAT_SINGLE_MMAP, 0, "since 5.4");
//!
//! // 2. Both queues in one mapping, the SQEs in another.
//! let (sq, cq) = (params.sq_off, params.cq_off);
//! let sq_bytes = sq.array as usize + params.sq_entries as usize * size_of::<u32>();
//! let cq_bytes = cq.cqes as usize + params.cq_entries as usize * size_of::<io_uring_cqe>();
//! let queues_bytes = sq_bytes.max(cq_bytes);
//! let sqes_bytes = params.sq_entries as usize * size_of::<io_uring_sqe>();
//! let map = |bytes, offset| {
//!     // SAFETY: a new mapping, of the ring's own memory; what follows keeps to the rules.
//!     unsafe { calls::mmap(bytes, PROT_READ_WRITE, MAP_SHARED_POPULATE, fd, offset) }
//! };
//! let queues = map(queues_bytes, queue::IORING_OFF_SQ_RING)?;
//! let sqes = map(sqes_bytes, queue::IORING_OFF_SQES)?.cast::<io_uring_sqe>();
//! let word = |offset: u32| {
//!     let address = queues.as_ptr().wrapping_byte_add(offset as usize);
//!     // SAFETY: within the mapping, which outlives its use, and aligned to four bytes.
//!     unsafe { AtomicU32::from_ptr(address.cast()) }
//! };
//!
//! // 3. A NOP into the slot of the tail. It is the kernel's once the tail is past it.
//! let tail = word(sq.tail).load(Ordering::Relaxed);
//! let slot = tail & word(sq.ring_mask).load(Ordering::Relaxed);
//! let nop = io_uring_sqe {
//!     opcode: op::IORING_OP_NOP,
//!     user_data: 7,
//!     ..io_uring_sqe::default()
//! };
//! // SAFETY: a slot of the SQEs, that the kernel does not read before the tail is past it.
//! unsafe { sqes.as_ptr().wrapping_add(slot as usize).write(nop) };
//! word(sq.array + slot * 4).store(slot, Ordering::Relaxed);
//! word(sq.tail).store(tail.wrapping_add(1), Ordering::Release);
//!
//! // 4. Submit it, and wait for one completion.
//! // SAFETY: a NOP lends no memory.
//! let submitted = unsafe { calls::io_uring_enter(fd, 1, 1, enter::IORING_ENTER_GETEVENTS, 0, 0) };
//! assert_eq!(submitted, Ok(1));
//!
//! // 5. Reap it. The slot is the kernel's again once the head is past it.
//! let head = word(cq.head).load(Ordering::Relaxed);
//! assert_eq!(word(cq.tail).load(Ordering::Acquire).wrapping_sub(head), 1);
//! let slot = head & word(cq.ring_mask).load(Ordering::Relaxed);
//! let cqes = queues.as_ptr().wrapping_byte_add(cq.cqes as usize);
//! let cqes = cqes.cast::<io_uring_cqe>();
//! // SAFETY: a slot of the CQEs, which the kernel filled before it moved the tail.
//! let cqe = unsafe { cqes.wrapping_add(slot as usize).read() };
//! word(cq.head).store(head.wrapping_add(1), Ordering::Release);
//! assert_eq!((cqe.user_data, cqe.res), (7, 0));
//!
//! // 6. Nothing is in flight: give it all back.
//! // SAFETY: ours, and not used any more.
//! unsafe { calls::munmap(sqes.cast(), sqes_bytes) }?;
//! // SAFETY: ours, and not used any more.
//! unsafe { calls::munmap(queues, queues_bytes) }?;
//! // SAFETY: ours, and not used any more.
//! unsafe { calls::close(fd) }?;
//! # Ok(())
//! # }
//! ```
//!
//! # Features and machines
//!
//! The feature `std` turns an [`Errno`] into a `std::io::Error`; without it the crate is `no_std`
//! and needs no allocator. Supported is Linux on x86_64, x86, aarch64, arm, riscv64, riscv32,
//! loongarch64, powerpc, powerpc64 and s390x; on hexagon with a compiler that allows unstable
//! features. Where a manual page says `long`, a word of the machine is meant: `usize`.
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

//! The stubs that are no plain calls: a child on its own stack, and the way back from a handler.
//! `tests/cross/run` checks the same on every other architecture.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::sync::atomic::{AtomicI32, Ordering};

use annulus_syscalls::{Errno, arch, nr, syscall2, syscall4, syscall5};

const STACK_BYTES: usize = 64 * 1024;
const P_PID: usize = 1;

unsafe extern "C" fn add_one(arg: usize) -> i32 {
    arg as i32 + 1
}

#[test]
fn a_cloned_child_runs_its_function_and_exits_with_what_it_returns() {
    let mut stack = vec![0_u8; STACK_BYTES];
    let end = stack.as_mut_ptr_range().end.expose_provenance();
    // SAFETY: without CLONE_VM the child has a copy of the memory, the stack in it; its function
    // touches nothing else and does not unwind.
    let ret = unsafe { arch::clone(add_one, 41, end, libc::SIGCHLD as usize, 0, 0, 0) };
    let pid = Errno::check(ret).expect("the limit of processes is not reached");
    let mut info = [0_i32; 32];
    let address = (&raw mut info).expose_provenance();
    // SAFETY: the kernel fills a siginfo_t of 128 bytes, which live.
    let ret = unsafe { syscall5(nr::WAITID, P_PID, pid, address, libc::WEXITED as usize, 0) };
    assert_eq!(Errno::check(ret), Ok(0));
    // The code follows process and user, in a union aligned to words.
    assert_eq!(info[2], libc::CLD_EXITED);
    assert_eq!(info[6], 42);
}

static SEEN: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" fn note(signal: i32) {
    SEEN.store(signal, Ordering::SeqCst);
}

/// `struct sigaction` as the kernel has it.
#[repr(C)]
struct Action {
    handler: unsafe extern "C" fn(i32),
    flags: usize,
    restorer: unsafe extern "C" fn() -> !,
    mask: u64,
}

#[test]
fn a_handler_returns_through_the_restorer() {
    const SA_RESTORER: usize = 0x0400_0000;
    let action = Action {
        handler: note,
        flags: SA_RESTORER | libc::SA_SIGINFO as usize,
        restorer: arch::restore_rt,
        mask: 0,
    };
    let address = (&raw const action).expose_provenance();
    // SAFETY: the kernel reads the action, which lives; nobody else in this process uses SIGUSR2,
    // and the handler does only what a handler may.
    let ret = unsafe { syscall4(nr::RT_SIGACTION, libc::SIGUSR2 as usize, address, 0, 8) };
    assert_eq!(Errno::check(ret), Ok(0));
    // SAFETY: its own signal to this very thread, with a handler.
    let ret = unsafe { syscall2(nr::TKILL, own_tid(), libc::SIGUSR2 as usize) };
    assert_eq!(Errno::check(ret), Ok(0));
    assert_eq!(SEEN.load(Ordering::SeqCst), libc::SIGUSR2);
}

fn own_tid() -> usize {
    // SAFETY: touches no memory.
    unsafe { annulus_syscalls::syscall0(nr::GETTID) }
}

//! s390x: `svc 0` with the number in `r1`, arguments in `r2..r7`, result in `r2`.
//!
//! The kernel keeps every other register. `mmap` (number 90) takes one argument, the address of
//! its six in memory; `clone` has the stack before the flags.

use core::arch::{asm, naked_asm};

use crate::nr;

/// Calls the kernel with number `nr` and no arguments; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall0(nr: usize) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            lateout("r2") ret,
            options(nostack),
        );
    }
    ret
}

/// Calls the kernel with number `nr` and one argument; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall1(nr: usize, a1: usize) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            inlateout("r2") a1 => ret,
            options(nostack),
        );
    }
    ret
}

/// Calls the kernel with number `nr` and two arguments; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall2(nr: usize, a1: usize, a2: usize) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            inlateout("r2") a1 => ret,
            in("r3") a2,
            options(nostack),
        );
    }
    ret
}

/// Calls the kernel with number `nr` and three arguments; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall3(nr: usize, a1: usize, a2: usize, a3: usize) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            inlateout("r2") a1 => ret,
            in("r3") a2,
            in("r4") a3,
            options(nostack),
        );
    }
    ret
}

/// Calls the kernel with number `nr` and four arguments; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall4(nr: usize, a1: usize, a2: usize, a3: usize, a4: usize) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            inlateout("r2") a1 => ret,
            in("r3") a2,
            in("r4") a3,
            in("r5") a4,
            options(nostack),
        );
    }
    ret
}

/// Calls the kernel with number `nr` and five arguments; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall5(nr: usize, a1: usize, a2: usize, a3: usize, a4: usize, a5: usize) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            inlateout("r2") a1 => ret,
            in("r3") a2,
            in("r4") a3,
            in("r5") a4,
            in("r6") a5,
            options(nostack),
        );
    }
    ret
}

/// Calls the kernel with number `nr` and six arguments; returns the raw result word.
///
/// # Safety
/// The call must be sound with these arguments: memory whose address is passed is valid for what
/// the kernel does with it, for as long as it does it, and no descriptor or mapping that somebody
/// else owns is closed or changed.
#[inline]
pub unsafe fn syscall6(
    nr: usize,
    a1: usize,
    a2: usize,
    a3: usize,
    a4: usize,
    a5: usize,
    a6: usize,
) -> usize {
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "svc 0",
            in("r1") nr,
            inlateout("r2") a1 => ret,
            in("r3") a2,
            in("r4") a3,
            in("r5") a4,
            in("r6") a5,
            in("r7") a6,
            options(nostack),
        );
    }
    ret
}

/// The thread pointer: the access registers `a0` and `a1`, one half each. It tells threads apart that are alive at the same time, at the cost
/// of three instructions.
#[inline]
#[must_use]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: only reads what the ABI of thread-local storage puts there for every thread.
    unsafe {
        asm!("ear {0}, %a0", "sllg {0}, {0}, 32", "ear {0}, %a1", out(reg) pointer, options(nostack, nomem));
    }
    pointer
}

/// `clone`(2) onto a stack of its own: the child calls `func(arg)` and exits with what that
/// returns. To the caller it returns the raw result word, the child's thread number.
///
/// `stack` is the end (highest address) of the child's stack, rounded down as the ABI needs it;
/// `flags` are the `CLONE_*` with the exit signal in the low byte. `ptid`, `ctid` and `tls`
/// mean what the flags say and are ignored otherwise.
///
/// # Safety
/// `stack` ends memory that is the child's alone and large enough for `func`, until it is gone.
/// `func` does not unwind, and does nothing that needs what the flags did not give it: with
/// `CLONE_VM` and without `CLONE_SETTLS` it shares the caller's thread-local storage. What
/// `ptid`, `ctid` and `tls` point to stays valid for as long as the flags make the kernel use it.
pub unsafe fn clone(
    func: unsafe extern "C" fn(usize) -> i32,
    arg: usize,
    stack: usize,
    flags: usize,
    ptid: usize,
    ctid: usize,
    tls: usize,
) -> usize {
    let ret: usize;
    // SAFETY: the parent leaves the block as after any system call. The child runs on its own
    // stack, and exits inside of the block; the caller answers for what it runs.
    unsafe {
        asm!(
            "svc 0",
            "ltgr %r2, %r2",
            "jne 2f",
            // The outermost frame of the child: the register save area of 160 bytes, no back chain.
            "lghi %r11, 0",
            "aghi %r15, -160",
            "xc 0(8,%r15), 0(%r15)",
            "lgr %r2, %r9",
            "basr %r14, %r8",
            "lghi %r1, {exit}",
            "svc 0",
            "j .+2",
            "2:",
            exit = const nr::EXIT,
            in("r1") nr::CLONE,
            inlateout("r2") stack & !7 => ret,
            in("r3") flags,
            in("r4") ptid,
            in("r5") ctid,
            in("r6") tls,
            in("r8") func,
            in("r9") arg,
            options(nostack),
        );
    }
    ret
}

/// What a signal handler returns to where the kernel has no trampoline of its own: `sa_restorer`
/// of handlers that were installed with `SA_RESTORER`.
///
/// # Safety
/// Only the kernel may go here, from a handler, with its frame on the stack.
#[unsafe(naked)]
pub unsafe extern "C" fn restore_rt() -> ! {
    naked_asm!("lghi %r1, {nr}", "svc 0", "j .+2", nr = const nr::RT_SIGRETURN)
}

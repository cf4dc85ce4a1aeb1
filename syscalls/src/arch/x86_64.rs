//! x86_64: `syscall`, number in `rax`, arguments in `rdi rsi rdx r10 r8 r9`, result in `rax`.
//!
//! The instruction saves the return address in `rcx` and the flags in `r11`, so both are lost.

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
            "syscall",
            inlateout("rax") nr => ret,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") a1,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") a1,
            in("rsi") a2,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") a1,
            in("rsi") a2,
            in("rdx") a3,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") a1,
            in("rsi") a2,
            in("rdx") a3,
            in("r10") a4,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") a1,
            in("rsi") a2,
            in("rdx") a3,
            in("r10") a4,
            in("r8") a5,
            lateout("rcx") _,
            lateout("r11") _,
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
            "syscall",
            inlateout("rax") nr => ret,
            in("rdi") a1,
            in("rsi") a2,
            in("rdx") a3,
            in("r10") a4,
            in("r8") a5,
            in("r9") a6,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    ret
}

/// The thread pointer: the first word of the thread control block, which holds its own address. It tells threads apart that are alive at the same time, at the cost
/// of one instruction.
#[inline]
#[must_use]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: only reads what the ABI of thread-local storage puts there for every thread.
    unsafe {
        asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly));
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
            "syscall",
            "test rax, rax",
            "jnz 2f",
            // The outermost frame of the child: unwinders stop here.
            "xor ebp, ebp",
            "mov rdi, r13",
            "call r12",
            "mov edi, eax",
            "mov eax, {exit}",
            "syscall",
            "ud2",
            "2:",
            exit = const nr::EXIT,
            inlateout("rax") nr::CLONE => ret,
            in("rdi") flags,
            in("rsi") stack & !15,
            in("rdx") ptid,
            in("r10") ctid,
            in("r8") tls,
            in("r12") func,
            in("r13") arg,
            lateout("rcx") _,
            lateout("r11") _,
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
    naked_asm!("mov eax, {nr}", "syscall", "ud2", nr = const nr::RT_SIGRETURN)
}

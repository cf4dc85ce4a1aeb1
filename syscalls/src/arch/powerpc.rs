//! powerpc and powerpc64, both byte orders: `sc`, number in `r0`, arguments in `r3..r8`, result in
//! `r3`.
//!
//! An error is the summary overflow bit of `cr0` with a positive number in `r3`; the stubs negate
//! it, so that the result word is an error where it is one everywhere. Lost are `r0`, `r4..r12`,
//! `cr0`, `xer` and `ctr`.

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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            lateout("r3") ret,
            lateout("r4") _,
            lateout("r5") _,
            lateout("r6") _,
            lateout("r7") _,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            inlateout("r3") a1 => ret,
            lateout("r4") _,
            lateout("r5") _,
            lateout("r6") _,
            lateout("r7") _,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            inlateout("r3") a1 => ret,
            inlateout("r4") a2 => _,
            lateout("r5") _,
            lateout("r6") _,
            lateout("r7") _,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            inlateout("r3") a1 => ret,
            inlateout("r4") a2 => _,
            inlateout("r5") a3 => _,
            lateout("r6") _,
            lateout("r7") _,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            inlateout("r3") a1 => ret,
            inlateout("r4") a2 => _,
            inlateout("r5") a3 => _,
            inlateout("r6") a4 => _,
            lateout("r7") _,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            inlateout("r3") a1 => ret,
            inlateout("r4") a2 => _,
            inlateout("r5") a3 => _,
            inlateout("r6") a4 => _,
            inlateout("r7") a5 => _,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
            "sc",
            "bns+ 2f",
            "neg 3, 3",
            "2:",
            inlateout("r0") nr => _,
            inlateout("r3") a1 => ret,
            inlateout("r4") a2 => _,
            inlateout("r5") a3 => _,
            inlateout("r6") a4 => _,
            inlateout("r7") a5 => _,
            inlateout("r8") a6 => _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
            options(nostack),
        );
    }
    ret
}

/// The register that holds the thread pointer.
#[cfg(target_arch = "powerpc")]
macro_rules! thread_register {
    () => {
        "mr {}, 2"
    };
}
/// The register that holds the thread pointer.
#[cfg(target_arch = "powerpc64")]
macro_rules! thread_register {
    () => {
        "mr {}, 13"
    };
}

/// The thread pointer: the register `r2`, or `r13` on powerpc64. It tells threads apart that are alive at the same time, at the cost
/// of one instruction.
#[inline]
#[must_use]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // SAFETY: only reads what the ABI of thread-local storage puts there for every thread.
    unsafe {
        asm!(thread_register!(), out(reg) pointer, options(nostack, preserves_flags, nomem));
    }
    pointer
}

/// The child's first frame and the way to `r14`.
#[cfg(target_arch = "powerpc")]
macro_rules! call_in_child {
    () => {
        "cmpwi 3, 0
        bne 2f
        li 0, 0
        stwu 0, -16(1)
        mtctr 14"
    };
}
/// The child's first frame and the way to `r14`, which on ELFv1 is the address of a descriptor.
#[cfg(all(target_arch = "powerpc64", target_endian = "big", target_env = "gnu"))]
macro_rules! call_in_child {
    () => {
        "cmpdi 3, 0
        bne 2f
        li 0, 0
        stdu 0, -112(1)
        ld 0, 0(14)
        ld 2, 8(14)
        mtctr 0"
    };
}
/// The child's first frame and the way to `r14`, which the callee finds in `r12`.
#[cfg(all(
    target_arch = "powerpc64",
    not(all(target_endian = "big", target_env = "gnu"))
))]
macro_rules! call_in_child {
    () => {
        "cmpdi 3, 0
        bne 2f
        li 0, 0
        stdu 0, -32(1)
        mr 12, 14
        mtctr 12"
    };
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
            "sc",
            "bns+ 3f",
            "neg 3, 3",
            "b 2f",
            "3:",
            // The outermost frame of the child has no back chain: unwinders stop here.
            call_in_child!(),
            "li 31, 0",
            "mr 3, 15",
            "bctrl",
            "li 0, {exit}",
            "sc",
            "trap",
            "2:",
            exit = const nr::EXIT,
            inlateout("r0") nr::CLONE => _,
            inlateout("r3") flags => ret,
            inlateout("r4") stack & !15 => _,
            inlateout("r5") ptid => _,
            inlateout("r6") tls => _,
            inlateout("r7") ctid => _,
            in("r14") func,
            in("r15") arg,
            lateout("r8") _,
            lateout("r9") _,
            lateout("r10") _,
            lateout("r11") _,
            lateout("r12") _,
            lateout("cr0") _,
            lateout("xer") _,
            lateout("ctr") _,
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
    naked_asm!("li 0, {nr}", "sc", "trap", nr = const nr::RT_SIGRETURN)
}

//! arm (EABI): `svc #0`, number in `r7`, arguments in `r0..r5`, result in `r0`.
//!
//! The kernel keeps every other register. `r7` is the frame pointer of Thumb code, which an
//! operand may not name: the stubs save it around the call, in ARM code too.

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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            lateout("r0") ret,
            options(nostack, preserves_flags),
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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") a1 => ret,
            options(nostack, preserves_flags),
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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") a1 => ret,
            in("r1") a2,
            options(nostack, preserves_flags),
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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") a1 => ret,
            in("r1") a2,
            in("r2") a3,
            options(nostack, preserves_flags),
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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") a1 => ret,
            in("r1") a2,
            in("r2") a3,
            in("r3") a4,
            options(nostack, preserves_flags),
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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") a1 => ret,
            in("r1") a2,
            in("r2") a3,
            in("r3") a4,
            in("r4") a5,
            options(nostack, preserves_flags),
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
            "mov {kept}, r7",
            "mov r7, {nr}",
            "svc #0",
            "mov r7, {kept}",
            nr = in(reg) nr,
            kept = out(reg) _,
            inlateout("r0") a1 => ret,
            in("r1") a2,
            in("r2") a3,
            in("r3") a4,
            in("r4") a5,
            in("r5") a6,
            options(nostack, preserves_flags),
        );
    }
    ret
}

/// The thread pointer: the user-readable thread register, or what the kernel's helper page says
/// it is before ARMv6. It tells threads apart that are alive at the same time.
#[inline]
#[must_use]
pub fn thread_pointer() -> usize {
    let pointer: usize;
    // 64-bit atomics are what an architecture version shows of itself in stable Rust.
    #[cfg(target_has_atomic = "64")]
    // SAFETY: only reads what the ABI of thread-local storage puts there for every thread.
    unsafe {
        asm!("mrc p15, 0, {}, c13, c0, 3", out(reg) pointer, options(nostack, preserves_flags, nomem));
    }
    #[cfg(not(target_has_atomic = "64"))]
    // SAFETY: the helper at this address (`__kuser_get_tls`) is part of the kernel's ABI for
    // these processors; it changes `r0` and the link register alone.
    unsafe {
        asm!(
            "mov r0, #0xffff0fff",
            "mov lr, pc",
            "sub pc, r0, #31",
            out("r0") pointer,
            out("lr") _,
            options(nostack, nomem),
        );
    }
    pointer
}

/// Calls `r5`, ARM or Thumb code.
#[cfg(target_has_atomic = "64")]
macro_rules! call_r5 {
    () => {
        "blx r5"
    };
}
/// Calls `r5`: before ARMv5 there is no `blx`, and Linux code of that time is ARM code.
#[cfg(not(target_has_atomic = "64"))]
macro_rules! call_r5 {
    () => {
        "mov lr, pc
        bx r5"
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
            "mov {kept}, r7",
            "mov r7, #{clone}",
            "svc #0",
            "mov r7, {kept}",
            "cmp r0, #0",
            "bne 2f",
            // The outermost frame of the child: unwinders stop here.
            "mov r11, #0",
            "mov r0, r8",
            call_r5!(),
            "mov r7, #{exit}",
            "svc #0",
            "udf #0",
            "2:",
            clone = const nr::CLONE,
            exit = const nr::EXIT,
            kept = out(reg) _,
            in("r5") func,
            in("r8") arg,
            inlateout("r0") flags => ret,
            in("r1") stack & !7,
            in("r2") ptid,
            in("r3") tls,
            in("r4") ctid,
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
    naked_asm!("mov r7, #{nr}", "svc #0", "udf #0", nr = const nr::RT_SIGRETURN)
}

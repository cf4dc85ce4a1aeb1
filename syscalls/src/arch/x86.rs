//! x86: `int 0x80`, number in `eax`, arguments in `ebx ecx edx esi edi ebp`, result in `eax`.
//!
//! The kernel keeps every other register. LLVM lends neither `esi` nor `ebp` to operands: the
//! fourth argument is swapped into `esi`, and with five or more the words that remain are read
//! from an array.

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
            "int 0x80",
            inlateout("eax") nr => ret,
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
            "int 0x80",
            inlateout("eax") nr => ret,
            in("ebx") a1,
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
            "int 0x80",
            inlateout("eax") nr => ret,
            in("ebx") a1,
            in("ecx") a2,
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
            "int 0x80",
            inlateout("eax") nr => ret,
            in("ebx") a1,
            in("ecx") a2,
            in("edx") a3,
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
            "xchg esi, edi",
            "int 0x80",
            "xchg esi, edi",
            inlateout("eax") nr => ret,
            in("ebx") a1,
            in("ecx") a2,
            in("edx") a3,
            in("edi") a4,
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
    let words = [nr, a4];
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "push esi",
            "mov esi, [eax + 4]",
            "mov eax, [eax]",
            "int 0x80",
            "pop esi",
            inlateout("eax") &raw const words => ret,
            in("ebx") a1,
            in("ecx") a2,
            in("edx") a3,
            in("edi") a5,
            options(preserves_flags),
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
    let words = [nr, a4, a6];
    let ret: usize;
    // SAFETY: the operands follow the convention above, nothing else is changed, and the caller
    // answers for what the call does.
    unsafe {
        asm!(
            "push esi",
            "push ebp",
            "mov esi, [eax + 4]",
            "mov ebp, [eax + 8]",
            "mov eax, [eax]",
            "int 0x80",
            "pop ebp",
            "pop esi",
            inlateout("eax") &raw const words => ret,
            in("ebx") a1,
            in("ecx") a2,
            in("edx") a3,
            in("edi") a5,
            options(preserves_flags),
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
        asm!("mov {}, gs:0", out(reg) pointer, options(nostack, preserves_flags, readonly));
    }
    pointer
}

/// What does not fit into registers: the block reads it by offset.
#[repr(C)]
struct Words {
    func: unsafe extern "C" fn(usize) -> i32,
    arg: usize,
    tls: usize,
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
    let words = Words { func, arg, tls };
    let ret: usize;
    // SAFETY: the parent leaves the block as after any system call. The child runs on its own
    // stack, and exits inside of the block; the caller answers for what it runs.
    unsafe {
        asm!(
            "and ecx, -16",
            "sub ecx, 20",
            // The child finds `func` and `arg` on its stack, where `arg` is at a multiple of 16.
            "push esi",
            "mov esi, [eax]",
            "mov [ecx], esi",
            "mov esi, [eax + 4]",
            "mov [ecx + 4], esi",
            "mov esi, [eax + 8]",
            "mov eax, {clone}",
            "int 0x80",
            "test eax, eax",
            "jnz 2f",
            // The outermost frame of the child: unwinders stop here.
            "xor ebp, ebp",
            "pop eax",
            "call eax",
            "mov ebx, eax",
            "mov eax, {exit}",
            "int 0x80",
            "ud2",
            "2:",
            "pop esi",
            clone = const nr::CLONE,
            exit = const nr::EXIT,
            inlateout("eax") &raw const words => ret,
            in("ebx") flags,
            inlateout("ecx") stack => _,
            in("edx") ptid,
            in("edi") ctid,
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
    naked_asm!("mov eax, {nr}", "int 0x80", "ud2", nr = const nr::RT_SIGRETURN)
}

//! What the system call stubs of an architecture must do, as a program without `core`: the
//! compiler brings that for few targets, and this way every one is checked by the same compiler.
//!
//! `run` beside it builds this for each architecture, links it, and runs it. The exit code is 0,
//! or the number of the check that failed.
#![feature(no_core, auto_traits, lang_items, rustc_attrs, decl_macro)]
#![cfg_attr(target_arch = "hexagon", feature(asm_experimental_arch))]
#![no_core]
#![no_main]

extern crate self as core;

#[cfg_attr(target_arch = "aarch64", path = "../../syscalls/src/arch/aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "../../syscalls/src/arch/arm.rs")]
#[cfg_attr(target_arch = "hexagon", path = "../../syscalls/src/arch/hexagon.rs")]
#[cfg_attr(
    target_arch = "loongarch64",
    path = "../../syscalls/src/arch/loongarch64.rs"
)]
#[cfg_attr(
    any(target_arch = "powerpc", target_arch = "powerpc64"),
    path = "../../syscalls/src/arch/powerpc.rs"
)]
#[cfg_attr(
    any(target_arch = "riscv32", target_arch = "riscv64"),
    path = "../../syscalls/src/arch/riscv.rs"
)]
#[cfg_attr(target_arch = "s390x", path = "../../syscalls/src/arch/s390x.rs")]
#[cfg_attr(target_arch = "x86", path = "../../syscalls/src/arch/x86.rs")]
#[cfg_attr(target_arch = "x86_64", path = "../../syscalls/src/arch/x86_64.rs")]
mod stubs;

#[cfg_attr(target_arch = "aarch64", path = "../../syscalls/src/nr/aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "../../syscalls/src/nr/arm.rs")]
#[cfg_attr(target_arch = "hexagon", path = "../../syscalls/src/nr/hexagon.rs")]
#[cfg_attr(
    target_arch = "loongarch64",
    path = "../../syscalls/src/nr/loongarch64.rs"
)]
#[cfg_attr(target_arch = "powerpc", path = "../../syscalls/src/nr/powerpc.rs")]
#[cfg_attr(target_arch = "powerpc64", path = "../../syscalls/src/nr/powerpc64.rs")]
#[cfg_attr(target_arch = "riscv32", path = "../../syscalls/src/nr/riscv32.rs")]
#[cfg_attr(target_arch = "riscv64", path = "../../syscalls/src/nr/riscv64.rs")]
#[cfg_attr(target_arch = "s390x", path = "../../syscalls/src/nr/s390x.rs")]
#[cfg_attr(target_arch = "x86", path = "../../syscalls/src/nr/x86.rs")]
#[cfg_attr(target_arch = "x86_64", path = "../../syscalls/src/nr/x86_64.rs")]
mod nr;

/// The little of `core` that the stubs use.
pub mod arch {
    #[rustc_builtin_macro]
    pub macro asm() {}
    #[rustc_builtin_macro]
    pub macro naked_asm() {}
}

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "copy"]
pub trait Copy {}
impl Copy for usize {}
impl Copy for i32 {}
impl Copy for u8 {}
impl<T> Copy for *const T {}
impl<T> Copy for *mut T {}
#[lang = "sync"]
pub trait Sync {}
impl<T> Sync for &T {}
#[lang = "legacy_receiver"]
pub trait LegacyReceiver {}
impl<T: PointeeSized> LegacyReceiver for &T {}
#[lang = "freeze"]
unsafe auto trait Freeze {}

#[lang = "drop_in_place"]
unsafe fn drop_in_place<T: PointeeSized>(_at: *mut T) {}

#[lang = "eq"]
pub trait PartialEq<Rhs = Self> {
    fn eq(&self, other: &Rhs) -> bool;
    fn ne(&self, other: &Rhs) -> bool;
}
impl PartialEq for usize {
    fn eq(&self, other: &usize) -> bool {
        *self == *other
    }
    fn ne(&self, other: &usize) -> bool {
        *self != *other
    }
}
impl PartialEq for i32 {
    fn eq(&self, other: &i32) -> bool {
        *self == *other
    }
    fn ne(&self, other: &i32) -> bool {
        *self != *other
    }
}
#[lang = "bitand"]
pub trait BitAnd<Rhs = Self> {
    type Output;
    fn bitand(self, rhs: Rhs) -> Self::Output;
}
impl BitAnd for usize {
    type Output = usize;
    fn bitand(self, rhs: usize) -> usize {
        self & rhs
    }
}
#[lang = "not"]
pub trait Not {
    type Output;
    fn not(self) -> Self::Output;
}
impl Not for usize {
    type Output = usize;
    fn not(self) -> usize {
        !self
    }
}

// Result words of errors: the negative number.
const EBADF: usize = !8;
const EAGAIN: usize = !10;
const EINVAL: usize = !21;
const MINUS_ONE: usize = !0;
const AF_UNIX: usize = 1;
const SOCK_DGRAM: usize = 2;
const SOL_SOCKET: usize = 1;
const SO_TYPE: usize = 3;
const SPLICE_F_NONBLOCK: usize = 2;
const AT_FDCWD: usize = !99;
const P_ALL: usize = 0;
const WEXITED: usize = 4;
/// `CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD`.
const FORK_FLAGS: usize = 0x0110_0011;
const CHILD_CODE: i32 = 42;
/// qemu writes the parent's copy of the number where the child has it, not the parent.
const EMULATED_CODE: i32 = 43;

static NULL: &[u8; 10] = b"/dev/null\0";
static OK: &[u8; 3] = b"ok\n";
static mut IN: Ends = Ends(0, 0);
static mut OUT: Ends = Ends(0, 0);
static mut PAIR: Ends = Ends(0, 0);
static mut VALUE: i32 = 0;
static mut LEN: i32 = 4;
static mut PARENT_TID: i32 = 0;
static mut CHILD_TID: i32 = 0;
static mut INFO: Info = Info {
    head: [0; 3],
    child: Child {
        pid: 0,
        uid: 0,
        status: 0,
    },
    rest: [0; 25],
};

/// Two descriptors.
#[repr(C)]
struct Ends(i32, i32);

/// `siginfo_t` of SIGCHLD.
#[repr(C)]
struct Info {
    head: [i32; 3],
    child: Child,
    rest: [i32; 25],
}

/// Its union, which holds words.
#[repr(C)]
#[cfg_attr(target_pointer_width = "64", repr(align(8)))]
struct Child {
    pid: i32,
    uid: i32,
    status: i32,
}
#[repr(C, align(16))]
struct Stack([u8; 65536], usize);
static mut STACK: Stack = Stack([0; 65536], 0);

/// Ends the program with `code`.
fn exit(code: usize) -> ! {
    loop {
        // SAFETY: nothing runs afterwards.
        unsafe {
            stubs::syscall1(nr::EXIT_GROUP, code);
        }
    }
}

fn check(holds: bool, number: usize) {
    if holds {
    } else {
        exit(number)
    }
}

/// Runs in the child: whether its thread number was written where the kernel was told to.
unsafe extern "C" fn child(tid: usize) -> i32 {
    // SAFETY: the address of CHILD_TID, in the child's copy of the memory.
    let written = unsafe { *(tid as *const i32) };
    // SAFETY: the child's own copy.
    let parent = unsafe { PARENT_TID };
    match (written, parent) {
        (0, _) => 1,
        (_, 0) => CHILD_CODE,
        _ => EMULATED_CODE,
    }
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    // SAFETY: every address below is that of a static that is large enough, and only this thread
    // and a copy of the process use them.
    unsafe {
        calls();
        six_arguments();
        clone();
        #[cfg(target_pointer_width = "32")]
        message::passes_a_descriptor();
        #[cfg(target_arch = "hexagon")]
        message::stat_is_laid_out_as_told();
        #[cfg(not(any(
            target_arch = "riscv32",
            target_arch = "riscv64",
            target_arch = "loongarch64",
            target_arch = "hexagon"
        )))]
        signal::handler_returns();
        check(
            stubs::syscall3(nr::WRITE, 1, &raw const *OK as usize, 3) == 3,
            9,
        );
    }
    exit(0)
}

/// A value, an error, and each argument up to the fifth.
unsafe fn calls() {
    // SAFETY: see `_start`.
    unsafe {
        let pid = stubs::syscall0(nr::GETPID);
        check(pid != 0, 10);
        check(stubs::syscall0(nr::GETTID) == pid, 11);
        check(stubs::syscall1(nr::CLOSE, MINUS_ONE) == EBADF, 12);
        check(stubs::syscall2(nr::PIPE2, &raw mut IN as usize, 0) == 0, 13);
        check(
            stubs::syscall2(nr::PIPE2, &raw mut OUT as usize, 0) == 0,
            14,
        );
        check(
            stubs::syscall2(nr::PIPE2, &raw mut OUT as usize, 1) == EINVAL,
            15,
        );
        let null = stubs::syscall4(nr::OPENAT, AT_FDCWD, &raw const *NULL as usize, 0, 0);
        check(
            stubs::syscall3(nr::READ, null, &raw mut VALUE as usize, 4) == 0,
            16,
        );
        check(stubs::syscall1(nr::CLOSE, null) == 0, 17);
        let made = stubs::syscall4(
            nr::SOCKETPAIR,
            AF_UNIX,
            SOCK_DGRAM,
            0,
            &raw mut PAIR as usize,
        );
        check(made == 0, 18);
        let got = stubs::syscall5(
            nr::GETSOCKOPT,
            PAIR.0 as usize,
            SOL_SOCKET,
            SO_TYPE,
            &raw mut VALUE as usize,
            &raw mut LEN as usize,
        );
        check(got == 0, 19);
        check(VALUE as usize == SOCK_DGRAM, 20);
        // On x86 it is read from memory, which nobody set up here.
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        check(stubs::thread_pointer() == stubs::thread_pointer(), 21);
    }
}

/// `splice` answers for its fifth argument (a length) and its sixth (flags).
unsafe fn six_arguments() {
    // SAFETY: see `_start`.
    unsafe {
        let (from, to) = (IN.0 as usize, OUT.1 as usize);
        check(stubs::syscall6(nr::SPLICE, from, 0, to, 0, 0, 0) == 0, 30);
        let flags = SPLICE_F_NONBLOCK;
        check(
            stubs::syscall6(nr::SPLICE, from, 0, to, 0, 1, flags) == EAGAIN,
            31,
        );
        check(
            stubs::syscall6(nr::SPLICE, from, 0, to, 0, 1, 0x100) == EINVAL,
            32,
        );
        check(
            stubs::syscall3(nr::WRITE, IN.1 as usize, &raw const *NULL as usize, 9) == 9,
            33,
        );
        check(
            stubs::syscall6(nr::SPLICE, from, 0, to, 0, 5, flags) == 5,
            34,
        );
        check(
            stubs::syscall6(nr::SPLICE, from, 0, to, 0, 9, flags) == 4,
            35,
        );
    }
}

/// A child on its own stack runs its function and exits with what that returned.
unsafe fn clone() {
    // SAFETY: see `_start`; the child has its own copy of the memory.
    unsafe {
        let tid = stubs::clone(
            child,
            &raw mut CHILD_TID as usize,
            &raw mut STACK.1 as usize,
            FORK_FLAGS,
            &raw mut PARENT_TID as usize,
            &raw mut CHILD_TID as usize,
            0,
        );
        check(CHILD_TID == 0, 41);
        let info = &raw mut INFO as usize;
        check(
            stubs::syscall5(nr::WAITID, P_ALL, 0, info, WEXITED, 0) == 0,
            42,
        );
        match INFO.child.status {
            42 => check(tid == PARENT_TID as usize, 43),
            status => check(status == EMULATED_CODE, 44),
        }
    }
}

/// Handlers return through our restorer.
#[cfg(not(any(
    target_arch = "riscv32",
    target_arch = "riscv64",
    target_arch = "loongarch64",
    target_arch = "hexagon"
)))]
mod signal {
    use crate::{check, nr, stubs};

    const SIGUSR1: usize = 10;
    /// `SA_RESTORER | SA_SIGINFO`.
    const FLAGS: usize = 0x0400_0004;

    #[repr(C)]
    struct Action {
        handler: unsafe extern "C" fn(i32),
        flags: usize,
        restorer: unsafe extern "C" fn() -> !,
        mask: [i32; 2],
    }
    impl crate::Sync for Action {}

    static ACTION: Action = Action {
        handler,
        flags: FLAGS,
        restorer: stubs::restore_rt,
        mask: [0; 2],
    };
    static mut SEEN: i32 = 0;

    unsafe extern "C" fn handler(number: i32) {
        // SAFETY: the thread that reads it is stopped by this handler.
        unsafe {
            SEEN = number;
        }
    }

    pub unsafe fn handler_returns() {
        // SAFETY: see `_start`.
        unsafe {
            let action = &raw const ACTION as usize;
            check(
                stubs::syscall4(nr::RT_SIGACTION, SIGUSR1, action, 0, 8) == 0,
                50,
            );
            let pid = stubs::syscall0(nr::GETPID);
            check(stubs::syscall2(nr::KILL, pid, SIGUSR1) == 0, 51);
            check(SEEN as usize == SIGUSR1, 52);
        }
    }
}

/// `msghdr` of a 32-bit kernel is 28 bytes, and `stat64` of hexagon 104.
#[cfg(target_pointer_width = "32")]
mod message {
    use crate::{PAIR, VALUE, check, nr, stubs};

    #[repr(C)]
    struct Message {
        name: usize,
        name_len: usize,
        iov: usize,
        iov_len: usize,
        control: usize,
        control_len: usize,
        flags: usize,
    }
    #[repr(C)]
    struct Iov {
        base: usize,
        len: usize,
    }
    /// `cmsghdr` and one descriptor.
    #[repr(C)]
    struct Control {
        len: usize,
        level: i32,
        kind: i32,
        fd: i32,
    }
    const SOL_SOCKET: i32 = 1;
    const SCM_RIGHTS: i32 = 1;

    pub unsafe fn passes_a_descriptor() {
        // SAFETY: see `_start`; what the message points to lives on this stack.
        unsafe {
            let mut iov = Iov {
                base: &raw mut VALUE as usize,
                len: 3,
            };
            let mut control = Control {
                len: 16,
                level: SOL_SOCKET,
                kind: SCM_RIGHTS,
                fd: PAIR.1,
            };
            let mut message = Message {
                name: 0,
                name_len: 0,
                iov: &raw mut iov as usize,
                iov_len: 1,
                control: &raw mut control as usize,
                control_len: 16,
                flags: 0,
            };
            let address = &raw mut message as usize;
            check(
                stubs::syscall3(nr::SENDMSG, PAIR.0 as usize, address, 0) == 3,
                60,
            );
            control.fd = 0;
            check(
                stubs::syscall3(nr::RECVMSG, PAIR.1 as usize, address, 0) == 3,
                61,
            );
            check(message.control_len == 16, 62);
            // The copy is a descriptor of its own.
            check(stubs::syscall1(nr::CLOSE, control.fd as usize) == 0, 63);
            check(control.fd != PAIR.1, 64);
        }
    }

    #[cfg(target_arch = "hexagon")]
    pub unsafe fn stat_is_laid_out_as_told() {
        #[repr(C, align(8))]
        struct Stat {
            before_mode: [usize; 4],
            mode: usize,
            before_block_size: [usize; 9],
            block_size: usize,
            rest: [usize; 11],
        }
        static mut STAT: Stat = Stat {
            before_mode: [0; 4],
            mode: 0,
            before_block_size: [0; 9],
            block_size: 0,
            rest: [0; 11],
        };
        // SAFETY: the kernel fills the 104 bytes.
        unsafe {
            let null = stubs::syscall4(
                nr::OPENAT,
                crate::AT_FDCWD,
                &raw const *crate::NULL as usize,
                0,
                0,
            );
            check(
                stubs::syscall2(nr::FSTAT64, null, &raw mut STAT as usize) == 0,
                70,
            );
        }
        // SAFETY: nobody writes it any more.
        let (mode, block_size) = unsafe { (STAT.mode, STAT.block_size) };
        // A character device.
        check(mode & 0xf000 == 0x2000, 71);
        check(block_size == 4096, 72);
    }
}

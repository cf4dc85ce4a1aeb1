//! How each ABI of Linux calls the kernel, as data: registers, errors, numbers.
//!
//! [`arch`](crate::arch) has the calls themselves for the architectures that Rust can assemble;
//! this is for tools that look at another machine's calls, such as tracers and loaders, and for
//! the architectures that Rust cannot.
//!
//! ```
//! use annulus_syscalls::abi::{Abi, ErrorSign};
//!
//! assert_eq!(Abi::MipsN64.number("io_uring_setup"), Some(5425));
//! assert_eq!(Abi::S390x.convention().args[5], "r7");
//! assert_eq!(Abi::Powerpc.convention().error, ErrorSign::Flag("cr0.so"));
//! ```

pub mod hexagon;
mod numbers;

use crate::Errno;
use crate::errno::differing::{self, Column};

/// An ABI of Linux: an architecture, and a word size where there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abi {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// aarch64, both byte orders.
    Aarch64,
    /// arm with the EABI.
    Arm,
    /// riscv64.
    Riscv64,
    /// riscv32, which has calls with 64-bit time only.
    Riscv32,
    /// loongarch64.
    Loongarch64,
    /// 32-bit powerpc.
    Powerpc,
    /// powerpc64, both byte orders.
    Powerpc64,
    /// s390x.
    S390x,
    /// 32-bit mips, o32.
    MipsO32,
    /// mips64, n64.
    MipsN64,
    /// mips64 with 32-bit pointers, n32.
    MipsN32,
    /// sparc64.
    Sparc64,
    /// 32-bit sparc.
    Sparc,
    /// hexagon.
    Hexagon,
    /// m68k.
    M68k,
    /// x86_64 with 32-bit pointers.
    X32,
}

/// How a result says that it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorSign {
    /// The result is `-4095..=-1`: the negative number.
    Negative,
    /// This flag or register is not 0, and the result is the positive number.
    Flag(&'static str),
}

/// The order of `clone`(2)'s arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloneOrder {
    /// `flags, stack, ptid, ctid, tls`.
    PtidCtidTls,
    /// `flags, stack, ptid, tls, ctid`.
    PtidTlsCtid,
    /// `stack, flags, ptid, ctid, tls`.
    StackFirst,
}

/// How a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Convention {
    /// The instruction, as an assembler takes it.
    pub instruction: &'static str,
    /// Where the number goes.
    pub number: &'static str,
    /// Where the arguments go; mips o32 has the last two on the stack.
    pub args: [&'static str; 6],
    /// Where the result comes back.
    pub result: &'static str,
    /// What makes it an error.
    pub error: ErrorSign,
    /// What the call changes beside the result and memory.
    pub clobbers: &'static [&'static str],
    /// How `clone` takes its arguments.
    pub clone: CloneOrder,
}

/// The bit that tells x32 calls from those of x86_64.
const X32_BIT: u32 = 0x4000_0000;

impl Abi {
    /// Every ABI.
    pub const ALL: [Abi; numbers::COLUMNS] = [
        Abi::X86_64,
        Abi::X86,
        Abi::Aarch64,
        Abi::Arm,
        Abi::Riscv64,
        Abi::Riscv32,
        Abi::Loongarch64,
        Abi::Powerpc,
        Abi::Powerpc64,
        Abi::S390x,
        Abi::MipsO32,
        Abi::MipsN64,
        Abi::MipsN32,
        Abi::Sparc64,
        Abi::Sparc,
        Abi::Hexagon,
        Abi::M68k,
        Abi::X32,
    ];

    /// The number of the call that the kernel names `name`, or None if this ABI does not have it
    /// or it is not in the table.
    #[must_use]
    pub fn number(self, name: &str) -> Option<u32> {
        let at = numbers::NUMBERS.binary_search_by_key(&name, |line| line.0);
        let number = numbers::NUMBERS[at.ok()?].1[self as usize];
        let bit = if self == Abi::X32 { X32_BIT } else { 0 };
        (number != numbers::NONE).then_some(u32::from(number) | bit)
    }

    /// The names of the calls in the table, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        numbers::NUMBERS.iter().map(|line| line.0)
    }

    /// The number that this ABI has for the error of that C name, or None for a name that no
    /// header has. mips and sparc number most errors above 34 in their own way.
    ///
    /// ```
    /// use annulus_syscalls::abi::Abi;
    ///
    /// assert_eq!(Abi::S390x.error("ECANCELED"), Some(125));
    /// assert_eq!(Abi::MipsN64.error("ECANCELED"), Some(158));
    /// ```
    #[must_use]
    pub fn error(self, name: &str) -> Option<i32> {
        let column = match self {
            Abi::MipsO32 | Abi::MipsN64 | Abi::MipsN32 => Column::Mips,
            Abi::Sparc64 | Abi::Sparc => Column::Sparc,
            Abi::Powerpc | Abi::Powerpc64 => Column::Powerpc,
            _ => Column::Generic,
        };
        differing::number(name, column).or_else(|| Errno::from_name(name).map(Errno::raw))
    }

    /// How this ABI makes a call.
    #[must_use]
    pub const fn convention(self) -> Convention {
        match self {
            Abi::X86_64 | Abi::X32 => Convention {
                instruction: "syscall",
                number: "rax",
                args: ["rdi", "rsi", "rdx", "r10", "r8", "r9"],
                result: "rax",
                error: ErrorSign::Negative,
                clobbers: &["rcx", "r11"],
                clone: CloneOrder::PtidCtidTls,
            },
            Abi::X86 => Convention {
                instruction: "int 0x80",
                number: "eax",
                args: ["ebx", "ecx", "edx", "esi", "edi", "ebp"],
                result: "eax",
                error: ErrorSign::Negative,
                clobbers: &[],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Aarch64 => Convention {
                instruction: "svc #0",
                number: "x8",
                args: ["x0", "x1", "x2", "x3", "x4", "x5"],
                result: "x0",
                error: ErrorSign::Negative,
                clobbers: &[],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Arm => Convention {
                instruction: "svc #0",
                number: "r7",
                args: ["r0", "r1", "r2", "r3", "r4", "r5"],
                result: "r0",
                error: ErrorSign::Negative,
                clobbers: &[],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Riscv64 | Abi::Riscv32 => Convention {
                instruction: "ecall",
                number: "a7",
                args: ["a0", "a1", "a2", "a3", "a4", "a5"],
                result: "a0",
                error: ErrorSign::Negative,
                clobbers: &["the vector registers"],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Loongarch64 => Convention {
                instruction: "syscall 0",
                number: "a7",
                args: ["a0", "a1", "a2", "a3", "a4", "a5"],
                result: "a0",
                error: ErrorSign::Negative,
                clobbers: &["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"],
                clone: CloneOrder::PtidCtidTls,
            },
            Abi::Powerpc | Abi::Powerpc64 => Convention {
                instruction: "sc",
                number: "r0",
                args: ["r3", "r4", "r5", "r6", "r7", "r8"],
                result: "r3",
                error: ErrorSign::Flag("cr0.so"),
                clobbers: &[
                    "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cr0", "xer", "ctr",
                ],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::S390x => Convention {
                instruction: "svc 0",
                number: "r1",
                args: ["r2", "r3", "r4", "r5", "r6", "r7"],
                result: "r2",
                error: ErrorSign::Negative,
                clobbers: &[],
                clone: CloneOrder::StackFirst,
            },
            Abi::MipsO32 => Convention {
                instruction: "syscall",
                number: "v0",
                args: ["a0", "a1", "a2", "a3", "sp+16", "sp+20"],
                result: "v0",
                error: ErrorSign::Flag("a3"),
                clobbers: &[
                    "at", "v1", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "hi",
                    "lo",
                ],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::MipsN64 | Abi::MipsN32 => Convention {
                instruction: "syscall",
                number: "v0",
                args: ["a0", "a1", "a2", "a3", "a4", "a5"],
                result: "v0",
                error: ErrorSign::Flag("a3"),
                clobbers: &[
                    "$1", "$3", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15", "$24", "$25",
                    "hi", "lo",
                ],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Sparc64 => Convention {
                instruction: "t 0x6d",
                number: "g1",
                args: ["o0", "o1", "o2", "o3", "o4", "o5"],
                result: "o0",
                error: ErrorSign::Flag("xcc.carry"),
                clobbers: &["xcc", "o1", "o2", "o3", "o4", "o5", "o7"],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Sparc => Convention {
                instruction: "t 0x10",
                number: "g1",
                args: ["o0", "o1", "o2", "o3", "o4", "o5"],
                result: "o0",
                error: ErrorSign::Flag("icc.carry"),
                clobbers: &["icc", "o1", "o2", "o3", "o4", "o5", "o7"],
                clone: CloneOrder::PtidTlsCtid,
            },
            Abi::Hexagon => Convention {
                instruction: "trap0(#1)",
                number: "r6",
                args: ["r0", "r1", "r2", "r3", "r4", "r5"],
                result: "r0",
                error: ErrorSign::Negative,
                clobbers: &[],
                clone: CloneOrder::PtidCtidTls,
            },
            Abi::M68k => Convention {
                instruction: "trap #0",
                number: "d0",
                args: ["d1", "d2", "d3", "d4", "d5", "a0"],
                result: "d0",
                error: ErrorSign::Negative,
                clobbers: &[],
                clone: CloneOrder::PtidCtidTls,
            },
        }
    }
}

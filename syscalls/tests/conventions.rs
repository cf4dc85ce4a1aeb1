//! The table of every ABI against the numbers that the stubs use, and against itself.
#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

use std::collections::BTreeSet;

use annulus_syscalls::abi::{Abi, CloneOrder, ErrorSign};
use annulus_syscalls::{Errno, nr};

#[cfg(target_arch = "x86_64")]
const HOST: Abi = Abi::X86_64;
#[cfg(target_arch = "aarch64")]
const HOST: Abi = Abi::Aarch64;

#[test]
fn the_hosts_numbers_are_those_of_its_stubs() {
    let numbers = [
        ("read", nr::READ),
        ("io_uring_setup", nr::IO_URING_SETUP),
        ("bpf", nr::BPF),
        ("mmap", nr::MMAP),
        ("clone", nr::CLONE),
        ("exit_group", nr::EXIT_GROUP),
        ("rt_sigreturn", nr::RT_SIGRETURN),
        ("fstatat64", nr::NEWFSTATAT),
        ("statx", nr::STATX),
        ("rseq", nr::RSEQ),
    ];
    for (name, number) in numbers {
        assert_eq!(HOST.number(name), u32::try_from(number).ok(), "{name}");
    }
}

#[test]
fn no_two_calls_of_an_abi_share_a_number() {
    for abi in Abi::ALL {
        let numbers: Vec<_> = Abi::names().filter_map(|name| abi.number(name)).collect();
        let distinct: BTreeSet<_> = numbers.iter().collect();
        assert_eq!(numbers.len(), distinct.len(), "{abi:?}");
        assert!(numbers.len() > 50, "{abi:?}");
    }
    assert!(Abi::names().is_sorted());
}

#[test]
fn calls_since_5_1_have_one_number_and_a_base() {
    for abi in Abi::ALL {
        let base = match abi {
            Abi::MipsO32 => 4000,
            Abi::MipsN64 => 5000,
            Abi::MipsN32 => 6000,
            Abi::X32 => 0x4000_0000,
            _ => 0,
        };
        assert_eq!(abi.number("io_uring_enter"), Some(base + 426), "{abi:?}");
        assert_eq!(abi.number("futex_waitv"), Some(base + 449), "{abi:?}");
    }
    assert_eq!(Abi::Sparc64.number("clone3"), None);
    assert_eq!(Abi::X86_64.number("no such call"), None);
}

#[test]
fn an_abi_names_six_places_for_arguments() {
    for abi in Abi::ALL {
        let convention = abi.convention();
        let places: BTreeSet<_> = convention.args.iter().collect();
        assert_eq!(places.len(), 6, "{abi:?}");
        assert!(!places.contains(&convention.number), "{abi:?}");
        assert!(!convention.clobbers.contains(&convention.result), "{abi:?}");
    }
    assert_eq!(Abi::MipsO32.convention().error, ErrorSign::Flag("a3"));
    assert_eq!(Abi::S390x.convention().clone, CloneOrder::StackFirst);
}

#[test]
fn each_abi_has_its_order_of_the_arguments_of_clone() {
    for abi in Abi::ALL {
        let expected = match abi {
            Abi::X86_64 | Abi::X32 | Abi::Loongarch64 | Abi::Hexagon | Abi::M68k => {
                CloneOrder::PtidCtidTls
            }
            Abi::S390x => CloneOrder::StackFirst,
            _ => CloneOrder::PtidTlsCtid,
        };
        assert_eq!(abi.convention().clone, expected, "{abi:?}");
    }
}

#[test]
fn each_abi_has_its_error_numbers() {
    let rows = [
        ("EPERM", [1, 1, 1]),
        ("EAGAIN", [11, 11, 11]),
        ("ERANGE", [34, 34, 34]),
        ("EDEADLK", [35, 45, 78]),
        ("ETIME", [62, 62, 73]),
        ("ENOBUFS", [105, 132, 55]),
        ("EALREADY", [114, 149, 37]),
        ("ECANCELED", [125, 158, 127]),
        ("EHWPOISON", [133, 168, 135]),
    ];
    for (name, [generic, mips, sparc]) in rows {
        for abi in Abi::ALL {
            let expected = match abi {
                Abi::MipsO32 | Abi::MipsN64 | Abi::MipsN32 => mips,
                Abi::Sparc64 | Abi::Sparc => sparc,
                _ => generic,
            };
            assert_eq!(abi.error(name), Some(expected), "{name} {abi:?}");
        }
    }
    let deadlock = |abi: Abi| abi.error("EDEADLOCK");
    assert_eq!(deadlock(Abi::Powerpc64), Some(58));
    assert_eq!(
        (deadlock(Abi::X86), deadlock(Abi::Sparc)),
        (Some(35), Some(108))
    );
    assert_eq!(Abi::X86_64.error("EWHATEVER"), None);
    for number in 1..=133 {
        let errno = Errno::from_raw(number);
        if let Some(name) = errno.name() {
            assert_eq!(Errno::from_name(name), Some(errno));
            assert_eq!(HOST.error(name), Some(number), "{name}");
        }
    }
}

//! Every struct of io_uring against the facts that the ABI test reads, and the table of numbers
//! against those of the stubs.

#[path = "../../../syscalls/tests/abi/layouts.rs"]
mod ours;

use annulus_syscalls::abi::Abi;
use annulus_syscalls::nr;

use ours::LAYOUTS;

const FACTS: &str = include_str!("../../../syscalls/tests/abi/liburing-2.15.txt");

/// Fields that have another name here, as in the ABI test.
fn name_there<'a>(of: &str, field: &'a str) -> &'a str {
    match (of, field) {
        ("io_uring_sqe", "op_flags") => "rw_flags",
        ("io_uring_bpf_ctx", "args") => "open",
        _ => field,
    }
}

/// The numbers after `start` and `name` in the line that begins with them, within `lines`.
fn fact(lines: &str, start: &str, name: &str) -> Option<[u64; 2]> {
    lines.lines().find_map(|line| {
        let mut words = line.split(' ');
        let is_it = words.next() == Some(start) && words.next() == Some(name);
        let mut number = || words.next().and_then(|word| word.parse().ok());
        is_it.then(|| [number().expect("a number"), number().unwrap_or(0)])
    })
}

/// The part of the facts that is about the struct `name`, its own line included.
fn part(name: &str) -> &'static str {
    let mut starts = FACTS.match_indices("\nstruct ").map(|(at, _)| at + 1);
    let start = starts
        .find(|&at| FACTS[at..].split(' ').nth(1) == Some(name))
        .unwrap_or_else(|| panic!("no facts about {name}"));
    let end = FACTS[start..]
        .find("\nstruct ")
        .map_or(FACTS.len(), |len| start + len);
    &FACTS[start..end]
}

pub(crate) fn layouts() {
    for ours in LAYOUTS {
        let facts = part(ours.name);
        let size = fact(facts, "struct", ours.name).map(|numbers| numbers[0]);
        assert_eq!(size, Some(ours.size), "size of {}", ours.name);
        let mut found = 0;
        for field in ours.fields {
            let there = fact(facts, "field", name_there(ours.name, field.name));
            // The room at the end of a struct has other names in other releases.
            if let Some(there) = there {
                found += 1;
                assert_eq!(
                    there,
                    [field.offset, field.size],
                    "{}.{}",
                    ours.name,
                    field.name
                );
            }
        }
        assert!(found > 0, "no field of {}", ours.name);
    }
}

const HOST: Abi = if cfg!(target_arch = "hexagon") {
    Abi::Hexagon
} else if cfg!(target_arch = "aarch64") {
    Abi::Aarch64
} else if cfg!(target_arch = "arm") {
    Abi::Arm
} else if cfg!(target_arch = "riscv64") {
    Abi::Riscv64
} else if cfg!(target_arch = "riscv32") {
    Abi::Riscv32
} else if cfg!(target_arch = "s390x") {
    Abi::S390x
} else if cfg!(target_arch = "powerpc") {
    Abi::Powerpc
} else if cfg!(target_arch = "loongarch64") {
    Abi::Loongarch64
} else {
    panic!("not in the table yet")
};

pub(crate) fn numbers() {
    for (name, number) in [
        ("read", nr::READ),
        ("write", nr::WRITE),
        ("openat", nr::OPENAT),
        ("close", nr::CLOSE),
        ("getpid", nr::GETPID),
        ("munmap", nr::MUNMAP),
        ("clone", nr::CLONE),
        ("exit_group", nr::EXIT_GROUP),
        ("rt_sigreturn", nr::RT_SIGRETURN),
        ("memfd_create", nr::MEMFD_CREATE),
        ("io_uring_setup", nr::IO_URING_SETUP),
        ("bpf", nr::BPF),
    ] {
        assert_eq!(
            HOST.number(name).map(|found| found as usize),
            Some(number),
            "{name}"
        );
    }
}

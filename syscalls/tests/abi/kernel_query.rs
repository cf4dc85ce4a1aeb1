//! What the running kernel answers to `IORING_REGISTER_QUERY`: masks of flags, and how many
//! opcodes there are. A mask confirms that a flag's bit means something, a count that the numbers
//! below it do.

use std::collections::BTreeSet;
use std::ptr;

use annulus_syscalls::calls::io_uring_register;
use annulus_syscalls::io_uring::register::flags::IO_URING_QUERY_OPCODES;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_QUERY;
use annulus_syscalls::io_uring::register::{io_uring_query_hdr, io_uring_query_opcode};

use crate::findings::Findings;
use crate::source::constants;

/// The answer; `None`, and a printed reason, where the kernel has none.
fn query() -> Option<io_uring_query_opcode> {
    let mut answer = io_uring_query_opcode::default();
    let mut question = io_uring_query_hdr {
        query_data: ptr::from_mut(&mut answer).expose_provenance() as u64,
        query_op: IO_URING_QUERY_OPCODES,
        size: size_of::<io_uring_query_opcode>() as u32,
        ..Default::default()
    };
    let arg = ptr::from_mut(&mut question).expose_provenance();
    // SAFETY: the question is one, says the size of the answer's place, and both live on.
    let asked = unsafe { io_uring_register(-1, IORING_REGISTER_QUERY, arg, 0) };
    match (asked, question.result) {
        (Ok(_), 0) => Some(answer),
        (asked, result) => {
            println!("skipped: no IORING_REGISTER_QUERY here (since 6.18): {asked:?}, {result}");
            None
        }
    }
}

/// What it says, and which items it was asked for.
pub(crate) fn compare() -> Option<(Findings, BTreeSet<String>)> {
    let answer = query()?;
    let mut findings = Findings::new("IORING_REGISTER_QUERY");
    let mut asked = BTreeSet::new();
    let masks = [
        ("setup.rs", "IORING_SETUP_", answer.ring_setup_flags),
        ("feat.rs", "IORING_FEAT_", answer.feature_flags),
        ("enter.rs", "IORING_ENTER_", answer.enter_flags),
        ("sqe_flags.rs", "IOSQE_", answer.sqe_flags),
    ];
    for (file, prefix, mask) in masks {
        let mut known: u64 = 0;
        for (name, value) in numbers(file) {
            assert!(
                name.starts_with(prefix) && value.is_power_of_two(),
                "{name}"
            );
            if value & mask != 0 {
                findings.confirmed.insert(name.clone());
            }
            asked.insert(name);
            known |= value;
        }
        for bit in (0..64)
            .map(|bit| 1 << bit)
            .filter(|bit| bit & mask & !known != 0)
        {
            let found = format!("{prefix}: bit {bit:#x}");
            if bit > known {
                findings.newer.push(found)
            } else {
                findings.contradicted.push(found)
            }
        }
    }
    let counts = [
        ("op.rs", answer.nr_request_opcodes),
        ("register/op.rs", answer.nr_register_opcodes),
    ];
    for (file, count) in counts {
        let ours = numbers(file);
        for number in 0..u64::from(count) {
            match ours.iter().find(|(_, value)| *value == number) {
                Some((name, _)) => drop(findings.confirmed.insert(name.clone())),
                None if ours.len() as u64 > number => {
                    findings
                        .contradicted
                        .push(format!("{file}: {number} is missing"));
                }
                None => findings.newer.push(format!("{file}: {number}")),
            }
        }
        asked.extend(ours.into_iter().map(|(name, _)| name));
    }
    Some((findings, asked))
}

/// The constants of a file.
fn numbers(file: &str) -> Vec<(String, u64)> {
    let found = constants()
        .into_iter()
        .filter(|found| found.file == std::path::Path::new(file));
    found
        .map(|found| {
            (
                found.name,
                u64::try_from(found.value).expect("not negative"),
            )
        })
        .collect()
}

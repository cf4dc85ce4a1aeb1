//! The io_uring ABI against three sources: the running kernel's BTF, its answer to
//! `IORING_REGISTER_QUERY`, and the newest uapi header.
//!
//! Each source confirms items: a constant's value, a struct's size, a field's place and size. An
//! item that it contradicts is red; one that it does not know is printed by name. See the report
//! with `cargo test -p annulus-syscalls --test abi -- --nocapture`.

mod compare;
mod findings;
mod header;
mod kernel_btf;
mod kernel_query;
mod layouts;
mod source;

use std::collections::BTreeSet;

use findings::Findings;
use layouts::LAYOUTS;
use source::constants;

/// The names of everything that can be confirmed.
fn items() -> BTreeSet<String> {
    let constants = constants().into_iter().map(|constant| constant.name);
    let fields = LAYOUTS.iter().flat_map(|layout| {
        let fields = layout.fields.iter();
        fields.map(|field| format!("{}.{}", layout.name, field.name))
    });
    let sizes = LAYOUTS.iter().map(|layout| layout.name.to_owned());
    constants.chain(fields).chain(sizes).collect()
}

fn print(findings: &Findings, of: &BTreeSet<String>) {
    println!(
        "{}: {} of {} confirmed",
        findings.source,
        findings.confirmed.len(),
        of.len()
    );
    for newer in &findings.newer {
        println!("  newer than us: {newer}");
    }
    for item in of.difference(&findings.confirmed) {
        println!("  not confirmed: {item}");
    }
}

#[test]
fn every_struct_and_enum_value_is_that_of_the_running_kernel() {
    let Some(findings) = kernel_btf::compare() else {
        return;
    };
    print(&findings, &items());
    assert_eq!(findings.contradicted, [""; 0]);
    // Any kernel with BTF for io_uring knows more than this.
    assert!(
        findings.confirmed.len() > 100,
        "{}",
        findings.confirmed.len()
    );
}

#[test]
fn flags_lie_in_the_masks_that_the_kernel_reports() {
    let Some((findings, asked)) = kernel_query::compare() else {
        return;
    };
    print(&findings, &asked);
    assert_eq!(findings.contradicted, [""; 0]);
    assert!(!findings.confirmed.is_empty());
}

#[test]
fn every_item_is_that_of_the_newest_header() {
    let findings = header::compare();
    print(&findings, &items());
    assert_eq!(findings.contradicted, [""; 0]);
}

#[test]
fn no_item_is_without_a_source() {
    let query = kernel_query::compare().map(|(findings, _)| findings);
    let sources = [kernel_btf::compare(), query, Some(header::compare())];
    let mut left = items();
    let all = left.len();
    for findings in sources.into_iter().flatten() {
        println!("{}: {} items", findings.source, findings.confirmed.len());
        left.retain(|item| !findings.confirmed.contains(item));
    }
    println!(
        "{} of {all} items confirmed by some source",
        all - left.len()
    );
    assert_eq!(left, BTreeSet::new());
}

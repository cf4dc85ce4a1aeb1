//! One of our structs beside the same of a source.

use crate::findings::Findings;
use crate::layouts::{Field, Layout};

/// Fields that have one name here for the places of a C union, and which of its names we compare.
const OTHER_NAMES: &[(&str, &str, &str)] = &[
    ("io_uring_sqe", "op_flags", "rw_flags"),
    ("io_uring_bpf_ctx", "args", "open"),
];

/// Whether a field only fills room. Releases take from such room, so its place may differ.
fn is_reserved(name: &str) -> bool {
    let name = name.trim_start_matches('_');
    ["resv", "rsvd", "reserved", "pad"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn contains(outer: &Field<'_>, inner: &Field<'_>) -> bool {
    outer.offset <= inner.offset && inner.offset + inner.size <= outer.offset + outer.size
}

/// Compares sizes, each of our fields with the one of its name, and looks whether each of theirs
/// lies within one of ours.
pub(crate) fn layout(findings: &mut Findings, ours: &Layout, size: u64, theirs: &[Field<'_>]) {
    let name = ours.name;
    match size == ours.size {
        true => drop(findings.confirmed.insert(name.to_owned())),
        false => findings
            .contradicted
            .push(format!("{name}: {} bytes are {size}", ours.size)),
    }
    for field in ours.fields {
        let other = OTHER_NAMES
            .iter()
            .find(|other| (other.0, other.1) == (name, field.name));
        let wanted = other.map_or(field.name, |other| other.2);
        match theirs.iter().find(|found| found.name == wanted) {
            Some(found) if (found.offset, found.size) == (field.offset, field.size) => {
                findings.confirmed.insert(format!("{name}.{}", field.name));
            }
            Some(found) if !is_reserved(field.name) => {
                findings
                    .contradicted
                    .push(format!("{name}: {field:?} is {found:?}"));
            }
            _ => {}
        }
    }
    for found in theirs.iter().filter(|found| found.size > 0) {
        if !ours.fields.iter().any(|field| contains(field, found)) && !is_reserved(found.name) {
            findings
                .contradicted
                .push(format!("{name}: nothing of ours is where {found:?} is"));
        }
    }
}

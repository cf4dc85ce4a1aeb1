//! Saying why a test, or a part of one, does not run here.

use annulus_ring::{Opcode, Probe, Ring};

/// Says that this machine lacks something, a privilege, a device or a tool.
///
/// # Panics
/// Under `CI=true`, where there has to be everything.
pub(crate) fn skip(reason: &str) {
    skip_feature(reason);
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        panic!("a test was skipped under CI: {reason}");
    }
}

/// Says that this kernel, or this file system, lacks something, which is no failure anywhere.
pub(crate) fn skip_feature(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Whether the kernel has `opcode`; says so if not.
pub(crate) fn has(ring: &Ring, opcode: Opcode) -> bool {
    let is_there = Probe::of(ring).is_ok_and(|probe| probe.supports(opcode));
    if !is_there {
        skip_feature(&format!("this kernel has no {opcode}"));
    }
    is_there
}

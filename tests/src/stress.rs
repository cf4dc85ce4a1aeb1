//! How much a test does, and what it says when it cannot do it.

use crate::is_simulated;

/// The share of the full counts that this run does: `ANNULUS_STRESS_PERCENT`, 10 by default.
///
/// # Panics
///
/// If the variable is not a number above zero: a run that silently did less than asked would
/// prove nothing.
pub fn percent() -> u64 {
    let Some(text) = std::env::var_os("ANNULUS_STRESS_PERCENT") else {
        return 10;
    };
    let percent = text.to_str().and_then(|text| text.parse().ok());
    match percent {
        Some(percent) if percent > 0 => percent,
        _ => panic!("ANNULUS_STRESS_PERCENT is {text:?}, not a whole number above 0"),
    }
}

/// Scales the count that a full run asks for by [`percent`]; at least 1. In a simulated world, where
/// each step costs more and every count is that of one seed, a tenth of it.
pub fn stress(full: u64) -> u64 {
    let part = if is_simulated() { 10 } else { 1 };
    (full * percent() / 100 / part).max(1)
}

/// Says why a test does not run here.
///
/// # Panics
///
/// Under `CI=true`, where every test has to run.
pub fn skip(reason: &str) {
    println!("skipped: {reason}");
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        panic!("a test was skipped under CI: {reason}");
    }
}

//! What a source says.

use std::collections::BTreeSet;

/// What one source says of our items.
pub(crate) struct Findings {
    pub(crate) source: &'static str,
    /// Names of items that it has as we have them.
    pub(crate) confirmed: BTreeSet<String>,
    /// What it has otherwise, as sentences.
    pub(crate) contradicted: Vec<String>,
    /// What it has and we do not know yet.
    pub(crate) newer: Vec<String>,
}

impl Findings {
    pub(crate) fn new(source: &'static str) -> Findings {
        Findings {
            source,
            confirmed: BTreeSet::new(),
            contradicted: Vec::new(),
            newer: Vec::new(),
        }
    }

    /// Notes that the source has `theirs` for a constant, if it has it.
    pub(crate) fn constant(&mut self, name: &str, ours: i128, theirs: Option<i128>) {
        match theirs {
            None => {}
            // C's constants have no fixed sign: 1 << 31 and -2 are bits of 32.
            Some(theirs) if ours == theirs || (ours - theirs).abs() == 1 << 32 => {
                self.confirmed.insert(name.to_owned());
            }
            Some(theirs) => self
                .contradicted
                .push(format!("{name}: {ours} is {theirs}")),
        }
    }
}

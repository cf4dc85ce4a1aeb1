//! Our constants and the names of our structs, read from the sources, so that none is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::layouts::LAYOUTS;

/// A constant of `annulus_syscalls::io_uring`.
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) value: i128,
    /// The file that has it, without `src/io_uring/`.
    pub(crate) file: PathBuf,
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("our sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let nested = paths.map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    nested.flatten().collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/io_uring");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("our sources");
        let name = path.strip_prefix(&root).expect("below it").to_owned();
        (name, text)
    };
    files(&root).into_iter().map(read).collect()
}

fn literal(text: &str) -> Option<i128> {
    let digits = text.replace('_', "");
    match (digits.as_str(), digits.strip_prefix("0x")) {
        ("i32::MIN", _) => Some(i32::MIN.into()),
        (_, Some(hex)) => i128::from_str_radix(hex, 16).ok(),
        (decimal, None) => decimal.parse().ok(),
    }
}

/// All constants. A line that starts one and cannot be read is a panic.
pub(crate) fn constants() -> Vec<Constant> {
    let mut found = Vec::new();
    for (file, text) in sources() {
        for line in text.lines() {
            let Some(rest) = line.trim_start().strip_prefix("pub const ") else {
                continue;
            };
            let parts = rest
                .strip_suffix(';')
                .and_then(|rest| rest.split_once(" = "));
            let parts =
                parts.and_then(|(typed, text)| Some((typed.split_once(':')?.0, literal(text)?)));
            let (name, value) = parts.unwrap_or_else(|| panic!("{}: {line}", file.display()));
            found.push(Constant {
                name: name.to_owned(),
                value,
                file: file.clone(),
            });
        }
    }
    found
}

#[test]
fn no_struct_and_no_field_is_forgotten() {
    let mut found = BTreeSet::new();
    for (_, text) in sources() {
        let mut of = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("pub struct ") {
                of = rest.split_whitespace().next();
                found.extend(of.map(str::to_owned));
            } else if line == "}" {
                of = None;
            } else if let (Some(name), Some(rest)) = (of, line.strip_prefix("    pub ")) {
                let field = rest.split(':').next().expect("a part");
                found.insert(format!("{name}.{field}"));
            }
        }
    }
    let mut listed = BTreeSet::new();
    for layout in LAYOUTS {
        listed.insert(layout.name.to_owned());
        listed.extend(
            layout
                .fields
                .iter()
                .map(|field| format!("{}.{}", layout.name, field.name)),
        );
    }
    assert_eq!(found, listed);
}

#[test]
fn the_sources_say_what_the_compiler_reads() {
    use annulus_syscalls::io_uring::{flags, op, queue, register, setup};
    let value = |name| {
        constants()
            .into_iter()
            .find(|found| found.name == name)
            .map(|found| found.value)
    };
    assert_eq!(value("IORING_OP_PIPE"), Some(op::IORING_OP_PIPE.into()));
    assert_eq!(
        value("IORING_SETUP_CQE_MIXED"),
        Some(setup::IORING_SETUP_CQE_MIXED.into())
    );
    assert_eq!(
        value("IORING_OFF_MMAP_MASK"),
        Some(queue::IORING_OFF_MMAP_MASK.into())
    );
    let copied = flags::net::IORING_NOTIF_USAGE_ZC_COPIED;
    assert_eq!(value("IORING_NOTIF_USAGE_ZC_COPIED"), Some(copied.into()));
    let skip = register::flags::IORING_REGISTER_FILES_SKIP;
    assert_eq!(value("IORING_REGISTER_FILES_SKIP"), Some(skip.into()));
}

//! What the source promises about itself: its layout, where unsafe code lives and why, who knows
//! the ring.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders at the top, hidden ones and build output aside.
const TOP: &[&str] = &["syscalls", "ring", "runtime", "examples", "tests", "docs"];
/// What may hold unsafe code under `runtime/src`; a name without `.rs` is a folder too.
const UNSAFE: &[&str] = &[
    "op",
    "context",
    "task/cell",
    "task/waker",
    "buf",
    "from_raw",
    "io/unix/async_fd",
    "process",
    "signal",
    "sim/alloc",
];
const LINES_MAX: usize = 700;

struct Source {
    /// Relative to the top.
    path: String,
    text: String,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the package has a parent")
}

/// Every text file of the tree, hidden folders and build output aside.
fn sources() -> Vec<Source> {
    let top = top();
    let mut sources = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the folder lists itself").path();
            let name = path
                .file_name()
                .expect("an entry has a name")
                .to_string_lossy();
            let hidden_folder = name.starts_with('.') && name != ".ci";
            if path.is_dir() {
                if !hidden_folder && !name.starts_with("target") {
                    folders.push(path);
                }
            } else if name == ".git" {
                // A worktree's pointer to its repository.
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(&top).expect("it lies under the top");
                let path = path.to_str().expect("our names are UTF-8").to_owned();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(
        sources.len() > 20,
        "this is not the tree: {} files",
        sources.len()
    );
    sources
}

fn rust_sources() -> Vec<Source> {
    let mut sources = sources();
    sources.retain(|source| source.path.ends_with(".rs"));
    sources
}

fn assert_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// A line without its `//` comment.
fn code(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

#[test]
fn the_top_has_the_folders_of_the_plan_and_no_other() {
    let mut problems = Vec::new();
    for entry in fs::read_dir(top()).expect("the top is there") {
        let entry = entry.expect("the folder lists itself");
        let name = entry.file_name().to_string_lossy().into_owned();
        let known = TOP.contains(&&*name) || name.starts_with('.') || name.starts_with("target");
        if entry.path().is_dir() && !known {
            problems.push(format!("{name}/: no folder of the layout"));
        }
    }
    assert_none(problems);
}

#[test]
fn every_test_program_is_declared() {
    let manifest =
        fs::read_to_string(top().join("tests/Cargo.toml")).expect("the manifest is there");
    let mut problems = Vec::new();
    for Source { path, .. } in rust_sources() {
        let Some(file) = path.strip_prefix("tests/") else {
            continue;
        };
        let program = !file.contains('/') || file.ends_with("/main.rs");
        if program && !manifest.contains(&format!("path = \"{file}\"")) {
            problems.push(format!(
                "{path}: no [[test]] of tests/Cargo.toml, so it never runs"
            ));
        }
    }
    assert_none(problems);
}

#[test]
fn the_runtime_forbids_unsafe_code_outside_its_list() {
    let mut problems = Vec::new();
    let (mut forbidding, mut listed) = (0, BTreeSet::new());
    for Source { path, text } in rust_sources() {
        let Some(inner) = path.strip_prefix("runtime/src/") else {
            continue;
        };
        let stem = inner.trim_end_matches(".rs");
        let entry = UNSAFE.iter().find(|entry| {
            let rest = stem.strip_prefix(**entry);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        match entry {
            Some(entry) => drop(listed.insert(entry)),
            // Forbidding it in the root would forbid it in the modules of the list.
            None if stem == "lib" => {
                let with_unsafe = text.lines().any(|line| is_unsafe(line).is_some());
                if with_unsafe {
                    problems.push(format!("{path}: unsafe code"));
                }
            }
            // Nor can a parent of a listed module forbid it; then its own lines are looked at.
            None if UNSAFE.iter().any(|entry| {
                let parent = stem.strip_suffix("/mod").unwrap_or(stem);
                entry
                    .strip_prefix(parent)
                    .is_some_and(|rest| rest.starts_with('/'))
            }) =>
            {
                if text.lines().any(|line| is_unsafe(line).is_some()) {
                    problems.push(format!("{path}: unsafe code"));
                }
            }
            None if text.contains("#![forbid(unsafe_code)]") => forbidding += 1,
            None => problems.push(format!("{path}: lacks #![forbid(unsafe_code)]")),
        }
    }
    println!("{forbidding} files forbid unsafe code; of the list there are {listed:?}");
    assert_none(problems);
}

/// Where in a line an unsafe block or impl starts.
fn is_unsafe(line: &str) -> Option<usize> {
    let code = code(line);
    ["unsafe {", "unsafe impl"].iter().find_map(|word| {
        code.match_indices(word).map(|(at, _)| at).find(|at| {
            // Not inside a string, nor part of a longer word.
            let before = &code[..*at];
            before.matches('"').count().is_multiple_of(2)
                && !before.ends_with(|last: char| last.is_alphanumeric() || last == '_')
        })
    })
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut problems = Vec::new();
    let mut blocks = 0;
    for Source { path, text } in rust_sources() {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if is_unsafe(line).is_none() {
                continue;
            }
            blocks += 1;
            if !is_explained(&lines[..number]) {
                problems.push(format!("{path}:{}: no SAFETY comment above", number + 1));
            }
        }
    }
    println!("{blocks} unsafe blocks and impls");
    assert_none(problems);
}

/// Whether the comment that ends `above` says SAFETY. The line below may be the rest of a
/// statement that begins some lines up; the comment then stands above that.
fn is_explained(above: &[&str]) -> bool {
    let mut rest = above;
    while let [before @ .., last] = rest {
        if last.starts_with("//") {
            if last.starts_with("// SAFETY:") {
                return true;
            }
        } else if last.starts_with("#[") {
            // An attribute of what is below.
        } else {
            let in_comment = rest.len() < above.len() && above[rest.len()].starts_with("//");
            let ends_before = last.is_empty() || last.ends_with([';', '{', '}', ',']);
            if in_comment || ends_before {
                return false;
            }
        }
        rest = before;
    }
    false
}

#[test]
fn every_op_is_declared() {
    let modules = fs::read_to_string(top().join("runtime/src/op/mod.rs")).expect("ops exist");
    let mut problems = Vec::new();
    for Source { path, .. } in rust_sources() {
        let Some(file) = path.strip_prefix("runtime/src/op/") else {
            continue;
        };
        let name = file.trim_end_matches(".rs");
        let declared = modules.lines().any(|line| {
            let line = code(line).trim();
            line.ends_with(&format!("mod {name};"))
        });
        if name != "mod" && !name.contains('/') && !declared {
            problems.push(format!("{path}: no mod line in runtime/src/op/mod.rs"));
        }
    }
    assert_none(problems);
}

#[test]
fn only_ops_and_the_ring_know_an_sqe_or_a_system_call() {
    let words = [
        ".prep_",
        "io_uring_sqe",
        "libc::syscall",
        "os::syscall",
        "SYS_",
        "annulus_syscalls",
    ];
    let mut problems = Vec::new();
    for Source { path, text } in rust_sources() {
        if !path.starts_with("runtime/src/") || path.starts_with("runtime/src/op/") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| code(line).contains(**word)) {
                problems.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    assert_none(problems);
}

#[test]
fn no_file_needs_a_table_of_contents() {
    let mut problems = Vec::new();
    for Source { path, text } in rust_sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{path}: {lines} lines, at most {LINES_MAX}"));
        }
    }
    assert_none(problems);
}

#[test]
fn nothing_names_the_place_it_was_written_in() {
    // In pieces, so that this file does not match itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/tmp/", "wt"),
        concat!("../sha", "red"),
        concat!("fa", "rm-"),
        concat!("/ro", "ot/"),
        concat!("Clau", "de"),
        concat!("Anth", "ropic"),
    ];
    let mut problems = Vec::new();
    for Source { path, text } in sources() {
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    assert_none(problems);
}

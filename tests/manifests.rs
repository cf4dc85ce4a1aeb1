//! One source, two manifests: `runtime` and `runtime/patch` differ where they must, and nowhere
//! else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where it is a runtime of its own, and where it is tokio.
const LINUX: &str = "target.'cfg(target_os = \"linux\")'.dependencies";
const ELSEWHERE: &str = "target.'cfg(not(target_os = \"linux\"))'.dependencies";

/// The `key = value` lines of a section.
fn section(manifest: &str, name: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(manifest);
    let text = fs::read_to_string(path).expect("the manifest is there");
    text.lines()
        .skip_while(|line| *line != format!("[{name}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

fn both(name: &str) -> [BTreeMap<String, String>; 2] {
    ["runtime/Cargo.toml", "runtime/patch/Cargo.toml"].map(|manifest| {
        let lines = section(manifest, name);
        assert!(!lines.is_empty(), "{manifest} has no [{name}]");
        lines
    })
}

#[test]
fn the_patch_has_the_features_of_the_runtime() {
    let [mut runtime, mut patch] = both("features");
    runtime.remove("default").expect("the runtime has defaults");
    let none = patch.remove("default");
    assert_eq!(none.as_deref(), Some("[]"), "as tokio has it");
    assert_eq!(runtime, patch);
}

#[test]
fn the_patch_has_the_dependencies_of_the_runtime() {
    let [mut runtime, mut patch] = both(LINUX);
    // Those of this workspace are by path there; tokio itself is by git.
    for key in ["annulus-ring", "annulus-ring.workspace", "real"] {
        runtime.remove(key);
        patch.remove(key);
    }
    assert!(runtime.len() > 5, "{runtime:?}");
    assert_eq!(runtime, patch);

    for section in [LINUX, ELSEWHERE] {
        let real = both(section).map(|lines| lines["real"].clone());
        let features =
            real.map(|line| line[line.find("features = ").expect("it has some")..].to_owned());
        assert_eq!(features[0], features[1]);
    }
}

#[test]
fn elsewhere_it_is_tokio_with_everything_and_needs_nothing_else() {
    for lines in both(ELSEWHERE) {
        assert!(
            lines["real"].ends_with(r#"features = ["full", "test-util"] }"#),
            "{lines:?}"
        );
        assert_eq!(lines.len(), 1);
    }
    // What every system has.
    for lines in both("dependencies") {
        let names: Vec<_> = lines.keys().collect();
        assert_eq!(names, ["annulus-macros"]);
    }
}

//! The newest uapi header, as a list of facts.

use std::collections::BTreeMap;

use crate::compare;
use crate::findings::Findings;
use crate::layouts::{Field, LAYOUTS};
use crate::source::constants;

const FACTS: &str = include_str!("liburing-2.15.txt");

pub(crate) fn compare() -> Findings {
    let mut constants_there = BTreeMap::new();
    let mut structs = BTreeMap::<&str, (u64, Vec<Field<'_>>)>::new();
    let mut latest = "";
    for line in FACTS.lines().filter(|line| !line.starts_with('#')) {
        let number = |text: &str| text.parse::<u64>().expect("a number");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["const", name, value] => {
                constants_there.insert(name, value.parse::<i128>().expect("a number"));
            }
            ["struct", name, size] => {
                latest = name;
                structs.insert(name, (number(size), Vec::new()));
            }
            ["field", name, offset, size] => {
                let field = Field {
                    name,
                    offset: number(offset),
                    size: number(size),
                };
                structs.get_mut(latest).expect("a struct").1.push(field);
            }
            _ => panic!("not a fact: {line}"),
        }
    }
    let mut findings = Findings::new("header of liburing 2.15");
    for constant in constants() {
        let theirs = constants_there.remove(constant.name.as_str());
        findings.constant(&constant.name, constant.value, theirs);
    }
    for ours in LAYOUTS {
        if let Some((size, fields)) = structs.remove(ours.name) {
            compare::layout(&mut findings, ours, size, &fields);
        }
    }
    let left = constants_there
        .into_keys()
        .filter(|name| !name.ends_with("_LAST"));
    let missing = left.chain(structs.into_keys());
    findings
        .contradicted
        .extend(missing.map(|name| format!("{name}: missing here")));
    findings
}

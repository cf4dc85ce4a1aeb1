//! The BTF of the running kernel.

use std::collections::BTreeMap;
use std::env;

use annulus_syscalls::btf::{Btf, BtfError, Kind, Type};

use crate::compare;
use crate::findings::Findings;
use crate::layouts::{Field, LAYOUTS};
use crate::source::constants;

const PATH: &str = "/sys/kernel/btf/vmlinux";
/// How deep anonymous structs and unions nest at most.
const DEPTH_MAX: u32 = 8;

/// What it says; `None`, and a printed reason, where there is no BTF.
pub(crate) fn compare() -> Option<Findings> {
    match std::fs::read(PATH) {
        Ok(bytes) => Some(compare_with(&bytes).expect("the kernel's BTF")),
        Err(error) => {
            let reason = format!("{PATH}: {error}: is CONFIG_DEBUG_INFO_BTF off?");
            assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{reason}");
            println!("skipped: {reason}");
            None
        }
    }
}

fn compare_with(bytes: &[u8]) -> Result<Findings, BtfError> {
    let btf = Btf::parse(bytes)?;
    let mut slots = vec![0; btf.count()? as usize];
    let btf = btf.index(&mut slots)?;
    let mut findings = Findings::new("BTF of the running kernel");
    enums(&mut findings, &btf)?;
    for ours in LAYOUTS {
        let Some(ty) = btf.find(Kind::Struct, ours.name)? else {
            continue;
        };
        let mut fields = Vec::new();
        flatten(&btf, &ty, 0, DEPTH_MAX, &mut fields)?;
        compare::layout(&mut findings, ours, btf.size_of(ty.id())?, &fields);
    }
    Ok(findings)
}

/// The named members of `ty`, with those of its anonymous ones.
fn flatten<'a>(
    btf: &Btf<'a>,
    ty: &Type<'a>,
    start: u64,
    depth: u32,
    fields: &mut Vec<Field<'a>>,
) -> Result<(), BtfError> {
    for member in ty.members() {
        let name = btf.string(member.name_off)?;
        let bits = btf.member_bits(&member)?;
        assert!(
            bits.start % 8 == 0 && bits.end % 8 == 0,
            "a bitfield in the ABI: {name}"
        );
        let offset = start + bits.start / 8;
        if name.is_empty() && depth > 0 {
            flatten(
                btf,
                &btf.resolve(member.type_id)?,
                offset,
                depth - 1,
                fields,
            )?;
        } else {
            fields.push(Field {
                name,
                offset,
                size: (bits.end - bits.start) / 8,
            });
        }
    }
    Ok(())
}

fn enums(findings: &mut Findings, btf: &Btf<'_>) -> Result<(), BtfError> {
    let constants = constants();
    let ours: BTreeMap<&str, i128> = constants
        .iter()
        .map(|constant| (constant.name.as_str(), constant.value))
        .collect();
    for ty in btf.types() {
        let ty = ty?;
        let mut values = Vec::new();
        for value in ty.enumerators() {
            values.push((btf.string(value.name_off)?, value.value()));
        }
        // The largest of ours; an enum without one is none of the ABI.
        let shared = values.iter().filter_map(|(name, _)| ours.get(name)).max();
        for &(name, theirs) in &values {
            if let Some(&value) = ours.get(name) {
                findings.constant(name, value, Some(theirs));
            } else if let Some(flag) = name.strip_suffix("_BIT")
                && let Some(&value) = ours.get(flag)
            {
                findings.constant(flag, value, Some(1 << theirs));
            } else if let Some(&largest) = shared
                && !name.ends_with("_LAST")
                && !name.ends_with("_MAX")
            {
                match theirs > largest {
                    true => findings.newer.push(format!("{name} = {theirs}")),
                    false => findings
                        .contradicted
                        .push(format!("{name} = {theirs}: missing here")),
                }
            }
        }
    }
    Ok(())
}

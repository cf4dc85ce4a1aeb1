//! The running kernel's own BTF.

use annulus_syscalls::btf::{Btf, CoreReloKind, Kind};

const PATH: &str = "/sys/kernel/btf/vmlinux";

/// Its bytes; `None`, and a printed reason, where there are none.
pub(crate) fn vmlinux() -> Option<Vec<u8>> {
    match std::fs::read(PATH) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let reason = format!("{PATH}: {error}: is CONFIG_DEBUG_INFO_BTF off?");
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{reason}"
            );
            println!("skipped: {reason}");
            None
        }
    }
}

#[test]
fn the_kernels_own_types_are_read_to_the_end() {
    let Some(bytes) = vmlinux() else { return };
    let btf = Btf::parse(&bytes).expect("the kernel's BTF");
    let mut slots = vec![0; 1 << 14];
    let btf = btf.index(&mut slots).expect("every type");
    let mut sized = 0;
    for ty in btf.types() {
        let ty = ty.expect("a type");
        btf.name(&ty).expect("a name");
        for member in ty.members() {
            btf.string(member.name_off).expect("a name");
        }
        if ty.kind() == Kind::Struct && ty.id() % 16 == 0 {
            let size = u64::from(ty.own_size().expect("a size"));
            for member in ty.members() {
                let end = btf.member_bits(&member).expect("a member").end;
                assert!(end <= size * 8, "{:?}", btf.name(&ty));
            }
            sized += 1;
        }
    }
    println!(
        "{} types, {sized} structs measured",
        btf.count().expect("types")
    );
    let task = btf.find(Kind::Struct, "task_struct").expect("types");
    assert!(task.is_some());
}

#[test]
fn relocations_are_numbered_as_the_kernel_numbers_them() {
    let Some(bytes) = vmlinux() else { return };
    let btf = Btf::parse(&bytes).expect("the kernel's BTF");
    let kinds = btf.find(Kind::Enum, "bpf_core_relo_kind").expect("types");
    let Some(kinds) = kinds else {
        println!("skipped: this kernel's BTF does not have the kinds of relocations");
        return;
    };
    let ours = [
        (
            "BPF_CORE_FIELD_BYTE_OFFSET",
            CoreReloKind::FIELD_BYTE_OFFSET,
        ),
        ("BPF_CORE_FIELD_BYTE_SIZE", CoreReloKind::FIELD_BYTE_SIZE),
        ("BPF_CORE_FIELD_EXISTS", CoreReloKind::FIELD_EXISTS),
        ("BPF_CORE_FIELD_SIGNED", CoreReloKind::FIELD_SIGNED),
        ("BPF_CORE_FIELD_LSHIFT_U64", CoreReloKind::FIELD_LSHIFT_U64),
        ("BPF_CORE_FIELD_RSHIFT_U64", CoreReloKind::FIELD_RSHIFT_U64),
        ("BPF_CORE_TYPE_ID_LOCAL", CoreReloKind::TYPE_ID_LOCAL),
        ("BPF_CORE_TYPE_ID_TARGET", CoreReloKind::TYPE_ID_TARGET),
        ("BPF_CORE_TYPE_EXISTS", CoreReloKind::TYPE_EXISTS),
        ("BPF_CORE_TYPE_SIZE", CoreReloKind::TYPE_SIZE),
        ("BPF_CORE_ENUMVAL_EXISTS", CoreReloKind::ENUMVAL_EXISTS),
        ("BPF_CORE_ENUMVAL_VALUE", CoreReloKind::ENUMVAL_VALUE),
        ("BPF_CORE_TYPE_MATCHES", CoreReloKind::TYPE_MATCHES),
    ];
    for enumerator in kinds.enumerators() {
        let name = btf.string(enumerator.name_off).expect("a name");
        match ours.iter().find(|(ours, _)| *ours == name) {
            Some((_, kind)) => assert_eq!(i128::from(kind.0), enumerator.value(), "{name}"),
            None => println!("newer than us: {name}"),
        }
    }
}

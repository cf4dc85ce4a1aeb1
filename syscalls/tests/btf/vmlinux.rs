//! The running kernel's own BTF.

use annulus_syscalls::btf::{Btf, Kind};

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

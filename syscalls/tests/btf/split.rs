//! BTF that goes on where another ends, as that of a module does.

use annulus_syscalls::btf::{Btf, BtfError, Kind};

use crate::blob::{Blob, every_kind};
use crate::vmlinux::vmlinux;

/// A struct of two of the base's types, and a typedef of that.
fn module(mut blob: Blob) -> Blob {
    let member = blob.string("member");
    let own = blob.add("own", 4 << 24 | 2, 36, &[member, 4, 0, 0, 1, 256]);
    blob.add("name_of_own", 8 << 24, own, &[]);
    blob
}

#[test]
fn ids_and_strings_go_on_where_the_base_ends() {
    let base = every_kind();
    let split = module(base.split());
    let (base, split) = (base.bytes(24), split.bytes(24));
    let base = Btf::parse(&base).expect("BTF");
    let split = Btf::parse_split(&split, &base).expect("split BTF");
    assert_eq!((split.first_id(), split.count()), (21, Ok(22)));
    assert_eq!((base.first_id(), base.base().is_none()), (1, true));
    assert_eq!(split.base().map(|base| base.count()), Some(Ok(20)));
    let ids: Vec<_> = split.types().map(|ty| ty.expect("a type").id()).collect();
    assert_eq!(ids, [21, 22]);
    for id in 0..=20 {
        assert_eq!(split.get(id), base.get(id));
        assert_eq!(split.size_of(id), base.size_of(id));
    }
    let own = split.resolve(22).expect("a type");
    assert_eq!((own.id(), split.name(&own)), (21, Ok("own")));
    let member = split.member(&own, "member").expect("names").expect("it");
    assert_eq!(split.member_bits(&member), Ok(0..256));
    assert_eq!(split.get(23), Err(BtfError::NoType { id: 23 }));
    assert_eq!(base.get(21), Err(BtfError::NoType { id: 21 }));
    let id = |kind, name| split.find(kind, name).expect("types").map(|ty| ty.id());
    assert_eq!(id(Kind::Struct, "pair"), Some(4));
    assert_eq!(id(Kind::Struct, "own"), Some(21));
    let unknown = split.string(u32::MAX);
    assert_eq!(unknown, Err(BtfError::StringOffset { offset: u32::MAX }));
}

#[test]
fn a_split_can_be_a_base_and_be_indexed() {
    let first = every_kind();
    let second = module(first.split());
    let third = module(second.split());
    let bytes = [first.bytes(24), second.bytes(24), third.bytes(24)];
    let first = Btf::parse(&bytes[0]).expect("BTF");
    let second = Btf::parse_split(&bytes[1], &first).expect("split BTF");
    let third = Btf::parse_split(&bytes[2], &second).expect("split BTF");
    assert_eq!((third.first_id(), third.count()), (23, Ok(24)));
    let names: Vec<_> = (20..=24)
        .map(|id| third.name(&third.get(id).expect("a type")))
        .collect();
    assert_eq!(
        names,
        ["whole", "own", "name_of_own", "own", "name_of_own"].map(Ok)
    );
    for room in 0..4 {
        let mut slots = vec![0; room];
        let indexed = third.index(&mut slots).expect("types");
        for id in 0..=26 {
            assert_eq!(indexed.get(id), third.get(id), "{room} slots");
        }
    }
}

#[test]
fn a_split_may_be_without_strings_and_may_not_be_cut_within_one() {
    let base = every_kind().bytes(24);
    let base = Btf::parse(&base).expect("BTF");
    let mut blob = every_kind().split();
    blob.add("", 2 << 24, 4, &[]);
    let bytes = blob.bytes(24);
    assert_eq!(Btf::parse(&bytes).err(), Some(BtfError::Strings));
    let split = Btf::parse_split(&bytes, &base).expect("split BTF");
    assert_eq!(split.get(21).map(|ty| ty.target()), Ok(Some(4)));
    let mut bytes = module(every_kind().split()).bytes(24);
    *bytes.last_mut().expect("a byte") = 1;
    let refused = Btf::parse_split(&bytes, &base).err();
    assert_eq!(refused, Some(BtfError::Strings));
}

#[test]
fn pointers_have_the_size_that_the_base_was_told() {
    let base = every_kind().bytes(24);
    let base = Btf::parse(&base).expect("BTF").pointer_bytes(4);
    let mut blob = every_kind().split();
    let id = blob.add("", 2 << 24, 1, &[]);
    let bytes = blob.bytes(24);
    let split = Btf::parse_split(&bytes, &base).expect("split BTF");
    assert_eq!((split.size_of(2), split.size_of(id)), (Ok(4), Ok(4)));
}

#[test]
fn modules_go_on_from_the_kernels_own() {
    let Some(bytes) = vmlinux() else { return };
    let kernel = Btf::parse(&bytes).expect("the kernel's BTF");
    let mut slots = vec![0; 1 << 14];
    let kernel = kernel.index(&mut slots).expect("every type");
    let task = kernel.find(Kind::Struct, "task_struct").expect("types");
    let task = task.expect("a kernel has tasks").id();
    // One of ours, so that it is tried where no module is loaded.
    let count = kernel.count().expect("types");
    let mut ours = Blob::after(kernel.header().str_len, count);
    let name = ours.string("task");
    let id = ours.add("holder", 4 << 24 | 1, 8, &[name, task, 0]);
    let ours = ours.bytes(24);
    let ours = Btf::parse_split(&ours, &kernel).expect("split BTF");
    assert_eq!(id, count + 1);
    let holder = ours.find(Kind::Struct, "holder").expect("types");
    let member = ours.member(&holder.expect("it"), "task").expect("names");
    let member = member.expect("a member");
    assert_eq!(ours.size_of(member.type_id), kernel.size_of(task));

    let mut modules = 0;
    for entry in std::fs::read_dir("/sys/kernel/btf").expect("the kernel's folder") {
        let path = entry.expect("an entry").path();
        if path.ends_with("vmlinux") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a module's BTF");
        let module = Btf::parse_split(&bytes, &kernel).expect("split BTF");
        for ty in module.types() {
            let ty = ty.expect("a type");
            module.name(&ty).expect("a name");
            for member in ty.members() {
                module.string(member.name_off).expect("a name");
                module.get(member.type_id).expect("its type");
            }
        }
        modules += 1;
    }
    println!("{modules} modules have BTF here");
}

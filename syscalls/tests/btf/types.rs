//! Every kind, and sizes.

use annulus_syscalls::btf::{
    Array, Btf, BtfError, DeclTag, Forward, FuncLinkage, IntEncoding, IntInfo, Kind, MAGIC,
    NAME_OFFSET_MAX, TYPE_ID_MAX, VERSION, VLEN_MAX, VarLinkage, VarSecInfo,
};

use crate::blob::{Blob, every_kind};

#[test]
fn each_kind_is_read_as_what_it_is() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let kinds: Vec<u8> = btf
        .types()
        .map(|ty| ty.expect("a type").kind() as u8)
        .collect();
    assert_eq!(kinds, [(1..20).collect(), vec![17]].concat());
    let get = |id| btf.get(id).expect("a type");
    let int = IntInfo {
        encoding: IntEncoding::SIGNED,
        offset: 0,
        bits: 32,
    };
    assert_eq!(get(1).int(), Some(int));
    assert_eq!(get(2).target(), Some(1));
    let array = Array {
        type_id: 1,
        index_type_id: 1,
        nelems: 6,
    };
    assert_eq!(get(3).array(), Some(array));
    assert_eq!(
        get(5)
            .members()
            .map(|member| member.type_id)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(get(7).forward(), Some(Forward::Union));
    assert!(get(7).kind_flag() && !get(2).kind_flag());
    assert_eq!(get(12).func_linkage(), Some(FuncLinkage::Global));
    assert_eq!(get(12).target(), Some(13));
    let variadic: Vec<bool> = get(13).params().map(|param| param.is_variadic()).collect();
    assert_eq!(variadic, [false, true]);
    assert_eq!(get(14).var_linkage(), Some(VarLinkage::GlobalAllocated));
    let variable = VarSecInfo {
        type_id: 14,
        offset: 0,
        size: 24,
    };
    assert_eq!(get(15).variables().collect::<Vec<_>>(), [variable]);
    assert_eq!(
        get(17).decl_tag(),
        Some(DeclTag {
            component_idx: Some(1)
        })
    );
    assert_eq!(
        get(20).decl_tag(),
        Some(DeclTag {
            component_idx: None
        })
    );
    assert_eq!(get(0).kind(), Kind::Void);
    assert_eq!(btf.name(&get(18)), Ok("user"));
}

#[test]
fn what_a_kind_does_not_have_is_absent() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let int = btf.get(1).expect("a type");
    assert_eq!(
        (int.array(), int.target(), int.forward()),
        (None, None, None)
    );
    assert_eq!(
        (int.var_linkage(), int.func_linkage(), int.decl_tag()),
        (None, None, None)
    );
    assert_eq!(
        (
            int.members().len(),
            int.params().len(),
            int.variables().len()
        ),
        (0, 0, 0)
    );
    assert_eq!(int.enumerators().count(), 0);
    assert_eq!(
        (
            btf.get(2).expect("a type").int(),
            btf.get(2).expect("a type").own_size()
        ),
        (None, None)
    );
}

#[test]
fn enums_of_both_widths_have_their_sign() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let values = |id| {
        let values = btf.get(id).expect("a type").enumerators();
        values.map(|value| value.value()).collect::<Vec<i128>>()
    };
    assert_eq!(values(6), [-1, 7]);
    assert_eq!(values(19), [1, 0x8000_0000_0000_0002]);
}

#[test]
fn bitfields_of_both_encodings_are_measured() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let pair = btf.get(4).expect("a type");
    let member = |name| btf.member(&pair, name).expect("names").expect("a member");
    assert_eq!(
        (member("a").byte_offset(), member("b").byte_offset()),
        (Some(0), None)
    );
    assert_eq!(btf.member_bits(&member("a")), Ok(0..192));
    assert_eq!(btf.member_bits(&member("b")), Ok(195..198));
    assert_eq!(btf.member(&pair, "c"), Ok(None));

    let mut blob = Blob::new();
    blob.add("int", 1 << 24, 4, &[2 << 16 | 5]);
    blob.add("old", 4 << 24 | 1, 4, &[0, 1, 8]);
    let bytes = blob.bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let member = btf
        .get(2)
        .expect("a type")
        .members()
        .next()
        .expect("a member");
    assert_eq!(btf.member_bits(&member), Ok(10..15));
}

#[test]
fn sizes_go_through_names_qualifiers_and_arrays() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF").pointer_bytes(8);
    let sizes: Vec<_> = (0..=20).map(|id| btf.size_of(id).ok()).collect();
    let expected = [
        0, 4, 8, 24, 32, 8, 4, 0, 4, 4, 4, 8, 0, 0, 24, 24, 8, 32, 4, 8, 0,
    ];
    assert_eq!(
        sizes,
        expected.map(|size| Some(size).filter(|&size| size > 0))
    );
    assert_eq!(btf.pointer_bytes(4).size_of(11), Ok(4));
    assert_eq!(btf.size_of(7), Err(BtfError::Unsized { id: 7 }));
    assert_eq!(btf.size_of(0), Err(BtfError::Unsized { id: 0 }));
    assert_eq!(btf.size_of(21), Err(BtfError::NoType { id: 21 }));
    assert_eq!(btf.resolve(8).map(|ty| ty.id()), Ok(1));
}

#[test]
fn circles_and_sizes_beyond_64_bits_are_refused() {
    let mut blob = Blob::new();
    blob.add("one", 8 << 24, 2, &[]);
    blob.add("two", 8 << 24, 1, &[]);
    blob.add("", 3 << 24, 0, &[3, 3, 1]);
    blob.add("int", 1 << 24, u32::MAX, &[32]);
    for id in 4..=6 {
        blob.add("", 3 << 24, 0, &[id, 4, u32::MAX]);
    }
    let bytes = blob.bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    assert_eq!(btf.size_of(1), Err(BtfError::TooDeep { id: 1 }));
    assert_eq!(btf.size_of(3), Err(BtfError::TooDeep { id: 3 }));
    assert_eq!(btf.size_of(5), Ok(u64::from(u32::MAX).pow(2)));
    assert_eq!(btf.size_of(6), Err(BtfError::TooLarge { id: 6 }));
    assert_eq!(btf.size_of(7), Err(BtfError::TooLarge { id: 7 }));
}

#[test]
fn lookups_agree_however_many_slots_the_index_has() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let count = btf.count().expect("types");
    assert_eq!(count, 20);
    for room in 0..=2 * count as usize {
        let mut slots = vec![0; room];
        let indexed = btf.index(&mut slots).expect("types");
        for id in 0..=count + 2 {
            assert_eq!(indexed.get(id), btf.get(id), "{room} slots");
        }
    }
}

#[test]
fn types_are_found_by_kind_and_name() {
    let bytes = every_kind().bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let id = |kind, name| btf.find(kind, name).expect("types").map(|ty| ty.id());
    assert_eq!(id(Kind::Struct, "pair"), Some(4));
    assert_eq!(id(Kind::Union, "pair"), None);
    assert_eq!(id(Kind::Func, "function"), Some(12));
    assert_eq!(id(Kind::DeclTag, "whole"), Some(20));
}

#[test]
fn numbers_and_limits_are_those_of_the_format() {
    assert_eq!((MAGIC, VERSION), (0xeb9f, 1));
    assert_eq!((TYPE_ID_MAX, NAME_OFFSET_MAX), (0x000f_ffff, 0x00ff_ffff));
    assert_eq!(VLEN_MAX, 0xffff);
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(Kind::from_raw(number as u8), Some(kind));
        assert_eq!(kind as usize, number);
    }
    assert_eq!(Kind::from_raw(20), None);
    let functions = [
        FuncLinkage::Static,
        FuncLinkage::Global,
        FuncLinkage::External,
    ];
    let functions = functions.into_iter().chain([FuncLinkage::Other(3)]);
    assert!(functions.eq((0..4).map(FuncLinkage::from_raw)));
    let variables = [
        VarLinkage::Static,
        VarLinkage::GlobalAllocated,
        VarLinkage::GlobalExtern,
        VarLinkage::Other(3),
    ];
    assert!(variables.into_iter().eq((0..4).map(VarLinkage::from_raw)));
}

#[test]
fn an_integer_is_one_word_of_encoding_offset_and_bits() {
    let int = IntInfo::from_raw(0x0508_0720);
    assert_eq!((int.bits, int.offset, int.encoding.0), (0x20, 8, 5));
    assert!(int.encoding.contains(IntEncoding::SIGNED));
    assert!(int.encoding.contains(IntEncoding::BOOL));
    assert!(!int.encoding.contains(IntEncoding::CHAR));
    // The reserved bits do not come through.
    assert_eq!(IntInfo::from_raw(0xf000_ff00).encoding.0, 0);
}

#[test]
fn a_type_may_have_more_elements_than_16_bits_count() {
    const MANY: u32 = VLEN_MAX + 2;
    let mut blob = Blob::new();
    let values: Vec<u32> = (0..MANY).flat_map(|value| [0, value]).collect();
    blob.add("many", 6 << 24 | MANY, 4, &values);
    blob.add("after", 8 << 24, 1, &[]);
    let bytes = blob.bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let many = btf.get(1).expect("a type");
    assert_eq!(
        (many.vlen(), many.enumerators().count()),
        (MANY, MANY as usize)
    );
    let last = many.enumerators().last().map(|value| value.value());
    assert_eq!(last, Some(i128::from(MANY - 1)));
    assert_eq!(btf.name(&btf.get(2).expect("a type")), Ok("after"));
}

#[test]
fn a_wide_enum_is_signed_where_it_says_so() {
    let values = [0, u32::MAX - 1, u32::MAX];
    let mut blob = Blob::new();
    blob.add("signed", 1 << 31 | 19 << 24 | 1, 8, &values);
    blob.add("unsigned", 19 << 24 | 1, 8, &values);
    let bytes = blob.bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    let value = |id| {
        let mut values = btf.get(id).expect("a type").enumerators();
        values.next().expect("a value").value()
    };
    assert_eq!((value(1), value(2)), (-2, i128::from(u64::MAX) - 1));
}

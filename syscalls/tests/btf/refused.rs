//! Headers and strings that do not hold.

use annulus_syscalls::btf::{Btf, BtfError};

use crate::blob::{Blob, every_kind};

fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> Option<BtfError> {
    let mut bytes = every_kind().bytes(24);
    change(&mut bytes);
    Btf::parse(&bytes).err()
}

fn word(index: usize, value: u32) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes[index * 4..][..4].copy_from_slice(&value.to_ne_bytes())
}

#[test]
fn the_other_byte_order_is_named() {
    assert_eq!(
        refusal(|bytes| bytes.swap(0, 1)),
        Some(BtfError::ForeignEndian)
    );
    let text = BtfError::ForeignEndian.to_string();
    assert!(text.contains("byte order"), "{text}");
}

#[test]
fn what_is_not_btf_is_refused() {
    assert_eq!(
        refusal(|bytes| bytes.fill(0)),
        Some(BtfError::Magic { found: 0 })
    );
    assert_eq!(
        refusal(|bytes| bytes[2] = 2),
        Some(BtfError::Version { found: 2 })
    );
    assert_eq!(
        refusal(word(1, 23)),
        Some(BtfError::HeaderLen { found: 23 })
    );
    assert_eq!(
        refusal(word(2, 2)),
        Some(BtfError::Misaligned { offset: 2 })
    );
    assert_eq!(refusal(word(5, 0)), Some(BtfError::Strings));
    assert_eq!(refusal(word(5, 2)), Some(BtfError::Strings));
    assert_eq!(
        refusal(|bytes| *bytes.last_mut().expect("a byte") = 1),
        Some(BtfError::Strings)
    );
    for section in 1..=5 {
        let truncated = refusal(word(section, u32::MAX - 3));
        assert!(
            matches!(truncated, Some(BtfError::Truncated { .. })),
            "{section}: {truncated:?}"
        );
    }
}

#[test]
fn a_header_of_32_bytes_adds_the_layout_of_kinds() {
    let bytes = every_kind().bytes(32);
    let btf = Btf::parse(&bytes).expect("BTF");
    assert_eq!(
        (btf.header().hdr_len, btf.layout().len(), btf.count()),
        (32, 4, Ok(20))
    );
    let bytes = every_kind().bytes(24);
    assert_eq!(Btf::parse(&bytes).expect("BTF").layout(), []);
}

#[test]
fn an_unknown_kind_ends_the_types() {
    for kind in [0, 20, 127] {
        let mut blob = every_kind();
        blob.add("new", kind << 24, 0, &[]);
        let bytes = blob.bytes(24);
        let btf = Btf::parse(&bytes).expect("BTF");
        let error = BtfError::UnknownKind {
            id: 21,
            kind: kind as u8,
        };
        assert_eq!(btf.get(20).map(|ty| ty.id()), Ok(20));
        assert_eq!(btf.count(), Err(error));
        let results: Vec<_> = btf.types().map(|ty| ty.map(|ty| ty.id())).collect();
        assert_eq!((results.len(), results[20]), (21, Err(error)));
    }
}

#[test]
fn an_unknown_kind_is_passed_over_where_its_layout_is_told() {
    let mut blob = every_kind();
    let unknown = blob.add("new", 20 << 24 | 2, 0, &[1, 2, 3]);
    let known = blob.add("known", 8 << 24, 1, &[]);
    let last = blob.add("newer", 21 << 24 | 3, 0, &[]);
    let mut layout = [[0; 4]; 22];
    layout[20] = [4, 4, 1, 1];
    let bytes = blob.bytes_with_layout(&layout);
    let btf = Btf::parse(&bytes).expect("BTF");
    let told = btf.kind_layout(20).expect("told");
    assert_eq!(
        (told.info_bytes, told.element_bytes, told.flags),
        (4, 4, 257)
    );
    assert_eq!((btf.kind_layout(22), btf.count()), (None, Ok(last)));
    let ids: Vec<_> = btf
        .types()
        .map(|ty| ty.expect("a type").id())
        .skip(19)
        .collect();
    assert_eq!(ids, [20, known]);
    for room in [0, 1, 5, 30] {
        let mut slots = vec![0; room];
        let btf = btf.index(&mut slots).expect("types");
        assert_eq!(btf.get(known).map(|ty| ty.target()), Ok(Some(1)));
        let refused = |id, kind| Err(BtfError::UnknownKind { id, kind });
        assert_eq!(btf.get(unknown), refused(unknown, 20));
        assert_eq!(btf.get(last), refused(last, 21));
        assert_eq!(btf.get(last + 1), Err(BtfError::NoType { id: last + 1 }));
    }

    // A layout that claims more than there is tells nothing.
    layout[20] = [4, 255, 0, 0];
    let bytes = blob.bytes_with_layout(&layout);
    let btf = Btf::parse(&bytes).expect("BTF");
    let error = BtfError::UnknownKind {
        id: unknown,
        kind: 20,
    };
    assert_eq!((btf.count(), btf.get(known)), (Err(error), Err(error)));
}

#[test]
fn more_elements_than_bytes_are_refused() {
    let mut blob = Blob::new();
    blob.add("long", 4 << 24 | 0xff_ffff, 0, &[]);
    let bytes = blob.bytes(24);
    let refused = Btf::parse(&bytes).expect("BTF").get(1);
    assert_eq!(
        refused,
        Err(BtfError::Truncated {
            end: 12 + 12 * 0xff_ffff
        })
    );
}

#[test]
fn strings_are_bounded_and_utf8() {
    let mut blob = Blob::new();
    let offset = blob.string("name");
    let mut bytes = blob.bytes(24);
    let btf = Btf::parse(&bytes).expect("BTF");
    assert_eq!((btf.string(0), btf.string(offset)), (Ok(""), Ok("name")));
    assert_eq!(
        (btf.string(offset + 1), btf.string(offset + 4)),
        (Ok("ame"), Ok(""))
    );
    for beyond in [offset + 5, u32::MAX] {
        assert_eq!(
            btf.string(beyond),
            Err(BtfError::StringOffset { offset: beyond })
        );
    }
    bytes[26] = 0xff;
    let btf = Btf::parse(&bytes).expect("BTF");
    assert_eq!(btf.string(offset), Err(BtfError::NotUtf8 { offset }));
    assert_eq!(
        btf.c_string(offset).map(|name| name.to_bytes()),
        Ok(&b"n\xffme"[..])
    );
}

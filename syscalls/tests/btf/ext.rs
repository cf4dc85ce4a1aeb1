//! `.BTF.ext`.

use annulus_syscalls::btf::{BtfError, BtfExt, CoreRelo, CoreReloKind, ExtHeader, FuncInfo};

use crate::blob::preamble;

/// Two functions in two sections, a line in a record with four bytes too many, a relocation.
pub(crate) fn ext(hdr_len: u32) -> Vec<u8> {
    let functions = [8, 1, 1, 0, 12, 2, 2, 0, 13, 64, 14];
    let lines = [20, 1, 1, 8, 3, 4, 77 << 10 | 5, 0xdead];
    let relocations = [16, 1, 1, 24, 4, 9, 2];
    let mut words = vec![hdr_len, 0, 44, 44, 32];
    if hdr_len == 32 {
        words.extend([76, 28]);
    }
    words.extend(functions);
    words.extend(lines);
    words.extend(relocations);
    let mut bytes = preamble();
    bytes.extend(words.iter().flat_map(|word: &u32| word.to_ne_bytes()));
    bytes
}

#[test]
fn records_are_read_by_section() {
    let bytes = ext(32);
    let ext = BtfExt::parse(&bytes).expect("BTF.ext");
    let header = ExtHeader {
        flags: 0,
        hdr_len: 32,
        func_info_off: 0,
        func_info_len: 44,
        line_info_off: 44,
        line_info_len: 32,
        core_relo_off: 76,
        core_relo_len: 28,
    };
    assert_eq!(*ext.header(), header);
    let sections = ext.functions().expect("functions");
    let functions: Vec<_> = sections
        .map(|section| section.expect("a section"))
        .map(|section| (section.name_off, section.records.collect::<Vec<_>>()))
        .collect();
    let function = |insn_off, type_id| FuncInfo { insn_off, type_id };
    let expected = [
        (1, vec![function(0, 12)]),
        (2, vec![function(0, 13), function(64, 14)]),
    ];
    assert_eq!(functions, expected);
    let mut relocations = ext.relocations().expect("relocations");
    let mut section = relocations.next().expect("one").expect("a section");
    let kind = CoreReloKind::FIELD_EXISTS;
    let relocation = CoreRelo {
        insn_off: 24,
        type_id: 4,
        access_str_off: 9,
        kind,
    };
    assert_eq!(
        (section.records.next(), section.records.next()),
        (Some(relocation), None)
    );
    assert!(relocations.next().is_none());
}

#[test]
fn a_larger_record_is_read_as_far_as_it_is_known() {
    let bytes = ext(24);
    let ext = BtfExt::parse(&bytes).expect("BTF.ext");
    let mut lines = ext.lines().expect("lines");
    let section = lines.next().expect("one").expect("a section");
    assert_eq!(section.records.len(), 1);
    let line = section.records.last().expect("a line");
    assert_eq!(
        (line.insn_off, line.file_name_off, line.line_off),
        (8, 3, 4)
    );
    assert_eq!((line.line(), line.column()), (77, 5));
    assert!(lines.next().is_none());
}

#[test]
fn a_header_of_24_bytes_has_no_relocations() {
    let bytes = ext(24);
    let ext = BtfExt::parse(&bytes).expect("BTF.ext");
    assert_eq!(
        (ext.header().core_relo_off, ext.header().core_relo_len),
        (0, 0)
    );
    assert_eq!(ext.relocations().expect("none").count(), 0);
}

#[test]
fn lies_about_records_are_refused() {
    let with = |word: usize, value: u32| {
        let mut bytes = ext(32);
        bytes[word * 4..][..4].copy_from_slice(&value.to_ne_bytes());
        let ext = BtfExt::parse(&bytes)?;
        ext.functions()?.try_for_each(|section| section.map(|_| ()))
    };
    assert_eq!(with(1, 20), Err(BtfError::HeaderLen { found: 20 }));
    assert_eq!(with(2, 6), Err(BtfError::Misaligned { offset: 6 }));
    for size in [0, 4, 10] {
        assert_eq!(with(8, size), Err(BtfError::RecordSize { found: size }));
    }
    assert_eq!(with(10, 0), Err(BtfError::NoRecords { name_off: 1 }));
    for word in [1, 2, 3, 10] {
        let truncated = with(word, u32::MAX - 3);
        assert!(
            matches!(truncated, Err(BtfError::Truncated { .. })),
            "{word}: {truncated:?}"
        );
    }
    let mut bytes = ext(32);
    bytes.swap(0, 1);
    assert_eq!(BtfExt::parse(&bytes).err(), Some(BtfError::ForeignEndian));
}

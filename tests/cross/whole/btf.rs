//! Types: read in this machine's byte order, and hostile bytes, with this machine's `usize`.

use annulus_syscalls::btf::{Btf, BtfError, BtfExt, Kind};

const FLAG: u32 = 1 << 31;
const STRINGS: &[u8; 20] = b"\0int\0pair\0a\0b\0LOW\0\0\0";
const WORDS: usize = 34;
const TYPE_LEN: u32 = WORDS as u32 * 4;
const LEN: usize = 24 + WORDS * 4 + STRINGS.len();

/// Name, info and size or type, then what the kind adds.
#[rustfmt::skip]
const TYPES: [u32; WORDS] = [
    1, 1 << 24, 4, 1 << 24 | 32, // 1: int
    0, 2 << 24, 1, // 2: int *
    0, 3 << 24, 0, 1, 1, 6, // 3: int [6]
    5, FLAG | 4 << 24 | 2, 32, 10, 3, 0, 12, 1, 3 << 24 | 195, // 4: pair, with a bitfield
    0, 19 << 24 | 1, 8, 14, 2, 0x8000_0000, // 5: an enum of 64 bits
    0, 10 << 24, 4, // 6: const pair
    0, 13 << 24, 1, // 7: int ()
];

/// The bytes, with numbers in the order that `to_bytes` gives.
fn bytes(to_bytes: fn(u32) -> [u8; 4], magic: [u8; 2]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[..4].copy_from_slice(&[magic[0], magic[1], 1, 0]);
    let header = [24, 0, TYPE_LEN, TYPE_LEN, STRINGS.len() as u32];
    for (index, &word) in header.iter().chain(&TYPES).enumerate() {
        bytes[4 + index * 4..][..4].copy_from_slice(&to_bytes(word));
    }
    bytes[LEN - STRINGS.len()..].copy_from_slice(STRINGS);
    bytes
}

pub(crate) fn ours() {
    let bytes = bytes(u32::to_ne_bytes, 0xeb9f_u16.to_ne_bytes());
    // At an odd address, too.
    let mut moved = [0; LEN + 1];
    moved[1..].copy_from_slice(&bytes);
    for bytes in [&bytes[..], &moved[1..]] {
        let btf = Btf::parse(bytes).expect("BTF");
        assert_eq!(btf.count(), Ok(7));
        let pair = btf.find(Kind::Struct, "pair").expect("types").expect("it");
        let b = btf.member(&pair, "b").expect("names").expect("a member");
        assert_eq!(
            (btf.size_of(6), btf.member_bits(&b)),
            (Ok(32), Ok(195..198))
        );
        let wide = btf
            .get(5)
            .expect("a type")
            .enumerators()
            .next()
            .expect("a value");
        assert_eq!(
            (wide.value(), btf.string(wide.name_off)),
            (0x8000_0000_0000_0002, Ok("LOW"))
        );
        assert_eq!(btf.size_of(2), Ok(size_of::<usize>() as u64));
        // It goes on where it ends: the same types again, under the next ids.
        let split = Btf::parse_split(bytes, &btf).expect("split BTF");
        let twice = split.get(11).expect("a type");
        assert_eq!((split.count(), twice.kind()), (Ok(14), Kind::Struct));
        assert_eq!(split.name(&twice), Ok("pair"));
        let mut slots = [0; 3];
        let indexed = btf.index(&mut slots).expect("types");
        assert_eq!(indexed.get(7), btf.get(7));
    }
}

pub(crate) fn foreign() {
    let (to_bytes, magic): (fn(u32) -> [u8; 4], _) = if cfg!(target_endian = "big") {
        (u32::to_le_bytes, 0xeb9f_u16.to_le_bytes())
    } else {
        (u32::to_be_bytes, 0xeb9f_u16.to_be_bytes())
    };
    let bytes = bytes(to_bytes, magic);
    assert_eq!(Btf::parse(&bytes).err(), Some(BtfError::ForeignEndian));
    assert_eq!(BtfExt::parse(&bytes).err(), Some(BtfError::ForeignEndian));
}

/// Asks for everything; what counts is that it comes back.
fn ask(bytes: &[u8]) {
    if let Ok(ext) = BtfExt::parse(bytes) {
        let functions = ext.functions().map(|found| {
            found
                .flatten()
                .map(|part| part.records.count())
                .sum::<usize>()
        });
        let relocations = ext.relocations().map(|found| found.flatten().count());
        assert!(functions.unwrap_or(0) <= bytes.len() && relocations.unwrap_or(0) <= bytes.len());
    }
    let Ok(btf) = Btf::parse(bytes) else { return };
    ask_types(&btf, bytes.len());
    // And as if it went on where it ends.
    if let Ok(split) = Btf::parse_split(bytes, &btf) {
        ask_types(&split, bytes.len());
    }
}

fn ask_types(btf: &Btf<'_>, len: usize) {
    let mut slots = [0; 4];
    let btf = btf.index(&mut slots).unwrap_or(*btf);
    for ty in btf.types().map_while(Result::ok) {
        let _ = (btf.name(&ty), btf.size_of(ty.id()), btf.resolve(ty.id()));
        for member in ty.members() {
            let _ = (btf.string(member.name_off), btf.member_bits(&member));
        }
        let listed = ty.enumerators().count() + ty.params().count() + ty.variables().count();
        assert!(listed <= len);
    }
}

pub(crate) fn hostile() {
    let whole = bytes(u32::to_ne_bytes, 0xeb9f_u16.to_ne_bytes());
    for len in 0..whole.len() {
        ask(&whole[..len]);
    }
    for at in (0..whole.len() - 3).step_by(4) {
        for value in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 3, u32::MAX] {
            let mut lying = whole;
            lying[at..at + 4].copy_from_slice(&u32::to_ne_bytes(value));
            ask(&lying);
        }
    }
    // xorshift32, whose seed is fixed so that a red run can be repeated.
    let mut state = 0x9e37_79b9_u32;
    for _ in 0..2000 {
        let mut flipped = whole;
        for _ in 0..4 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let at = state as usize % whole.len();
            flipped[at] = (state >> 24) as u8;
        }
        ask(&flipped);
    }
}

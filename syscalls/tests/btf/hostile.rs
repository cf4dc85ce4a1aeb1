//! Bytes that lie. What is asserted is that nothing panics, and that all iterations end.

use annulus_syscalls::btf::{Btf, BtfError, BtfExt};

use crate::blob::every_kind;
use crate::ext::ext;
use crate::vmlinux::vmlinux;

/// Asks for everything there is to ask for; gives how many types could be read.
fn read_all(bytes: &[u8]) -> Result<u32, BtfError> {
    if let Ok(ext) = BtfExt::parse(bytes) {
        let functions = ext
            .functions()
            .map(|found| found.flatten().flat_map(|part| part.records).count());
        let lines = ext
            .lines()
            .map(|found| found.flatten().flat_map(|part| part.records).count());
        let relocations = ext
            .relocations()
            .map(|found| found.flatten().flat_map(|part| part.records).count());
        for count in [functions, lines, relocations].into_iter().flatten() {
            assert!(count <= bytes.len());
        }
    }
    let btf = Btf::parse(bytes)?;
    let first = read_types(&btf, bytes.len());
    // And as if it went on where it ends: every id and every string is looked up in two places.
    if let Ok(split) = Btf::parse_split(bytes, &btf) {
        read_types(&split, bytes.len());
    }
    Ok(first)
}

/// The types of `btf`, which has `len` bytes.
fn read_types(btf: &Btf<'_>, len: usize) -> u32 {
    let mut slots = [0; 256];
    let btf = btf.index(&mut slots).unwrap_or(*btf);
    let mut count = 0;
    for ty in btf.types() {
        let Ok(ty) = ty else { break };
        count += 1;
        // Those of unknown kinds are left out.
        assert!(ty.id() >= btf.first_id() + count - 1);
        let got = btf.get(ty.id()).map(|ty| ty.id());
        assert_eq!(got, Ok(ty.id()));
        let _ = (btf.name(&ty), btf.size_of(ty.id()), btf.resolve(ty.id()));
        let _ = (ty.int(), ty.array(), ty.forward(), ty.decl_tag());
        let _ = (
            ty.var_linkage(),
            ty.func_linkage(),
            ty.target(),
            ty.own_size(),
        );
        for member in ty.members() {
            let _ = (
                btf.string(member.name_off),
                btf.member_bits(&member),
                member.byte_offset(),
            );
        }
        for value in ty.enumerators() {
            let _ = (btf.string(value.name_off), value.value());
        }
        let listed = ty.params().count() + ty.variables().count();
        assert!(listed <= len);
    }
    count
}

/// The first types of the kernel, and as many of its strings.
fn head_of_vmlinux() -> Option<Vec<u8>> {
    const TYPE_BYTES: usize = 1024;
    const STRING_BYTES: usize = 1024;
    let whole = vmlinux()?;
    let header = *Btf::parse(&whole).expect("the kernel's BTF").header();
    let types = (header.hdr_len + header.type_off) as usize;
    let strings = (header.hdr_len + header.str_off) as usize;
    let mut head = whole[..8].to_vec();
    head[4..].copy_from_slice(&24_u32.to_ne_bytes());
    let lens = [0, TYPE_BYTES, TYPE_BYTES, STRING_BYTES];
    head.extend(lens.iter().flat_map(|&len| (len as u32).to_ne_bytes()));
    head.extend(&whole[types..][..TYPE_BYTES]);
    head.extend(&whole[strings..][..STRING_BYTES - 1]);
    head.push(0);
    Some(head)
}

fn victims() -> Vec<Vec<u8>> {
    let blob = every_kind();
    let mut newer = every_kind();
    newer.add("new", 20 << 24 | 2, 0, &[1, 2, 3]);
    let newer = newer.bytes_with_layout(&[[4, 4, 0, 0]; 21]);
    let ours = [blob.bytes(24), blob.bytes(32), newer, ext(24), ext(32)];
    ours.into_iter().chain(head_of_vmlinux()).collect()
}

#[test]
fn no_truncation_makes_the_reader_panic() {
    for whole in victims() {
        for len in 0..whole.len() {
            let cut = read_all(&whole[..len]);
            assert!(cut.is_err(), "the strings are not all there");
        }
    }
}

#[test]
fn no_truncation_of_the_types_makes_the_reader_panic() {
    for whole in victims() {
        let all = read_all(&whole).unwrap_or(0);
        let type_len = u32::from_ne_bytes(whole[12..16].try_into().expect("4 bytes"));
        for len in 0..type_len {
            let mut lying = whole.clone();
            lying[12..16].copy_from_slice(&len.to_ne_bytes());
            assert!(read_all(&lying).unwrap_or(0) <= all);
        }
    }
}

#[test]
fn no_flipped_bytes_make_the_reader_panic() {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    // xorshift64, whose seed is fixed so that a red run can be repeated.
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for whole in victims() {
        for round in 0..500_u64 {
            let mut flipped = whole.clone();
            for _ in 0..1 + random() % 8 {
                // Half of the flips hit the first bytes, where the offsets are.
                let span = if random().is_multiple_of(2) {
                    96
                } else {
                    whole.len()
                };
                let at = random() as usize % span.min(whole.len());
                flipped[at] = if round.is_multiple_of(2) {
                    random() as u8
                } else {
                    flipped[at] ^ 1 << (random() % 8)
                };
            }
            let _ = read_all(&flipped);
        }
    }
}

#[test]
fn no_word_made_extreme_makes_the_reader_panic() {
    for whole in victims() {
        for at in (0..whole.len().min(768) - 3).step_by(4) {
            for value in [0, 1, 3, 0x7fff_ffff, 0x8000_0000, u32::MAX - 3, u32::MAX] {
                let mut lying = whole.clone();
                lying[at..at + 4].copy_from_slice(&value.to_ne_bytes());
                let _ = read_all(&lying);
            }
        }
    }
}

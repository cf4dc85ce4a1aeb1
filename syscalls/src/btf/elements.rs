//! What a type lists: members, values, parameters and variables.

use super::bytes::word;
use super::list::Element;

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where its name starts in the strings; 0 for an anonymous one.
    pub name_off: u32,
    /// Id of its type.
    pub type_id: u32,
    /// How many bits it lies from the start.
    pub bit_offset: u32,
    /// How many bits it has if it is a bitfield, else 0. Where the type has no `kind_flag`, a
    /// bitfield says so in the [`IntInfo`](super::IntInfo) of its type instead;
    /// [`Btf::member_bits`](super::Btf::member_bits) knows both.
    pub bitfield_size: u8,
}

impl Member {
    /// How many bytes it lies from the start; `None` for a bitfield that starts within a byte.
    #[must_use]
    pub const fn byte_offset(&self) -> Option<u32> {
        if self.bit_offset.is_multiple_of(8) {
            Some(self.bit_offset / 8)
        } else {
            None
        }
    }
}

impl Element for Member {
    const SIZE: usize = 12;

    fn read(bytes: &[u8], kind_flag: bool) -> Member {
        let offset = word(bytes, 2);
        let (bit_offset, bitfield_size) = match kind_flag {
            true => (offset & 0x00ff_ffff, (offset >> 24) as u8),
            false => (offset, 0),
        };
        Member {
            name_off: word(bytes, 0),
            type_id: word(bytes, 1),
            bit_offset,
            bitfield_size,
        }
    }
}

/// A value of an enum, of 32 or 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerator {
    /// Where its name starts in the strings.
    pub name_off: u32,
    /// Its bits; for a signed enum extended by its sign, for an unsigned one by zeroes.
    pub bits: u64,
    /// Whether the enum is signed, that is, has `kind_flag`.
    pub is_signed: bool,
}

impl Enumerator {
    /// The value, whatever its sign.
    #[must_use]
    pub const fn value(&self) -> i128 {
        if self.is_signed {
            self.bits.cast_signed() as i128
        } else {
            self.bits as i128
        }
    }

    /// Reads one of an enum of 32 bits.
    pub(super) fn read_32(bytes: &[u8], is_signed: bool) -> Enumerator {
        let low = word(bytes, 1);
        let bits = match is_signed {
            true => i64::from(low.cast_signed()).cast_unsigned(),
            false => u64::from(low),
        };
        Enumerator {
            name_off: word(bytes, 0),
            bits,
            is_signed,
        }
    }

    /// Reads one of an enum of 64 bits.
    pub(super) fn read_64(bytes: &[u8], is_signed: bool) -> Enumerator {
        let bits = u64::from(word(bytes, 1)) | u64::from(word(bytes, 2)) << 32;
        Enumerator {
            name_off: word(bytes, 0),
            bits,
            is_signed,
        }
    }
}

/// A parameter of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Where its name starts in the strings.
    pub name_off: u32,
    /// Id of its type.
    pub type_id: u32,
}

impl Param {
    /// Whether it stands for `...`, as the last one may.
    #[must_use]
    pub const fn is_variadic(&self) -> bool {
        self.name_off == 0 && self.type_id == 0
    }
}

impl Element for Param {
    const SIZE: usize = 8;

    fn read(bytes: &[u8], _kind_flag: bool) -> Param {
        Param {
            name_off: word(bytes, 0),
            type_id: word(bytes, 1),
        }
    }
}

/// A variable in a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VarSecInfo {
    /// Id of the variable.
    pub type_id: u32,
    /// How many bytes it lies from the section's start.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
}

impl Element for VarSecInfo {
    const SIZE: usize = 12;

    fn read(bytes: &[u8], _kind_flag: bool) -> VarSecInfo {
        VarSecInfo {
            type_id: word(bytes, 0),
            offset: word(bytes, 1),
            size: word(bytes, 2),
        }
    }
}

//! CO-RE relocations: what an instruction wants to know of the running kernel's types.

use super::super::bytes::word;
use super::records::ExtRecord;

/// One relocation (`struct bpf_core_relo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRelo {
    /// How many bytes the instruction lies from the section's start.
    pub insn_off: u32,
    /// Id of the type that the access starts from.
    pub type_id: u32,
    /// Where the access starts in the strings, as `0:1:2`: indices of members and elements.
    pub access_str_off: u32,
    /// What is wanted.
    pub kind: CoreReloKind,
}

impl ExtRecord for CoreRelo {
    const SIZE: usize = 16;

    fn read(bytes: &[u8]) -> CoreRelo {
        CoreRelo {
            insn_off: word(bytes, 0),
            type_id: word(bytes, 1),
            access_str_off: word(bytes, 2),
            kind: CoreReloKind(word(bytes, 3)),
        }
    }
}

/// What a relocation wants (`enum bpf_core_relo_kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreReloKind(pub u32);

impl CoreReloKind {
    /// The field's offset, in bytes.
    pub const FIELD_BYTE_OFFSET: CoreReloKind = CoreReloKind(0);
    /// The field's size, in bytes.
    pub const FIELD_BYTE_SIZE: CoreReloKind = CoreReloKind(1);
    /// Whether there is such a field.
    pub const FIELD_EXISTS: CoreReloKind = CoreReloKind(2);
    /// Whether the field is signed.
    pub const FIELD_SIGNED: CoreReloKind = CoreReloKind(3);
    /// How far to shift a bitfield to the left.
    pub const FIELD_LSHIFT_U64: CoreReloKind = CoreReloKind(4);
    /// How far to shift it back to the right.
    pub const FIELD_RSHIFT_U64: CoreReloKind = CoreReloKind(5);
    /// The type's id here.
    pub const TYPE_ID_LOCAL: CoreReloKind = CoreReloKind(6);
    /// The type's id in the kernel.
    pub const TYPE_ID_TARGET: CoreReloKind = CoreReloKind(7);
    /// Whether there is such a type.
    pub const TYPE_EXISTS: CoreReloKind = CoreReloKind(8);
    /// The type's size, in bytes.
    pub const TYPE_SIZE: CoreReloKind = CoreReloKind(9);
    /// Whether there is such a value of the enum.
    pub const ENUMVAL_EXISTS: CoreReloKind = CoreReloKind(10);
    /// The value.
    pub const ENUMVAL_VALUE: CoreReloKind = CoreReloKind(11);
    /// Whether the types match.
    pub const TYPE_MATCHES: CoreReloKind = CoreReloKind(12);
}

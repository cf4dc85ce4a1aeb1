//! The kinds of types, and what single kinds add to the common 12 bytes.

/// What a type is (`BTF_KIND_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// No type at all: id 0.
    Void = 0,
    /// An integer, see [`IntInfo`].
    Int = 1,
    /// A pointer.
    Ptr = 2,
    /// An array, see [`Array`].
    Array = 3,
    /// A struct with its members.
    Struct = 4,
    /// A union with its members.
    Union = 5,
    /// An enum with values of 32 bits.
    Enum = 6,
    /// A forward declaration, see [`Forward`].
    Fwd = 7,
    /// Another name for a type.
    Typedef = 8,
    /// A type with `volatile`.
    Volatile = 9,
    /// A type with `const`.
    Const = 10,
    /// A type with `restrict`.
    Restrict = 11,
    /// A function, see [`FuncLinkage`].
    Func = 12,
    /// A signature: parameters and the type returned.
    FuncProto = 13,
    /// A variable, see [`VarLinkage`].
    Var = 14,
    /// A section of variables.
    Datasec = 15,
    /// A floating-point number.
    Float = 16,
    /// An attribute of a declaration, see [`DeclTag`].
    DeclTag = 17,
    /// An attribute of a type.
    TypeTag = 18,
    /// An enum with values of 64 bits.
    Enum64 = 19,
}

impl Kind {
    /// All kinds, at the index of their number.
    pub const ALL: [Kind; 20] = [
        Kind::Void,
        Kind::Int,
        Kind::Ptr,
        Kind::Array,
        Kind::Struct,
        Kind::Union,
        Kind::Enum,
        Kind::Fwd,
        Kind::Typedef,
        Kind::Volatile,
        Kind::Const,
        Kind::Restrict,
        Kind::Func,
        Kind::FuncProto,
        Kind::Var,
        Kind::Datasec,
        Kind::Float,
        Kind::DeclTag,
        Kind::TypeTag,
        Kind::Enum64,
    ];

    /// The kind of that number.
    #[must_use]
    pub fn from_raw(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number)).copied()
    }

    /// Bytes that follow the common 12, for `vlen` elements.
    pub(super) fn payload_bytes(self, vlen: u32) -> usize {
        let vlen = vlen as usize;
        match self {
            Kind::Int | Kind::Var | Kind::DeclTag => 4,
            Kind::Array => 12,
            Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64 => vlen * 12,
            Kind::Enum | Kind::FuncProto => vlen * 8,
            _ => 0,
        }
    }
}

/// How the bits of an integer read: a set of [`SIGNED`](Self::SIGNED), [`CHAR`](Self::CHAR) and
/// [`BOOL`](Self::BOOL); none for a plain unsigned one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntEncoding(pub u8);

impl IntEncoding {
    /// It is signed.
    pub const SIGNED: IntEncoding = IntEncoding(1);
    /// It is a character.
    pub const CHAR: IntEncoding = IntEncoding(2);
    /// It is a truth value.
    pub const BOOL: IntEncoding = IntEncoding(4);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: IntEncoding) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What an integer adds: one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntInfo {
    /// How its bits read.
    pub encoding: IntEncoding,
    /// How many bits its value lies from the start.
    pub offset: u8,
    /// How many bits it has.
    pub bits: u8,
}

impl IntInfo {
    /// Takes the word apart: bits in 0..8, offset in 16..24, encoding in 24..28.
    #[must_use]
    pub const fn from_raw(word: u32) -> IntInfo {
        let [bits, _, offset, encoding] = word.to_le_bytes();
        IntInfo {
            encoding: IntEncoding(encoding & 0xf),
            offset,
            bits,
        }
    }
}

/// What an array adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Id of the type of its elements.
    pub type_id: u32,
    /// Id of the type of its index.
    pub index_type_id: u32,
    /// Number of elements.
    pub nelems: u32,
}

/// What a forward declaration declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// A struct.
    Struct,
    /// A union.
    Union,
}

/// Who sees a function; lies in the place of the number of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuncLinkage {
    /// Its own file.
    Static,
    /// Everybody.
    Global,
    /// It is defined elsewhere.
    External,
    /// A linkage that is not known.
    Other(u32),
}

impl FuncLinkage {
    /// The linkage of that number.
    #[must_use]
    pub const fn from_raw(number: u32) -> FuncLinkage {
        match number {
            0 => FuncLinkage::Static,
            1 => FuncLinkage::Global,
            2 => FuncLinkage::External,
            other => FuncLinkage::Other(other),
        }
    }
}

/// Who sees a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarLinkage {
    /// Its own file.
    Static,
    /// Everybody, and it is defined here.
    GlobalAllocated,
    /// Everybody, and it is defined elsewhere.
    GlobalExtern,
    /// A linkage that is not known.
    Other(u32),
}

impl VarLinkage {
    /// The linkage of that number.
    #[must_use]
    pub const fn from_raw(number: u32) -> VarLinkage {
        match number {
            0 => VarLinkage::Static,
            1 => VarLinkage::GlobalAllocated,
            2 => VarLinkage::GlobalExtern,
            other => VarLinkage::Other(other),
        }
    }
}

/// What an attribute of a declaration adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclTag {
    /// Index of the member or parameter that it belongs to; `None` for the whole (-1 in the bytes).
    pub component_idx: Option<u32>,
}

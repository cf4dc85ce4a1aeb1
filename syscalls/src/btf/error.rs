//! `BtfError`: what about the bytes does not hold.

use core::fmt;

/// Why BTF could not be read.
///
/// Positions are offsets in bytes from the start of what was parsed, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BtfError {
    /// It ends before `end`, up to which something claims to reach.
    Truncated {
        /// Where the thing would end; saturates.
        end: usize,
    },
    /// It does not start with the magic number.
    Magic {
        /// What is there instead.
        found: u16,
    },
    /// It is of the other byte order; only our own is read.
    ForeignEndian,
    /// Its version is not 1.
    Version {
        /// The version.
        found: u8,
    },
    /// The header claims a size that no header has.
    HeaderLen {
        /// The size, in bytes.
        found: u32,
    },
    /// A section does not start at a multiple of four bytes after the header.
    Misaligned {
        /// Where it starts, after the header.
        offset: u32,
    },
    /// The strings do not start and end with a NUL.
    Strings,
    /// A string starts outside of the strings.
    StringOffset {
        /// The offset in the strings.
        offset: u32,
    },
    /// A string is not UTF-8.
    NotUtf8 {
        /// The offset in the strings.
        offset: u32,
    },
    /// A type is of a kind that is not known, hence its size and all after it is not, either.
    UnknownKind {
        /// The type's id.
        id: u32,
        /// Its kind.
        kind: u8,
    },
    /// There is no type of that id.
    NoType {
        /// The id.
        id: u32,
    },
    /// The type has no size: void, a function, a forward declaration.
    Unsized {
        /// The id of the type at the end of the chain.
        id: u32,
    },
    /// A size does not fit 64 bits.
    TooLarge {
        /// The id that was asked for.
        id: u32,
    },
    /// A chain of types is longer than [`DEPTH_MAX`](super::DEPTH_MAX), or a circle.
    TooDeep {
        /// The id that was asked for.
        id: u32,
    },
    /// Records of `.BTF.ext` are smaller than they have to be, or no multiple of four bytes.
    RecordSize {
        /// The size, in bytes.
        found: u32,
    },
    /// A section of `.BTF.ext` has no record.
    NoRecords {
        /// Where the section's name starts in the strings.
        name_off: u32,
    },
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BtfError::Truncated { end } => write!(f, "BTF ends before byte {end}, which it needs"),
            BtfError::Magic { found } => write!(f, "not BTF: magic is {found:#06x}, not 0xeb9f"),
            BtfError::ForeignEndian => {
                f.write_str("BTF of the other byte order; read it on a machine of that order")
            }
            BtfError::Version { found } => write!(f, "BTF of version {found}, not 1"),
            BtfError::HeaderLen { found } => write!(f, "no BTF header has {found} bytes"),
            BtfError::Misaligned { offset } => {
                write!(f, "a BTF section starts at {offset}, not a multiple of 4")
            }
            BtfError::Strings => f.write_str("BTF strings do not start and end with NUL"),
            BtfError::StringOffset { offset } => write!(f, "BTF has no string at {offset}"),
            BtfError::NotUtf8 { offset } => write!(f, "the BTF string at {offset} is not UTF-8"),
            BtfError::UnknownKind { id, kind } => write!(f, "BTF type {id} is of kind {kind}"),
            BtfError::NoType { id } => write!(f, "BTF has no type {id}"),
            BtfError::Unsized { id } => write!(f, "BTF type {id} has no size"),
            BtfError::TooLarge { id } => write!(f, "BTF type {id} is larger than 64 bits can say"),
            BtfError::TooDeep { id } => write!(f, "BTF type {id} refers on and on"),
            BtfError::RecordSize { found } => write!(f, "BTF.ext has records of {found} bytes"),
            BtfError::NoRecords { name_off } => {
                write!(f, "the BTF.ext section named at {name_off} is empty")
            }
        }
    }
}

impl core::error::Error for BtfError {}

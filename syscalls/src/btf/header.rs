//! The head of BTF: which bytes are types and which are strings.

use super::BtfError;
use super::bytes::{read_u8, read_u16, read_u32, slice};

/// The first two bytes of BTF and of `.BTF.ext`, in the byte order of the rest.
pub const MAGIC: u16 = 0xeb9f;
/// The only version there is.
pub const VERSION: u8 = 1;

/// Bytes of the header that every release has.
const LEN_MIN: u32 = 24;
/// Bytes of the header with the layout of kinds.
const LEN_LAYOUT: u32 = 32;

/// `struct btf_header`. Offsets and lengths are in bytes; offsets count from the header's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// No flag is defined.
    pub flags: u8,
    /// Size of the header: 24, 32 with the layout of kinds, or more.
    pub hdr_len: u32,
    /// Where the types start.
    pub type_off: u32,
    /// Their size.
    pub type_len: u32,
    /// Where the strings start.
    pub str_off: u32,
    /// Their size.
    pub str_len: u32,
    /// Where the layout of kinds starts; 0 in a header of 24 bytes.
    pub layout_off: u32,
    /// Its size; 0 in a header of 24 bytes.
    pub layout_len: u32,
}

impl Header {
    /// Reads the header at the start of `bytes`. What it says of the sections is not checked.
    ///
    /// # Errors
    /// [`BtfError::Truncated`], [`Magic`](BtfError::Magic),
    /// [`ForeignEndian`](BtfError::ForeignEndian), [`Version`](BtfError::Version) and
    /// [`HeaderLen`](BtfError::HeaderLen).
    pub fn parse(bytes: &[u8]) -> Result<Header, BtfError> {
        let (flags, hdr_len) = preamble(bytes, LEN_MIN)?;
        let has_layout = hdr_len >= LEN_LAYOUT;
        let optional = |start| {
            if has_layout {
                read_u32(bytes, start)
            } else {
                Ok(0)
            }
        };
        Ok(Header {
            flags,
            hdr_len,
            type_off: read_u32(bytes, 8)?,
            type_len: read_u32(bytes, 12)?,
            str_off: read_u32(bytes, 16)?,
            str_len: read_u32(bytes, 20)?,
            layout_off: optional(24)?,
            layout_len: optional(28)?,
        })
    }
}

/// Checks the 8 bytes that both headers start with; gives the flags and the header's size, which
/// is at least `len_min` and within `bytes`.
pub(super) fn preamble(bytes: &[u8], len_min: u32) -> Result<(u8, u32), BtfError> {
    let magic = read_u16(bytes, 0)?;
    if magic == MAGIC.swap_bytes() {
        return Err(BtfError::ForeignEndian);
    }
    if magic != MAGIC {
        return Err(BtfError::Magic { found: magic });
    }
    let version = read_u8(bytes, 2)?;
    if version != VERSION {
        return Err(BtfError::Version { found: version });
    }
    let flags = read_u8(bytes, 3)?;
    let hdr_len = read_u32(bytes, 4)?;
    if hdr_len < len_min {
        return Err(BtfError::HeaderLen { found: hdr_len });
    }
    slice(bytes, 0, hdr_len as usize)?;
    Ok((flags, hdr_len))
}

/// Cuts out the section `offset..offset + len` after a header of `hdr_len` bytes.
pub(super) fn section(
    bytes: &[u8],
    hdr_len: u32,
    offset: u32,
    len: u32,
) -> Result<&[u8], BtfError> {
    let start = (hdr_len as usize).saturating_add(offset as usize);
    slice(bytes, start, len as usize)
}

//! `BtfExt`: what `.BTF.ext` says of the instructions of a BPF object.
//!
//! ```text
//!   header | functions | lines | CO-RE relocations
//!            each: size of a record, then per section of the object
//!                  its name, the number of records, the records
//! ```
//!
//! A record may be larger than what is known of it; the rest is skipped.

mod records;
mod relocation;

use core::iter::FusedIterator;
use core::marker::PhantomData;

use super::BtfError;
use super::bytes::{read_u32, slice};
use super::header::{preamble, section};

pub use records::{ExtRecord, FuncInfo, LineInfo, Records};
pub use relocation::{CoreRelo, CoreReloKind};

/// Bytes of the header that every release has.
const LEN_MIN: u32 = 24;
/// Bytes of the header with CO-RE relocations.
const LEN_CORE: u32 = 32;

/// `struct btf_ext_header`. Offsets and lengths are in bytes; offsets count from the header's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtHeader {
    /// No flag is defined.
    pub flags: u8,
    /// Size of the header: 24, 32 with CO-RE relocations, or more.
    pub hdr_len: u32,
    /// Where the functions start.
    pub func_info_off: u32,
    /// Their size.
    pub func_info_len: u32,
    /// Where the lines start.
    pub line_info_off: u32,
    /// Their size.
    pub line_info_len: u32,
    /// Where the CO-RE relocations start; 0 in a header of 24 bytes.
    pub core_relo_off: u32,
    /// Their size; 0 in a header of 24 bytes.
    pub core_relo_len: u32,
}

impl ExtHeader {
    /// Reads the header at the start of `bytes`. What it says of the sections is not checked.
    ///
    /// # Errors
    /// As for [`Header::parse`](super::Header::parse).
    pub fn parse(bytes: &[u8]) -> Result<ExtHeader, BtfError> {
        let (flags, hdr_len) = preamble(bytes, LEN_MIN)?;
        let has_core = hdr_len >= LEN_CORE;
        let optional = |start| {
            if has_core {
                read_u32(bytes, start)
            } else {
                Ok(0)
            }
        };
        Ok(ExtHeader {
            flags,
            hdr_len,
            func_info_off: read_u32(bytes, 8)?,
            func_info_len: read_u32(bytes, 12)?,
            line_info_off: read_u32(bytes, 16)?,
            line_info_len: read_u32(bytes, 20)?,
            core_relo_off: optional(24)?,
            core_relo_len: optional(28)?,
        })
    }
}

/// `.BTF.ext` in memory. Names are offsets in the strings of the `.BTF` beside it.
#[derive(Clone, Copy, Debug)]
pub struct BtfExt<'a> {
    header: ExtHeader,
    bytes: &'a [u8],
}

impl<'a> BtfExt<'a> {
    /// Reads the header of `bytes`. They may have any alignment.
    ///
    /// # Errors
    /// Those of [`ExtHeader::parse`].
    pub fn parse(bytes: &'a [u8]) -> Result<BtfExt<'a>, BtfError> {
        Ok(BtfExt {
            header: ExtHeader::parse(bytes)?,
            bytes,
        })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &ExtHeader {
        &self.header
    }

    /// Which functions start where.
    ///
    /// # Errors
    /// [`BtfError::Truncated`], [`Misaligned`](BtfError::Misaligned) and
    /// [`RecordSize`](BtfError::RecordSize).
    pub fn functions(&self) -> Result<Sections<'a, FuncInfo>, BtfError> {
        self.sections(self.header.func_info_off, self.header.func_info_len)
    }

    /// Which lines instructions come from.
    ///
    /// # Errors
    /// As for [`functions`](Self::functions).
    pub fn lines(&self) -> Result<Sections<'a, LineInfo>, BtfError> {
        self.sections(self.header.line_info_off, self.header.line_info_len)
    }

    /// Which instructions depend on the layout of the running kernel's types.
    ///
    /// # Errors
    /// As for [`functions`](Self::functions).
    pub fn relocations(&self) -> Result<Sections<'a, CoreRelo>, BtfError> {
        self.sections(self.header.core_relo_off, self.header.core_relo_len)
    }

    fn sections<T: ExtRecord>(&self, offset: u32, len: u32) -> Result<Sections<'a, T>, BtfError> {
        let done = Sections {
            rest: &[],
            record_size: T::SIZE,
            record: PhantomData,
        };
        if len == 0 {
            return Ok(done);
        }
        if !offset.is_multiple_of(4) {
            return Err(BtfError::Misaligned { offset });
        }
        let bytes = section(self.bytes, self.header.hdr_len, offset, len)?;
        let found = read_u32(bytes, 0)?;
        if (found as usize) < T::SIZE || !found.is_multiple_of(4) {
            return Err(BtfError::RecordSize { found });
        }
        Ok(Sections {
            rest: &bytes[4..],
            record_size: found as usize,
            ..done
        })
    }
}

/// The records of one kind, by section of the object; ends after the first error.
#[derive(Clone, Debug)]
pub struct Sections<'a, T> {
    rest: &'a [u8],
    record_size: usize,
    record: PhantomData<fn() -> T>,
}

/// The records that belong to one section of the object.
#[derive(Clone, Debug)]
pub struct Section<'a, T> {
    /// Where its name starts in the strings of `.BTF`.
    pub name_off: u32,
    /// Its records, in order.
    pub records: Records<'a, T>,
}

impl<'a, T: ExtRecord> Sections<'a, T> {
    fn read(&self) -> Result<(Section<'a, T>, &'a [u8]), BtfError> {
        let name_off = read_u32(self.rest, 0)?;
        let count = read_u32(self.rest, 4)? as usize;
        if count == 0 {
            return Err(BtfError::NoRecords { name_off });
        }
        let size = count.saturating_mul(self.record_size);
        let records = Records::new(slice(self.rest, 8, size)?, self.record_size);
        Ok((Section { name_off, records }, &self.rest[8 + size..]))
    }
}

impl<'a, T: ExtRecord> Iterator for Sections<'a, T> {
    type Item = Result<Section<'a, T>, BtfError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        self.rest = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(section, _)| section))
    }
}

impl<T: ExtRecord> FusedIterator for Sections<'_, T> {}

//! `Btf`: the sections, found and checked.

use core::ffi::CStr;

use super::header::section;
use super::index::Index;
use super::{BtfError, Header};

/// BTF in memory.
///
/// ```
/// use annulus_syscalls::btf::{Btf, BtfError, Kind};
///
/// let bytes = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
/// match Btf::parse(&bytes) {
///     Ok(btf) => {
///         let sqe = btf.find(Kind::Struct, "io_uring_sqe")?.expect("a kernel with io_uring");
///         assert_eq!(btf.size_of(sqe.id())?, 64);
///     }
///     Err(error) => println!("this kernel has none: {error}"),
/// }
/// # Ok::<(), BtfError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Btf<'a> {
    pub(super) header: Header,
    pub(super) types: &'a [u8],
    pub(super) strings: &'a [u8],
    pub(super) layout: &'a [u8],
    pub(super) pointer_bytes: u8,
    pub(super) index: Index<'a>,
}

impl<'a> Btf<'a> {
    /// Finds the sections in `bytes`. They may have any alignment.
    ///
    /// # Errors
    /// Those of [`Header::parse`], [`BtfError::Truncated`] for a section that is not all there,
    /// [`Misaligned`](BtfError::Misaligned) for types at an odd offset and
    /// [`Strings`](BtfError::Strings). [`ForeignEndian`](BtfError::ForeignEndian) if the bytes
    /// are of the other byte order. The types are not looked at before they are asked for.
    pub fn parse(bytes: &'a [u8]) -> Result<Btf<'a>, BtfError> {
        let header = Header::parse(bytes)?;
        if !header.type_off.is_multiple_of(4) {
            return Err(BtfError::Misaligned {
                offset: header.type_off,
            });
        }
        let strings = section(bytes, header.hdr_len, header.str_off, header.str_len)?;
        if strings.first() != Some(&0) || strings.last() != Some(&0) {
            return Err(BtfError::Strings);
        }
        Ok(Btf {
            header,
            types: section(bytes, header.hdr_len, header.type_off, header.type_len)?,
            strings,
            layout: section(bytes, header.hdr_len, header.layout_off, header.layout_len)?,
            pointer_bytes: size_of::<usize>() as u8,
            index: Index::NONE,
        })
    }

    /// Takes pointers to have `bytes` bytes; without it they have as many as ours. BTF does not
    /// say, and in a BPF object they have 8 on every machine.
    #[must_use]
    pub fn pointer_bytes(self, bytes: u8) -> Btf<'a> {
        Btf {
            pointer_bytes: bytes,
            ..self
        }
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The bytes that describe the layout of kinds, which newer kernels add; else none.
    #[must_use]
    pub fn layout(&self) -> &'a [u8] {
        self.layout
    }

    /// The string at `offset`; the empty one at 0.
    ///
    /// # Errors
    /// [`BtfError::StringOffset`] if there is none, [`NotUtf8`](BtfError::NotUtf8).
    pub fn string(&self, offset: u32) -> Result<&'a str, BtfError> {
        let bytes = self.c_string(offset)?.to_bytes();
        core::str::from_utf8(bytes).map_err(|_| BtfError::NotUtf8 { offset })
    }

    /// The string at `offset`, as it is.
    ///
    /// # Errors
    /// [`BtfError::StringOffset`] if there is none.
    pub fn c_string(&self, offset: u32) -> Result<&'a CStr, BtfError> {
        let found = self.strings.get(offset as usize..);
        let found = found.filter(|rest| !rest.is_empty());
        let found = found.and_then(|rest| CStr::from_bytes_until_nul(rest).ok());
        found.ok_or(BtfError::StringOffset { offset })
    }
}

//! `Btf`: the sections, found and checked.

use core::ffi::CStr;

use super::header::section;
use super::index::Index;
use super::layout::Layouts;
use super::{BtfError, Header, KindLayout};

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
    /// What split BTF goes on from.
    pub(super) base: Option<&'a Btf<'a>>,
    /// 1, or the id after the last of the base.
    pub(super) first_id: u32,
    /// 0, or how many bytes of strings the base has.
    pub(super) first_string: u32,
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
        let btf = Btf::sections(bytes)?;
        if btf.strings.first() != Some(&0) || btf.strings.last() != Some(&0) {
            return Err(BtfError::Strings);
        }
        Ok(btf)
    }

    /// Finds the sections in `bytes` of split BTF, which goes on where `base` ends: its ids from
    /// the next, its strings from the base's size. The BTF of a module is split, with the kernel's
    /// own as its base. Reads all types of `base`, to count them.
    ///
    /// ```
    /// use annulus_syscalls::btf::{Btf, BtfError};
    ///
    /// let kernel = std::fs::read("/sys/kernel/btf/vmlinux").unwrap_or_default();
    /// // Of a module that is loaded, if there is one.
    /// let module = std::fs::read("/sys/kernel/btf/tun").unwrap_or_default();
    /// if let Ok(base) = Btf::parse(&kernel) && !module.is_empty() {
    ///     let tun = Btf::parse_split(&module, &base)?;
    ///     assert_eq!(tun.first_id(), base.count()? + 1);
    ///     assert_eq!(tun.get(1)?, base.get(1)?);
    /// }
    /// # Ok::<(), BtfError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`parse`](Self::parse), but the strings may be absent and need not start with a NUL;
    /// what is wrong with a type of `base`.
    pub fn parse_split(bytes: &'a [u8], base: &'a Btf<'a>) -> Result<Btf<'a>, BtfError> {
        let btf = Btf::sections(bytes)?;
        if btf.strings.last().is_some_and(|&last| last != 0) {
            return Err(BtfError::Strings);
        }
        // The section's size is 32 bits.
        let strings = base.strings.len() as u32;
        Ok(Btf {
            pointer_bytes: base.pointer_bytes,
            base: Some(base),
            first_id: base.count()?.saturating_add(1),
            first_string: base.first_string.saturating_add(strings),
            ..btf
        })
    }

    fn sections(bytes: &'a [u8]) -> Result<Btf<'a>, BtfError> {
        let header = Header::parse(bytes)?;
        if !header.type_off.is_multiple_of(4) {
            return Err(BtfError::Misaligned {
                offset: header.type_off,
            });
        }
        Ok(Btf {
            header,
            strings: section(bytes, header.hdr_len, header.str_off, header.str_len)?,
            types: section(bytes, header.hdr_len, header.type_off, header.type_len)?,
            layout: section(bytes, header.hdr_len, header.layout_off, header.layout_len)?,
            pointer_bytes: size_of::<usize>() as u8,
            index: Index::NONE,
            base: None,
            first_id: 1,
            first_string: 0,
        })
    }

    /// What it goes on from, if it is split.
    #[must_use]
    pub fn base(&self) -> Option<&'a Btf<'a>> {
        self.base
    }

    /// The id of its first type: 1, or of split BTF the one after the last of the base.
    #[must_use]
    pub fn first_id(&self) -> u32 {
        self.first_id
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

    /// What the writer says of the kind `number`: `None` if it does not say. So types of kinds
    /// that are newer than this reader are passed over, and only they cannot be read.
    #[must_use]
    pub fn kind_layout(&self, number: u8) -> Option<KindLayout> {
        Layouts(self.layout).of(number)
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
        let mut holder = self;
        while let (true, Some(base)) = (offset < holder.first_string, holder.base) {
            holder = base;
        }
        let within = (offset - holder.first_string) as usize;
        let found = holder.strings.get(within..);
        let found = found.filter(|rest| !rest.is_empty());
        let found = found.and_then(|rest| CStr::from_bytes_until_nul(rest).ok());
        found.ok_or(BtfError::StringOffset { offset })
    }
}

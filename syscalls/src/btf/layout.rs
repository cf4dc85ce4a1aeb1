//! How long types are whose kind we do not know: the layout section of newer writers.

use super::bytes::{read_u32, slice};
use super::ty::COMMON_BYTES;

/// Bytes of one entry: `struct btf_layout`.
const ENTRY_BYTES: usize = 4;

/// What the writer says of one kind (`struct btf_layout`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindLayout {
    /// Bytes that follow the common 12 once.
    pub info_bytes: u8,
    /// Bytes that follow those for each element.
    pub element_bytes: u8,
    /// No flag is defined.
    pub flags: u16,
}

/// The layout section: entry `n` is about the kind `n`. Empty in most BTF.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layouts<'a>(pub(super) &'a [u8]);

impl Layouts<'_> {
    /// What it says of the kind `number`.
    pub(super) fn of(&self, number: u8) -> Option<KindLayout> {
        let entry = slice(self.0, usize::from(number) * ENTRY_BYTES, ENTRY_BYTES).ok()?;
        Some(KindLayout {
            info_bytes: entry[0],
            element_bytes: entry[1],
            flags: u16::from_ne_bytes([entry[2], entry[3]]),
        })
    }

    /// Where the type at `start` of `types` ends, if its kind is in the section and all of it is
    /// there. Kind 0 is none.
    pub(super) fn end_of(&self, types: &[u8], start: usize) -> Option<usize> {
        let info = read_u32(types, start.saturating_add(4)).ok()?;
        let number = (info >> 24 & 0x7f) as u8;
        let layout = self.of(number).filter(|_| number != 0)?;
        let elements = (info & 0x00ff_ffff) as usize;
        // At most 2^24 elements of 255 bytes: no overflow on 32 bits.
        let len = COMMON_BYTES
            + usize::from(layout.info_bytes)
            + elements * usize::from(layout.element_bytes);
        slice(types, start, len).ok()?;
        Some(start + len)
    }
}

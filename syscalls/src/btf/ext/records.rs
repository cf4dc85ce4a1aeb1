//! Records of functions and lines, and their iterator.

use core::fmt;
use core::marker::PhantomData;

use super::super::bytes::word;

/// A record of `.BTF.ext`.
pub trait ExtRecord: Sized {
    /// Bytes of it that are known.
    const SIZE: usize;

    /// Reads it from at least `SIZE` bytes.
    fn read(bytes: &[u8]) -> Self;
}

/// The records of one section. It knows how many are left.
pub struct Records<'a, T> {
    bytes: &'a [u8],
    /// At least `T::SIZE`.
    record_size: usize,
    record: PhantomData<fn() -> T>,
}

impl<'a, T: ExtRecord> Records<'a, T> {
    pub(super) fn new(bytes: &'a [u8], record_size: usize) -> Records<'a, T> {
        Records {
            bytes,
            record_size,
            record: PhantomData,
        }
    }
}

impl<T> Clone for Records<'_, T> {
    fn clone(&self) -> Self {
        Records { ..*self }
    }
}

impl<T> fmt::Debug for Records<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.bytes.len() / self.record_size;
        f.debug_struct("Records")
            .field("left", &left)
            .finish_non_exhaustive()
    }
}

impl<T: ExtRecord> Iterator for Records<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let (first, rest) = self.bytes.split_at_checked(self.record_size)?;
        self.bytes = rest;
        Some(T::read(first))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.bytes.len() / self.record_size;
        (left, Some(left))
    }
}

impl<T: ExtRecord> ExactSizeIterator for Records<'_, T> {}

/// Where a function starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuncInfo {
    /// How many bytes from the section's start.
    pub insn_off: u32,
    /// Id of the function.
    pub type_id: u32,
}

impl ExtRecord for FuncInfo {
    const SIZE: usize = 8;

    fn read(bytes: &[u8]) -> FuncInfo {
        FuncInfo {
            insn_off: word(bytes, 0),
            type_id: word(bytes, 1),
        }
    }
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineInfo {
    /// How many bytes from the section's start.
    pub insn_off: u32,
    /// Where the file's name starts in the strings.
    pub file_name_off: u32,
    /// Where the line's text starts in the strings.
    pub line_off: u32,
    /// Number of the line in its 22 upper bits, of the column in the others.
    pub line_col: u32,
}

impl LineInfo {
    /// Number of the line.
    #[must_use]
    pub const fn line(&self) -> u32 {
        self.line_col >> 10
    }

    /// Number of the column.
    #[must_use]
    pub const fn column(&self) -> u32 {
        self.line_col & 0x3ff
    }
}

impl ExtRecord for LineInfo {
    const SIZE: usize = 16;

    fn read(bytes: &[u8]) -> LineInfo {
        LineInfo {
            insn_off: word(bytes, 0),
            file_name_off: word(bytes, 1),
            line_off: word(bytes, 2),
            line_col: word(bytes, 3),
        }
    }
}

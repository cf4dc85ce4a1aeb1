//! `List`: the elements of one type, read one by one.

use core::fmt;
use core::marker::PhantomData;

/// Something of a fixed size that follows a type, as often as its `vlen` says.
pub trait Element: Sized {
    /// Its size, in bytes.
    const SIZE: usize;

    /// Reads it from its `SIZE` bytes; `kind_flag` is that of the type it belongs to.
    fn read(bytes: &[u8], kind_flag: bool) -> Self;
}

/// The elements of a type, in order. It knows how many are left.
pub struct List<'a, T> {
    bytes: &'a [u8],
    kind_flag: bool,
    element: PhantomData<fn() -> T>,
}

impl<'a, T: Element> List<'a, T> {
    /// The whole elements that `bytes` has.
    pub(super) fn new(bytes: &'a [u8], kind_flag: bool) -> List<'a, T> {
        List {
            bytes,
            kind_flag,
            element: PhantomData,
        }
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        List { ..*self }
    }
}

impl<T> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl<T: Element> Iterator for List<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let (first, rest) = self.bytes.split_at_checked(T::SIZE)?;
        self.bytes = rest;
        Some(T::read(first, self.kind_flag))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.bytes.len() / T::SIZE;
        (left, Some(left))
    }
}

impl<T: Element> ExactSizeIterator for List<'_, T> {}

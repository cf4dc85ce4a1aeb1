//! `Cqe32` and `MixedCqe`: completions with two more words.

use core::mem::offset_of;
use core::ops::Deref;

use crate::cqe::Cqe;

/// A completion of 32 bytes: a [`Cqe`] and two words more, whose meaning the operation says.
///
/// ```
/// use annulus_ring::{Cqe, Cqe32};
///
/// let cqe = Cqe32::synthetic(Cqe::synthetic(7, 0, 0), [1, 2]);
/// assert_eq!((cqe.user_data(), cqe.extra()), (7, [1, 2]));
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cqe32 {
    cqe: Cqe,
    extra: [u64; 2],
}

const _: () = {
    assert!(size_of::<Cqe>() == 16);
    assert!(size_of::<Cqe32>() == 32);
    assert!(offset_of!(Cqe32, extra) == 16);
};

impl Cqe32 {
    /// A completion with this content.
    #[must_use]
    pub const fn synthetic(cqe: Cqe, extra: [u64; 2]) -> Cqe32 {
        Cqe32 { cqe, extra }
    }

    /// The first 16 bytes.
    #[inline]
    #[must_use]
    pub const fn cqe(&self) -> Cqe {
        self.cqe
    }

    /// `big_cqe`: the two words after the first 16 bytes.
    #[inline]
    #[must_use]
    pub const fn extra(&self) -> [u64; 2] {
        self.extra
    }

    /// The completion that lies in these two slots of 16 bytes.
    pub(crate) const fn joined(cqe: Cqe, rest: Cqe) -> Cqe32 {
        let (low, high) = (rest.res() as u32, rest.flags());
        let second = if cfg!(target_endian = "big") {
            (low as u64) << 32 | high as u64
        } else {
            (high as u64) << 32 | low as u64
        };
        Cqe32 {
            cqe,
            extra: [rest.user_data(), second],
        }
    }
}

impl Deref for Cqe32 {
    type Target = Cqe;

    fn deref(&self) -> &Cqe {
        &self.cqe
    }
}

impl AsRef<Cqe> for Cqe32 {
    fn as_ref(&self) -> &Cqe {
        &self.cqe
    }
}

/// A completion of a ring that has both sizes.
///
/// ```
/// use annulus_ring::{Cqe, MixedCqe};
///
/// let cqe = MixedCqe::Plain(Cqe::synthetic(7, 0, 0));
/// assert_eq!((cqe.user_data(), cqe.extra()), (7, None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixedCqe {
    /// One of 16 bytes.
    Plain(Cqe),
    /// One of 32 bytes.
    Wide(Cqe32),
}

impl MixedCqe {
    /// The two words that a wide one has.
    #[inline]
    #[must_use]
    pub const fn extra(&self) -> Option<[u64; 2]> {
        match self {
            MixedCqe::Plain(_) => None,
            MixedCqe::Wide(cqe) => Some(cqe.extra()),
        }
    }

    /// How many slots of the CQ it took: 1 or 2.
    #[inline]
    #[must_use]
    pub const fn slots(&self) -> u32 {
        match self {
            MixedCqe::Plain(_) => 1,
            MixedCqe::Wide(_) => 2,
        }
    }
}

impl Default for MixedCqe {
    fn default() -> MixedCqe {
        MixedCqe::Plain(Cqe::default())
    }
}

impl Deref for MixedCqe {
    type Target = Cqe;

    fn deref(&self) -> &Cqe {
        match self {
            MixedCqe::Plain(cqe) => cqe,
            MixedCqe::Wide(cqe) => cqe,
        }
    }
}

impl AsRef<Cqe> for MixedCqe {
    fn as_ref(&self) -> &Cqe {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Cqe32;
    use crate::cqe::Cqe;

    #[test]
    fn two_slots_are_joined_as_they_lie_in_memory() {
        let first = Cqe::synthetic(1, 2, 3);
        let rest = Cqe::synthetic(4, 0x0506_0708, 0x090a_0b0c);
        // SAFETY: both have 32 bytes, of which any are valid.
        let in_memory = unsafe { core::mem::transmute::<[Cqe; 2], Cqe32>([first, rest]) };
        assert_eq!(Cqe32::joined(first, rest), in_memory);
    }
}

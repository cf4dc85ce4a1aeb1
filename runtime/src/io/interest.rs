//! Which kinds of readiness somebody waits for.
#![forbid(unsafe_code)]

use std::{fmt, ops};

/// The kinds of readiness that a wait is for: a non-empty set.
///
/// Sets are joined by [`add`](Interest::add) or `|`.
///
/// ```
/// use annulus::io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(u8);

const READABLE: u8 = 1;
const WRITABLE: u8 = 1 << 1;
const PRIORITY: u8 = 1 << 2;
const ERROR: u8 = 1 << 3;

const NAMES: [(u8, &str); 4] = [
    (READABLE, "READABLE"),
    (WRITABLE, "WRITABLE"),
    (PRIORITY, "PRIORITY"),
    (ERROR, "ERROR"),
];

impl Interest {
    /// Bytes, a connection or the end of the stream can be read.
    pub const READABLE: Interest = Interest(READABLE);

    /// Bytes can be written, or the write side has ended.
    pub const WRITABLE: Interest = Interest(WRITABLE);

    /// The descriptor has an error to report.
    pub const ERROR: Interest = Interest(ERROR);

    /// Urgent data, such as TCP's out-of-band byte, can be read.
    ///
    /// The kernel names this condition along with ordinary data when it wakes a poll, so a
    /// wait for it may end when ordinary data arrives.
    pub const PRIORITY: Interest = Interest(PRIORITY);

    /// Whether the set holds [`READABLE`](Interest::READABLE).
    pub const fn is_readable(self) -> bool {
        self.0 & READABLE != 0
    }

    /// Whether the set holds [`WRITABLE`](Interest::WRITABLE).
    pub const fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// Whether the set holds [`ERROR`](Interest::ERROR).
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// Whether the set holds [`PRIORITY`](Interest::PRIORITY).
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// The union of both sets.
    #[must_use = "the union is returned, neither set is changed"]
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// This set without the members of `other`; `None` when nothing is left.
    #[must_use = "the difference is returned, neither set is changed"]
    pub fn remove(self, other: Interest) -> Option<Interest> {
        match self.0 & !other.0 {
            0 => None,
            left => Some(Interest(left)),
        }
    }
}

impl ops::BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl ops::BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        *self = self.add(other);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = NAMES.iter().filter(|(bit, _)| self.0 & bit != 0);
        if let Some((_, first)) = names.next() {
            f.write_str(first)?;
        }
        names.try_for_each(|(_, name)| write!(f, " | {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_joined_and_taken_apart() {
        let mut set = Interest::READABLE;
        set |= Interest::ERROR;
        assert!(set.is_readable() && set.is_error());
        assert!(!set.is_writable() && !set.is_priority());
        assert_eq!(set.remove(Interest::READABLE), Some(Interest::ERROR));
        assert_eq!(set.remove(set), None);
        assert_eq!(set.remove(Interest::WRITABLE), Some(set));
    }

    #[test]
    fn debug_names_every_member() {
        let set = Interest::WRITABLE | Interest::READABLE | Interest::PRIORITY;
        assert_eq!(format!("{set:?}"), "READABLE | WRITABLE | PRIORITY");
    }
}

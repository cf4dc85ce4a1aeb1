//! `Version`: a kernel release, as "since 6.1" means it.

use core::fmt;

/// A kernel release, without its patch level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u16,
    minor: u16,
}

impl Version {
    /// The oldest kernel on which a ring is made: it has COOP_TASKRUN, buffer rings and
    /// multishot accept.
    pub const OLDEST: Version = Version::new(5, 19);

    /// The release `major.minor`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Version {
        Version { major, minor }
    }

    /// Whether this release is `other` or newer.
    #[must_use]
    pub const fn at_least(self, other: Version) -> bool {
        self.major > other.major || (self.major == other.major && self.minor >= other.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

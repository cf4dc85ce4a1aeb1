//! `SqeFlags`: what every operation can be told, whatever its opcode.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

use annulus_syscalls::io_uring::sqe_flags as raw;

/// Flags of an SQE.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SqeFlags(u8);

impl SqeFlags {
    /// No flag.
    pub const NONE: SqeFlags = SqeFlags(0);
    /// The descriptor is an index of the registered file table. Since 5.1.
    pub const FIXED_FILE: SqeFlags = SqeFlags(raw::IOSQE_FIXED_FILE);
    /// Start only when everything before has completed. Since 5.2.
    pub const IO_DRAIN: SqeFlags = SqeFlags(raw::IOSQE_IO_DRAIN);
    /// The next entry starts when this one has succeeded, and is cancelled if it fails.
    /// Since 5.3.
    pub const IO_LINK: SqeFlags = SqeFlags(raw::IOSQE_IO_LINK);
    /// The next entry starts when this one has completed, well or not. Since 5.5.
    pub const IO_HARDLINK: SqeFlags = SqeFlags(raw::IOSQE_IO_HARDLINK);
    /// Hand it to a worker thread at once. Since 5.6.
    pub const ASYNC: SqeFlags = SqeFlags(raw::IOSQE_ASYNC);
    /// Take a buffer of a group. Since 5.7.
    pub const BUFFER_SELECT: SqeFlags = SqeFlags(raw::IOSQE_BUFFER_SELECT);
    /// No CQE if it succeeds. Since 5.17.
    pub const CQE_SKIP_SUCCESS: SqeFlags = SqeFlags(raw::IOSQE_CQE_SKIP_SUCCESS);

    /// The flags with these bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> SqeFlags {
        SqeFlags(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: SqeFlags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for SqeFlags {
    type Output = SqeFlags;

    fn bitor(self, other: SqeFlags) -> SqeFlags {
        SqeFlags(self.0 | other.0)
    }
}

impl BitOrAssign for SqeFlags {
    fn bitor_assign(&mut self, other: SqeFlags) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for SqeFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqeFlags({:#04x})", self.0)
    }
}

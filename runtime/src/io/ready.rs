//! Which kinds of readiness a descriptor has.
#![forbid(unsafe_code)]

use std::{fmt, ops};

use super::Interest;

/// The kinds of readiness that a descriptor is known to have: a set, maybe empty.
///
/// What it says may be out of date by the time it is read: the next call on the descriptor
/// may still answer `WouldBlock`.
///
/// ```
/// use annulus::io::Ready;
///
/// let ready = Ready::READABLE | Ready::WRITE_CLOSED;
/// assert!(ready.is_readable());
/// assert!(ready.is_writable(), "a closed side never blocks");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(u8);

impl Ready {
    /// Nothing is known to be ready.
    pub const EMPTY: Ready = Ready(0);

    /// There is something to read.
    pub const READABLE: Ready = Ready(1);

    /// There is room to write.
    pub const WRITABLE: Ready = Ready(1 << 1);

    /// Nothing more will arrive: reads answer what is left, then the end.
    pub const READ_CLOSED: Ready = Ready(1 << 2);

    /// Nothing more can be written.
    pub const WRITE_CLOSED: Ready = Ready(1 << 3);

    /// There is urgent data to read.
    pub const PRIORITY: Ready = Ready(1 << 4);

    /// The descriptor has an error to report.
    pub const ERROR: Ready = Ready(1 << 5);

    /// All of the above.
    pub const ALL: Ready = Ready(0b11_1111);

    /// Both ends of life: conditions that never pass once they are there.
    pub(crate) const CLOSED: Ready = Ready(Ready::READ_CLOSED.0 | Ready::WRITE_CLOSED.0);

    /// Whether nothing is known to be ready.
    pub fn is_empty(self) -> bool {
        self == Ready::EMPTY
    }

    /// Whether a read would not block: there is data, or the read side has ended.
    pub fn is_readable(self) -> bool {
        self.meets(Ready(Ready::READABLE.0 | Ready::READ_CLOSED.0))
    }

    /// Whether a write would not block: there is room, or the write side has ended.
    pub fn is_writable(self) -> bool {
        self.meets(Ready(Ready::WRITABLE.0 | Ready::WRITE_CLOSED.0))
    }

    /// Whether nothing more will arrive.
    pub fn is_read_closed(self) -> bool {
        self.meets(Ready::READ_CLOSED)
    }

    /// Whether nothing more can be written.
    pub fn is_write_closed(self) -> bool {
        self.meets(Ready::WRITE_CLOSED)
    }

    /// Whether there is urgent data.
    pub fn is_priority(self) -> bool {
        self.meets(Ready::PRIORITY)
    }

    /// Whether there is an error to report.
    pub fn is_error(self) -> bool {
        self.meets(Ready::ERROR)
    }

    /// Everything that satisfies `interest`.
    pub(crate) fn of(interest: Interest) -> Ready {
        let mut ready = Ready::EMPTY;
        if interest.is_readable() {
            ready |= Ready::READABLE | Ready::READ_CLOSED;
        }
        if interest.is_writable() {
            ready |= Ready::WRITABLE | Ready::WRITE_CLOSED;
        }
        if interest.is_priority() {
            ready |= Ready::PRIORITY | Ready::READ_CLOSED;
        }
        if interest.is_error() {
            ready |= Ready::ERROR;
        }
        ready
    }

    /// What a poll's result mask says. An error readies both sides, so that whoever waits on
    /// either finds it by the next call, which reports it.
    pub(crate) fn from_poll(mask: u32) -> Ready {
        let has = |bit: os::c_short| mask & bit as u32 != 0;
        let mut ready = Ready::EMPTY;
        if has(os::POLLIN) {
            ready |= Ready::READABLE;
        }
        if has(os::POLLOUT) {
            ready |= Ready::WRITABLE;
        }
        if has(os::POLLPRI) {
            ready |= Ready::PRIORITY;
        }
        if has(os::POLLRDHUP) {
            ready |= Ready::READABLE | Ready::READ_CLOSED;
        }
        if has(os::POLLHUP) {
            ready |= Ready::READABLE | Ready::WRITABLE | Ready::CLOSED;
        }
        if has(os::POLLERR) {
            ready |= Ready::READABLE | Ready::WRITABLE | Ready::ERROR;
        }
        ready
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Ready {
        Ready(bits & Ready::ALL.0)
    }

    fn meets(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }
}

impl ops::BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl ops::BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl ops::BitAnd for Ready {
    type Output = Ready;

    fn bitand(self, other: Ready) -> Ready {
        Ready(self.0 & other.0)
    }
}

impl ops::Sub for Ready {
    type Output = Ready;

    fn sub(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("is_readable", &self.is_readable())
            .field("is_writable", &self.is_writable())
            .field("is_read_closed", &self.is_read_closed())
            .field("is_write_closed", &self.is_write_closed())
            .field("is_error", &self.is_error())
            .field("is_priority", &self.is_priority())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_side_counts_as_ready() {
        assert!(Ready::READ_CLOSED.is_readable());
        assert!(Ready::WRITE_CLOSED.is_writable());
        assert!(!Ready::READ_CLOSED.is_writable());
        assert!((Ready::ALL - Ready::ALL).is_empty());
    }

    #[test]
    fn an_error_or_a_hangup_readies_both_sides() {
        for bit in [os::POLLERR, os::POLLHUP] {
            let ready = Ready::from_poll(bit as u32);
            assert!(ready.is_readable() && ready.is_writable(), "{ready:?}");
        }
        assert!(!Ready::from_poll(os::POLLERR as u32).is_read_closed());
    }

    #[test]
    fn the_end_of_the_peer_closes_only_the_read_side() {
        let ready = Ready::from_poll((os::POLLIN | os::POLLRDHUP) as u32);
        assert!(ready.is_read_closed() && !ready.is_write_closed() && !ready.is_writable());
    }
}

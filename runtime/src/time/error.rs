//! What a timer can answer instead of the time: [`Elapsed`] and [`Error`].
#![forbid(unsafe_code)]

use std::{fmt, io};

/// The deadline of a [`timeout`](super::timeout) has passed.
///
/// Converts into an [`io::Error`] of kind [`TimedOut`](io::ErrorKind::TimedOut).
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    pub(super) fn new() -> Self {
        Elapsed(())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(_: Elapsed) -> io::Error {
        io::ErrorKind::TimedOut.into()
    }
}

/// Why a timer cannot be had.
///
/// The timers of this crate do not report it; it is here for libraries that
/// carry the error in their own types, as they may with tokio.
#[derive(Clone, Copy, Debug)]
pub struct Error(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Shutdown,
    AtCapacity,
    Invalid,
}

impl Error {
    /// The runtime of the timer has shut down.
    pub fn shutdown() -> Error {
        Error(Kind::Shutdown)
    }

    /// True for [`Error::shutdown`].
    pub fn is_shutdown(&self) -> bool {
        matches!(self.0, Kind::Shutdown)
    }

    /// No further timer can be held.
    pub fn at_capacity() -> Error {
        Error(Kind::AtCapacity)
    }

    /// True for [`Error::at_capacity`].
    pub fn is_at_capacity(&self) -> bool {
        matches!(self.0, Kind::AtCapacity)
    }

    /// The duration is longer than the timer can measure.
    pub fn invalid() -> Error {
        Error(Kind::Invalid)
    }

    /// True for [`Error::invalid`].
    pub fn is_invalid(&self) -> bool {
        matches!(self.0, Kind::Invalid)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Shutdown => "the runtime of this timer has shut down",
            Kind::AtCapacity => "no further timer can be held; wait for fewer at a time",
            Kind::Invalid => "the duration is longer than a timer can measure",
        })
    }
}

impl std::error::Error for Error {}

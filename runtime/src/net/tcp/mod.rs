//! TCP: the halves of a stream. Streams and listeners are in [`net`](crate::net).
#![forbid(unsafe_code)]

pub(super) mod listener;
mod options;
pub(super) mod socket;
mod split;
mod split_owned;
pub(super) mod stream;

pub use self::split::{ReadHalf, WriteHalf};
pub use self::split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};

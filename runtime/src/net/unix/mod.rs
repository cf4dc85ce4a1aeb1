//! Unix sockets: their addresses, credentials, and the halves of a stream. Streams and
//! listeners are in [`net`](crate::net).
#![forbid(unsafe_code)]

pub(super) mod datagram;
pub(super) mod listener;
pub mod pipe;
pub(super) mod socket;
mod socketaddr;
mod split;
mod split_owned;
pub(super) mod stream;
mod ucred;

pub use self::socketaddr::SocketAddr;
pub use self::split::{ReadHalf, WriteHalf};
pub use self::split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
pub use self::ucred::UCred;

/// A user's number.
#[allow(non_camel_case_types, reason = "the C name")]
pub type uid_t = u32;

/// A group's number.
#[allow(non_camel_case_types, reason = "the C name")]
pub type gid_t = u32;

/// A process' number.
#[allow(non_camel_case_types, reason = "the C name")]
pub type pid_t = i32;

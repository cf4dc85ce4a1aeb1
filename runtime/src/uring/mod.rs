//! The ring itself: operations that own their buffers, and multishot ones.
//!
//! Each takes a buffer that is [`IoBuf`] or [`IoBufMut`] and gives it back with the result, also
//! on error. In between the kernel reads or writes that very memory: nothing is copied.
//!
//! They work on the same types as tokio's API, beside it: bytes that a dropped [`recv`] brought
//! are what the next `read` of the stream yields, and a `write` waits for a send in flight. Each
//! direction of a socket has room for one operation until its result is taken, so a future that
//! is kept and not polled keeps the next one waiting.
//!
//! # Cancel safety
//!
//! Dropping the future of an operation asks the kernel to cancel it and waits for nothing; the
//! buffer is freed when the kernel has let go of it. What has happened by then is never lost in
//! silence: see each operation.

#![forbid(unsafe_code)]

pub(crate) mod backlog;
mod file;
mod incoming;
pub(crate) mod lanes;
mod recv;
mod send;
mod send_zc;
mod socket;

pub use self::file::{read_at, write_at};
pub use self::incoming::Incoming;
pub use self::recv::recv;
pub use self::send::send;
pub use self::send_zc::{ZcBuf, send_zc};
pub use self::socket::AsSocket;
pub use crate::buf::{IoBuf, IoBufMut, Slice};

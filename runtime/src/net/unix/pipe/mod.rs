//! Pipes, with and without a name in the file system.
//!
//! Data moves by inline calls that do not block; a standing POLL_ADD operation says when one is
//! worth making. A write to a pipe that nobody reads any more raises SIGPIPE, which Rust's
//! programs ignore from their start: the write then fails with `BrokenPipe`.
#![forbid(unsafe_code)]

mod end;
mod open_options;
mod receiver;
mod sender;

pub use self::open_options::OpenOptions;
pub use self::receiver::Receiver;
pub use self::sender::Sender;

use std::io;

use crate::reactor::Home;
use crate::runtime::Driver;

/// Makes a pipe: what is written to the sender is read from the receiver.
///
/// ```
/// use annulus::io::{AsyncReadExt, AsyncWriteExt};
/// use annulus::net::unix::pipe;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (mut sender, mut receiver) = pipe::pipe()?;
/// sender.write_all(b"hello").await?;
/// drop(sender);
/// let mut text = String::new();
/// receiver.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
///
/// # Errors
///
/// Those of pipe2(2): EMFILE, ENFILE.
///
/// # Panics
///
/// Outside the context of a runtime.
#[track_caller]
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (reading, writing) = Home::current_with(Driver::Io).kernel().pipe()?;
    Ok((Sender::new(writing), Receiver::new(reading)))
}

//! Traits, helpers and types of asynchronous input and output.
//!
//! The traits, and everything that is built on them alone, are tokio's own types: what is
//! written against `tokio::io` fits without an adapter.

mod homes;
mod interest;
pub(crate) mod polled;
pub(crate) mod readiness;
mod ready;
pub(crate) mod registration;
mod stderr;
mod stdin;
mod stdio;
mod stdout;
pub(crate) mod told;
pub mod unix;
pub(crate) mod waiters;

pub use self::interest::Interest;
pub use self::ready::Ready;
pub use self::stderr::{Stderr, stderr};
pub use self::stdin::{Stdin, stdin};
pub use self::stdout::{Stdout, stdout};

pub use real::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufStream, BufWriter, Chain, DuplexStream, Empty, Join, Lines,
    ReadBuf, ReadHalf, Repeat, SimplexStream, Sink, Split, Take, WriteHalf, copy,
    copy_bidirectional, copy_bidirectional_with_sizes, copy_buf, duplex, empty, join, repeat,
    simplex, sink, split,
};
pub use std::io::{Error, ErrorKind, Result, SeekFrom};

//! Reads and writes of a file at a position.

#![forbid(unsafe_code)]

use std::io;

use crate::buf::{IoBuf, IoBufMut};
use crate::fs::File;

/// Reads into `buf` from `offset` bytes into the file, as pread(2): [`File::read_at`] says what
/// is to be said.
///
/// # Errors
///
/// As pread(2).
///
/// # Cancel safety
///
/// Dropped, the buffer is freed when the kernel has let go of it.
///
/// # Examples
///
/// ```no_run
/// # async fn example(file: annulus::fs::File) -> std::io::Result<()> {
/// let (n, block) = annulus::uring::read_at(&file, Vec::with_capacity(4096), 8192).await;
/// assert_eq!(n?, block.len());
/// # Ok(())
/// # }
/// ```
pub async fn read_at<B: IoBufMut>(file: &File, buf: B, offset: u64) -> (io::Result<usize>, B) {
    file.read_at(buf, offset).await
}

/// Writes `buf` from `offset` bytes into the file on, as pwrite(2): [`File::write_at`] says what
/// is to be said.
///
/// # Errors
///
/// As pwrite(2).
///
/// # Cancel safety
///
/// Dropped, any part of the buffer may have been written or may still be.
pub async fn write_at<B: IoBuf>(file: &File, buf: B, offset: u64) -> (io::Result<usize>, B) {
    file.write_at(buf, offset).await
}

//! Reads and writes of a file at a position, with owned buffers.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;

use super::{File, on_ring};
use crate::buf::{IoBuf, IoBufMut};
use crate::op::read::Read;
use crate::op::write::Write;

impl File {
    /// Reads into `buf` from `offset` bytes into the file, as pread(2); the cursor stays.
    ///
    /// Gives the number of bytes read, fewer than the capacity also before the end of the file,
    /// and 0 at its end; and the buffer, also on error. See [`IoBufMut::set_init`] for what
    /// becomes of the buffer's length.
    ///
    /// # Errors
    ///
    /// As pread(2): InvalidInput for an offset past `i64::MAX`, `ESPIPE` for a pipe.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the buffer is freed when the kernel has let go of it. The file is not changed.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(file: annulus::fs::File) -> std::io::Result<()> {
    /// let (n, block) = file.read_at(Vec::with_capacity(4096), 8192).await;
    /// assert_eq!(n?, block.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> (io::Result<usize>, B) {
        if let Err(error) = check_offset(offset) {
            return (Err(error), buf);
        }
        on_ring(Read::new(Arc::clone(&self.std), buf, usize::MAX, offset)).await
    }

    /// Writes `buf` from `offset` bytes into the file on, as pwrite(2); the cursor stays.
    ///
    /// Gives the number of bytes written, which may be fewer than the buffer holds, and the
    /// buffer, also on error. A file that was opened for appending is appended to.
    ///
    /// # Errors
    ///
    /// As pwrite(2): InvalidInput for an offset past `i64::MAX`, StorageFull, `ESPIPE` for a pipe.
    ///
    /// # Cancel safety
    ///
    /// Dropped, any part of the buffer may have been written or may still be; the buffer is freed
    /// when the kernel has let go of it.
    pub async fn write_at<B: IoBuf>(&self, buf: B, offset: u64) -> (io::Result<usize>, B) {
        if let Err(error) = check_offset(offset) {
            return (Err(error), buf);
        }
        on_ring(Write::new(Arc::clone(&self.std), buf, offset)).await
    }
}

/// The ring takes the largest offset for the cursor, where pread(2) refuses it.
fn check_offset(offset: u64) -> io::Result<()> {
    match i64::try_from(offset) {
        Ok(_) => Ok(()),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "an offset past i64::MAX",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_that_the_ring_would_take_for_the_cursor_is_refused() {
        assert!(check_offset(i64::MAX as u64).is_ok());
        assert!(check_offset(u64::MAX).is_err());
    }
}

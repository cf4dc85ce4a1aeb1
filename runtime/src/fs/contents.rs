//! Whole files, read and written at once.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use annulus_ring::CURRENT_POSITION;

use super::{on_ring, ring_path};
use crate::buf::IoBufMut;
use crate::op::open_at::OpenAt;
use crate::op::read::Read;
use crate::op::write_all::WriteAll;

/// How much more is asked for when a file turns out to be longer than it said: 32 KiB.
const PROBE_BYTES: usize = 32 * 1024;

/// Reads a whole file.
///
/// # Errors
///
/// As openat(2) and read(2); OutOfMemory for a file that does not fit.
///
/// # Cancel safety
///
/// Nothing is lost; the file is not changed.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let bytes = annulus::fs::read("/etc/hostname").await?;
/// # Ok(())
/// # }
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    read_path(path.as_ref()).await
}

/// Reads a whole file that holds UTF-8.
///
/// # Errors
///
/// As [`read`]; InvalidData if it is not UTF-8.
///
/// # Cancel safety
///
/// Nothing is lost; the file is not changed.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = read_path(path.as_ref()).await?;
    String::from_utf8(bytes).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "stream did not contain valid UTF-8",
        )
    })
}

/// Writes a file, made if it was not there and emptied if it was. The contents are copied first.
///
/// # Errors
///
/// As openat(2) and write(2): StorageFull, and so on; the file may then hold a part.
///
/// # Cancel safety
///
/// Dropped, the file may be unchanged, empty, or whole; once the write has begun, it is finished.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// annulus::fs::write("greeting", "hello").await?;
/// # Ok(())
/// # }
/// ```
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let bytes = contents.as_ref().to_vec();
    drop(contents);
    let flags = os::O_WRONLY | os::O_CREAT | os::O_TRUNC;
    let file = open(path.as_ref(), flags).await?;
    if bytes.is_empty() {
        return Ok(());
    }
    on_ring(WriteAll::new(file, bytes)).await.0
}

async fn open(path: &Path, flags: i32) -> io::Result<Arc<File>> {
    let fd = on_ring(OpenAt::new(ring_path(path)?, flags, 0o666)).await?;
    Ok(Arc::new(File::from(fd)))
}

async fn read_path(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path, os::O_RDONLY).await?;
    // A file of /proc says that it is empty, and one that grows says too little: the length is
    // only where to begin. One byte more, so that the end is found without growing.
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len.saturating_add(1))?;
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.try_reserve(PROBE_BYTES)?;
        }
        let filled = bytes.len();
        let rest = bytes.slice_mut(filled..);
        let read = Read::new(Arc::clone(&file), rest, usize::MAX, CURRENT_POSITION);
        let (result, rest) = on_ring(read).await;
        bytes = rest.into_inner();
        if result? == 0 {
            return Ok(bytes);
        }
    }
}

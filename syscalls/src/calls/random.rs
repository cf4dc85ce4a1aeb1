//! Randomness.

use crate::{Errno, nr, syscall3};

/// `getrandom`(2): fills up to `buf.len()` bytes; returns how many. Up to 256 bytes come whole.
///
/// # Errors
/// EINTR; EAGAIN with `GRND_NONBLOCK` early at boot; EINVAL for unknown flags.
pub fn getrandom(buf: &mut [u8], flags: u32) -> Result<usize, Errno> {
    let address = buf.as_mut_ptr().expose_provenance();
    // SAFETY: `buf` is exclusively borrowed for the call, which writes no more than its length.
    let ret = unsafe { syscall3(nr::GETRANDOM, address, buf.len(), flags as usize) };
    Errno::check(ret)
}

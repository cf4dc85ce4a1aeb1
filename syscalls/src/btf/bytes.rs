//! Reads that end in an error where the bytes do, and never overflow.

use super::BtfError;

/// The bytes `start..start + len`.
pub(super) fn slice(bytes: &[u8], start: usize, len: usize) -> Result<&[u8], BtfError> {
    let end = start.saturating_add(len);
    bytes.get(start..end).ok_or(BtfError::Truncated { end })
}

/// The `N` bytes from `start`.
fn array<const N: usize>(bytes: &[u8], start: usize) -> Result<[u8; N], BtfError> {
    let found = slice(bytes, start, N)?;
    Ok(found.try_into().expect("as long as was asked for"))
}

/// The byte at `start`.
pub(super) fn read_u8(bytes: &[u8], start: usize) -> Result<u8, BtfError> {
    array::<1>(bytes, start).map(|[byte]| byte)
}

/// The 16-bit number at `start`, in our byte order.
pub(super) fn read_u16(bytes: &[u8], start: usize) -> Result<u16, BtfError> {
    array(bytes, start).map(u16::from_ne_bytes)
}

/// The 32-bit number at `start`, in our byte order.
pub(super) fn read_u32(bytes: &[u8], start: usize) -> Result<u32, BtfError> {
    array(bytes, start).map(u32::from_ne_bytes)
}

/// The word `index` of one element, whose size was checked when it was cut out.
pub(super) fn word(element: &[u8], index: usize) -> u32 {
    read_u32(element, index * 4).expect("within the element's size")
}

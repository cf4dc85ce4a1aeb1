//! Buffers that may be lent to the kernel.
//!
//! An operation on the ring outlives the future that started it: a dropped future leaves a buffer
//! that the kernel still reads or writes. So an operation owns its buffer, and what it may own is
//! said by two unsafe traits: memory that stays where it is when the buffer moves, that is there
//! for as long as the buffer is, and that nobody else changes.
//!
//! ```text
//!   ptr                init_len            capacity
//!    |-- initialised -----|-- not yet ---------|
//!    |<---- IoBuf ------->|                    |
//!    |<-------------- IoBufMut --------------->|
//! ```

mod impls;

use real::io::ReadBuf;
use std::fmt;
use std::mem::MaybeUninit;
use std::ops::{Bound, Deref, RangeBounds};

/// The most bytes that Linux moves in one read or write (`MAX_RW_COUNT` with pages of 4 KiB).
const TRANSFER_MAX_BYTES: usize = 0x7fff_f000;

/// Memory that the kernel may read while an operation owns it.
///
/// Implemented for `Vec<u8>`, `Box<[u8]>`, `String`, `Arc<[u8]>`, `&'static [u8]`,
/// `&'static str`, `Bytes` and `BytesMut` of the crate `bytes`, and a [`Slice`] of any of them.
///
/// # Safety
///
/// As long as the value is neither dropped nor changed through a `&mut` to it, and wherever it is
/// moved to:
/// - [`ptr`](IoBuf::ptr) gives the same address, valid for reads of
///   [`init_len`](IoBuf::init_len) bytes, all of them initialised;
/// - nobody writes to those bytes, not through another handle to the same memory either.
///
/// The methods do not panic: the reactor calls them where it cannot unwind.
///
/// So an array is no buffer (it moves with its bytes), nor is a small-vector type.
pub unsafe trait IoBuf: Send + 'static {
    /// Where the buffer begins.
    fn ptr(&self) -> *const u8;

    /// How many bytes from [`ptr`](IoBuf::ptr) on are initialised.
    fn init_len(&self) -> usize;

    /// An empty buffer, to give back with the error where a ring that failed for good keeps the
    /// one that was lent to it. Without one (`None`, unless a type says otherwise) the future of
    /// such an operation never ends.
    fn stand_in() -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// The part of the initialised bytes that `range` names, as a buffer of its own.
    ///
    /// [`Slice::into_inner`] gives the whole buffer back.
    ///
    /// # Panics
    ///
    /// If the range does not lie within the initialised bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use annulus::uring::IoBuf;
    ///
    /// let tail = Vec::from("hello world").slice(6..);
    /// assert_eq!(&tail[..], b"world");
    /// assert_eq!(tail.into_inner(), b"hello world");
    /// ```
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        let (begin, end) = bounds(range, self.init_len());
        assert!(
            begin <= end && end <= self.init_len(),
            "slice {begin}..{end} of a buffer with {} initialised bytes",
            self.init_len()
        );
        Slice {
            buf: self,
            begin,
            end,
        }
    }
}

/// Memory that the kernel may write while an operation owns it.
///
/// Implemented for `Vec<u8>`, `Box<[u8]>`, `BytesMut` of the crate `bytes`, and a [`Slice`] of any
/// of them.
///
/// # Safety
///
/// Besides what [`IoBuf`] asks for: [`ptr_mut`](IoBufMut::ptr_mut) is the address that
/// [`ptr`](IoBuf::ptr) gives, valid for reads and writes of [`capacity`](IoBufMut::capacity)
/// bytes, and nobody else reads or writes them. The capacity is at least the initialised length.
pub unsafe trait IoBufMut: IoBuf {
    /// Where the buffer begins.
    fn ptr_mut(&mut self) -> *mut u8;

    /// How many bytes from [`ptr_mut`](IoBufMut::ptr_mut) on may be written.
    fn capacity(&self) -> usize;

    /// Says that an operation has filled the first `len` bytes.
    ///
    /// A `Vec<u8>` or `BytesMut` gets this length, longer or shorter than before; a `Box<[u8]>` keeps
    /// its own.
    ///
    /// # Safety
    ///
    /// The first `len` bytes are initialised, and `len` is at most the capacity.
    unsafe fn set_init(&mut self, len: usize);

    /// The part of the buffer that `range` names, as a buffer of its own; it may reach beyond the
    /// initialised bytes.
    ///
    /// # Panics
    ///
    /// If the range begins behind the initialised bytes or ends behind the capacity.
    ///
    /// # Examples
    ///
    /// ```
    /// use annulus::uring::{IoBuf, IoBufMut};
    ///
    /// let mut buf = Vec::with_capacity(16);
    /// buf.extend_from_slice(b"head");
    /// let rest = buf.slice_mut(4..16);
    /// assert_eq!((rest.init_len(), rest.capacity()), (0, 12));
    /// ```
    fn slice_mut(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        let (begin, end) = bounds(range, self.capacity());
        assert!(
            begin <= end && begin <= self.init_len() && end <= self.capacity(),
            "slice {begin}..{end} of a buffer with {} initialised bytes and room for {}",
            self.init_len(),
            self.capacity()
        );
        Slice {
            buf: self,
            begin,
            end,
        }
    }
}

/// A part of a buffer; made by [`IoBuf::slice`] and [`IoBufMut::slice_mut`].
///
/// An operation that fills a slice leaves what lies in front of it and behind it as it was: the
/// length of a `Vec<u8>` changes only if the slice reached the end of its initialised bytes.
pub struct Slice<B> {
    buf: B,
    begin: usize,
    end: usize,
}

impl<B> Slice<B> {
    /// The whole buffer.
    pub fn into_inner(self) -> B {
        self.buf
    }

    /// The whole buffer, by reference.
    pub fn get_ref(&self) -> &B {
        &self.buf
    }

    /// Where the slice begins in the buffer, in bytes.
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// Where the slice ends in the buffer, in bytes.
    pub fn end(&self) -> usize {
        self.end
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        bytes_of(self)
    }
}

impl<B: IoBuf> fmt::Debug for Slice<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice")
            .field("begin", &self.begin)
            .field("end", &self.end)
            .finish()
    }
}

// SAFETY: a part of memory that the inner buffer's `IoBuf` promises for: the bounds were checked
// when the slice was made, and nothing but `set_init` of the slice changes the buffer after.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn ptr(&self) -> *const u8 {
        // SAFETY: `begin` is at most the initialised length, so this stays within the buffer, or
        // one past its end.
        unsafe { self.buf.ptr().add(self.begin) }
    }

    fn init_len(&self) -> usize {
        self.buf.init_len().min(self.end).saturating_sub(self.begin)
    }

    fn stand_in() -> Option<Self> {
        B::stand_in().map(|buf| Slice {
            buf,
            begin: 0,
            end: 0,
        })
    }
}

// SAFETY: as above; `end` was at most the capacity, which does not shrink.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn ptr_mut(&mut self) -> *mut u8 {
        // SAFETY: as in `ptr`.
        unsafe { self.buf.ptr_mut().add(self.begin) }
    }

    fn capacity(&self) -> usize {
        self.end - self.begin
    }

    unsafe fn set_init(&mut self, len: usize) {
        // Bytes behind the slice are still there, so the length that counts them stays.
        if self.buf.init_len() <= self.end {
            // SAFETY: the bytes in front of `begin` were initialised when the slice was made, the
            // caller promises the next `len`, and `begin + len <= end`, which is in the capacity.
            unsafe { self.buf.set_init(self.begin + len) };
        }
    }
}

/// A buffer in an operation, with its address and length as they were when it came in, so that
/// filling an SQE runs no code of the buffer's type.
pub(crate) struct Lent<B> {
    buf: B,
    ptr: *mut u8,
    len: u32,
}

// SAFETY: the pointer leads into `buf`, which is Send; whoever has the one has the other. The bound
// is not `IoBuf`, which for a `&'static str` the compiler cannot prove of a future's insides.
unsafe impl<B: Send> Send for Lent<B> {}
// SAFETY: through a shared reference the pointer can be seen, but not read through: that is for the
// operation, which has the value to itself.
unsafe impl<B: Sync> Sync for Lent<B> {}

impl<B: IoBuf> Lent<B> {
    /// For an operation that reads the initialised bytes, at most 2 GiB of them.
    pub(crate) fn source(buf: B) -> Lent<B> {
        let ptr = buf.ptr().cast_mut();
        let len = buf.init_len().min(TRANSFER_MAX_BYTES) as u32;
        Lent { buf, ptr, len }
    }

    /// Where the bytes are. For a `source`, only to be read.
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// How many bytes were lent.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// The buffer, when the kernel is done with it.
    pub(crate) fn into_inner(self) -> B {
        self.buf
    }
}

impl<B: IoBufMut> Lent<B> {
    /// For an operation that fills the buffer, with `limit` bytes at most.
    pub(crate) fn target(mut buf: B, limit: usize) -> Lent<B> {
        let ptr = buf.ptr_mut();
        let len = buf.capacity().min(limit).min(TRANSFER_MAX_BYTES) as u32;
        Lent { buf, ptr, len }
    }

    /// The buffer, of which an operation has filled `filled` bytes.
    ///
    /// # Safety
    ///
    /// The kernel has written the first `filled` bytes.
    pub(crate) unsafe fn into_filled(mut self, filled: u32) -> B {
        assert!(
            filled <= self.len,
            "the kernel reported {filled} of {} bytes",
            self.len
        );
        // SAFETY: the caller's promise; `len` was at most the capacity.
        unsafe { self.buf.set_init(filled as usize) };
        self.buf
    }
}

/// The initialised bytes.
pub(crate) fn bytes_of<B: IoBuf>(buf: &B) -> &[u8] {
    // SAFETY: `IoBuf` promises that this many bytes from the pointer on are initialised, and that
    // nobody writes to them while the buffer is only borrowed.
    unsafe { std::slice::from_raw_parts(buf.ptr(), buf.init_len()) }
}

/// Lets `fill` put bytes into the buffer, without the kernel. The buffer then holds these, unless
/// there are none.
///
/// # Panics
///
/// If `fill` puts another buffer in the place of the one that it was given.
pub(crate) fn fill_with<B: IoBufMut, R>(
    buf: &mut B,
    fill: impl FnOnce(&mut ReadBuf<'_>) -> R,
) -> R {
    let (ptr, len) = (buf.ptr_mut(), buf.capacity());
    // SAFETY: `IoBufMut` promises that the memory is valid for this many bytes and nobody else's.
    let memory = unsafe { std::slice::from_raw_parts_mut(ptr.cast::<MaybeUninit<u8>>(), len) };
    let mut dst = ReadBuf::uninit(memory);
    let result = fill(&mut dst);
    let filled = dst.filled();
    assert!(
        std::ptr::eq(filled.as_ptr(), ptr),
        "the buffer was replaced"
    );
    let filled = filled.len();
    if filled > 0 {
        // SAFETY: the filled part of a ReadBuf is initialised, and this one is over the buffer's
        // own memory, as was just checked.
        unsafe { buf.set_init(filled) };
    }
    result
}

/// The half-open range that `range` names in something of `len` bytes.
fn bounds(range: impl RangeBounds<usize>, len: usize) -> (usize, usize) {
    let begin = match range.start_bound() {
        Bound::Included(&begin) => begin,
        Bound::Excluded(&before) => before
            .checked_add(1)
            .expect("the range begins past usize::MAX"),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(&last) => last.checked_add(1).expect("the range ends past usize::MAX"),
        Bound::Excluded(&end) => end,
        Bound::Unbounded => len,
    };
    (begin, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does what a kernel does: writes the first bytes of what was lent.
    fn fill<B: IoBufMut>(buf: B, limit: usize, bytes: &[u8]) -> B {
        let lent = Lent::target(buf, limit);
        let filled = bytes.len().min(lent.len() as usize);
        // SAFETY: `lent` is valid for writes of its length, and nobody else has it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), lent.ptr(), filled) };
        // SAFETY: written just above.
        unsafe { lent.into_filled(filled as u32) }
    }

    #[test]
    fn a_vec_takes_the_length_of_what_was_read() {
        assert_eq!(fill(Vec::with_capacity(8), 8, b"abc"), b"abc");
        assert_eq!(fill(vec![b'x'; 8], 8, b"abc"), b"abc");
        assert_eq!(fill(vec![b'x'; 8], 2, b"abc"), b"ab");
    }

    #[test]
    fn a_box_keeps_its_length() {
        let boxed: Box<[u8]> = vec![b'x'; 4].into();
        assert_eq!(&*fill(boxed, 4, b"ab"), b"abxx");
    }

    #[test]
    fn a_slice_in_the_middle_leaves_what_lies_around_it() {
        let slice = Vec::from("0123456789").slice_mut(2..6);
        assert_eq!(fill(slice, 8, b"ab").into_inner(), b"01ab456789");
    }

    #[test]
    fn a_slice_at_the_end_sets_the_length() {
        let mut buf = Vec::with_capacity(16);
        buf.extend_from_slice(b"head");
        assert_eq!(
            fill(buf.slice_mut(4..), 16, b"tail").into_inner(),
            b"headtail"
        );
        assert_eq!(
            fill(Vec::from("0123").slice_mut(2..), 8, b"a").into_inner(),
            b"01a"
        );
    }

    #[test]
    fn a_slice_of_a_slice_counts_from_the_first() {
        let inner = "hello world".slice(6..).slice(1..=2);
        assert_eq!(&inner[..], b"or");
        assert_eq!((inner.begin(), inner.end()), (1, 3));
    }

    #[test]
    fn what_is_put_in_without_the_kernel_counts_too() {
        let mut buf = vec![b'x'; 4];
        fill_with(&mut buf, |_| ());
        assert_eq!(buf, b"xxxx");
        fill_with(&mut buf, |dst| dst.put_slice(b"ab"));
        assert_eq!(buf, b"ab");
    }

    #[test]
    #[should_panic(expected = "slice 2..9 of a buffer with 4 initialised bytes")]
    fn a_slice_outside_the_bytes_is_refused() {
        let _ = "four".slice(2..9);
    }

    #[test]
    #[should_panic(expected = "the kernel reported 9 of 8 bytes")]
    fn more_bytes_than_were_lent_are_never_believed() {
        let lent = Lent::target(vec![0; 8], 8);
        // SAFETY: refused before anything is believed.
        let _ = unsafe { lent.into_filled(9) };
    }
}

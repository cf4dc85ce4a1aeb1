//! The types of std, and of the crate `bytes`, that are buffers.

use std::sync::Arc;

use buffers::{Bytes, BytesMut};

use super::{IoBuf, IoBufMut};

// SAFETY: the heap block of a Vec stays where it is until the Vec is changed or dropped, and a
// Vec is its only owner.
unsafe impl IoBuf for Vec<u8> {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(Vec::new())
    }
}

// SAFETY: as above; the block is `capacity` bytes long.
unsafe impl IoBufMut for Vec<u8> {
    fn ptr_mut(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn capacity(&self) -> usize {
        Vec::capacity(self)
    }

    unsafe fn set_init(&mut self, len: usize) {
        // SAFETY: the caller promises that `len` bytes are initialised and within the capacity.
        unsafe { self.set_len(len) };
    }
}

// SAFETY: a box is the only owner of its heap block, which does not move with it.
unsafe impl IoBuf for Box<[u8]> {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(Box::default())
    }
}

// SAFETY: as above; a boxed slice is initialised to its whole length.
unsafe impl IoBufMut for Box<[u8]> {
    fn ptr_mut(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn capacity(&self) -> usize {
        self.len()
    }

    unsafe fn set_init(&mut self, _len: usize) {}
}

// SAFETY: as for Vec<u8>. Not IoBufMut: the kernel might write what is not UTF-8.
unsafe impl IoBuf for String {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(String::new())
    }
}

// SAFETY: the bytes of an Arc are shared, so nobody can write them, and this Arc keeps them.
unsafe impl IoBuf for Arc<[u8]> {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(Arc::default())
    }
}

// SAFETY: borrowed for ever, hence never written and never freed.
unsafe impl IoBuf for &'static [u8] {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(&[])
    }
}

// SAFETY: borrowed for ever, hence never written and never freed.
unsafe impl IoBuf for &'static str {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some("")
    }
}

// SAFETY: the bytes are shared, so nobody can write them, and they stay where they are for as long
// as this handle is there.
unsafe impl IoBuf for Bytes {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(Bytes::new())
    }
}

// SAFETY: a BytesMut has its part of the memory to itself, on the heap, until it is changed or
// dropped.
unsafe impl IoBuf for BytesMut {
    fn ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.len()
    }

    fn stand_in() -> Option<Self> {
        Some(BytesMut::new())
    }
}

// SAFETY: as above; its part is `capacity` bytes long.
unsafe impl IoBufMut for BytesMut {
    fn ptr_mut(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn capacity(&self) -> usize {
        BytesMut::capacity(self)
    }

    unsafe fn set_init(&mut self, len: usize) {
        // SAFETY: the caller promises that `len` bytes are initialised and within the capacity.
        unsafe { self.set_len(len) };
    }
}

//! Memory that a buffer names, and its owner still has: the mistake that a simulation catches.

use std::ptr::NonNull;

use annulus::uring::{IoBuf, IoBufMut};

/// A block that a buffer names and somebody else has as well: what `IoBuf` forbids.
#[derive(Clone, Copy, Debug)]
pub struct Shared(NonNull<u8>, usize);

// SAFETY: it is an address; what is wrong with it is what the tests are about.
unsafe impl Send for Shared {}

// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// So many bytes from an address on.
    #[must_use]
    pub fn new(start: NonNull<u8>, len: usize) -> Shared {
        Shared(start, len)
    }

    /// What a vector has.
    #[must_use]
    pub fn of(bytes: &mut Vec<u8>) -> Shared {
        let start = NonNull::from(bytes.as_mut_slice()).cast();
        Shared(start, bytes.len())
    }

    /// The first byte, read now.
    ///
    /// # Safety
    ///
    /// The block is there.
    #[must_use]
    pub unsafe fn first(self) -> u8 {
        // SAFETY: promised by the caller.
        unsafe { self.0.as_ptr().read_volatile() }
    }
}

// SAFETY: not kept, on purpose: others have the memory too.
unsafe impl IoBuf for Shared {
    fn ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    fn init_len(&self) -> usize {
        self.1
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Shared {
    fn ptr_mut(&mut self) -> *mut u8 {
        self.0.as_ptr()
    }

    fn capacity(&self) -> usize {
        self.1
    }

    unsafe fn set_init(&mut self, _len: usize) {}
}

//! An allocator that tells a simulation of memory that was freed, or moved, while it was lent.

use std::alloc::{GlobalAlloc, Layout, System};

use annulus_ring::kernel::{Act, freed_while_lent};

/// Another allocator, the system's by default, but that memory stays where it is as long as a
/// simulated operation has it: who frees or reallocates it then fails the simulation, and the
/// block is kept for good.
///
/// A test program installs it; nothing else has to be done:
///
/// ```
/// #[global_allocator]
/// static ALLOC: annulus::sim::Alloc = annulus::sim::Alloc::new();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Alloc<A = System>(A);

impl Alloc {
    /// Over the system's allocator.
    #[must_use]
    pub const fn new() -> Alloc {
        Alloc(System)
    }
}

impl<A> Alloc<A> {
    /// Over another one.
    #[must_use]
    pub const fn over(inner: A) -> Alloc<A> {
        Alloc(inner)
    }

    /// The one that it is over.
    #[must_use]
    pub const fn inner(&self) -> &A {
        &self.0
    }
}

// SAFETY: blocks are those of the allocator inside, which is asked with what this one is asked; a
// block that is not given back to it stays valid.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Alloc<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: promised by the caller.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: promised by the caller.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if !freed_while_lent(start, layout.size(), Act::Freed) {
            // SAFETY: promised by the caller.
            unsafe { self.0.dealloc(start, layout) }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size_bytes: usize) -> *mut u8 {
        if !freed_while_lent(start, layout.size(), Act::Moved) {
            // SAFETY: promised by the caller.
            return unsafe { self.0.realloc(start, layout, size_bytes) };
        }
        // SAFETY: promised by the caller: the size is not 0 and does not overflow.
        let layout = unsafe { Layout::from_size_align_unchecked(size_bytes, layout.align()) };
        // SAFETY: as above.
        let fresh = unsafe { self.0.alloc(layout) };
        if !fresh.is_null() {
            // SAFETY: both blocks are as long as the shorter one, and differ.
            unsafe { fresh.copy_from_nonoverlapping(start, layout.size().min(size_bytes)) };
        }
        fresh
    }
}

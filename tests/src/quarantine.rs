//! An allocator that sees writes into freed memory, the kernel's included.
//!
//! A freed block is filled with a pattern and kept; whoever writes into it later changes the
//! pattern. Neither AddressSanitizer nor valgrind sees a write that the kernel makes.
//!
//! ```text
//!     | slack to the alignment | Header | the user's block, filled once freed |
//!     ^ base, from the system            ^ aligned as asked
//! ```
//!
//! The header stands in front of the block and links the freed ones, oldest first. A block of a
//! page or more is aligned to a page, so that any large `Vec<u8>` will do for O_DIRECT.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

const PATTERN: u8 = 0xdb;
const PAGE_BYTES: usize = 4096;

/// Stands directly in front of every block.
struct Header {
    /// The block freed after this one.
    next: *mut Header,
    /// What the user asked for.
    size_bytes: usize,
    /// The alignment that the base was given.
    align: usize,
}

const HEADER_BYTES: usize = size_of::<Header>();
const HEADER_ALIGN: usize = 32;
/// What malloc aligns to; more takes a slower way.
const MALLOC_ALIGN: usize = 16;
const _: () = assert!(HEADER_BYTES <= HEADER_ALIGN);

/// The freed blocks, oldest first.
struct Freed {
    oldest: *mut Header,
    newest: *mut Header,
    blocks: usize,
    bytes: usize,
    /// Blocks found changed when they left.
    changed: usize,
}

// SAFETY: the headers are owned by the queue, and reached only under its mutex.
unsafe impl Send for Freed {}

/// A [`GlobalAlloc`] that keeps freed blocks and checks them; a test file installs it as its
/// `#[global_allocator]`.
pub struct Quarantine {
    freed: Mutex<Freed>,
    bytes_max: usize,
}

impl Quarantine {
    /// Keeps at most `bytes_max` bytes of freed blocks (`usize::MAX`: all): above it the oldest
    /// leave, and are checked then.
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            freed: Mutex::new(Freed {
                oldest: ptr::null_mut(),
                newest: ptr::null_mut(),
                blocks: 0,
                bytes: 0,
                changed: 0,
            }),
            bytes_max,
        }
    }

    /// How many blocks were written to after they had been freed: those kept now, and those that
    /// have left.
    pub fn changed(&self) -> usize {
        let freed = self.lock();
        let mut changed = freed.changed;
        let mut header = freed.oldest;
        while !header.is_null() {
            // SAFETY: headers in the queue are alive until they leave it.
            changed += usize::from(unsafe { is_changed(header) });
            // SAFETY: as above.
            header = unsafe { (*header).next };
        }
        changed
    }

    /// How many freed blocks are kept now, and how many bytes they have.
    pub fn kept(&self) -> (usize, usize) {
        let freed = self.lock();
        (freed.blocks, freed.bytes)
    }

    fn lock(&self) -> MutexGuard<'_, Freed> {
        // Nothing under the lock allocates, so nothing comes back here.
        self.freed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SAFETY: a block lies behind its header inside memory of the system's allocator, at a multiple
// of its alignment from a base that is aligned so, and nobody else is given it until it is freed.
unsafe impl GlobalAlloc for Quarantine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((whole, front)) = with_header(layout.size(), layout.align()) else {
            return ptr::null_mut();
        };
        // SAFETY: the size is not zero, the header is in it.
        let base = unsafe { System.alloc(whole) };
        if base.is_null() {
            return base;
        }
        // SAFETY: `with_header` has put `front` bytes in front of the block.
        let block = unsafe { base.add(front) };
        let header = header_of(block);
        // SAFETY: the header lies in these bytes: HEADER_BYTES <= HEADER_ALIGN <= front.
        unsafe {
            header.write(Header {
                next: ptr::null_mut(),
                size_bytes: layout.size(),
                align: whole.align(),
            });
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller frees `size` bytes of its own.
        unsafe { block.write_bytes(PATTERN, layout.size()) };
        let header = header_of(block);
        let mut freed = self.lock();
        if freed.newest.is_null() {
            freed.oldest = header;
        } else {
            // SAFETY: a header in the queue is alive.
            unsafe { (*freed.newest).next = header };
        }
        freed.newest = header;
        freed.blocks += 1;
        freed.bytes += layout.size();
        while freed.bytes > self.bytes_max && freed.oldest != freed.newest {
            let leaving = freed.oldest;
            // SAFETY: a header in the queue is alive.
            freed.changed += usize::from(unsafe { is_changed(leaving) });
            // SAFETY: as above; it is read before the memory goes.
            let header = unsafe { leaving.read() };
            let (size_bytes, align) = (header.size_bytes, header.align);
            freed.oldest = header.next;
            freed.blocks -= 1;
            freed.bytes -= size_bytes;
            // The block stands HEADER_BYTES behind its header and `front` behind its base.
            let (whole, front) = with_header(size_bytes, align).expect("it was computed before");
            let block = leaving.cast::<u8>().wrapping_add(HEADER_BYTES);
            let base = block.wrapping_sub(front);
            // SAFETY: this is the block that `alloc` got, with the layout it asked for.
            unsafe { System.dealloc(base, whole) };
        }
    }
}

/// The layout of a block with its header, and how far behind its base the block stands.
fn with_header(size_bytes: usize, align: usize) -> Option<(Layout, usize)> {
    let least = if size_bytes >= PAGE_BYTES {
        PAGE_BYTES
    } else {
        MALLOC_ALIGN
    };
    let align = align.max(least);
    let front = align.max(HEADER_ALIGN);
    let whole = Layout::from_size_align(size_bytes.checked_add(front)?, align).ok()?;
    Some((whole, front))
}

fn header_of(block: *mut u8) -> *mut Header {
    block.wrapping_sub(HEADER_BYTES).cast()
}

/// # Safety
///
/// The header and its block are alive.
unsafe fn is_changed(header: *mut Header) -> bool {
    // SAFETY: the caller's promise.
    let size_bytes = unsafe { (*header).size_bytes };
    let block = header.cast::<u8>().wrapping_add(HEADER_BYTES);
    if size_bytes == 0 {
        return false;
    }
    // SAFETY: the block's first byte. Volatile, because the kernel may be the one who writes.
    if unsafe { block.read_volatile() } != PATTERN {
        return true;
    }
    let second = block.wrapping_add(1).cast();
    // Each byte equals the one before: one call, fast in a build without optimisation too.
    // SAFETY: both ranges lie inside the block.
    unsafe { libc::memcmp(block.cast(), second, size_bytes - 1) != 0 }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    const LAYOUT: Layout = Layout::new::<[u8; 100]>();

    #[test]
    fn a_write_into_a_freed_block_is_counted_while_it_is_kept_and_after() {
        let heap = Quarantine::new(300);
        // SAFETY: the size is not zero.
        let block = unsafe { heap.alloc(LAYOUT) };
        // SAFETY: allocated just now.
        unsafe { heap.dealloc(block, LAYOUT) };
        assert_eq!(heap.changed(), 0);
        // The kernel is the one who writes: a byte of zero, the block's last.
        let zero = std::fs::File::open("/dev/zero").expect("there are zeros");
        let last = block.wrapping_add(99).cast();
        // SAFETY: the memory is the quarantine's, which keeps it: 100 bytes are below its limit.
        let read = unsafe { libc::read(zero.as_raw_fd(), last, 1) };
        assert_eq!(read, 1);
        assert_eq!(heap.changed(), 1);
        assert_eq!(heap.kept(), (1, 100));
        for turn in 0..10 {
            // SAFETY: the size is not zero.
            let other = unsafe { heap.alloc(LAYOUT) };
            // It is kept until three others have been freed; then the system may give it again.
            assert!(turn >= 3 || other != block);
            // SAFETY: allocated just now.
            unsafe { heap.dealloc(other, LAYOUT) };
        }
        assert_eq!(heap.kept(), (3, 300));
        assert_eq!(heap.changed(), 1);
    }

    #[test]
    fn a_block_is_aligned_as_asked_and_a_large_one_to_a_page() {
        let heap = Quarantine::new(usize::MAX);
        for (size, align, expected) in [(1, 1, 1), (64, 64, 64), (4096, 1, 4096), (10, 8192, 8192)]
        {
            let layout = Layout::from_size_align(size, align).expect("powers of two");
            // SAFETY: the size is not zero.
            let block = unsafe { heap.alloc(layout) };
            assert_eq!(
                block.addr() % expected,
                0,
                "{size} bytes, aligned to {align}"
            );
            // SAFETY: allocated just now.
            unsafe { heap.dealloc(block, layout) };
        }
    }
}

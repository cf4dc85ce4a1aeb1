//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often an allocator was called, and for how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Calls of `alloc` and `alloc_zeroed`.
    pub allocs: u64,
    /// Calls of `realloc`.
    pub reallocs: u64,
    /// Calls of `dealloc`.
    pub deallocs: u64,
    /// Bytes asked for by the first two.
    pub bytes: u64,
}

impl Heap {
    const ZERO: Self = Self {
        allocs: 0,
        reallocs: 0,
        deallocs: 0,
        bytes: 0,
    };

    fn plus(self, other: Self) -> Self {
        Self {
            allocs: self.allocs + other.allocs,
            reallocs: self.reallocs + other.reallocs,
            deallocs: self.deallocs + other.deallocs,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Heap {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            allocs: self.allocs - before.allocs,
            reallocs: self.reallocs - before.reallocs,
            deallocs: self.deallocs - before.deallocs,
            bytes: self.bytes - before.bytes,
        }
    }
}

thread_local! {
    // Const and without drop: using it neither allocates nor registers a destructor.
    static MINE: Cell<Heap> = const { Cell::new(Heap::ZERO) };
}

/// The system's allocator, counted. A test file installs it:
///
/// ```
/// use annulus_tests::Counting;
///
/// #[global_allocator]
/// static HEAP: Counting = Counting::new();
///
/// let before = Counting::of_this_thread();
/// drop(Box::new(1));
/// let used = Counting::of_this_thread() - before;
/// assert_eq!((used.allocs, used.deallocs), (1, 1));
/// assert!(HEAP.of_all_threads().allocs > 0);
/// ```
#[derive(Debug, Default)]
pub struct Counting {
    allocs: AtomicU64,
    reallocs: AtomicU64,
    deallocs: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self {
            allocs: AtomicU64::new(0),
            reallocs: AtomicU64::new(0),
            deallocs: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// What the calling thread did so far.
    pub fn of_this_thread() -> Heap {
        MINE.get()
    }

    /// What all threads did so far.
    pub fn of_all_threads(&self) -> Heap {
        Heap {
            allocs: self.allocs.load(Ordering::Relaxed),
            reallocs: self.reallocs.load(Ordering::Relaxed),
            deallocs: self.deallocs.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    fn count(&self, step: Heap) {
        self.allocs.fetch_add(step.allocs, Ordering::Relaxed);
        self.reallocs.fetch_add(step.reallocs, Ordering::Relaxed);
        self.deallocs.fetch_add(step.deallocs, Ordering::Relaxed);
        self.bytes.fetch_add(step.bytes, Ordering::Relaxed);
        // A thread that is ending has no count any more.
        let _ = MINE.try_with(|mine| mine.set(mine.get().plus(step)));
    }
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count(Heap {
            allocs: 1,
            bytes: layout.size() as u64,
            ..Heap::ZERO
        });
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count(Heap {
            allocs: 1,
            bytes: layout.size() as u64,
            ..Heap::ZERO
        });
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count(Heap {
            reallocs: 1,
            bytes: size as u64,
            ..Heap::ZERO
        });
        // SAFETY: the caller's promise is the same.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.count(Heap {
            deallocs: 1,
            ..Heap::ZERO
        });
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(block, layout) }
    }
}

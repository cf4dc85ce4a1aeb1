//! Where cells live: append-only, address-stable pages by size class.
//!
//! A page is never given back while the home lives, so the address of a header is valid for as
//! long as somebody holds a reference to the home, and a cell is reused without allocation.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::Mutex;

use super::header::{Header, HeaderRef};

/// Bytes of body in each size class.
const BODY_SIZES: [usize; CLASSES] = [64, 128, 256, 512, 1024];
pub(super) const CLASSES: usize = 5;
/// The largest body there is a class for.
pub(super) const BODY_SIZE_MAX: usize = BODY_SIZES[CLASSES - 1];
pub(super) const BODY_ALIGN: usize = 16;
/// From the start of a cell to its body.
pub(super) const BODY_OFFSET: usize = size_of::<Header>().next_multiple_of(BODY_ALIGN);
const PAGE_SIZE_BYTES: usize = 16 * 1024;

const _: () = assert!(align_of::<Header>() <= BODY_ALIGN);

/// The smallest class with room for a body of `size` bytes.
pub(super) const fn class_of(size: usize) -> usize {
    let mut class = 0;
    while BODY_SIZES[class] < size {
        class += 1;
    }
    class
}

/// All pages of a home, and the free cells that threads other than its own may take.
pub(crate) struct Pages {
    shared: Mutex<Shared>,
}

struct Shared {
    pages: Vec<Page>,
    free: [Vec<HeaderRef>; CLASSES],
}

struct Page {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a page is memory that belongs to `Pages`; nothing is read or written through this
// pointer but by `Drop`, which has the pages to itself.
unsafe impl Send for Page {}

impl Pages {
    pub(crate) fn new() -> Pages {
        Pages {
            shared: Mutex::new(Shared {
                pages: Vec::new(),
                free: Default::default(),
            }),
        }
    }

    /// Adds a page of cells to the home's own free list.
    pub(super) fn grow(&self, class: usize, free: &mut Vec<HeaderRef>) {
        self.lock().grow(class, false, free);
    }

    /// Takes a cell from a thread that is not the home's.
    pub(super) fn take(&self, class: usize) -> HeaderRef {
        let mut shared = self.lock();
        if let Some(cell) = shared.free[class].pop() {
            return cell;
        }
        let mut free = std::mem::take(&mut shared.free[class]);
        shared.grow(class, true, &mut free);
        let cell = free.pop().expect("a page holds at least one cell");
        shared.free[class] = free;
        cell
    }

    /// Takes back a cell that [`Pages::take`] gave.
    pub(super) fn give_back(&self, cell: HeaderRef) {
        self.lock().free[usize::from(cell.class)].push(cell);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Shared {
    fn grow(&mut self, class: usize, foreign: bool, free: &mut Vec<HeaderRef>) {
        let stride = BODY_OFFSET + BODY_SIZES[class];
        let cells = PAGE_SIZE_BYTES / stride;
        let layout = Layout::from_size_align(cells * stride, BODY_ALIGN)
            .expect("a page is smaller than isize::MAX");
        // SAFETY: the layout's size is not zero, a page holds at least one cell of any class.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        for index in 0..cells {
            // SAFETY: `index * stride` lies within the page just allocated.
            let header = unsafe { start.add(index * stride) }.cast::<Header>();
            // SAFETY: the address is inside the page, and aligned: the page and the stride are
            // multiples of BODY_ALIGN, which is at least the header's own alignment.
            unsafe { header.write(Header::new(class as u8, foreign)) };
            free.push(HeaderRef(header));
        }
        self.pages.push(Page { start, layout });
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The headers' wakers were taken when their cells were emptied; a cell that is not empty
        // keeps the whole home alive (see `Home`), so that this never runs for it.
        for page in &self.pages {
            // SAFETY: allocated in `grow` with this very layout, and freed only here.
            unsafe { dealloc(page.start.as_ptr(), page.layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for size in 0..=BODY_SIZE_MAX {
            let class = class_of(size);
            assert!(BODY_SIZES[class] >= size);
            assert!(class == 0 || BODY_SIZES[class - 1] < size);
        }
    }

    #[test]
    fn cells_of_a_page_do_not_overlap() {
        let pages = Pages::new();
        for (class, body_size) in BODY_SIZES.into_iter().enumerate() {
            let mut free = Vec::new();
            pages.grow(class, &mut free);
            let mut starts: Vec<usize> = free.iter().map(|c| c.0.as_ptr().addr()).collect();
            starts.sort_unstable();
            let stride = BODY_OFFSET + body_size;
            assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= stride));
            assert!(starts.iter().all(|start| start % BODY_ALIGN == 0));
        }
    }

    #[test]
    fn a_cell_given_back_is_the_next_one_taken() {
        let pages = Pages::new();
        let cell = pages.take(0);
        pages.give_back(cell);
        assert_eq!(pages.take(0), cell);
    }
}

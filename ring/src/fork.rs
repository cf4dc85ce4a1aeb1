//! The fork word: how a child made by `fork` notices that its rings are its parent's.
//!
//! One page per process is marked MADV_WIPEONFORK: the child finds zeros where the parent wrote
//! its number. Rings remember the number they were made under, and compare it before they touch
//! anything shared. A child that makes a ring of its own writes a new number first, so the
//! inherited ones stay foreign to it.
//!
//! ```text
//!   word:   0 --first ring--> 1 --fork, in the child--> 0 --first ring--> 2
//! ```
//!
//! `vfork` and `posix_spawn` share the memory and wipe nothing; their children may only `exec`.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use annulus_syscalls::{Errno, calls};

const PROT_READ: u32 = 1;
const PROT_WRITE: u32 = 2;
const MAP_PRIVATE: u32 = 2;
const MAP_ANONYMOUS: u32 = 0x20;
const MADV_WIPEONFORK: u32 = 18;
/// The kernel rounds up to its page size, whatever that is.
const WORD_BYTES: usize = size_of::<AtomicU64>();

/// The process's word; null until the first ring. The page stays mapped for the process's life.
static WORD: AtomicPtr<AtomicU64> = AtomicPtr::new(core::ptr::null_mut());
/// The number that the next process in the line of descent takes. Copied by `fork`, not wiped.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The process that made something, to be compared with the one that uses it.
///
/// ```
/// use annulus_ring::Origin;
///
/// let origin = Origin::current()?;
/// assert!(!origin.is_forked());
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    word: &'static AtomicU64,
    number: u64,
}

impl Origin {
    /// The process that runs now.
    ///
    /// # Errors
    /// ENOMEM when the one page for the word cannot be mapped.
    pub fn current() -> Result<Origin, Errno> {
        let word = word()?;
        let mut number = word.load(Ordering::Relaxed);
        if number == 0 {
            let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
            number = match word.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                Err(other_thread) => other_thread,
            };
        }
        Ok(Origin { word, number })
    }

    /// Whether this is another process: a child that inherited what it looks at.
    #[inline]
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.word.load(Ordering::Relaxed) != self.number
    }

    /// EBADF in a child, which has no ring of its own here.
    ///
    /// # Errors
    /// EBADF if [`is_forked`](Origin::is_forked).
    #[inline]
    pub fn check(&self) -> Result<(), Errno> {
        if self.is_forked() {
            return Err(Errno::EBADF);
        }
        Ok(())
    }
}

/// The word, mapped by the first who asks.
fn word() -> Result<&'static AtomicU64, Errno> {
    let known = WORD.load(Ordering::Acquire);
    let word = match NonNull::new(known) {
        Some(word) => word,
        None => map_word()?,
    };
    // SAFETY: the page is mapped for good, page-aligned and zeroed, and only accessed as this
    // atomic.
    Ok(unsafe { word.as_ref() })
}

fn map_word() -> Result<NonNull<AtomicU64>, Errno> {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS;
    // SAFETY: there is no MAP_FIXED, and nobody else has anonymous private memory.
    let page = unsafe { calls::mmap(WORD_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0) }?;
    // SAFETY: the page was just mapped, and being wiped in a child is what it is for.
    let wiped = unsafe { calls::madvise(page, WORD_BYTES, MADV_WIPEONFORK) };
    let mine = page.cast::<AtomicU64>();
    let settled = wiped.and_then(|()| {
        let null = core::ptr::null_mut();
        match WORD.compare_exchange(null, mine.as_ptr(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(mine),
            Err(theirs) => NonNull::new(theirs).ok_or(Errno::ENOMEM),
        }
    });
    if settled != Ok(mine) {
        // SAFETY: the page was not published, so nobody else knows of it.
        let _ = unsafe { calls::munmap(page, WORD_BYTES) };
    }
    settled
}

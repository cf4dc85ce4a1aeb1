//! `Selected`: bytes that a completion delivered, ours until they are dropped.
//!
//! ```text
//!   holders of a buffer:  the kernel, one for each Selected of it
//!   the last one gone:    its bit is set in `returned`; the group pushes it
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::{BufMemory, BufSpan};

/// The bytes that one completion delivered into one buffer of a [`BufGroup`](crate::BufGroup).
///
/// They are its own: other completions may have filled other parts of the same buffer. Dropped
/// with the last part, from whichever thread, the buffer is free, and the group hands it to the
/// kernel when it is used next; [`BufGroup::put`](crate::BufGroup::put) does both at once.
pub struct Selected {
    buffers: Arc<Holders>,
    span: BufSpan,
}

/// Who holds which buffer.
#[derive(Debug)]
pub(super) struct Holders {
    memory: BufMemory,
    /// Of each buffer: how many hold it, the kernel included.
    counts: Box<[AtomicU32]>,
    /// A bit for each buffer that nobody holds.
    returned: Box<[AtomicU64]>,
    any_returned: AtomicBool,
}

impl Selected {
    /// The id of the buffer.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.span.id
    }

    /// Where the bytes begin in the buffer.
    #[must_use]
    pub fn offset(&self) -> u32 {
        self.span.offset
    }

    /// Whether the kernel goes on filling the buffer, behind these bytes.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.span.kept
    }
}

impl Deref for Selected {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let start = self.buffers.memory.start(self.span.id);
        // SAFETY: the ledger made the span, inside the buffer.
        let start = unsafe { start.add(self.span.offset as usize) };
        // SAFETY: the kernel has written these bytes and goes on behind them if at all; no other
        // completion told of them, so they are ours; and `buffers` keeps the memory.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), self.span.len as usize) }
    }
}

impl DerefMut for Selected {
    fn deref_mut(&mut self) -> &mut [u8] {
        let start = self.buffers.memory.start(self.span.id);
        // SAFETY: the ledger made the span, inside the buffer.
        let start = unsafe { start.add(self.span.offset as usize) };
        // SAFETY: as in `deref`.
        unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), self.span.len as usize) }
    }
}

impl Drop for Selected {
    fn drop(&mut self) {
        self.buffers.release(self.span.id);
    }
}

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.span.fmt(f)
    }
}

impl Holders {
    /// The kernel holds all of them.
    pub(super) fn new(memory: BufMemory) -> Holders {
        let count = memory.count();
        Holders {
            memory,
            counts: (0..count).map(|_| AtomicU32::new(1)).collect(),
            returned: (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            any_returned: AtomicBool::new(false),
        }
    }

    pub(super) fn memory(&self) -> &BufMemory {
        &self.memory
    }

    /// What a completion delivered, as the ledger has noted it. The hold of the kernel becomes
    /// ours, unless it keeps the buffer.
    pub(super) fn select(self: &Arc<Holders>, span: BufSpan) -> Selected {
        if span.kept {
            self.counts[usize::from(span.id)].fetch_add(1, Ordering::Relaxed);
        }
        Selected {
            buffers: Arc::clone(self),
            span,
        }
    }

    /// The buffers that nobody holds, each once: they are the kernel's from here on.
    pub(super) fn take_returned(&self) -> impl Iterator<Item = u16> {
        let any = self.any_returned.load(Ordering::Relaxed)
            && self.any_returned.swap(false, Ordering::Acquire);
        let words = if any { &self.returned[..] } else { &[] };
        words.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = bits.swap(0, Ordering::Acquire);
            core::iter::from_fn(move || {
                let bit = bits.trailing_zeros();
                bits &= bits.wrapping_sub(1);
                (bit < 64).then_some(word as u16 * 64 + bit as u16)
            })
            .inspect(|id| self.counts[usize::from(*id)].store(1, Ordering::Relaxed))
        })
    }

    fn release(&self, id: u16) {
        // AcqRel: the last one must have seen the others stop reading before it lets go.
        if self.counts[usize::from(id)].fetch_sub(1, Ordering::AcqRel) == 1 {
            self.returned[usize::from(id / 64)].fetch_or(1 << (id % 64), Ordering::Release);
            self.any_returned.store(true, Ordering::Release);
        }
    }
}

//! `BufLedger`: which bytes of which buffers a completion delivered.
//!
//! ```text
//!   order of the ring:   7 --next--> 2 --next--> 5 --next--> 0         ids, as they were pushed
//!   one buffer:          | told of before | told of now | left |
//!                        0             offset      offset+len   len as pushed
//! ```
//!
//! The kernel takes from the front, but with several operations under way the completions may come
//! in another order. So each buffer remembers the one that was pushed after it, and where a
//! completion begins is looked up by id and never assumed. The ledger is arithmetic alone: it
//! touches no memory and makes no call.

use alloc::boxed::Box;

use annulus_syscalls::Errno;

/// The account of one buffer ring.
///
/// ```
/// use annulus_ring::{BufLedger, BufSpan};
///
/// let mut ledger = BufLedger::new(2);
/// assert!(ledger.push(0, 10) && ledger.push(1, 10));
/// assert!(!ledger.push(1, 10), "the kernel has it");
/// // Two completions of an incremental ring: the first leaves its buffer with the kernel.
/// let first = ledger.take(0, 4, true)?;
/// let second = ledger.take(0, 6, false)?;
/// assert_eq!(first, BufSpan { id: 0, offset: 0, len: 4, kept: true });
/// assert_eq!(second, BufSpan { id: 0, offset: 4, len: 6, kept: false });
/// assert!(ledger.push(0, 10), "it may go back");
/// # Ok::<(), annulus_ring::Errno>(())
/// ```
#[derive(Clone, Debug)]
pub struct BufLedger {
    entries: Box<[Entry]>,
    /// The buffer that was pushed last.
    last: Option<u16>,
    pushed: u16,
}

/// What one completion delivered into one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufSpan {
    /// The buffer.
    pub id: u16,
    /// Where the bytes begin in it.
    pub offset: u32,
    /// How many there are.
    pub len: u32,
    /// Whether the kernel keeps the buffer and goes on behind these bytes.
    pub kept: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The buffer that was pushed after this one; meaningless for the last.
    next: u16,
    is_pushed: bool,
    /// As pushed.
    len: u32,
    /// What completions have told of, or what the kernel skipped.
    offset: u32,
}

impl BufLedger {
    /// The account of `count` buffers, ids from 0 on, none of them pushed.
    #[must_use]
    pub fn new(count: u16) -> BufLedger {
        BufLedger {
            entries: (0..count).map(|_| Entry::default()).collect(),
            last: None,
            pushed: 0,
        }
    }

    /// Notes that `len` bytes of buffer `id` go to the kernel, behind all others. `false`, and
    /// nothing is noted, if the kernel has the buffer already.
    ///
    /// # Panics
    /// If there is no such buffer.
    #[inline]
    pub fn push(&mut self, id: u16, len: u32) -> bool {
        let entry = &mut self.entries[usize::from(id)];
        if entry.is_pushed {
            return false;
        }
        *entry = Entry {
            next: id,
            is_pushed: true,
            len,
            offset: 0,
        };
        if let Some(last) = self.last {
            self.entries[usize::from(last)].next = id;
        }
        self.last = Some(id);
        self.pushed += 1;
        true
    }

    /// Notes a completion that delivered `bytes` into buffer `id`; `kept` is
    /// [`Cqe::buffer_more`](crate::Cqe::buffer_more).
    ///
    /// # Errors
    /// EPROTO, and nothing is noted, if the kernel does not have the buffer or has less of it.
    #[inline]
    pub fn take(&mut self, id: u16, bytes: u32, kept: bool) -> Result<BufSpan, Errno> {
        self.take_claimed(id, bytes, bytes, kept)
    }

    /// As [`take`](BufLedger::take), for an operation that claimed up to `claimed` bytes of the
    /// buffer before it knew that it would deliver no more than `bytes`: the kernel goes on
    /// behind the claim.
    ///
    /// # Errors
    /// As [`take`](BufLedger::take).
    #[inline]
    pub fn take_claimed(
        &mut self,
        id: u16,
        bytes: u32,
        claimed: u32,
        kept: bool,
    ) -> Result<BufSpan, Errno> {
        let entry = self.pushed_entry(id)?;
        let left = entry.len - entry.offset;
        if bytes > left {
            return Err(Errno::EPROTO);
        }
        let span = BufSpan {
            id,
            offset: entry.offset,
            len: bytes,
            kept,
        };
        entry.offset += bytes.max(claimed.min(left));
        if !kept {
            self.release(id);
        }
        Ok(span)
    }

    /// Notes a completion that delivered `bytes` into buffer `first` and as many after it as they
    /// fill, each up to `limit(id)` bytes of it (`u32::MAX`: up to its end), and tells `each` of
    /// them in order. All but the last have been used up; `kept` is about the last. No bytes are
    /// no buffer.
    ///
    /// # Errors
    /// EPROTO if the kernel does not have so many buffers; those that `each` was told of are
    /// noted.
    pub fn take_bundle(
        &mut self,
        first: u16,
        bytes: u32,
        kept: bool,
        limit: impl Fn(u16) -> u32,
        mut each: impl FnMut(BufSpan),
    ) -> Result<(), Errno> {
        let (mut id, mut rest) = (first, bytes);
        while rest != 0 {
            let is_last_pushed = self.last == Some(id);
            let entry = self.pushed_entry(id)?;
            let end = entry.len.min(limit(id)).max(entry.offset);
            let (next, len) = (entry.next, rest.min(end - entry.offset));
            rest -= len;
            if rest != 0 && is_last_pushed {
                return Err(Errno::EPROTO);
            }
            let span = self.take(id, len, kept && rest == 0)?;
            each(span);
            id = next;
        }
        Ok(())
    }

    /// Whether the kernel has buffer `id`, as far as it was told.
    ///
    /// # Panics
    /// If there is no such buffer.
    #[must_use]
    pub fn is_pushed(&self, id: u16) -> bool {
        self.entries[usize::from(id)].is_pushed
    }

    /// How many buffers the kernel has, as far as it was told.
    #[must_use]
    pub fn pushed(&self) -> u16 {
        self.pushed
    }

    /// How many bytes of buffer `id` the kernel has not told of; 0 if it does not have it.
    ///
    /// # Panics
    /// If there is no such buffer.
    #[must_use]
    pub fn left(&self, id: u16) -> u32 {
        let entry = &self.entries[usize::from(id)];
        if entry.is_pushed {
            entry.len - entry.offset
        } else {
            0
        }
    }

    fn pushed_entry(&mut self, id: u16) -> Result<&mut Entry, Errno> {
        let entry = self.entries.get_mut(usize::from(id));
        entry.filter(|entry| entry.is_pushed).ok_or(Errno::EPROTO)
    }

    fn release(&mut self, id: u16) {
        self.entries[usize::from(id)].is_pushed = false;
        self.pushed -= 1;
    }
}

//! Reaping many completions at once: the tail is read once, and the head published once.

use super::Ring;
use crate::cursor::Cursor;
use crate::entries::{CqEntry, SqEntry};
use crate::queue::CompletionQueue;

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Copies the oldest completions into `into`, as many as fit and are there, and gives their
    /// slots back to the kernel. Returns how many.
    ///
    /// ```
    /// use annulus_ring::{Cqe, Ring, RingConfig};
    ///
    /// let mut ring = match Ring::new(&RingConfig::default()) {
    ///     Ok(ring) => ring,
    ///     Err(_) => return Ok(()), // io_uring is not to be had here
    /// };
    /// for user_data in 0..3 {
    ///     ring.get_sqe().expect("room").prep_nop().set_user_data(user_data);
    /// }
    /// ring.submit_and_wait(3)?;
    /// let mut cqes = [Cqe::default(); 8];
    /// assert_eq!(ring.reap(&mut cqes), 3);
    /// assert_eq!(cqes[2].user_data(), 2);
    /// # Ok::<(), annulus_ring::Errno>(())
    /// ```
    pub fn reap(&mut self, into: &mut [C::Completion]) -> usize {
        self.completions().copy_into(into)
    }

    /// The completions that are there now, oldest first. Dropping the iterator gives the slots of
    /// those that it handed out back to the kernel; the others stay.
    pub fn completions(&mut self) -> Completions<'_, C> {
        let is_forked = self.handle.origin.is_forked();
        Completions::of(&mut self.cq, is_forked)
    }
}

/// Completions being reaped: made by [`Ring::completions`].
#[derive(Debug)]
pub struct Completions<'a, C: CqEntry> {
    cq: &'a mut CompletionQueue<C>,
    /// After the last one; `None` in a forked child.
    end: Option<Cursor>,
}

impl<'a, C: CqEntry> Completions<'a, C> {
    pub(crate) fn of(cq: &'a mut CompletionQueue<C>, is_forked: bool) -> Completions<'a, C> {
        let end = if is_forked {
            None
        } else {
            Some(cq.seen_tail())
        };
        Completions { cq, end }
    }

    /// As many as fit; returns how many.
    pub(crate) fn copy_into(self, into: &mut [C::Completion]) -> usize {
        // The places come first: where they end, no completion is taken.
        into.iter_mut()
            .zip(self)
            .map(|(place, cqe)| *place = cqe)
            .count()
    }
}

impl<C: CqEntry> Iterator for Completions<'_, C> {
    type Item = C::Completion;

    #[inline]
    fn next(&mut self) -> Option<C::Completion> {
        self.cq.pop_before(self.end?)
    }
}

impl<C: CqEntry> Drop for Completions<'_, C> {
    fn drop(&mut self) {
        if self.end.is_some() {
            self.cq.publish();
        }
    }
}

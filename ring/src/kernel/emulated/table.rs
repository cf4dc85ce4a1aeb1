//! `Table`: what a ring knows by index, files or memory.
//!
//! A slot's resource stays as long as an operation has it, whatever becomes of the slot. When
//! nobody has it any more, its tag comes back in a CQE.

use std::sync::Arc;
use std::vec::Vec;

use annulus_syscalls::Errno;

use super::mailbox::{Letter, Mailbox};

/// The slots; none as long as nothing is registered.
#[derive(Debug)]
pub(super) struct Table<T>(Vec<Option<Arc<Resource<T>>>>);

/// A file or a span of memory.
#[derive(Debug)]
pub(super) struct Resource<T> {
    pub(super) item: T,
    /// 0 for none.
    tag: u64,
    to: Arc<Mailbox>,
}

impl<T> Resource<T> {
    pub(super) fn new(item: T, tag: u64, to: &Arc<Mailbox>) -> Arc<Resource<T>> {
        let to = Arc::clone(to);
        Arc::new(Resource { item, tag, to })
    }
}

impl<T> Drop for Resource<T> {
    fn drop(&mut self) {
        if self.tag != 0 {
            self.to.post(Letter::Message {
                user_data: self.tag,
                res: 0,
                flags: 0,
            });
        }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table(Vec::new())
    }
}

impl<T> Table<T> {
    pub(super) fn is_registered(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn register(&mut self, slots: Vec<Option<Arc<Resource<T>>>>) {
        self.0 = slots;
    }

    /// # Errors
    /// ENXIO if nothing is registered.
    pub(super) fn unregister(&mut self) -> Result<(), Errno> {
        if !self.is_registered() {
            return Err(Errno::ENXIO);
        }
        self.0 = Vec::new();
        Ok(())
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Arc<Resource<T>>> {
        self.0.get(slot)?.as_ref()
    }

    /// Puts something, or nothing, into a slot.
    ///
    /// # Errors
    /// ENXIO if nothing is registered, EINVAL if there is no such slot.
    pub(super) fn put(
        &mut self,
        slot: usize,
        resource: Option<Arc<Resource<T>>>,
    ) -> Result<Option<Arc<Resource<T>>>, Errno> {
        if !self.is_registered() {
            return Err(Errno::ENXIO);
        }
        let place = self.0.get_mut(slot).ok_or(Errno::EINVAL)?;
        Ok(std::mem::replace(place, resource))
    }

    /// # Errors
    /// ENXIO if nothing is registered, EINVAL if not all of these slots are there.
    pub(super) fn check_range(&self, first: u32, count: u32) -> Result<(), Errno> {
        if !self.is_registered() {
            return Err(Errno::ENXIO);
        }
        let end = first.checked_add(count).ok_or(Errno::EOVERFLOW)?;
        if end as usize > self.0.len() {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    /// The first empty slot of this range, from `hint` on and then from its start.
    pub(super) fn empty_slot(&self, range: std::ops::Range<usize>, hint: usize) -> Option<usize> {
        let is_empty = |slot: &usize| self.0.get(*slot).is_some_and(Option::is_none);
        let hint = hint.clamp(range.start, range.end);
        let after = (hint..range.end).find(is_empty);
        after.or_else(|| (range.start..hint).find(is_empty))
    }
}

//! Which request waits for which object, and whom an object's stirring concerns.

use std::collections::BTreeMap;
use std::vec::Vec;

use super::world::{Id, World};
use crate::Errno;
use crate::kernel::engine::Key;

/// A request, by its ring and its number.
type Name = (Id, u64);

/// What a request waits for. It holds the object meanwhile.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    key: Key,
    object: Id,
    mask: u32,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    waiters: BTreeMap<Name, Waiter>,
    by_object: BTreeMap<Id, Vec<Name>>,
    /// Requests that are to look again, in the order in which they were told.
    told: BTreeMap<Id, Vec<Name>>,
}

/// What every poll is told.
const ALWAYS: u32 = (libc::POLLERR | libc::POLLHUP) as u32;

impl Waiting {
    /// The object that a request waits for: its descriptor may name another by now.
    pub(super) fn object(&self, ring: Id, key: Key) -> Option<Id> {
        let waiter = self.waiters.get(&(ring, key.number()))?;
        Some(waiter.object)
    }

    /// Lets a request wait until `object` is ready for one of `mask`; told at once if it is.
    ///
    /// # Errors
    /// EBADF for an object that cannot be waited for.
    pub(super) fn arm(
        &mut self,
        world: &mut World,
        ring: Id,
        key: Key,
        object: Id,
        mask: u32,
    ) -> Result<(), Errno> {
        let ready = world.readiness(object)?;
        world.hold(object);
        self.disarm(world, ring, key);
        let name = (ring, key.number());
        self.waiters.insert(name, Waiter { key, object, mask });
        self.by_object.entry(object).or_default().push(name);
        if ready & (mask | ALWAYS) != 0 {
            tell(&mut self.told, name);
        }
        Ok(())
    }

    /// A request waits no more.
    pub(super) fn disarm(&mut self, world: &mut World, ring: Id, key: Key) {
        let name = (ring, key.number());
        let Some(waiter) = self.waiters.remove(&name) else {
            return;
        };
        if let Some(names) = self.by_object.get_mut(&waiter.object) {
            names.retain(|other| *other != name);
            if names.is_empty() {
                self.by_object.remove(&waiter.object);
            }
        }
        world.release(waiter.object);
    }

    /// Objects stirred: whoever waits for what they are ready for now is to look again.
    pub(super) fn stirred(&mut self, world: &World, objects: &[Id]) {
        for object in objects {
            let ready = world.readiness(*object).unwrap_or(0);
            for name in self.by_object.get(object).into_iter().flatten() {
                if ready & (self.waiters[name].mask | ALWAYS) != 0 {
                    tell(&mut self.told, *name);
                }
            }
        }
    }

    /// The requests of a ring that are to look again, and what they will find.
    pub(super) fn take_told(&mut self, world: &World, ring: Id) -> Vec<(Key, u32)> {
        let told = self.told.remove(&ring).unwrap_or_default();
        let waiters = told.iter().filter_map(|name| self.waiters.get(name));
        waiters
            .map(|waiter| (waiter.key, world.readiness(waiter.object).unwrap_or(0)))
            .collect()
    }

    /// Whether requests of a ring are to look again.
    pub(super) fn has_told(&self, ring: Id) -> bool {
        self.told.contains_key(&ring)
    }

    /// A ring is gone, and all its requests.
    pub(super) fn forget(&mut self, world: &mut World, ring: Id) {
        self.told.remove(&ring);
        let keys: Vec<Key> = self
            .waiters
            .iter()
            .filter(|((of, _), _)| *of == ring)
            .map(|(_, waiter)| waiter.key)
            .collect();
        for key in keys {
            self.disarm(world, ring, key);
        }
    }
}

fn tell(told: &mut BTreeMap<Id, Vec<Name>>, name: Name) {
    let told = told.entry(name.0).or_default();
    if !told.contains(&name) {
        told.push(name);
    }
}

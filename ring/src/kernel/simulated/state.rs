//! What is shared by all that is simulated in a process.

use std::os::fd::OwnedFd;

use super::descriptors::Descriptors;
use super::world::{Id, World};
use crate::Errno;

#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) descriptors: Descriptors,
}

impl State {
    /// A descriptor for a new object; without one the object is gone again.
    pub(super) fn name(&mut self, id: Id) -> Result<OwnedFd, Errno> {
        let named = self.descriptors.name(id);
        if named.is_err() {
            self.world.close(id);
        }
        named
    }
}

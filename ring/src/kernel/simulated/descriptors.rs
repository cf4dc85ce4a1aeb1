//! The descriptors that programs hold, and the objects they name.
//!
//! A program's descriptor is a real one: of a real file where the object is a file, else of a
//! placeholder on which every call fails with EBADF. So numbers are given out and taken back by
//! the kernel that runs us, and whatever closes one, `OwnedFd` included, is seen by the `close`
//! that a simulation installs.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::world::Id;
use crate::Errno;

#[derive(Debug)]
pub(super) struct Descriptors {
    placeholder: OwnedFd,
    named: BTreeMap<RawFd, Id>,
}

impl Descriptors {
    pub(super) fn new(placeholder: OwnedFd) -> Descriptors {
        Descriptors {
            placeholder,
            named: BTreeMap::new(),
        }
    }

    /// The object that a descriptor names.
    ///
    /// # Errors
    /// EBADF for one that does not belong to the world.
    pub(super) fn object(&self, fd: RawFd) -> Result<Id, Errno> {
        self.named.get(&fd).copied().ok_or(Errno::EBADF)
    }

    /// A new descriptor for an object.
    ///
    /// # Errors
    /// EMFILE when the process that simulates has no more.
    pub(super) fn name(&mut self, id: Id) -> Result<OwnedFd, Errno> {
        let fd = self.placeholder.try_clone().map_err(errno_of)?;
        self.named.insert(fd.as_raw_fd(), id);
        Ok(fd)
    }

    /// Lets a descriptor that is there name an object from now on; answers what it named before.
    pub(super) fn rename(&mut self, fd: RawFd, id: Id) -> Option<Id> {
        self.named.insert(fd, id)
    }

    /// A descriptor was closed: what it named.
    pub(super) fn forget(&mut self, fd: RawFd) -> Option<Id> {
        self.named.remove(&fd)
    }
}

/// The errno of an error that a system call gave.
pub(super) fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

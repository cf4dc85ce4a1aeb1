//! The kernel's side of a ring that has it in this process.

use std::sync::Arc;

use crate::Errno;

use super::engine::Memory;
use super::{emulated, simulated};

/// One such ring. It stands behind an `Arc`, and is never moved.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is allocated once and stays")]
pub(crate) enum UserSide {
    Emulated(emulated::Shared),
    Simulated(simulated::Shared),
}

impl UserSide {
    pub(crate) fn fd(&self) -> i32 {
        match self {
            UserSide::Emulated(ring) => ring.fd(),
            UserSide::Simulated(ring) => ring.fd(),
        }
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        match self {
            UserSide::Emulated(ring) => ring.memory(),
            UserSide::Simulated(ring) => ring.memory(),
        }
    }

    /// The ring is gone.
    pub(crate) fn close(&self) {
        match self {
            UserSide::Emulated(ring) => ring.close(),
            UserSide::Simulated(ring) => ring.close(),
        }
    }

    /// `io_uring_enter`(2).
    ///
    /// # Safety
    /// As the system call.
    pub(crate) unsafe fn enter(
        &self,
        to_submit: u32,
        min_complete: u32,
        flags: u32,
        arg: usize,
        arg_size: usize,
    ) -> Result<u32, Errno> {
        match self {
            // SAFETY: promised by the caller.
            UserSide::Emulated(ring) => unsafe {
                ring.enter(to_submit, min_complete, flags, arg, arg_size)
            },
            // SAFETY: as above.
            UserSide::Simulated(ring) => unsafe { ring.enter(to_submit, min_complete, flags, arg) },
        }
    }

    /// `io_uring_register`(2).
    ///
    /// # Safety
    /// As the system call.
    pub(crate) unsafe fn register(
        &self,
        opcode: u32,
        arg: usize,
        count: u32,
    ) -> Result<u32, Errno> {
        match self {
            // SAFETY: promised by the caller.
            UserSide::Emulated(ring) => unsafe { ring.register(opcode, arg, count) },
            // SAFETY: as above.
            UserSide::Simulated(ring) => unsafe { ring.register(opcode, arg, count) },
        }
    }
}

//! The clock that a ring's waits are measured with.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::io_uring_clock_register;
use annulus_syscalls::io_uring::register::op::IORING_REGISTER_CLOCK;

use super::Ring;
use crate::entries::{CqEntry, SqEntry};

/// A clock that waits can be measured with. Its discriminant is the `CLOCK_*` number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`, which stands still while the machine sleeps. Every ring starts with it.
    #[default]
    Monotonic = 1,
    /// `CLOCK_BOOTTIME`, which goes on while the machine sleeps.
    Boottime = 7,
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Lets `clock` measure the waits of [`enter`](Ring::enter) and
    /// [`enter_with`](Ring::enter_with). Timeouts that are operations have flags of their own.
    ///
    /// # Errors
    /// EINVAL before 6.12; EEXIST on a pinned ring from another thread than its own; EBADF in a
    /// forked child.
    ///
    /// # Kernel
    /// Since 6.12.
    pub fn register_clock(&mut self, clock: Clock) -> Result<(), Errno> {
        let request = io_uring_clock_register {
            clockid: clock as u32,
            ..io_uring_clock_register::default()
        };
        let arg = (&raw const request).expose_provenance();
        // SAFETY: `arg` is the one request that this registration reads; its count has to be 0.
        let done = unsafe { self.handle.register(IORING_REGISTER_CLOCK, arg, 0) };
        done.map(drop)
    }
}

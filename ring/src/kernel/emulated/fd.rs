//! `Fd`: a descriptor that a forked child does not close, where the number may be another's.

use annulus_syscalls::calls;

use crate::fork::Origin;

#[derive(Debug)]
pub(super) struct Fd {
    number: i32,
    origin: Origin,
}

impl Fd {
    /// Takes over a descriptor that was just made.
    pub(super) fn new(number: i32, origin: Origin) -> Fd {
        Fd { number, origin }
    }

    pub(super) fn number(&self) -> i32 {
        self.number
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        if self.origin.is_forked() {
            return;
        }
        // SAFETY: it was made by this process for this owner alone.
        let _ = unsafe { calls::close(self.number) };
    }
}

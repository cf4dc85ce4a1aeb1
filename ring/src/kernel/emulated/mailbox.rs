//! `Mailbox`: what other threads have for a ring, and how they wake it.
//!
//! ```text
//!   another thread   post: letter in, TASKRUN set, event if the ring waits
//!   the ring         take: letters out, TASKRUN cleared
//!                    begin_wait: only if there is no letter
//! ```

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use annulus_syscalls::io_uring::queue::IORING_SQ_TASKRUN;
use annulus_syscalls::{Errno, calls};

use super::fd::Fd;
use crate::fork::Origin;
use crate::kernel::engine::{Flags, Key};

/// Something that another thread has for a ring.
#[derive(Debug)]
pub(super) enum Letter {
    /// A thread has done what was offloaded.
    Done { key: Key, res: i32 },
    /// A CQE to be posted.
    Message {
        user_data: u64,
        res: i32,
        flags: u32,
    },
}

#[derive(Debug)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    /// Letters came.
    arrived: Condvar,
    event: Fd,
    flags: Flags,
}

#[derive(Debug)]
struct Inside {
    letters: Vec<Letter>,
    /// The ring waits, or is about to.
    waiting: bool,
}

impl Mailbox {
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    pub(super) fn new(flags: Flags, origin: Origin) -> Result<Mailbox, Errno> {
        let event = calls::eventfd2(0, (libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) as u32)?;
        Ok(Mailbox {
            inside: Mutex::new(Inside {
                letters: Vec::new(),
                waiting: false,
            }),
            arrived: Condvar::new(),
            event: Fd::new(event, origin),
            flags,
        })
    }

    /// The descriptor that tells of a wake. Each write to it is an edge, so nobody reads it.
    pub(super) fn event(&self) -> i32 {
        self.event.number()
    }

    pub(super) fn post(&self, letter: Letter) {
        let wake = {
            let mut inside = self.lock();
            inside.letters.push(letter);
            self.flags.set(IORING_SQ_TASKRUN);
            mem::take(&mut inside.waiting)
        };
        self.arrived.notify_all();
        if wake {
            self.signal();
        }
    }

    /// Wakes the ring if it waits, to look at its queues again.
    pub(super) fn nudge(&self) {
        let wake = mem::take(&mut self.lock().waiting);
        if wake {
            self.signal();
        }
    }

    /// Moves all letters to `letters`, which is empty.
    pub(super) fn take(&self, letters: &mut Vec<Letter>) {
        let mut inside = self.lock();
        if !inside.letters.is_empty() {
            self.flags.clear(IORING_SQ_TASKRUN);
            mem::swap(&mut inside.letters, letters);
        }
    }

    /// Says that the ring is about to wait. False if there are letters: it must not.
    pub(super) fn begin_wait(&self) -> bool {
        let mut inside = self.lock();
        inside.waiting = inside.letters.is_empty();
        inside.waiting
    }

    pub(super) fn end_wait(&self) {
        self.lock().waiting = false;
    }

    /// Waits until there are letters, for another thread than the ring's.
    pub(super) fn wait_for_letters(&self, timeout: Duration) {
        let inside = self.lock();
        if inside.letters.is_empty() {
            drop(self.arrived.wait_timeout(inside, timeout));
        }
    }

    fn signal(&self) {
        // The counter is far from full: each wake adds one.
        let _ = calls::write(self.event(), &1_u64.to_ne_bytes());
    }

    /// Nothing in there is ever left half changed.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

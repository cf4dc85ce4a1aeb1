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
    flags: Flags,
}

#[derive(Debug)]
struct Inside {
    letters: Vec<Letter>,
    /// The ring waits, or is about to.
    waiting: bool,
    /// Wakes it: each write is an edge in its epoll, so nobody reads. `None` when it is gone.
    event: Option<Fd>,
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
                event: Some(Fd::new(event, origin)),
            }),
            arrived: Condvar::new(),
            flags,
        })
    }

    /// The descriptor that tells of a wake; `None` once the ring is gone.
    pub(super) fn event(&self) -> Option<i32> {
        self.lock().event.as_ref().map(Fd::number)
    }

    pub(super) fn post(&self, letter: Letter) {
        {
            let mut inside = self.lock();
            inside.letters.push(letter);
            self.flags.set(IORING_SQ_TASKRUN);
            inside.wake();
        }
        self.arrived.notify_all();
    }

    /// Wakes the ring if it waits, to look at its queues again.
    pub(super) fn nudge(&self) {
        self.lock().wake();
    }

    /// The ring is gone: its descriptor is closed now, whoever still has the mailbox.
    pub(super) fn close(&self) {
        self.lock().event = None;
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

    /// Nothing in there is ever left half changed.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Under the lock, so that the descriptor is the ring's.
    fn wake(&mut self) {
        if mem::take(&mut self.waiting)
            && let Some(event) = &self.event
        {
            // The counter is far from full: each wake adds one.
            let _ = calls::write(event.number(), &1_u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::vec::Vec;

    use annulus_syscalls::io_uring::io_uring_params;

    use super::{Letter, Mailbox};
    use crate::fork::Origin;
    use crate::kernel::engine::{Flags, Memory};

    #[test]
    fn who_has_letters_must_not_wait() {
        let asked = io_uring_params {
            sq_entries: 1,
            ..io_uring_params::default()
        };
        let origin = Origin::current().expect("a process");
        let memory = Arc::new(Memory::new(&asked, origin).expect("memory"));
        let mailbox = Mailbox::new(Flags::new(&memory), origin).expect("an event");
        assert!(mailbox.begin_wait());
        mailbox.end_wait();
        // It came while nobody waited, so nothing was woken.
        mailbox.post(Letter::Message {
            user_data: 1,
            res: 0,
            flags: 0,
        });
        assert!(!mailbox.begin_wait());
        mailbox.take(&mut Vec::new());
        assert!(mailbox.begin_wait());
    }
}

//! The worker threads that run what would block: where, and how many.
//!
//! They belong to the thread that submits, or to the thread of SQPOLL, and serve all of its rings.

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_IOWQ_AFF, IORING_REGISTER_IOWQ_MAX_WORKERS, IORING_UNREGISTER_IOWQ_AFF,
};

use crate::entries::{CqEntry, SqEntry};
use crate::ring::Ring;

/// The most processors that a set can name.
const CPUS_MAX: usize = 8192;
const BITS: usize = usize::BITS as usize;

/// How many worker threads there may be at once, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkersMax {
    /// For files and block devices, which are sure to complete. By default the smaller of the
    /// SQ's entries and four times the processors.
    pub bounded: u32,
    /// For everything else. By default as many as the process may have threads.
    pub unbounded: u32,
}

impl<S: SqEntry, C: CqEntry> Ring<S, C> {
    /// Keeps the workers that the calling thread gets from now on on the processors `cpus`,
    /// numbered from 0. Those that it has stay where they are. The kernel passes over numbers
    /// that it was not built for.
    ///
    /// # Errors
    /// EINVAL for none, for one that is not there or not allowed to the thread, for a number
    /// above 8191, and where the thread has neither made a ring nor submitted to one; EEXIST on a
    /// pinned ring from another thread than its own; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.14.
    pub fn set_worker_cpus(&self, cpus: &[usize]) -> Result<(), Errno> {
        let mut set = [0_usize; CPUS_MAX / BITS];
        if cpus.is_empty() {
            return Err(Errno::EINVAL);
        }
        for cpu in cpus {
            let word = set.get_mut(cpu / BITS).ok_or(Errno::EINVAL)?;
            *word |= 1 << (cpu % BITS);
        }
        let arg = (&raw const set).expose_provenance();
        let size = size_of_val(&set) as u32;
        // SAFETY: `arg` is a set of `size` bytes, which this registration reads.
        let done = unsafe { self.register(IORING_REGISTER_IOWQ_AFF, arg, size) };
        done.map(drop)
    }

    /// Lets the workers that the calling thread gets from now on run on every processor again.
    ///
    /// # Errors
    /// EINVAL where the thread has neither made a ring nor submitted to one; EEXIST on a pinned
    /// ring from another thread than its own; EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.14.
    pub fn clear_worker_cpus(&self) -> Result<(), Errno> {
        // SAFETY: this registration reads nothing.
        let done = unsafe { self.register(IORING_UNREGISTER_IOWQ_AFF, 0, 0) };
        done.map(drop)
    }

    /// Limits the number of workers; 0 leaves a limit as it is. Returns what it was before.
    /// Operations beyond it wait for their turn.
    ///
    /// # Errors
    /// EINVAL above 2,147,483,647; EEXIST on a pinned ring from another thread than its own;
    /// EBADF in a forked child.
    ///
    /// # Kernel
    /// Since 5.15.
    pub fn set_workers_max(&self, max: WorkersMax) -> Result<WorkersMax, Errno> {
        let mut counts = [max.bounded, max.unbounded];
        let arg = (&raw mut counts).expose_provenance();
        // SAFETY: `arg` is the two numbers that this registration reads and writes.
        unsafe { self.register(IORING_REGISTER_IOWQ_MAX_WORKERS, arg, 2) }?;
        let [bounded, unbounded] = counts;
        Ok(WorkersMax { bounded, unbounded })
    }
}

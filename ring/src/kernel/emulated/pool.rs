//! `Pool`: the threads that do what blocks, started on demand and ended when idle.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{ptr, thread};

use annulus_syscalls::Errno;

use super::file;
use super::mailbox::{Letter, Mailbox};
use crate::kernel::engine::{Key, Operation};

/// Threads of one kernel, whatever the number of its rings. What comes beyond waits in line.
const THREADS_MAX: usize = 128;
/// How long an idle thread stays, as io_uring's own do.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// A thread makes one system call at a time.
const STACK_BYTES: usize = 256 * 1024;

/// Dropping it ends the threads, each after what it is doing.
#[derive(Debug)]
pub(super) struct Pool(Arc<Line>);

#[derive(Debug)]
struct Line {
    inside: Mutex<Inside>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

#[derive(Debug)]
struct Job {
    key: Key,
    op: Operation,
    to: Arc<Mailbox>,
}

impl Pool {
    pub(super) fn new() -> Pool {
        Pool(Arc::new(Line {
            inside: Mutex::new(Inside::default()),
            bell: Condvar::new(),
        }))
    }

    /// Has a thread run `op`; a letter to `to` tells its result.
    pub(super) fn run(&self, key: Key, op: Operation, to: &Arc<Mailbox>) {
        let mut inside = self.0.lock();
        let to = Arc::clone(to);
        inside.jobs.push_back(Job { key, op, to });
        if inside.jobs.len() > inside.idle && inside.threads < THREADS_MAX {
            inside.threads += 1;
            drop(inside);
            if self.start_thread().is_err() {
                self.refused();
            }
        } else {
            drop(inside);
            self.0.bell.notify_one();
        }
    }

    /// Takes back what no thread has begun.
    pub(super) fn recall(&self, key: Key, to: &Arc<Mailbox>) -> bool {
        let mut inside = self.0.lock();
        let is_it = |job: &Job| job.key == key && Arc::ptr_eq(&job.to, to);
        let Some(at) = inside.jobs.iter().position(is_it) else {
            return false;
        };
        inside.jobs.remove(at).is_some()
    }

    /// Drops everything of a ring that no thread has begun.
    pub(super) fn forget(&self, to: &Arc<Mailbox>) {
        self.0.lock().jobs.retain(|job| !Arc::ptr_eq(&job.to, to));
    }

    fn start_thread(&self) -> std::io::Result<()> {
        let line = Arc::clone(&self.0);
        let thread = thread::Builder::new()
            .name("annulus-emulated".into())
            .stack_size(STACK_BYTES);
        thread.spawn(move || line.serve()).map(drop)
    }

    /// There is no thread to be had. If there is none at all, what waits fails as it does in
    /// io_uring.
    fn refused(&self) {
        let mut inside = self.0.lock();
        inside.threads -= 1;
        if inside.threads > 0 {
            return;
        }
        let jobs = std::mem::take(&mut inside.jobs);
        drop(inside);
        for job in jobs {
            job.to.post(Letter::Done {
                key: job.key,
                res: -Errno::EAGAIN.raw(),
            });
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.bell.notify_all();
    }
}

impl Line {
    fn serve(&self) {
        block_signals();
        let mut inside = self.lock();
        loop {
            if let Some(mut job) = inside.jobs.pop_front() {
                drop(inside);
                let res = file::perform(&mut job.op);
                // As good as idle: what the ring asks for next needs no other thread.
                self.lock().idle += 1;
                job.to.post(Letter::Done { key: job.key, res });
                drop(job);
                inside = self.lock();
                inside.idle -= 1;
                continue;
            }
            if inside.closed {
                break;
            }
            inside.idle += 1;
            let (woken, waited) = self
                .bell
                .wait_timeout(inside, KEEP_ALIVE)
                .unwrap_or_else(PoisonError::into_inner);
            inside = woken;
            inside.idle -= 1;
            if waited.timed_out() && inside.jobs.is_empty() {
                break;
            }
        }
        inside.threads -= 1;
    }

    /// Nothing in there is ever left half changed.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signals are for the threads of the program.
fn block_signals() {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `all` is valid for writes.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` was filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut()) };
}

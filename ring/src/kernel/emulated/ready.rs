//! `Ready`: who waits for which descriptor, and what epoll has to be told about it.
//!
//! A descriptor is registered once, edge-triggered, with all that anybody has waited for. Whoever
//! waits has tried before, and is told of each edge after; registering again with EPOLL_CTL_MOD,
//! as each new waiter does, reports what is ready already. It also shows when the number stands
//! for another file than before (ENOENT): who waits for the old one is evicted.
//!
//! No file is held: a waiter does not keep a socket open that was closed.

use std::collections::VecDeque;
use std::vec::Vec;

use annulus_syscalls::Errno;

use crate::kernel::engine::Key;

#[derive(Debug, Default)]
pub(super) struct Ready {
    epoll: i32,
    /// By descriptor.
    entries: Vec<Entry>,
    /// How many wait, for any descriptor.
    waiting: usize,
    /// Something was registered since epoll was last asked.
    fresh: bool,
    evicted: VecDeque<Key>,
    generation: u32,
}

#[derive(Debug, Default)]
struct Entry {
    /// Tells this registration's events from those of one before, whose file lives on elsewhere.
    generation: u32,
    registered: bool,
    mask: u32,
    waiters: Vec<Waiter>,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    key: Key,
    mask: u32,
}

const ALWAYS: u32 = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
const EDGE: u32 = libc::EPOLLET as u32;

impl Ready {
    pub(super) fn new(epoll: i32) -> Ready {
        Ready {
            epoll,
            ..Ready::default()
        }
    }

    /// Whether epoll has anything to tell.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether something was registered since the last call.
    pub(super) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }

    pub(super) fn take_evicted(&mut self) -> Option<Key> {
        self.evicted.pop_front()
    }

    /// Reports each edge of `mask` to `key`, and at once what is ready.
    pub(super) fn arm(&mut self, key: Key, fd: i32, mask: u32) -> Result<(), Errno> {
        let at = usize::try_from(fd).map_err(|_negative| Errno::EBADF)?;
        if self.entries.len() <= at {
            // No larger than the largest number that is open.
            if !is_open(fd) {
                return Err(Errno::EBADF);
            }
            self.entries.resize_with(at + 1, Entry::default);
        }
        let entry = &mut self.entries[at];
        if entry.registered {
            let all = entry.mask | mask;
            match control(self.epoll, libc::EPOLL_CTL_MOD, fd, all, entry.generation) {
                Ok(()) => entry.mask = all,
                Err(errno) => {
                    self.forget(fd);
                    if errno != Errno::ENOENT {
                        return Err(errno);
                    }
                }
            }
        }
        let entry = &mut self.entries[at];
        if !entry.registered {
            self.generation = self.generation.wrapping_add(1);
            match control(self.epoll, libc::EPOLL_CTL_ADD, fd, mask, self.generation) {
                // Of a registration before, of a file that got its number back.
                Err(Errno::EEXIST) => {
                    control(self.epoll, libc::EPOLL_CTL_MOD, fd, mask, self.generation)?;
                }
                added => added?,
            }
            entry.generation = self.generation;
            entry.registered = true;
            entry.mask = mask;
        }
        entry.waiters.push(Waiter { key, mask });
        self.waiting += 1;
        self.fresh = true;
        Ok(())
    }

    /// Finds out whether the number still stands for the file that others wait for.
    pub(super) fn look(&mut self, fd: i32) {
        let entry = usize::try_from(fd).ok().and_then(|at| self.entries.get(at));
        if let Some(entry) = entry
            && entry.registered
            && !entry.waiters.is_empty()
        {
            let (mask, generation) = (entry.mask, entry.generation);
            if control(self.epoll, libc::EPOLL_CTL_MOD, fd, mask, generation).is_err() {
                self.forget(fd);
            }
        }
    }

    pub(super) fn disarm(&mut self, key: Key, fd: i32) {
        let entry = usize::try_from(fd)
            .ok()
            .and_then(|at| self.entries.get_mut(at));
        let Some(entry) = entry else {
            return;
        };
        if let Some(at) = entry.waiters.iter().position(|waiter| waiter.key == key) {
            entry.waiters.remove(at);
            self.waiting -= 1;
        }
    }

    /// The descriptor is about to be closed. Its file may live on under another number, and would
    /// tell of its edges.
    pub(super) fn close(&mut self, fd: i32) {
        let at = usize::try_from(fd).ok();
        let entry = at.and_then(|at| self.entries.get(at));
        if entry.is_some_and(|entry| entry.registered) {
            // ENOENT: the number stands for another file by now.
            let _ = control(self.epoll, libc::EPOLL_CTL_DEL, fd, 0, 0);
        }
        self.forget(fd);
    }

    /// The number stands for nothing, or for another file.
    pub(super) fn forget(&mut self, fd: i32) {
        let entry = usize::try_from(fd)
            .ok()
            .and_then(|at| self.entries.get_mut(at));
        let Some(entry) = entry else {
            return;
        };
        entry.registered = false;
        self.waiting -= entry.waiters.len();
        self.evicted
            .extend(entry.waiters.drain(..).map(|waiter| waiter.key));
    }

    /// Who is to be told of this event.
    pub(super) fn told(&mut self, event: &libc::epoll_event, told: &mut Vec<Key>) {
        let (fd, generation) = (event.u64 as u32 as i32, (event.u64 >> 32) as u32);
        let entry = usize::try_from(fd)
            .ok()
            .and_then(|at| self.entries.get_mut(at));
        let Some(entry) = entry else {
            return;
        };
        if !entry.registered || entry.generation != generation {
            return;
        }
        let events = event.events;
        let matching = entry
            .waiters
            .iter()
            .filter(|waiter| events & (waiter.mask | ALWAYS) != 0);
        told.extend(matching.map(|waiter| waiter.key));
        if !told.is_empty() {
            return;
        }
        // Nobody waits for this any more: no event shall tell of it again.
        let wanted = entry
            .waiters
            .iter()
            .fold(0, |all, waiter| all | waiter.mask);
        let change = if wanted == 0 {
            entry.registered = false;
            libc::EPOLL_CTL_DEL
        } else {
            entry.mask = wanted;
            libc::EPOLL_CTL_MOD
        };
        // ENOENT and EBADF: it was closed meanwhile.
        let _ = control(self.epoll, change, fd, wanted, generation);
    }
}

/// The number in an event that stands for no descriptor of the user's.
pub(super) const WAKE: u64 = u64::MAX;

/// What poll(2) says of `fd` now; 0 for what is not open.
pub(super) fn readiness(fd: i32, mask: u32) -> u32 {
    let mut one = libc::pollfd {
        fd,
        events: mask as u16 as i16,
        revents: 0,
    };
    // SAFETY: one entry, which is ours; it does not wait.
    match unsafe { libc::poll(&raw mut one, 1, 0) } {
        1 if one.revents & libc::POLLNVAL == 0 => u32::from(one.revents as u16),
        _ => 0,
    }
}

/// Whether `fd` names an open file.
pub(super) fn is_open(fd: i32) -> bool {
    // SAFETY: this command takes no argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

fn control(epoll: i32, change: i32, fd: i32, mask: u32, generation: u32) -> Result<(), Errno> {
    let tag = u64::from(generation) << 32 | u64::from(fd as u32);
    control_raw(epoll, change, fd, mask | EDGE, tag)
}

/// `epoll_ctl`(2).
pub(super) fn control_raw(
    epoll: i32,
    change: i32,
    fd: i32,
    events: u32,
    tag: u64,
) -> Result<(), Errno> {
    let mut event = libc::epoll_event { events, u64: tag };
    // SAFETY: `event` is valid for reads.
    match unsafe { libc::epoll_ctl(epoll, change, fd, &raw mut event) } {
        -1 => Err(super::last_errno()),
        _ => Ok(()),
    }
}

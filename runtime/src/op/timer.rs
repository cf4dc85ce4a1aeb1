//! Timers: entries in the home's wheel.
//!
//! A timer lies in a cell as operations do, and the phases mean the same: Queued in the inbox,
//! Lent in the wheel, Back once it has fired. The wheel is touched by the home only; a drop or a
//! reset from elsewhere gives the cell up and takes another.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::cell::{TIMER_CLASS, TimerBody, isolated};
use super::header::{HeaderRef, Link, Phase};
use super::table::{Table, give_back, post, release};
use crate::reactor::Home;

/// A deadline that a task can wait for. Dropping it never waits.
pub(crate) struct Timer {
    home: Arc<Home>,
    deadline: u64,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Idle,
    Running(HeaderRef),
    Elapsed,
}

impl Timer {
    /// A timer for a tick of the home's clock. The first poll starts it.
    pub(crate) fn new(home: &Arc<Home>, deadline: u64) -> Timer {
        Timer {
            home: home.clone(),
            deadline,
            stage: Stage::Idle,
        }
    }

    pub(crate) fn home(&self) -> &Arc<Home> {
        &self.home
    }

    pub(crate) fn is_elapsed(&self) -> bool {
        match self.stage {
            Stage::Idle => false,
            Stage::Running(cell) => cell.phase() == Phase::Back,
            Stage::Elapsed => true,
        }
    }

    /// Ready once the deadline has passed.
    ///
    /// # Panics
    ///
    /// When the runtime has been shut down.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Stage::Idle = self.stage {
            if self.deadline <= self.home.clock().tick_now() && !self.home.is_shutdown() {
                self.stage = Stage::Elapsed;
            } else {
                self.start(Some(cx.waker()));
            }
        }
        let Stage::Running(cell) = self.stage else {
            return Poll::Ready(());
        };
        if cell.phase() != Phase::Back {
            cell.waker.register(cx.waker());
        }
        if cell.phase() != Phase::Back {
            if self.home.is_shutdown() {
                // Nobody wakes it, and it may keep what keeps the cell.
                drop(cell.waker.take());
                panic!("{}", crate::reactor::SHUTDOWN);
            }
            return Poll::Pending;
        }
        self.stage = Stage::Elapsed;
        release(&self.home, cell);
        Poll::Ready(())
    }

    /// Moves the deadline. Whoever waits is woken at the new one.
    pub(crate) fn reset(&mut self, deadline: u64) {
        self.deadline = deadline;
        if let Stage::Running(cell) = std::mem::replace(&mut self.stage, Stage::Idle) {
            let waker = cell.waker.take();
            abandon(&self.home, cell);
            let waker = waker.filter(|_| self.home.refusal().is_none());
            match waker {
                Some(waker) if deadline <= self.home.clock().tick_now() => {
                    self.stage = Stage::Elapsed;
                    waker.wake();
                }
                Some(waker) => self.start(Some(&waker)),
                None => {}
            }
        }
    }

    fn start(&mut self, waker: Option<&Waker>) {
        assert!(!self.home.is_shutdown(), "{}", crate::reactor::SHUTDOWN);
        let put = |cell: HeaderRef, link: Link| {
            if let Some(waker) = waker {
                cell.waker.register(waker);
            }
            cell.put_timer(self.deadline, link);
            cell
        };
        let here = self.home.with_core(|core| {
            let cell = put(core.table().take_cell(&self.home, TIMER_CLASS), Link::Free);
            core.table().deliver_timer(&self.home, cell, Phase::Queued);
            cell
        });
        let cell = here.unwrap_or_else(|| {
            let cell = put(self.home.pages().take(TIMER_CLASS), Link::Linked);
            if self.home.inbox().push(cell).is_err() {
                give_back(&self.home, cell);
                panic!("{}", crate::reactor::SHUTDOWN);
            }
            self.home.unpark();
            cell
        });
        self.stage = Stage::Running(cell);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Stage::Running(cell) = self.stage {
            abandon(&self.home, cell);
        }
    }
}

/// Gives up the cell of a timer, from any thread.
fn abandon(home: &Arc<Home>, cell: HeaderRef) {
    // At home the entry leaves the wheel now, so that timers made and cancelled leave nothing.
    if home
        .with_core(|core| core.table().drop_timer(home, cell))
        .is_some()
    {
        return;
    }
    loop {
        let changed = match cell.phase() {
            // It stands in the inbox already.
            Phase::Queued => cell.change(Phase::Queued, Phase::DroppedQueued).is_ok(),
            Phase::Lent => match cell.change_and_link(Phase::Lent, Phase::DroppedLent) {
                Ok(true) => return post(home, cell),
                changed => changed.is_ok(),
            },
            _ => return release(home, cell),
        };
        if changed {
            return;
        }
    }
}

impl Table {
    /// Does what the phase of a timer's cell, just out of the inbox, asks for.
    pub(super) fn deliver_timer(&self, home: &Home, cell: HeaderRef, phase: Phase) {
        match phase {
            Phase::Queued => match cell.change(Phase::Queued, Phase::Lent) {
                Ok(()) => {
                    let deadline = cell.timer().deadline;
                    let key = self.timers.borrow_mut().insert(deadline, cell);
                    cell.set_timer(TimerBody {
                        deadline,
                        key: Some(key),
                    });
                }
                Err(_) => self.drop_timer(home, cell),
            },
            Phase::DroppedLent | Phase::DroppedQueued => self.drop_timer(home, cell),
            Phase::Empty | Phase::Lent | Phase::Back | Phase::Lost | Phase::Detached => {}
        }
    }

    /// Takes a timer out of the wheel, if it stands there, and its cell with it.
    fn drop_timer(&self, home: &Home, cell: HeaderRef) {
        if let Some(key) = cell.timer().key {
            self.timers.borrow_mut().remove(key);
        }
        self.empty(home, cell);
    }

    /// Fires every timer that is due at `tick`.
    ///
    /// Wakers run when all of them have left the wheel: one may drop, or reset, any of the others.
    pub(crate) fn fire_timers(&self, tick: u64) {
        let mut wakers = self.fired.take();
        self.timers.borrow_mut().advance(tick, &mut |cell| {
            cell.set_timer(TimerBody {
                key: None,
                ..cell.timer()
            });
            // Dropped meanwhile: the cell comes by the inbox.
            if cell.change(Phase::Lent, Phase::Back).is_ok() {
                wakers.extend(cell.waker.take());
            }
        });
        for waker in wakers.drain(..) {
            isolated("a waker", || waker.wake());
        }
        self.fired.replace(wakers);
    }

    /// Ends every timer: whoever waits is told, by its next poll, that the runtime has ended.
    pub(crate) fn end_timers(&self) {
        let mut wakers = Vec::new();
        self.timers.borrow_mut().advance(u64::MAX, &mut |cell| {
            cell.set_timer(TimerBody {
                key: None,
                ..cell.timer()
            });
            if cell.change(Phase::Lent, Phase::Lost).is_ok() {
                wakers.extend(cell.waker.take());
            }
        });
        for waker in wakers {
            isolated("a waker", || waker.wake());
        }
    }
}

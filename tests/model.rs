//! The protocols of cells, of the inbox and of parking, under the interleavings of two threads.
//!
//! The files are the runtime's own; their atomics are loom's here. What the table does with a cell
//! is told anew, as far as the phase goes.
#![allow(
    dead_code,
    unused_imports,
    reason = "the model takes whole files, their tests too, and uses a part of each"
)]

mod atomics {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};
}

mod cell {
    pub(crate) struct VTable;
}

#[path = "../runtime/src/op/header.rs"]
mod header;
#[path = "../runtime/src/op/inbox.rs"]
mod inbox;
#[path = "../runtime/src/reactor/park.rs"]
mod park;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use header::{Header, HeaderRef, Link, Phase};
use inbox::Inbox;
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Notify};
use loom::thread;
use park::Park;

/// How often a thread may be interrupted in one execution: without a limit it takes a minute, and
/// finds no more.
const PREEMPTIONS_MAX: usize = 4;

/// What becomes of an operation before it is taken or dropped.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    /// Its end is asked for first.
    cancelled: bool,
    /// Its first completion makes it go round.
    goes_round: bool,
    /// The home ends while the other thread is at it.
    ends: bool,
    /// It is posted while the home is at it, else before.
    late: bool,
}

/// A home with one cell.
struct Home {
    cell: HeaderRef,
    inbox: Inbox,
    /// 1 while it holds an operation, 2 while it holds an output.
    body: UnsafeCell<u8>,
    /// How often the body was emptied, and how often the cell came free.
    emptied: AtomicUsize,
    freed: AtomicUsize,
}

// SAFETY: which thread may touch the body is what the model checks.
unsafe impl Sync for Home {}
// SAFETY: as above.
unsafe impl Send for Home {}

impl Home {
    /// With the operation put into its cell by a thread that is not the home's.
    fn new() -> Home {
        let cell = HeaderRef(NonNull::from(Box::leak(Box::new(Header::new(0, true)))));
        cell.set(Phase::Queued, Link::Linked);
        Home {
            cell,
            inbox: Inbox::new(),
            body: UnsafeCell::new(1),
            emptied: AtomicUsize::new(0),
            freed: AtomicUsize::new(0),
        }
    }

    fn take_body(&self, holds: u8) {
        // SAFETY: whoever calls this says that the body is its own; loom sees if it is not.
        let before = self.body.with_mut(|body| unsafe { body.replace(0) });
        assert_eq!(before, holds);
        self.emptied.fetch_add(1, Ordering::SeqCst);
    }

    // ---- The future's thread, as `table::release` and `table::abandon` -----------------

    fn release(&self) {
        self.take_body(2);
        if self.cell.change_and_link(Phase::Back, Phase::Empty) == Ok(true) {
            let _ = self.inbox.push(self.cell);
        }
    }

    fn cancel(&self) {
        self.cell
            .cancel_wanted
            .store(true, atomics::Ordering::SeqCst);
        if self.cell.change_and_link(Phase::Lent, Phase::Lent) == Ok(true) {
            let _ = self.inbox.push(self.cell);
        }
    }

    fn abandon(&self) {
        loop {
            let changed = match self.cell.phase() {
                Phase::Queued => self
                    .cell
                    .change(Phase::Queued, Phase::DroppedQueued)
                    .is_ok(),
                Phase::Lent => match self.cell.change_and_link(Phase::Lent, Phase::DroppedLent) {
                    Ok(true) => return drop(self.inbox.push(self.cell)),
                    changed => changed.is_ok(),
                },
                Phase::Back => return self.release(),
                phase => panic!("abandoned in {phase:?}"),
            };
            if changed {
                return;
            }
        }
    }

    // ---- The home's thread, as `Table` --------------------------------------------------

    fn empty(&self) {
        if self.cell.empty() {
            self.free();
        }
    }

    fn free(&self) {
        self.freed.fetch_add(1, Ordering::SeqCst);
    }

    fn finish(&self, from: Phase) {
        // SAFETY: as in `take_body`.
        let before = self.body.with_mut(|body| unsafe { body.replace(2) });
        assert_eq!(before, 1);
        if self.cell.change(from, Phase::Back).is_err() {
            self.take_body(2);
            self.empty();
        }
    }

    fn drain(&self, line: &mut bool) {
        for (_, phase) in self.inbox.take() {
            match phase {
                Phase::Empty => self.free(),
                Phase::Queued | Phase::DroppedQueued if !*line => *line = true,
                _ => {}
            }
        }
    }

    /// Publishes what stands in line. True if the kernel has it now.
    fn flush(&self, line: &mut bool) -> bool {
        if !std::mem::take(line) {
            return false;
        }
        let published = self.cell.change(Phase::Queued, Phase::Lent).is_ok();
        if !published {
            self.take_body(1);
            self.empty();
        }
        published
    }

    fn land(&self, goes_round: bool, line: &mut bool) {
        if goes_round && self.cell.change(Phase::Lent, Phase::Queued).is_ok() {
            *line = true;
        } else {
            self.finish(Phase::Lent);
        }
    }

    fn end(&self, line: &mut bool) {
        for (_, phase) in self.inbox.close() {
            match phase {
                Phase::Empty => self.free(),
                Phase::Queued | Phase::DroppedQueued if !*line => *line = true,
                _ => {}
            }
        }
        if std::mem::take(line) {
            match self.cell.phase() {
                Phase::Queued => self.finish(Phase::Queued),
                _ => {
                    self.take_body(1);
                    self.empty();
                }
            }
        }
    }

    fn drive(&self, scenario: Scenario) {
        let mut line = false;
        let mut lent = false;
        for turn in 0..2 {
            self.drain(&mut line);
            lent |= self.flush(&mut line);
            if lent {
                lent = false;
                self.land(turn == 0 && scenario.goes_round, &mut line);
            }
        }
        if scenario.ends {
            self.end(&mut line);
        } else if self.flush(&mut line) {
            self.land(false, &mut line);
        }
    }
}

fn an_operation_is_emptied_once_and_its_cell_freed_once(scenario: Scenario) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS_MAX);
    model.check(move || {
        let home = Arc::new(Home::new());
        if !scenario.late {
            home.inbox.push(home.cell).expect("it is open");
        }
        let future = {
            let home = home.clone();
            thread::spawn(move || {
                if scenario.late && home.inbox.push(home.cell).is_err() {
                    // Refused: the operation is its own again.
                    home.take_body(1);
                    return home.cell.set(Phase::Empty, Link::Free);
                }
                if scenario.cancelled {
                    home.cancel();
                }
                home.abandon();
            })
        };
        home.drive(scenario);
        future.join().expect("it does not panic");
        // What is left comes out at the home's next turn.
        let mut line = false;
        home.drain(&mut line);
        if home.flush(&mut line) {
            home.land(false, &mut line);
            home.drain(&mut line);
        }
        assert_eq!(home.emptied.load(Ordering::SeqCst), 1);
        assert_eq!(home.cell.phase(), Phase::Empty);
        let freed = home.freed.load(Ordering::SeqCst);
        assert!(
            freed == 1 || scenario.ends && freed == 0,
            "freed {freed} times"
        );
    });
}

fn who_posts_to_a_core_that_goes_to_sleep_is_heard() {
    loom::model(|| {
        let shared = Arc::new((Park::new(), Inbox::new(), Notify::new()));
        let poster = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (park, inbox, signal) = &*shared;
                let cell = HeaderRef(NonNull::from(Box::leak(Box::new(Header::new(0, true)))));
                cell.set(Phase::Queued, Link::Linked);
                inbox.push(cell).expect("it is open");
                if park.call() {
                    signal.notify();
                }
            })
        };
        let (park, inbox, signal) = &*shared;
        // A core that finds nothing waits; loom tells when it waits for ever.
        while inbox.take().count() == 0 {
            if park.begin() && !inbox.has_mail() {
                signal.wait();
            }
            park.end();
        }
        poster.join().expect("it does not panic");
    });
}

fn main() {
    for bits in 0..16 {
        let [cancelled, goes_round, ends, late] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        an_operation_is_emptied_once_and_its_cell_freed_once(Scenario {
            cancelled,
            goes_round,
            ends,
            late,
        });
    }
    who_posts_to_a_core_that_goes_to_sleep_is_heard();
}

//! The home's side of operations: which cells the kernel has, which wait for an SQE, which are
//! free; and the ring they go through.
//!
//! Everything here runs on the thread that drives the core. No user code (a waker, a `Drop`, a
//! buffer's methods) runs while one of the cells below is borrowed: each step borrows, decides,
//! lets go, and only then calls out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use annulus_ring::{Cqe, Errno, Opcode, Ring, SqeFlags};
use slab::Slab;

use super::allowed;
use super::cell::{class_for, isolated};
use super::header::{GENERATION_MASK, HeaderRef, Kind, Link, Phase, Tag};
use super::page::CLASSES;
use super::{OnDrop, Op, wake};
use crate::reactor::Home;
use crate::time::wheel::Wheel;

/// A read whose memory is in order can still see EFAULT when the thread that submitted it has
/// ended; this often it is submitted again.
const FAULTS_MAX: u8 = 3;

pub(crate) struct Table {
    ring: RefCell<Ring>,
    cells: RefCell<Cells>,
    pub(super) timers: RefCell<Wheel<HeaderRef>>,
    /// The wakers of timers that have fired; kept for its memory.
    pub(super) fired: RefCell<Vec<Waker>>,
    /// The poll of the eventfd has ended, or was never begun.
    wake_disarmed: Cell<bool>,
    /// Operations in the kernel's hands that end by themselves, soon.
    bounded: Cell<usize>,
    /// Bytes of buffers that the kernel has been lent.
    lent_bytes: Cell<u64>,
    /// Shutdown: an ECANCELED is what was asked for.
    closing: Cell<bool>,
}

#[derive(Default)]
struct Cells {
    /// What the kernel has, by slab index.
    lent: Slab<HeaderRef>,
    free: [Vec<HeaderRef>; CLASSES],
    /// Without an SQE yet: the SQ was full.
    waiting: VecDeque<HeaderRef>,
    /// User data of operations to cancel.
    cancels: VecDeque<u64>,
    /// Descriptors to close behind everything that is queued now.
    closes: VecDeque<OwnedFd>,
    generation: u32,
}

impl Table {
    pub(crate) fn new(ring: Ring) -> Table {
        Table {
            ring: RefCell::new(ring),
            cells: RefCell::default(),
            timers: RefCell::new(Wheel::new()),
            fired: RefCell::default(),
            wake_disarmed: Cell::new(true),
            bounded: Cell::new(0),
            lent_bytes: Cell::new(0),
            closing: Cell::new(false),
        }
    }

    pub(crate) fn ring(&self) -> &RefCell<Ring> {
        &self.ring
    }

    /// Bytes of buffers that the kernel has, those that it selects itself not counted.
    pub(crate) fn lent_bytes(&self) -> u64 {
        self.lent_bytes.get()
    }

    /// Operations that are queued or that the kernel has.
    pub(crate) fn in_flight(&self) -> usize {
        let cells = self.cells.borrow();
        cells.lent.len() + cells.waiting.len()
    }

    /// Timers in the wheel.
    pub(crate) fn timers_running(&self) -> usize {
        self.timers.borrow().len()
    }

    /// Whether the kernel works on files: a paused clock stands still for that, as it does for
    /// blocking closures.
    pub(crate) fn works_on_files(&self) -> bool {
        self.bounded.get() > 0
    }

    /// Whether everything queued has reached the SQ.
    pub(crate) fn is_flushed(&self) -> bool {
        let cells = self.cells.borrow();
        cells.waiting.is_empty() && cells.cancels.is_empty() && cells.closes.is_empty()
    }

    /// Handles what other threads, and drops, have put into the inbox.
    pub(crate) fn drain_inbox(&self, home: &Home) {
        for (cell, phase) in home.inbox().take() {
            self.deliver(home, cell, phase);
        }
    }

    fn deliver(&self, home: &Home, cell: HeaderRef, phase: Phase) {
        if phase == Phase::Empty {
            return self.free(home, cell);
        }
        if cell.is_timer() {
            return self.deliver_timer(home, cell, phase);
        }
        let waiting = cell.waiting.load(Ordering::Relaxed);
        match phase {
            Phase::Queued | Phase::Detached if !waiting => self.submit(home, cell),
            Phase::DroppedQueued if !waiting => self.drop_queued(home, cell),
            Phase::Lent if cell.cancel_wanted.load(Ordering::SeqCst) => self.ask_cancel(cell),
            Phase::DroppedLent if !waiting && cell.on_drop() == OnDrop::Cancel => {
                self.ask_cancel(cell);
            }
            _ => {}
        }
    }

    /// Queues a cell for the kernel: in an SQE at once where there is one, else in line.
    fn submit(&self, home: &Home, cell: HeaderRef) {
        if self.refuses(cell) {
            return self.fail(home, cell, Errno::ECANCELED);
        }
        if self.cells.borrow().waiting.is_empty() {
            match self.publish(cell) {
                Published::Lent => return,
                Published::Dropped => return self.drop_queued(home, cell),
                Published::Full => {}
            }
        }
        cell.waiting.store(true, Ordering::Relaxed);
        self.cells.borrow_mut().waiting.push_back(cell);
    }

    /// At the end nothing new begins, but what was promised is still done.
    fn refuses(&self, cell: HeaderRef) -> bool {
        self.closing.get() && cell.on_drop() == OnDrop::Cancel
    }

    fn ask_cancel(&self, cell: HeaderRef) {
        self.cells.borrow_mut().cancels.push_back(cell.tag().pack());
    }

    fn drop_queued(&self, home: &Home, cell: HeaderRef) {
        isolated("the drop of an operation", || cell.drop_op());
        self.empty(home, cell);
    }

    /// Fills an SQE for a cell, which is Lent from here on.
    fn publish(&self, cell: HeaderRef) -> Published {
        let mut ring = self.ring.borrow_mut();
        if ring.sq_space_left() == 0 {
            return Published::Full;
        }
        let mut cells = self.cells.borrow_mut();
        cells.generation = (cells.generation + 1) & GENERATION_MASK;
        let tag = Tag {
            kind: Kind::Op,
            generation: cells.generation,
            index: u32::try_from(cells.lent.vacant_key()).expect("below 2^32 cells"),
        };
        cell.set_tag(tag);
        let published = match cell.change(Phase::Queued, Phase::Lent) {
            Err(Phase::Detached) => cell.change(Phase::Detached, Phase::DroppedLent),
            published => published,
        };
        if published.is_err() {
            return Published::Dropped;
        }
        cells.lent.insert(cell);
        self.bounded
            .set(self.bounded.get() + usize::from(is_bounded(cell.code())));
        let Some(sqe) = ring.get_sqe() else {
            unreachable!("space was seen above")
        };
        cell.fill(sqe);
        debug_assert!(allowed::allows(sqe), "{sqe:?} is not listed");
        sqe.set_user_data(tag.pack());
        let lent_bytes = sqe.lent_bytes();
        cell.lent_bytes.store(lent_bytes, Ordering::Relaxed);
        self.lent_bytes
            .set(self.lent_bytes.get() + u64::from(lent_bytes));
        // Asked for between `put` and the change of phase: whoever asked saw Queued.
        if cell.cancel_wanted.load(Ordering::SeqCst) {
            cells.cancels.push_back(tag.pack());
        }
        Published::Lent
    }

    /// Moves cancels, cells in line and closes into the SQ, as far as it has room. True when all
    /// of them found a place.
    pub(crate) fn flush(&self, home: &Home) -> bool {
        if self.wake_disarmed.get()
            && let Some(sqe) = self.ring.borrow_mut().get_sqe()
        {
            wake::fill(sqe, home.event());
            self.wake_disarmed.set(false);
        }
        if !self.flush_cancels() {
            return false;
        }
        loop {
            let Some(cell) = self.cells.borrow().waiting.front().copied() else {
                break;
            };
            let refused = self.refuses(cell);
            let published = if refused {
                Published::Dropped
            } else {
                self.publish(cell)
            };
            if published == Published::Full {
                return false;
            }
            self.cells.borrow_mut().waiting.pop_front();
            cell.waiting.store(false, Ordering::Relaxed);
            if refused {
                self.fail(home, cell, Errno::ECANCELED);
            } else if published == Published::Dropped {
                self.drop_queued(home, cell);
            }
        }
        // A cancel that was asked for by what was just published.
        if !self.flush_cancels() {
            return false;
        }
        loop {
            let mut cells = self.cells.borrow_mut();
            if self.ring.borrow().sq_space_left() == 0 {
                return cells.closes.is_empty();
            }
            let Some(fd) = cells.closes.pop_front() else {
                return true;
            };
            let fd = fd.into_raw_fd();
            self.push_quiet(|sqe| {
                sqe.prep_close(fd);
            });
        }
    }

    fn flush_cancels(&self) -> bool {
        loop {
            let Some(user_data) = self.cells.borrow().cancels.front().copied() else {
                return true;
            };
            let cancel = |sqe: &mut annulus_ring::Sqe| {
                sqe.prep_cancel64(user_data, 0);
            };
            if !self.push_quiet(cancel) {
                return false;
            }
            self.cells.borrow_mut().cancels.pop_front();
        }
    }

    /// Pushes an SQE whose success nobody wants to hear of. False when the SQ is full.
    fn push_quiet(&self, fill: impl FnOnce(&mut annulus_ring::Sqe)) -> bool {
        let mut ring = self.ring.borrow_mut();
        let Some(sqe) = ring.get_sqe() else {
            return false;
        };
        fill(sqe);
        sqe.set_flags(SqeFlags::CQE_SKIP_SUCCESS);
        debug_assert!(allowed::allows(sqe), "{sqe:?} is not listed");
        sqe.set_user_data(Tag::QUIET.pack());
        true
    }

    /// Closes a descriptor behind everything that is queued.
    pub(crate) fn close_behind(&self, fd: OwnedFd) {
        self.cells.borrow_mut().closes.push_back(fd);
    }

    /// Handles every completion there is. Returns how many there were.
    pub(crate) fn reap(&self, home: &Home) -> usize {
        let mut count = 0;
        loop {
            let Some(cqe) = self.ring.borrow_mut().pop() else {
                break;
            };
            count += 1;
            self.land(home, cqe);
        }
        count
    }

    fn land(&self, home: &Home, cqe: Cqe) {
        let tag = match Tag::unpack(cqe.user_data()) {
            Some(Tag {
                kind: Kind::Op,
                generation,
                index,
            }) => (generation, index),
            Some(Tag {
                kind: Kind::Quiet, ..
            }) => return,
            Some(
                tag @ Tag {
                    kind: Kind::Wake, ..
                },
            ) => {
                if tag == Tag::EVENT && !cqe.more() {
                    self.wake_disarmed.set(true);
                }
                return;
            }
            None => return home.stats().stale_cqes.add(1),
        };
        let cell = {
            let mut cells = self.cells.borrow_mut();
            let known = cells.lent.get(tag.1 as usize).copied();
            match known.filter(|cell| cell.tag().generation == tag.0) {
                Some(cell) => {
                    if !cqe.more() {
                        cells.lent.remove(tag.1 as usize);
                    }
                    cell
                }
                None => return home.stats().stale_cqes.add(1),
            }
        };
        if !cqe.more() {
            self.bounded
                .set(self.bounded.get() - usize::from(is_bounded(cell.code())));
            let lent_bytes = cell.lent_bytes.load(Ordering::Relaxed);
            self.lent_bytes
                .set(self.lent_bytes.get() - u64::from(lent_bytes));
        } else {
            return isolated("a completion's handler", || cell.more(cqe));
        }
        if self.goes_round(cell, cqe) {
            return;
        }
        self.finish(home, cell, cqe, Phase::Lent);
    }

    /// Whether the operation has to be submitted again; if so, it stands in line.
    fn goes_round(&self, cell: HeaderRef, cqe: Cqe) -> bool {
        let waited_for = cell.phase() == Phase::Lent && !cell.cancel_wanted.load(Ordering::SeqCst);
        let keep = waited_for || cell.on_drop() == OnDrop::Finish;
        let lost_submission = match cqe.result() {
            Err(Errno::EINTR) => true,
            Err(Errno::ECANCELED) => !self.closing.get(),
            Err(Errno::EFAULT) => {
                let reads = [Opcode::READ, Opcode::READV, Opcode::READ_FIXED];
                reads.contains(&cell.code())
                    && cell.faults.fetch_add(1, Ordering::Relaxed) < FAULTS_MAX
            }
            _ => false,
        };
        let goes_round = (keep && lost_submission) || cell.again(cqe);
        if !goes_round {
            return false;
        }
        let queued = match cell.change(Phase::Lent, Phase::Queued) {
            Err(Phase::DroppedLent) if cell.on_drop() == OnDrop::Finish => {
                cell.change(Phase::DroppedLent, Phase::Detached)
            }
            queued => queued,
        };
        if queued.is_err() {
            return false;
        }
        cell.waiting.store(true, Ordering::Relaxed);
        self.cells.borrow_mut().waiting.push_back(cell);
        true
    }

    /// Turns an operation that the kernel does not have into its output, for whoever waits.
    fn finish(&self, home: &Home, cell: HeaderRef, cqe: Cqe, from: Phase) {
        let guard = AbortOnUnwind;
        cell.finish(cqe);
        std::mem::forget(guard);
        match cell.change(from, Phase::Back) {
            Ok(()) => isolated("a waker", || cell.waker.wake()),
            Err(_) => {
                isolated("the discard of a result", || cell.discard());
                self.empty(home, cell);
            }
        }
    }

    /// Marks a cell as empty, and free unless the inbox still names it.
    pub(super) fn empty(&self, home: &Home, cell: HeaderRef) {
        if cell.empty() {
            self.free(home, cell);
        }
    }

    pub(super) fn free(&self, home: &Home, cell: HeaderRef) {
        isolated("the drop of a waker", || drop(cell.waker.take()));
        if cell.foreign {
            home.pages().give_back(cell);
        } else {
            self.cells.borrow_mut().free[usize::from(cell.class)].push(cell);
        }
    }

    pub(super) fn take_cell(&self, home: &Home, class: usize) -> HeaderRef {
        let free = &mut self.cells.borrow_mut().free[class];
        if free.is_empty() {
            home.pages().grow(class, free);
        }
        free.pop().expect("a page holds at least one cell")
    }

    /// Asks for the end of everything that may be cancelled, and takes on nothing more.
    pub(crate) fn cancel_all(&self) {
        self.closing.set(true);
        let cells = &mut *self.cells.borrow_mut();
        for (_, cell) in &cells.lent {
            if cell.on_drop() == OnDrop::Cancel {
                cells.cancels.push_back(cell.tag().pack());
            }
        }
    }

    /// Ends every operation that the kernel does not have with an error.
    pub(crate) fn fail_waiting(&self, home: &Home, errno: Errno) {
        loop {
            let Some(cell) = self.cells.borrow_mut().waiting.pop_front() else {
                break;
            };
            cell.waiting.store(false, Ordering::Relaxed);
            self.fail(home, cell, errno);
        }
    }

    /// Closes the inbox and ends what was in it, but for what was promised.
    pub(crate) fn close_inbox(&self, home: &Home, errno: Errno) {
        for (cell, phase) in home.inbox().close() {
            match phase {
                Phase::Empty => self.free(home, cell),
                _ if cell.is_timer() => self.deliver_timer(home, cell, phase),
                // It has gone round and stands in line, whose end deals with it.
                _ if cell.waiting.load(Ordering::Relaxed) => {}
                Phase::Queued | Phase::Detached if cell.on_drop() == OnDrop::Finish => {
                    self.submit(home, cell);
                }
                Phase::Queued | Phase::DroppedQueued | Phase::Detached => {
                    self.fail(home, cell, errno);
                }
                Phase::Lent | Phase::Back | Phase::DroppedLent | Phase::Lost => {}
            }
        }
    }

    fn fail(&self, home: &Home, cell: HeaderRef, errno: Errno) {
        match cell.phase() {
            Phase::Queued => self.finish(home, cell, Cqe::failed(0, errno), Phase::Queued),
            _ => self.drop_queued(home, cell),
        }
    }

    /// Gives up what the kernel has for good, and says what it was. The cells stay as they are.
    pub(crate) fn leak(
        &self,
        errno: Errno,
        mut say: impl FnMut(Opcode, &'static Location<'static>),
    ) -> usize {
        let lent = std::mem::take(&mut self.cells.borrow_mut().lent);
        let leaked = lent.len();
        self.bounded.set(0);
        self.lent_bytes.set(0);
        for (_, cell) in lent {
            say(cell.code(), cell.site());
            isolated("a lost operation's handler", || cell.adrift(errno));
            let waited_for = cell.change(Phase::Lent, Phase::Lost).is_ok();
            let waker = cell.waker.take();
            isolated("a waker", || {
                waker
                    .into_iter()
                    .filter(|_| waited_for)
                    .for_each(Waker::wake)
            });
        }
        leaked
    }

    /// How long the kernel may sleep before a timer is due, given the tick that it is now.
    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.timers.borrow().next_expiration()
    }

    /// The ring, for whoever takes the table apart.
    pub(crate) fn into_ring(self) -> Ring {
        self.ring.into_inner()
    }
}

/// Whether an operation ends by itself, because it works on a file and waits for no peer.
fn is_bounded(code: Opcode) -> bool {
    matches!(
        code,
        Opcode::READ
            | Opcode::WRITE
            | Opcode::READV
            | Opcode::WRITEV
            | Opcode::OPENAT
            | Opcode::STATX
            | Opcode::FSYNC
            | Opcode::RENAMEAT
            | Opcode::UNLINKAT
            | Opcode::MKDIRAT
            | Opcode::FTRUNCATE
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Published {
    Lent,
    /// The SQ has no room.
    Full,
    /// Nobody waits any more: the cell is still to be emptied.
    Dropped,
}

/// Half-turned bodies must not be seen by anybody: a panic between operation and output ends the
/// process.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// Puts an operation into a cell of its home, from any thread. Gives it back where the home takes
/// nothing any more.
pub(super) fn place<T: Op>(
    home: &Arc<Home>,
    op: T,
    waker: Option<&Waker>,
    site: &'static Location<'static>,
) -> Result<HeaderRef, (T, Errno)> {
    if let Some(errno) = home.refusal() {
        return Err((op, errno));
    }
    let class = const { class_for::<T>() };
    let put = |cell: HeaderRef, op: T, link: Link| {
        // Before the phase says Queued: nobody looks for the waker of an empty cell.
        if let Some(waker) = waker {
            cell.waker.register(waker);
        }
        cell.put(op, site, link);
        cell
    };
    let mut op = Some(op);
    let mut take = || op.take().expect("an operation is placed once");
    let here = home.with_core(|core| {
        let cell = put(core.table().take_cell(home, class), take(), Link::Free);
        core.table().submit(home, cell);
        cell
    });
    if let Some(cell) = here {
        return Ok(cell);
    }
    let cell = put(home.pages().take(class), take(), Link::Linked);
    if home.inbox().push(cell).is_err() {
        let op = cell.take_op::<T>();
        give_back(home, cell);
        return Err((op, home.refusal().unwrap_or(Errno::ECANCELED)));
    }
    home.unpark();
    Ok(cell)
}

/// Gives back a cell that the inbox did not take.
pub(super) fn give_back(home: &Home, cell: HeaderRef) {
    cell.set(Phase::Empty, Link::Free);
    drop(cell.waker.take());
    home.pages().give_back(cell);
}

/// A future has emptied its cell, which was Back.
pub(super) fn release(home: &Arc<Home>, cell: HeaderRef) {
    if home
        .with_core(|core| core.table().empty(home, cell))
        .is_some()
    {
        return;
    }
    if cell.change_and_link(Phase::Back, Phase::Empty) == Ok(true)
        && home.inbox().push(cell).is_err()
    {
        forget(cell);
    }
}

/// Asks for the end of an operation that somebody still waits for.
pub(super) fn cancel(home: &Arc<Home>, cell: HeaderRef) {
    cell.cancel_wanted.store(true, Ordering::SeqCst);
    // Where it is Queued the publish sees the flag.
    if cell.change_and_link(Phase::Lent, Phase::Lent) == Ok(true) {
        post(home, cell);
    }
}

/// Tells the home of a change that its inbox now names.
pub(super) fn post(home: &Arc<Home>, cell: HeaderRef) {
    match home.inbox().push(cell) {
        Ok(()) if home.is_here() => {}
        Ok(()) => home.unpark(),
        // Nothing is in the kernel's hands but what was leaked.
        Err(_) => forget(cell),
    }
}

/// After the home's end a cell stays in its page, which goes with the home: so its waker, which
/// may keep the home, must not stay.
fn forget(cell: HeaderRef) {
    drop(cell.waker.take());
}

/// A future is dropped: its cell is the home's from here on.
pub(super) fn abandon(home: &Arc<Home>, cell: HeaderRef) {
    loop {
        let changed = match cell.phase() {
            Phase::Queued if cell.on_drop() == OnDrop::Finish => {
                cell.change(Phase::Queued, Phase::Detached).is_ok()
            }
            // The home finds it where it is queued: in its line, or in the inbox.
            Phase::Queued => cell.change(Phase::Queued, Phase::DroppedQueued).is_ok(),
            Phase::Lent if cell.on_drop() == OnDrop::Finish => {
                cell.change(Phase::Lent, Phase::DroppedLent).is_ok()
            }
            Phase::Lent => match cell.change_and_link(Phase::Lent, Phase::DroppedLent) {
                Ok(true) => return post(home, cell),
                changed => changed.is_ok(),
            },
            Phase::Back => {
                isolated("the discard of a result", || cell.discard());
                return release(home, cell);
            }
            Phase::Lost => true,
            Phase::Empty | Phase::Detached | Phase::DroppedQueued | Phase::DroppedLent => {
                unreachable!("a cell is abandoned once, by the future that had it")
            }
        };
        if changed {
            return;
        }
    }
}

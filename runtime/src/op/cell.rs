//! A cell's body: an operation, then its output, at one address.
//!
//! The header erases the type; the table of functions here brings it back. Which of the two the
//! body holds, and whose it is, follows from the phase alone (see `header`).

use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::Ordering;

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use super::header::{HeaderRef, Link, Phase};
use super::page::{BODY_ALIGN, BODY_OFFSET, BODY_SIZE_MAX, class_of};
use super::{OnDrop, Op};
use crate::task::quietly;
use crate::time::wheel::Key;

/// What the home can do with a body whose type it does not know.
pub(super) struct VTable {
    pub(super) code: Opcode,
    pub(super) on_drop: OnDrop,
    pub(super) fill: unsafe fn(*mut u8, &mut Sqe),
    pub(super) more: unsafe fn(*mut u8, Cqe),
    pub(super) adrift: unsafe fn(*mut u8, Errno),
    pub(super) again: unsafe fn(*mut u8, Cqe) -> bool,
    /// Turns the operation into its output, in place.
    pub(super) finish: unsafe fn(*mut u8, Cqe),
    pub(super) drop_op: unsafe fn(*mut u8),
    pub(super) discard: unsafe fn(*mut u8),
}

/// The body of a cell that holds an operation of type `T`, or its output: what is done with it.
struct Body<T>(PhantomData<T>);

impl<T: Op> Body<T> {
    const VTABLE: &'static VTable = &VTable {
        code: T::CODE,
        on_drop: T::ON_DROP,
        fill: Self::fill,
        more: Self::more,
        adrift: Self::adrift,
        again: Self::again,
        finish: Self::finish,
        drop_op: Self::drop_op,
        discard: Self::discard,
    };

    /// # Safety
    /// The body holds an operation and is the caller's.
    unsafe fn fill(body: *mut u8, sqe: &mut Sqe) {
        // SAFETY: the caller's promise; the body was written as a `T` at this address.
        let op = unsafe { &mut *body.cast::<T>() };
        op.fill(sqe);
    }

    /// # Safety
    /// The body holds an operation whose memory the kernel may still use.
    unsafe fn more(body: *mut u8, cqe: Cqe) {
        // SAFETY: passed on: `Op::more` is given a pointer, and touches only what was not lent.
        unsafe { T::more(body.cast(), cqe) };
    }

    /// # Safety
    /// The body holds an operation whose memory the kernel may still use.
    unsafe fn adrift(body: *mut u8, errno: Errno) {
        // SAFETY: passed on: `Op::adrift` is given a pointer, and touches only what was not lent.
        unsafe { T::adrift(body.cast(), errno) };
    }

    /// # Safety
    /// The body holds an operation that the kernel has let go of.
    unsafe fn again(body: *mut u8, cqe: Cqe) -> bool {
        // SAFETY: the caller's promise.
        let op = unsafe { &mut *body.cast::<T>() };
        op.again(cqe)
    }

    /// # Safety
    /// The body holds an operation that the kernel has let go of; afterwards it holds the output.
    unsafe fn finish(body: *mut u8, cqe: Cqe) {
        // SAFETY: the caller's promise; the operation is moved out, and not read again.
        let op = unsafe { body.cast::<T>().read() };
        let output = op.finish(cqe);
        // SAFETY: the class was chosen for the larger of the two.
        unsafe { body.cast::<T::Output>().write(output) };
    }

    /// # Safety
    /// The body holds an operation that the kernel does not have.
    unsafe fn drop_op(body: *mut u8) {
        // SAFETY: the caller's promise; nothing reads the body after this.
        unsafe { body.cast::<T>().drop_in_place() };
    }

    /// # Safety
    /// The body holds an output that nobody else takes.
    unsafe fn discard(body: *mut u8) {
        // SAFETY: the caller's promise; the output is moved out, and not read again.
        T::discard(unsafe { body.cast::<T::Output>().read() });
    }
}

/// The body of a cell that holds a timer.
#[derive(Clone, Copy)]
pub(super) struct TimerBody {
    /// The tick at which it fires.
    pub(super) deadline: u64,
    /// Where it stands in the wheel.
    pub(super) key: Option<Key>,
}

/// The size class of a timer's cell.
pub(super) const TIMER_CLASS: usize = class_of(size_of::<TimerBody>());

/// The size class for operations of type `T`; refuses at compile time what no class holds.
pub(super) const fn class_for<T: Op>() -> usize {
    const fn larger(a: usize, b: usize) -> usize {
        if a > b { a } else { b }
    }
    const {
        let size = larger(size_of::<T>(), size_of::<T::Output>());
        let align = larger(align_of::<T>(), align_of::<T::Output>());
        assert!(
            size <= BODY_SIZE_MAX && align <= BODY_ALIGN,
            "an operation with its output must fit into the largest cell: box what is large"
        );
        class_of(size)
    }
}

impl HeaderRef {
    fn body(self) -> *mut u8 {
        // SAFETY: a header is the start of a cell, and the body lies BODY_OFFSET behind it.
        unsafe { self.0.as_ptr().cast::<u8>().add(BODY_OFFSET) }
    }

    fn vtable(self) -> &'static VTable {
        let vtable = self.vtable.load(Ordering::Relaxed);
        debug_assert!(!vtable.is_null(), "an empty cell has no operation");
        // SAFETY: set by `put` from a constant that lives for ever; read only while not Empty.
        unsafe { &*vtable }
    }

    /// Puts an operation into an empty cell, which is then Queued.
    pub(super) fn put<T: Op>(self, op: T, site: &'static Location<'static>, link: Link) {
        debug_assert_eq!(self.phase(), Phase::Empty);
        // SAFETY: the cell was just taken from a free list of `T`'s class: the body is ours, and
        // large enough.
        unsafe { self.body().cast::<T>().write(op) };
        self.vtable.store(
            std::ptr::from_ref(Body::<T>::VTABLE).cast_mut(),
            Ordering::Relaxed,
        );
        self.site
            .store((&raw const *site).cast_mut(), Ordering::Relaxed);
        self.cancel_wanted.store(false, Ordering::Relaxed);
        self.faults.store(0, Ordering::Relaxed);
        self.set(Phase::Queued, link);
    }

    /// Makes an empty cell a timer's, which is then Queued.
    pub(super) fn put_timer(self, deadline: u64, link: Link) {
        debug_assert_eq!(self.phase(), Phase::Empty);
        // SAFETY: the cell was just taken from a free list of a class that holds a TimerBody.
        unsafe {
            self.body().cast::<TimerBody>().write(TimerBody {
                deadline,
                key: None,
            })
        };
        self.vtable.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.set(Phase::Queued, link);
    }

    pub(super) fn is_timer(self) -> bool {
        self.vtable.load(Ordering::Relaxed).is_null()
    }

    /// The timer in this cell. Only the home reads or writes it after `put_timer`.
    pub(super) fn timer(self) -> TimerBody {
        debug_assert!(self.is_timer());
        // SAFETY: the cell holds a timer, and only the thread that drives the home is here.
        unsafe { self.body().cast::<TimerBody>().read() }
    }

    pub(super) fn set_timer(self, timer: TimerBody) {
        debug_assert!(self.is_timer());
        // SAFETY: as in `timer`; a TimerBody has nothing to drop.
        unsafe { self.body().cast::<TimerBody>().write(timer) };
    }

    pub(super) fn code(self) -> Opcode {
        self.vtable().code
    }

    pub(super) fn on_drop(self) -> OnDrop {
        self.vtable().on_drop
    }

    /// Who submitted the operation.
    pub(super) fn site(self) -> &'static Location<'static> {
        // SAFETY: set by `put` from a reference that lives for ever; read only while not Empty.
        unsafe { &*self.site.load(Ordering::Relaxed) }
    }

    /// Describes the operation in an SQE. By the home, before the SQE is published.
    pub(super) fn fill(self, sqe: &mut Sqe) {
        debug_assert!(matches!(self.phase(), Phase::Lent | Phase::DroppedLent));
        // SAFETY: the SQE is not published yet, so the kernel does not have the operation, and the body is the home's.
        unsafe { (self.vtable().fill)(self.body(), sqe) };
    }

    /// Hands a completion that is not the last to the operation.
    pub(super) fn more(self, cqe: Cqe) {
        debug_assert!(matches!(self.phase(), Phase::Lent | Phase::DroppedLent));
        // SAFETY: between publish and the terminal CQE the body holds the operation.
        unsafe { (self.vtable().more)(self.body(), cqe) };
    }

    /// Tells the operation that the ring keeps it for good.
    pub(super) fn adrift(self, errno: Errno) {
        debug_assert!(matches!(self.phase(), Phase::Lent | Phase::DroppedLent));
        // SAFETY: between publish and the terminal CQE, which never comes, the body holds the
        // operation.
        unsafe { (self.vtable().adrift)(self.body(), errno) };
    }

    /// Asks the operation whether it goes round again after its terminal CQE.
    pub(super) fn again(self, cqe: Cqe) -> bool {
        // SAFETY: the terminal CQE has been seen, so the kernel has let go.
        unsafe { (self.vtable().again)(self.body(), cqe) }
    }

    /// Turns the operation into its output.
    pub(super) fn finish(self, cqe: Cqe) {
        // SAFETY: the terminal CQE has been seen, or the operation was never published.
        unsafe { (self.vtable().finish)(self.body(), cqe) };
    }

    /// Drops an operation that was never published.
    pub(super) fn drop_op(self) {
        // SAFETY: never published, so the kernel does not have it, and nobody waits for it.
        unsafe { (self.vtable().drop_op)(self.body()) };
    }

    /// Gives an output that nobody waits for to the operation's type.
    pub(super) fn discard(self) {
        // SAFETY: the future is gone, so the output is the caller's, who empties the cell next.
        unsafe { (self.vtable().discard)(self.body()) };
    }

    /// Takes the output of a cell that is Back.
    pub(super) fn take<T: Op>(self) -> T::Output {
        debug_assert_eq!(self.phase(), Phase::Back);
        // SAFETY: the phase was Back, so `finish` has written the output, and this is its only
        // taker: the future, which put a `T` here and forgets the cell after.
        unsafe { self.body().cast::<T::Output>().read() }
    }

    /// Takes back an operation that nobody took on: the inbox was closed.
    pub(super) fn take_op<T: Op>(self) -> T {
        // SAFETY: still Queued and in no list, so the body holds the operation that the caller
        // has just put there.
        unsafe { self.body().cast::<T>().read() }
    }
}

/// Runs code that may be the user's, and keeps its panic from the reactor.
pub(super) fn isolated(what: &'static str, user: impl FnOnce()) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(user));
    if let Err(payload) = outcome {
        trace::error!("a panic in {what} was caught by the reactor");
        quietly(|| drop(payload));
    }
}

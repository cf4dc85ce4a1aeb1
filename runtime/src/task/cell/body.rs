//! The part of a cell that knows the future's type: the stage, and what is done
//! to it, by way of a table of functions.
#![allow(unsafe_code)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::{Header, quietly};
use crate::context;
use crate::task::{JoinError, Schedule, Task};

#[repr(C)]
pub(super) struct Cell<F: Future, S> {
    header: Header,
    scheduler: S,
    stage: UnsafeCell<Stage<F>>,
}

enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

impl<F: Future, S> Cell<F, S> {
    pub(super) fn new(header: Header, scheduler: S, future: F) -> Cell<F, S> {
        Cell {
            header,
            scheduler,
            stage: UnsafeCell::new(Stage::Future(future)),
        }
    }
}

impl<F: Future> Stage<F> {
    /// Drops what is there, in place, and answers the panic that it raised.
    fn clear(&mut self) -> Result<(), Box<dyn Any + Send>> {
        catch_unwind(AssertUnwindSafe(|| *self = Stage::Empty))
    }
}

/// Drops a future whose poll panics while the panic unwinds: destructors of the
/// user may ask `std::thread::panicking`. A second panic, in them, is kept in.
struct ClearOnUnwind<'a, F: Future>(&'a mut Stage<F>);

impl<F: Future> Drop for ClearOnUnwind<'_, F> {
    fn drop(&mut self) {
        if let Err(payload) = self.0.clear() {
            quietly(|| drop(payload));
        }
    }
}

/// What depends on the future's type. The header given is always that of a
/// cell of this type.
pub(super) struct Vtable {
    /// Polls; true if the output, or the panic, has been stored.
    pub(super) poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future and stores that the task was cancelled.
    pub(super) cancel: unsafe fn(NonNull<Header>),
    /// Moves the output to a `Poll<Result<T, JoinError>>`.
    pub(super) take_output: unsafe fn(NonNull<Header>, *mut ()),
    pub(super) drop_output: unsafe fn(NonNull<Header>),
    pub(super) schedule: unsafe fn(NonNull<Header>, Task),
    pub(super) free: unsafe fn(NonNull<Header>),
}

pub(super) fn vtable<F: Future + 'static, S: Schedule>() -> &'static Vtable {
    const {
        &Vtable {
            poll: poll::<F, S>,
            cancel: cancel::<F, S>,
            take_output: take_output::<F, S>,
            drop_output: drop_output::<F, S>,
            schedule: schedule::<F, S>,
            free: free::<F, S>,
        }
    }
}

/// # Safety
///
/// `header` is that of a live `Cell<F, S>`.
unsafe fn cell_of<'a, F: Future, S>(header: NonNull<Header>) -> &'a Cell<F, S> {
    // SAFETY: the header is the first field of a repr(C) cell, and the pointer
    // was made from the whole cell.
    unsafe { header.cast::<Cell<F, S>>().as_ref() }
}

/// # Safety
///
/// As [`cell_of`], and the stage is the caller's (see the top of `cell`).
unsafe fn stage_of<'a, F: Future, S>(header: NonNull<Header>) -> &'a mut Stage<F> {
    // SAFETY: as the caller's.
    let cell = unsafe { cell_of::<F, S>(header) };
    // SAFETY: the stage is the caller's alone.
    unsafe { &mut *cell.stage.get() }
}

/// # Safety
///
/// As [`stage_of`]; the stage holds the future, and this is its thread.
unsafe fn poll<F: Future, S>(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    // SAFETY: as the caller's.
    let stage = unsafe { stage_of::<F, S>(header) };
    // SAFETY: as the caller's.
    let id = unsafe { cell_of::<F, S>(header) }.header.id;
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let guard = ClearOnUnwind(stage);
        let Stage::Future(future) = &mut *guard.0 else {
            unreachable!("a task that runs has a future");
        };
        // SAFETY: the future stays in the cell, at its address, until it is
        // dropped there.
        let future = unsafe { Pin::new_unchecked(future) };
        let polled = future.poll(cx);
        mem::forget(guard);
        polled
    }));
    let result = match polled {
        Ok(Poll::Pending) => return false,
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(JoinError::panic(id, payload)),
    };
    let result = match (result, stage.clear()) {
        (result, Ok(())) => result,
        // A future that panics while it is dropped has failed, whatever it had
        // answered.
        (Ok(output), Err(payload)) => {
            quietly(|| drop(output));
            Err(JoinError::panic(id, payload))
        }
        (Err(_), Err(_)) => unreachable!("the guard has dropped the future"),
    };
    *stage = Stage::Output(result);
    true
}

/// # Safety
///
/// As [`poll`].
unsafe fn cancel<F: Future, S>(header: NonNull<Header>) {
    // SAFETY: as the caller's.
    let stage = unsafe { stage_of::<F, S>(header) };
    // SAFETY: as the caller's.
    let id = unsafe { cell_of::<F, S>(header) }.header.id;
    *stage = Stage::Output(Err(match stage.clear() {
        Ok(()) => JoinError::cancelled(id),
        Err(payload) => JoinError::panic(id, payload),
    }));
}

/// # Safety
///
/// As [`stage_of`], and `output` points to a `Poll<Result<F::Output, JoinError>>`.
unsafe fn take_output<F: Future, S>(header: NonNull<Header>, output: *mut ()) {
    // SAFETY: as the caller's.
    let stage = unsafe { stage_of::<F, S>(header) };
    // SAFETY: as the caller's.
    let output = unsafe { &mut *output.cast::<Poll<Result<F::Output, JoinError>>>() };
    match mem::replace(stage, Stage::Empty) {
        Stage::Output(result) => *output = Poll::Ready(result),
        _ => panic!("JoinHandle polled after completion"),
    }
}

/// # Safety
///
/// As [`stage_of`].
unsafe fn drop_output<F: Future, S>(header: NonNull<Header>) {
    // SAFETY: as the caller's.
    let stage = unsafe { stage_of::<F, S>(header) };
    if let Err(payload) = stage.clear() {
        quietly(|| drop(payload));
    }
}

/// # Safety
///
/// As [`cell_of`], and the cell lives until this returns.
unsafe fn schedule<F: Future, S: Schedule>(header: NonNull<Header>, task: Task) {
    // SAFETY: as the caller's.
    unsafe { cell_of::<F, S>(header) }.scheduler.schedule(task);
}

/// # Safety
///
/// As [`cell_of`], and nobody else holds the cell.
unsafe fn free<F: Future, S>(header: NonNull<Header>) {
    // SAFETY: nobody else holds the cell, so the stage is the caller's.
    let stage = unsafe { stage_of::<F, S>(header) };
    // SAFETY: as the caller's.
    let thread = unsafe { cell_of::<F, S>(header) }.header.thread;
    let foreign = thread.is_some() && thread != context::thread_id();
    if foreign && !matches!(stage, Stage::Empty) {
        // A local future whose thread never came back to it.
        return;
    }
    // SAFETY: the cell came from a Box, and nobody else holds it.
    let cell = unsafe { Box::from_raw(header.cast::<Cell<F, S>>().as_ptr()) };
    quietly(|| drop(cell));
}

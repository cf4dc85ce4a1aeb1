//! The waker of a task: a counted reference to its cell, and no allocation.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::cell::TaskRef;

/// A waker that borrows the reference of the task's runner: a poll counts
/// only if the future clones it.
pub(super) fn borrowed(task: &TaskRef) -> impl Deref<Target = Waker> + '_ {
    // SAFETY: the vtable's functions are made for this data, and the waker is
    // not dropped, so it gives up no reference that it does not have. Clones
    // of it count.
    ManuallyDrop::new(unsafe { Waker::new(task.as_raw(), &VTABLE) })
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// # Safety
///
/// As all of these: `data` is that of a waker of this vtable which lives.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: as the caller's; the waker's reference stays the waker's.
    let task = ManuallyDrop::new(unsafe { TaskRef::from_raw(data) });
    RawWaker::new(TaskRef::clone(&task).into_raw(), &VTABLE)
}

/// # Safety
///
/// As `clone`, and the waker is used up.
unsafe fn wake(data: *const ()) {
    // SAFETY: as the caller's; the waker's reference is dropped here.
    let task = unsafe { TaskRef::from_raw(data) };
    task.wake();
}

/// # Safety
///
/// As `clone`.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: as the caller's; the waker's reference stays the waker's.
    let task = ManuallyDrop::new(unsafe { TaskRef::from_raw(data) });
    task.wake();
}

/// # Safety
///
/// As `clone`, and the waker is used up.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: as the caller's; the waker's reference is dropped here.
    drop(unsafe { TaskRef::from_raw(data) });
}

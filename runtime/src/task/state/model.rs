//! The transitions under loom, which tries every order of steps of two or three
//! threads: `RUSTFLAGS="--cfg loom" cargo test -p annulus --lib task::state`.
//!
//! A cell is modelled by what its transitions protect, the stage, of which loom
//! watches the accesses for races, and by the work of `cell` on it.
#![forbid(unsafe_code)]

use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use super::{Leave, Pause, Start, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Future,
    Output,
    Empty,
}

struct Model {
    state: State,
    /// Which loom does not see: it adds no order.
    stage: Mutex<Stage>,
    /// Accessed with the stage: loom fails if another thread may do so too.
    access: UnsafeCell<()>,
    /// Set before a wake, without an order of its own.
    ready: AtomicBool,
    futures_dropped: AtomicUsize,
    outputs_dropped: AtomicUsize,
    frees: AtomicUsize,
}

impl Model {
    /// With `references`, of which one is the first task.
    fn new(references: usize) -> Arc<Model> {
        Arc::new(Model {
            state: State::new(references),
            stage: Mutex::new(Stage::Future),
            access: UnsafeCell::new(()),
            ready: AtomicBool::new(false),
            futures_dropped: AtomicUsize::new(0),
            outputs_dropped: AtomicUsize::new(0),
            frees: AtomicUsize::new(0),
        })
    }

    /// Moves the stage on; it must be `from`, and nobody else's.
    fn advance(&self, from: Stage, to: Stage) {
        self.access.with_mut(|_| ());
        let was = mem::replace(&mut *self.stage.lock().unwrap(), to);
        assert_eq!(was, from);
        if from == Stage::Future {
            self.futures_dropped.fetch_add(1, Relaxed);
        }
    }

    fn run(&self) {
        loop {
            match self.state.start() {
                Start::Nothing => return self.release(),
                Start::Cancel => self.advance(Stage::Future, Stage::Output),
                Start::Poll if self.ready.load(Relaxed) => {
                    self.advance(Stage::Future, Stage::Output);
                }
                Start::Poll => {
                    self.access.with_mut(|_| ());
                    match self.state.pause() {
                        Pause::Idle => return self.release(),
                        // The next task is run here, at once.
                        Pause::Again => {
                            self.release();
                            continue;
                        }
                        Pause::Cancel => self.advance(Stage::Future, Stage::Output),
                    }
                }
            }
            return self.complete();
        }
    }

    fn complete(&self) {
        if !self.state.complete() {
            self.drop_output();
        }
        self.release();
    }

    fn drop_output(&self) {
        self.advance(Stage::Output, Stage::Empty);
        self.outputs_dropped.fetch_add(1, Relaxed);
    }

    fn release(&self) {
        if self.state.release(1) {
            self.free();
        }
    }

    fn free(&self) {
        self.access.with_mut(|_| ());
        self.frees.fetch_add(1, Relaxed);
    }

    /// With a reference of its own, as a waker has.
    fn wake(&self) {
        self.ready.store(true, Relaxed);
        if self.state.wake() {
            self.run();
        }
        self.release();
    }

    fn abort(&self) {
        if self.state.abort() {
            self.run();
        }
        self.release();
    }

    /// With the reference of the list of live tasks.
    fn shutdown(&self) {
        if self.state.shutdown() {
            self.advance(Stage::Future, Stage::Output);
            self.complete();
        } else {
            self.release();
        }
    }

    fn leave(&self) {
        let free = match self.state.leave() {
            Leave::Held => false,
            Leave::Free => true,
            Leave::Complete => {
                self.drop_output();
                self.state.leave_complete()
            }
        };
        if free {
            self.free();
        }
    }

    fn assert_ended(&self) {
        assert_eq!(self.futures_dropped.load(Relaxed), 1);
        assert_eq!(self.outputs_dropped.load(Relaxed), 1);
        assert_eq!(self.frees.load(Relaxed), 1);
    }
}

/// Tries the orders with up to [`PREEMPTIONS_MAX`] switches away from a thread
/// that could go on.
fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(f);
}

/// Enough to find each lost wake and double drop that three threads can make,
/// and few enough to end within seconds.
const PREEMPTIONS_MAX: usize = 2;

/// Runs `there` on a thread of its own beside `here`.
fn beside(model: &Arc<Model>, there: fn(&Model), here: fn(&Model)) {
    let other = model.clone();
    let thread = thread::spawn(move || there(&other));
    here(model);
    thread.join().unwrap();
}

#[test]
fn a_wake_beside_a_poll_is_not_lost() {
    model(|| {
        let model = Model::new(2);
        beside(&model, Model::run, Model::wake);
        model.leave();
        model.assert_ended();
    });
}

#[test]
fn two_wakes_and_a_poll_end_the_task_once() {
    model(|| {
        let model = Model::new(3);
        let other = model.clone();
        let thread = thread::spawn(move || other.wake());
        beside(&model, Model::run, Model::wake);
        thread.join().unwrap();
        model.leave();
        model.assert_ended();
    });
}

#[test]
fn a_handle_that_leaves_beside_the_end_drops_the_output_once() {
    model(|| {
        let model = Model::new(1);
        model.ready.store(true, Relaxed);
        beside(&model, Model::run, Model::leave);
        model.assert_ended();
    });
}

#[test]
fn a_handle_that_leaves_beside_an_abort_frees_once() {
    model(|| {
        let model = Model::new(2);
        let other = model.clone();
        let thread = thread::spawn(move || other.leave());
        beside(&model, Model::run, Model::abort);
        thread.join().unwrap();
        model.assert_ended();
    });
}

#[test]
fn shutdown_beside_a_run_and_a_wake_drops_the_future_once() {
    model(|| {
        let model = Model::new(3);
        let other = model.clone();
        let thread = thread::spawn(move || other.wake());
        beside(&model, Model::run, Model::shutdown);
        thread.join().unwrap();
        model.leave();
        model.assert_ended();
    });
}

#[test]
fn shutdown_beside_a_run_and_an_abort_drops_the_future_once() {
    model(|| {
        let model = Model::new(3);
        let other = model.clone();
        let thread = thread::spawn(move || other.abort());
        beside(&model, Model::run, Model::shutdown);
        thread.join().unwrap();
        model.leave();
        model.assert_ended();
    });
}

//! The budget of tokio's own types: [`Builder::coop_wrap`](crate::runtime::Builder::coop_wrap).
//!
//! tokio counts where one of its runtimes polls, and the one public way into that for a future that
//! is not its task is `Handle::block_on`. So a poll is run as the whole of a future that is ready at
//! once, by the handle of a current-thread runtime without drivers. That runtime has been shut down
//! before: nobody will ever drive it, and what is spawned on it by mistake should say so.
//!
//! ```text
//!            granted                  left (block_in_place)
//!   Outside ---------> Inside ----------------------------> Outside
//!      ^                 |                                     |
//!      +---- returns ----+ <-------------- returns ------------+
//! ```
//!
//! A poll in a poll (a task of a `LocalSet`, in the task that polls the set) leaves and enters
//! again, for a budget of its own.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use real::runtime::{Builder, Handle};

/// The variable that says whether to grant it, where the builder does not.
const VARIABLE: &str = "ANNULUS_COOP_WRAP";

/// Whether this is package `tokio`, of `[patch.crates-io]`.
const IS_PATCH: bool = matches!(env!("CARGO_PKG_NAME").as_bytes(), b"tokio");

/// Whether a runtime grants it whose builder does not say.
///
/// # Errors
///
/// If the variable is neither 0 nor 1.
pub(crate) fn is_default() -> io::Result<bool> {
    let Some(text) = std::env::var_os(VARIABLE) else {
        return Ok(IS_PATCH);
    };
    match text.to_str() {
        Some("") => Ok(IS_PATCH),
        Some("0") => Ok(false),
        Some("1") => Ok(true),
        _ => {
            let problem = format!("{VARIABLE} must be 0 or 1, not {text:?}");
            Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
        }
    }
}

thread_local! {
    /// A handle for each thread: its counts are this one's cache lines.
    static ENDED: Handle = ended_runtime();
    /// Whether this thread is in [`grant`].
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is in a poll that has tokio's budget.
pub(crate) fn is_granted() -> bool {
    INSIDE.get()
}

/// Calls `f` with tokio's budget for one poll, if `on`.
pub(crate) fn grant_if<R>(on: bool, f: impl FnOnce() -> R) -> R {
    if on { grant(f) } else { f() }
}

/// Calls `f` with a budget of its own if what is around it has one.
pub(crate) fn grant_nested<R>(f: impl FnOnce() -> R) -> R {
    if INSIDE.get() {
        leave(|| grant(f))
    } else {
        f()
    }
}

/// Calls `f` as if nothing around it had tokio's budget: it may block.
pub(crate) fn leave<R>(f: impl FnOnce() -> R) -> R {
    if !INSIDE.get() {
        return f();
    }
    let _outside = Inside::set(false);
    // tokio gives the budget up for what may block, and outside of its workers never gives it
    // back; leaving `unconstrained` does.
    let mut left = pin!(real::task::coop::unconstrained(once(|| {
        real::task::block_in_place(f)
    })));
    match left.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a call is ready at once"),
    }
}

fn grant<R>(f: impl FnOnce() -> R) -> R {
    let mut f = Some(f);
    let granted = ENDED.try_with(|handle| {
        let f = f.take().expect("called once");
        let _inside = Inside::set(true);
        handle.block_on(once(f))
    });
    match (granted, f) {
        (Ok(output), _) => output,
        // The thread is past its end: there is no budget any more, nor much left to poll.
        (Err(_), Some(f)) => f(),
        (Err(_), None) => unreachable!("an error comes before the call"),
    }
}

/// A call as a future.
fn once<R>(f: impl FnOnce() -> R) -> impl Future<Output = R> {
    let mut f = Some(f);
    poll_fn(move |_| {
        let f = f.take().expect("a call is ready at once");
        Poll::Ready(f())
    })
}

fn ended_runtime() -> Handle {
    let runtime = Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without drivers asks the system for nothing");
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    // tokio's thread-local is made before this one, and so ends after it.
    drop(handle.enter());
    handle
}

/// Puts back what [`INSIDE`] was.
struct Inside {
    before: bool,
}

impl Inside {
    fn set(inside: bool) -> Inside {
        Inside {
            before: INSIDE.replace(inside),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.before);
    }
}

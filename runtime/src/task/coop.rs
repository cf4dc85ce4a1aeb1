//! Cooperative yielding: a task that is never made to wait still gives way.
//!
//! Each poll of a task has a budget of 128 units. The runtime's own
//! futures spend one where they make progress, and answer Pending when nothing
//! is left, so that a task whose sockets are always ready does not keep its
//! worker. What moves many bytes at once spends more: a flood of large reads would else keep the
//! worker a hundred times longer than one of small ones. Outside of a task, and under
//! [`unconstrained`], nothing is counted.
//!
//! Types that come from tokio itself (`sync`, `io`) count by tokio's own budget, which there is only
//! where [`coop_wrap`](crate::runtime::Builder::coop_wrap) grants it. Then everything counts by
//! that one.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use super::budget;
use crate::context;

/// The units of one poll of a task.
pub(crate) const BUDGET: u8 = 128;
/// So many bytes cost a unit more.
const UNIT_BYTES: usize = 1024;

/// True if the running task may go on; false if the next operation will make
/// it give way.
pub fn has_budget_remaining() -> bool {
    (budget::is_granted() || context::budget() != Some(0))
        && real::task::coop::has_budget_remaining()
}

/// Spends a unit of the running task's budget, which comes back when the
/// answer is dropped, unless [`made_progress`](RestoreOnPending::made_progress)
/// was called on it. Pending if there is none; the task is then woken after
/// others had their turn.
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    let granted = budget::is_granted();
    let left = context::budget().filter(|_| !granted);
    if left == Some(0) || granted && !real::task::coop::has_budget_remaining() {
        context::defer(cx.waker());
        return Poll::Pending;
    }
    let unit = if granted {
        Unit::Tokios(ready!(real::task::coop::poll_proceed(cx)))
    } else {
        context::replace_budget(left.map(|left| left - 1));
        Unit::Ours(Cell::new(left))
    };
    Poll::Ready(RestoreOnPending {
        unit,
        stays: PhantomData,
    })
}

/// A unit of budget that is given back when this is dropped, unless the
/// operation made progress.
#[derive(Debug)]
#[must_use]
pub struct RestoreOnPending {
    unit: Unit,
    /// The budget is this thread's.
    stays: PhantomData<*mut ()>,
}

#[derive(Debug)]
enum Unit {
    /// The budget to go back to; None to leave it.
    Ours(Cell<Option<u8>>),
    Tokios(real::task::coop::RestoreOnPending),
}

impl RestoreOnPending {
    /// The unit was well spent.
    pub fn made_progress(&self) {
        match &self.unit {
            Unit::Ours(before) => before.set(None),
            Unit::Tokios(unit) => unit.made_progress(),
        }
    }
}

impl Drop for RestoreOnPending {
    fn drop(&mut self) {
        if let Unit::Ours(before) = &self.unit
            && let Some(before) = before.get()
        {
            context::replace_budget(Some(before));
        }
    }
}

/// Spends what moving so many bytes costs, besides the unit of the call that moved them.
pub(crate) fn spend_bytes(n: usize) {
    let units = (n / UNIT_BYTES).min(usize::from(BUDGET));
    if units == 0 {
        return;
    }
    if budget::is_granted() {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..units {
            if let Poll::Ready(unit) = real::task::coop::poll_proceed(&mut cx) {
                unit.made_progress();
            }
        }
    } else if let Some(left) = context::budget() {
        let units = u8::try_from(units).expect("no more than a budget");
        context::replace_budget(Some(left.saturating_sub(units)));
    }
}

/// Spends a unit of budget, and gives way if there is none: for loops that
/// would otherwise never wait.
///
/// # Cancel safety
///
/// Safe: nothing is spent by a call that has not returned.
pub async fn consume_budget() {
    poll_fn(|cx| {
        ready!(poll_proceed(cx)).made_progress();
        Poll::Ready(())
    })
    .await;
}

pin_project! {
    /// A future that spends budget; made by [`cooperative`].
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Coop<F: Future> {
        #[pin]
        future: F,
    }
}

/// Makes a future spend a unit of budget when it is ready, and give way when
/// none is left.
///
/// # Cancel safety
///
/// That of `future`.
pub fn cooperative<F: Future>(future: F) -> Coop<F> {
    Coop { future }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let coop = ready!(poll_proceed(cx));
        let output = ready!(self.project().future.poll(cx));
        coop.made_progress();
        Poll::Ready(output)
    }
}

pin_project! {
    /// A future without a budget; made by [`unconstrained`].
    #[must_use = "Unconstrained does nothing unless polled"]
    pub struct Unconstrained<F> {
        #[pin]
        future: real::task::coop::Unconstrained<F>,
    }
}

/// Lets a future run without a budget: it never has to give way. Others on its
/// worker then wait for as long as it is ready.
///
/// # Cancel safety
///
/// That of `future`.
pub fn unconstrained<F>(future: F) -> Unconstrained<F> {
    Unconstrained {
        future: real::task::coop::unconstrained(future),
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _guard = stop();
        self.project().future.poll(cx)
    }
}

/// Calls `f` under a budget of its own, as a poll of a task has.
pub(crate) fn with_budget<R>(f: impl FnOnce() -> R) -> R {
    let _guard = BudgetGuard(context::replace_budget(Some(BUDGET)));
    f()
}

/// Takes the budget away until the guard is dropped.
pub(crate) fn stop() -> impl Drop {
    BudgetGuard(context::replace_budget(None))
}

struct BudgetGuard(Option<u8>);

impl Drop for BudgetGuard {
    fn drop(&mut self) {
        context::replace_budget(self.0);
    }
}

//! Operations: what the kernel is asked to do, and who owns the memory meanwhile.
//!
//! One file for each operation says what it owns ([`Op`]); [`Submit`] is the future that waits
//! for it. What an operation owns never lies in the future but in a cell of the home (`cell`,
//! `page`, `header`), so a future can be dropped, moved or forgotten at any time: the cell stays
//! until the kernel has let go. `table` is the home's side, `inbox` the way to it from elsewhere.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use annulus_ring::{Cqe, Errno, Opcode, Sqe};

use crate::reactor::Home;
use header::{HeaderRef, Phase};

pub(crate) mod allowed;
mod cell;
pub(crate) mod connect;
pub(crate) mod header;
pub(crate) mod inbox;
pub(crate) mod inline;
pub(crate) mod landing;
mod page;
pub(crate) mod poll_add;
pub(crate) mod pool;
pub(crate) mod recv_select;
pub(crate) mod table;
pub(crate) mod timer;
mod wake;

pub(crate) mod accept_multishot;
pub(crate) mod fsync;
pub(crate) mod link_at;
pub(crate) mod mkdir_at;
pub(crate) mod open_at;
pub(crate) mod read;
pub(crate) mod recv;
pub(crate) mod rename_at;
pub(crate) mod send;
pub(crate) mod send_zc;
pub(crate) mod symlink_at;
pub(crate) mod unlink_at;
pub(crate) mod write;
pub(crate) mod write_all;

#[cfg(test)]
mod tests;

pub(crate) use header::may_repeat;
pub(crate) use page::Pages;
pub(crate) use timer::Timer;

/// An operation: what it owns, how it is told to the kernel, and what becomes of its result.
///
/// # Safety
///
/// `fill` may lend the kernel only memory that the operation owns or keeps alive, at addresses
/// that stay valid while the operation stays where it is. Until `finish` is called, nothing but
/// the kernel may touch what was lent; in particular `more` must not.
pub(crate) unsafe trait Op: Send + 'static {
    /// What the future yields.
    type Output: Send;

    /// The kernel's number for it.
    const CODE: Opcode;

    /// What happens when nobody waits any more.
    const ON_DROP: OnDrop = OnDrop::Cancel;

    /// Describes the operation in an SQE. Called where the operation will stay, and again after
    /// `again` said so or the kernel lost the submission. The table sets the user data.
    fn fill(&mut self, sqe: &mut Sqe);

    /// A completion that is not the last.
    ///
    /// # Safety
    ///
    /// `this` points to the operation, of which the kernel still holds what `fill` lent: no
    /// reference to that part may be formed. What is called after (a waker) may turn the core and
    /// end the operation: whatever is needed then is taken out first.
    unsafe fn more(_this: *mut Self, _cqe: Cqe) {}

    /// Whether the operation has to go round again after this last completion. It may change
    /// itself first, since the kernel has let go.
    fn again(&mut self, _cqe: Cqe) -> bool {
        false
    }

    /// Turns the operation into its output. Called once: on the last completion, or with a
    /// failed one if the operation never reached the kernel.
    fn finish(self, cqe: Cqe) -> Self::Output;

    /// The output where the ring has failed for good and keeps what was lent to it. `None` where
    /// there is no output without that: the future then never ends.
    fn lost(_errno: Errno) -> Option<Self::Output> {
        None
    }

    /// The ring keeps what was lent to it for good, and no completion will come: for operations
    /// that report to others than their future.
    ///
    /// # Safety
    ///
    /// As for `more`.
    unsafe fn adrift(_this: *mut Self, _errno: Errno) {}

    /// Nobody waits for the output: what it holds goes home.
    fn discard(_output: Self::Output) {}
}

/// What becomes of an operation whose future is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDrop {
    /// The kernel is asked to cancel it.
    Cancel,
    /// It runs to its end: its success was promised already.
    Finish,
}

/// A future that waits for an operation. Dropping it never waits and never loses memory.
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Submit<T: Op> {
    home: Arc<Home>,
    stage: Stage<T>,
    site: &'static Location<'static>,
}

enum Stage<T> {
    Fresh(T),
    Placed(HeaderRef),
    /// Ended before it could be placed.
    Failed(T, Errno),
    Done,
}

// Nothing in it is pinned: what the kernel sees lies in the cell.
impl<T: Op> Unpin for Submit<T> {}

impl<T: Op> Submit<T> {
    /// An operation that the first poll places.
    #[track_caller]
    pub(crate) fn new(home: &Arc<Home>, op: T) -> Submit<T> {
        Submit {
            home: home.clone(),
            stage: Stage::Fresh(op),
            site: Location::caller(),
        }
    }

    /// An operation that is placed now; nobody is woken until the first poll.
    #[track_caller]
    pub(crate) fn start(home: &Arc<Home>, op: T) -> Submit<T> {
        let mut submit = Submit::new(home, op);
        submit.place(None);
        submit
    }

    /// Whether the next poll yields the output.
    pub(crate) fn is_finished(&self) -> bool {
        match &self.stage {
            Stage::Placed(cell) => cell.phase() == Phase::Back,
            Stage::Failed(..) => true,
            Stage::Fresh(_) | Stage::Done => false,
        }
    }

    /// Whether the operation is on its way to the kernel, or there.
    pub(crate) fn in_flight(&self) -> bool {
        matches!(&self.stage, Stage::Placed(cell) if cell.phase() != Phase::Back)
    }

    /// Asks for the operation's end; its output, most often ECANCELED, still comes by poll.
    pub(crate) fn cancel(&mut self) {
        if let Stage::Placed(cell) = &self.stage {
            table::cancel(&self.home, *cell);
        }
    }

    /// What the kernel knows the operation by, while it has it.
    pub(crate) fn user_data(&self) -> Option<u64> {
        match &self.stage {
            Stage::Placed(cell) if cell.phase() == Phase::Lent => Some(cell.tag().pack()),
            _ => None,
        }
    }

    fn place(&mut self, cx: Option<&Context<'_>>) {
        let Stage::Fresh(op) = std::mem::replace(&mut self.stage, Stage::Done) else {
            unreachable!("only a fresh operation is placed")
        };
        let waker = cx.map(|cx| cx.waker());
        self.stage = match table::place(&self.home, op, waker, self.site) {
            Ok(cell) => Stage::Placed(cell),
            Err((op, errno)) => Stage::Failed(op, errno),
        };
    }
}

impl<T: Op> Future for Submit<T> {
    type Output = T::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        if let Stage::Fresh(_) = self.stage {
            self.place(Some(cx));
        }
        if let Stage::Placed(cell) = self.stage {
            // A lost one is never woken, and its waker would look like somebody who may be.
            if !matches!(cell.phase(), Phase::Back | Phase::Lost) {
                cell.waker.register(cx.waker());
            }
            match cell.phase() {
                Phase::Back => {}
                Phase::Lost => {
                    let output = self.home.refusal().and_then(T::lost);
                    return output.map_or(Poll::Pending, Poll::Ready);
                }
                _ => return Poll::Pending,
            }
        }
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Placed(cell) => {
                let output = cell.take::<T>();
                table::release(&self.home, cell);
                Poll::Ready(output)
            }
            Stage::Failed(op, errno) => Poll::Ready(op.finish(Cqe::failed(0, errno))),
            Stage::Fresh(_) | Stage::Done => panic!("an operation was polled after it had ended"),
        }
    }
}

impl<T: Op> Drop for Submit<T> {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Placed(cell) => table::abandon(&self.home, cell),
            // A file write that was accepted must not vanish with an ended runtime unnoticed.
            Stage::Failed(..) | Stage::Fresh(_) | Stage::Done => {}
        }
    }
}

//! Calls on a descriptor that are made only once a poll has told that it is ready.
//!
//! Sockets try their luck first: a call that would block says so, and costs no more than a poll.
//! That is no way for a descriptor whose calls are the user's, nor for a FIFO, where a read that
//! comes before the first writer looks like the end. So here nothing is tried that was not told,
//! and what is disproved is watched again at once: who never waits, but tries now and then, hears
//! of changes too.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use super::Interest;
use super::readiness::{Event, Side};
use super::registration::Registration;
use crate::task::coop;

/// What a call that would have blocked says about a side that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// That it is open again: the call is ours, on a descriptor that we know.
    Ours,
    /// Nothing: the call is the user's.
    Theirs,
}

impl Registration {
    /// Sees to it that changes of `interest` will be told.
    pub(crate) fn attend(&self, interest: Interest) {
        let unknown = |side: &Side| self.readiness().known(side.interest()).ready.is_empty();
        for side in Side::of(interest).filter(unknown) {
            self.arm(side);
        }
    }

    /// Takes back what a call on the descriptor has disproved, and hears of what comes after.
    pub(crate) fn take_back(&self, event: Event, interest: Interest, caller: Caller) {
        let readiness = self.readiness();
        match caller {
            Caller::Ours => readiness.disprove(event, interest),
            Caller::Theirs => readiness.clear(event, interest),
        }
        self.attend(interest);
    }

    /// Waits until `side` is known to be ready, within the task's budget.
    pub(crate) fn poll_told(&self, cx: &mut Context<'_>, side: Side) -> Poll<io::Result<Event>> {
        let budget = ready!(coop::poll_proceed(cx));
        let event = ready!(self.poll_ready(cx, side))?;
        budget.made_progress();
        Poll::Ready(Ok(event))
    }

    /// Calls `call` whenever `side` was told to be ready, until it answers anything but
    /// `WouldBlock`.
    pub(crate) fn poll_told_io<R>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        mut call: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let budget = ready!(coop::poll_proceed(cx));
        loop {
            let event = ready!(self.poll_ready(cx, side))?;
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness().disprove(event, side.interest());
                }
                result => {
                    budget.made_progress();
                    return Poll::Ready(result);
                }
            }
        }
    }

    /// As [`async_io`](Registration::async_io), for calls of the user's.
    pub(crate) async fn told_io<R>(
        &self,
        interest: Interest,
        mut call: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let event = self.ready(interest).await?;
            let budget = poll_fn(coop::poll_proceed).await;
            match call() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.take_back(event, interest, Caller::Theirs);
                }
                result => {
                    budget.made_progress();
                    return result;
                }
            }
        }
    }

    /// What was told to be ready of `interest`, to be held against a call.
    pub(crate) fn told(&self, interest: Interest) -> Option<Event> {
        let event = self.readiness().known(interest);
        (!event.ready.is_empty()).then_some(event)
    }

    /// Calls `call` once, if `event` says that it is worth a try.
    pub(crate) fn try_with<R>(
        &self,
        event: Option<Event>,
        interest: Interest,
        caller: Caller,
        call: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let Some(event) = event else {
            self.attend(interest);
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let result = call();
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.take_back(event, interest, caller);
        }
        result
    }
}

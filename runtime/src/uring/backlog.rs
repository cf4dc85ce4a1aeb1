//! Connections that were accepted and not yet taken.
//!
//! ```text
//!   Unarmed --poll--> Armed --connection--> Armed
//!      ^                |
//!      |                +-- full: cancelled --terminal CQE--+
//!      |                +-- the kernel ended it, by error --+--> Ended
//!      +------------ half empty, or the error was told ------------+
//! ```
//!
//! A full backlog cancels its accept; connections that arrive until the cancel lands are kept
//! beyond the limit.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::op::Submit;
use crate::op::accept_multishot::AcceptMultishot;
use crate::reactor::Home;

pub(crate) struct Backlog {
    home: Arc<Home>,
    listener: RawFd,
    len_max: usize,
    state: Mutex<State>,
    waker: AtomicWaker,
}

struct State {
    connections: VecDeque<OwnedFd>,
    /// The operation holds the backlog in turn: whoever drops the backlog's owner takes it out.
    accept: Option<Submit<AcceptMultishot>>,
    /// Why the last accept ended, while it is not yet told.
    error: Option<io::Error>,
    closed: bool,
}

impl Backlog {
    pub(super) fn new(home: Arc<Home>, listener: RawFd, len_max: usize) -> Backlog {
        let state = State {
            connections: VecDeque::with_capacity(len_max),
            accept: None,
            error: None,
            closed: false,
        };
        let waker = AtomicWaker::new();
        Backlog {
            home,
            listener,
            len_max,
            state: Mutex::new(state),
            waker,
        }
    }

    /// A connection has arrived.
    pub(crate) fn push(&self, connection: OwnedFd) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return self.count_dropped(1);
        }
        state.connections.push_back(connection);
        if state.connections.len() >= self.len_max
            && let Some(accept) = &mut state.accept
        {
            accept.cancel();
        }
    }

    /// Wakes whoever waits for a connection.
    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    /// The next connection, or why accepting has ended.
    pub(super) fn poll_next(
        self: &Arc<Backlog>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<OwnedFd>> {
        let mut state = self.lock();
        loop {
            state.reap(cx);
            if state.connections.len() <= self.len_max / 2 && state.error.is_none() {
                self.arm(&mut state);
            }
            if let Some(connection) = state.connections.pop_front() {
                return Poll::Ready(Ok(connection));
            }
            if let Some(error) = state.error.take() {
                return Poll::Ready(Err(error));
            }
            // Under the lock: what is pushed from here on wakes this task.
            self.waker.register(cx.waker());
            // The accept just armed is polled once, so that its end wakes this task too.
            state.reap(cx);
            if state.accept.is_some() {
                return Poll::Pending;
            }
        }
    }

    /// Waits until nothing more arrives, and hands out what has.
    pub(super) fn poll_stopped(&self, cx: &mut Context<'_>) -> Poll<VecDeque<OwnedFd>> {
        let mut state = self.lock();
        if let Some(accept) = &mut state.accept {
            accept.cancel();
        }
        state.reap(cx);
        if state.accept.is_some() {
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut state.connections))
    }

    /// Takes no more connections and closes those that nobody took. Returns what the kernel knows
    /// the accept by that may still be in its hands.
    pub(super) fn close(&self) -> Option<u64> {
        let mut state = self.lock();
        state.closed = true;
        let connections = std::mem::take(&mut state.connections);
        let accept = state.accept.take();
        drop(state);
        // Here, and not where the accept ends: a waker may be the last thing that keeps a task.
        drop(self.waker.take());
        self.count_dropped(connections.len());
        accept.as_ref().and_then(Submit::user_data)
    }

    fn arm(self: &Arc<Backlog>, state: &mut State) {
        if state.accept.is_some() {
            return;
        }
        if self.home.is_shutdown() {
            state.error = Some(Home::shutdown_error());
            return;
        }
        let accept = AcceptMultishot::new(self.listener, Arc::clone(self));
        state.accept = Some(Submit::start(&self.home, accept));
    }

    fn count_dropped(&self, connections: usize) {
        self.home
            .stats()
            .connections_dropped
            .add(connections as u64);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the accept out if it has ended.
    fn reap(&mut self, cx: &mut Context<'_>) {
        if let Some(accept) = &mut self.accept
            && let Poll::Ready(ended) = Pin::new(accept).poll(cx)
        {
            self.accept = None;
            if let Err(error) = ended {
                self.error = Some(error);
            }
        }
    }
}

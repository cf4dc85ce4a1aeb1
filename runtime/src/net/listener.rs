//! Accepting connections: what TCP and Unix listeners have in common.
//!
//! A standing poll says that connections wait, and an inline accept4 takes one for a caller
//! who is there to have it: nothing is held outside the backlog.
#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use annulus_ring::SockAddr;

use super::shortage::{Pause, Shortage, is_shortage};
use super::socket::Socket;
use crate::io::Interest;
use crate::io::readiness::Side;

pub(super) struct Listener {
    pub(super) socket: Socket,
    shortage: Shortage,
    /// What `poll_accept` waits for while there are no descriptors.
    pause: Mutex<Option<Pause>>,
}

impl Listener {
    pub(super) fn new(socket: Socket) -> Listener {
        Listener {
            socket,
            shortage: Shortage::default(),
            pause: Mutex::new(None),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(OwnedFd, SockAddr)> {
        loop {
            if let Some(pause) = self.shortage.pause(self.socket.io.any_home()) {
                pause.await;
            }
            let accept = || self.socket.accept();
            let result = self.socket.io.async_io(Interest::READABLE, accept).await;
            if let Some(result) = self.told(result) {
                return result;
            }
        }
    }

    pub(super) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(OwnedFd, SockAddr)>> {
        loop {
            ready!(self.poll_pause(cx));
            let accept = || self.socket.accept();
            let result = ready!(self.socket.io.poll_io(cx, Side::Read, accept));
            if let Some(result) = self.told(result) {
                return Poll::Ready(result);
            }
        }
    }

    /// What the caller is told; `None` to wait for a descriptor instead.
    fn told<R>(&self, result: io::Result<R>) -> Option<io::Result<R>> {
        match result {
            Err(error) if is_shortage(&error) => {
                let tell = self.shortage.begin(self.socket.io.any_home());
                tell.then_some(Err(error))
            }
            result => Some(result),
        }
    }

    fn poll_pause(&self, cx: &mut Context<'_>) -> Poll<()> {
        let begun = self.shortage.pause(self.socket.io.any_home());
        let Some(mut pause) = begun.or_else(|| self.slot().take()) else {
            return Poll::Ready(());
        };
        // Polled outside the lock: a waker is user code.
        if Pin::new(&mut pause).poll(cx).is_pending() {
            *self.slot() = Some(pause);
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn slot(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

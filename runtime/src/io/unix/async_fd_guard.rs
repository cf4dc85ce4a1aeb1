//! What was ready when a wait ended, until the caller says whether it still is.
#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;

use super::{AsyncFd, TryIoError};
use crate::io::Ready;
use crate::io::readiness::Event;

/// A wait that has ended: the descriptor was ready.
///
/// Nobody but the caller knows whether it still is, once the caller has used it. So it is to be
/// told: by [`try_io`](AsyncFdReadyGuard::try_io), which sees it from the call's result, or by
/// [`clear_ready`](AsyncFdReadyGuard::clear_ready) after a call that would have blocked. Waits
/// end at once until then.
#[must_use = "say whether the descriptor is still ready, by a method of the guard"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    fd: &'a AsyncFd<T>,
    event: Option<Event>,
}

/// As [`AsyncFdReadyGuard`], with exclusive access to the object.
#[must_use = "say whether the descriptor is still ready, by a method of the guard"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    fd: &'a mut AsyncFd<T>,
    event: Option<Event>,
}

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    pub(super) fn new(fd: &'a AsyncFd<T>, event: Event) -> AsyncFdReadyGuard<'a, T> {
        AsyncFdReadyGuard {
            fd,
            event: Some(event),
        }
    }

    /// Says that the descriptor is not ready any more, for everything that was: the next wait
    /// ends when it has become so again. To be called after a call that would have blocked, and
    /// only then: for what was ready all along nobody is woken.
    ///
    /// News that arrived after the wait had ended are not forgotten.
    pub fn clear_ready(&mut self) {
        if let Some(event) = self.event.take() {
            self.fd.take_back(event);
        }
    }

    /// Says the same of `ready` only.
    ///
    /// ```
    /// use annulus::io::unix::AsyncFd;
    /// use annulus::io::{Interest, Ready};
    /// use std::os::unix::net::UnixStream;
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let (ours, _theirs) = UnixStream::pair()?;
    /// ours.set_nonblocking(true)?;
    /// // SAFETY: the stream owns its descriptor and is not replaced.
    /// let fd = unsafe { AsyncFd::register(ours) }?;
    /// let mut guard = fd.ready(Interest::READABLE | Interest::WRITABLE).await?;
    /// assert_eq!(guard.ready(), Ready::WRITABLE);
    /// guard.clear_ready_matching(Ready::WRITABLE);
    /// assert_eq!(guard.ready(), Ready::EMPTY);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.event = clear_matching(self.event.take(), ready, |event| self.fd.take_back(event));
    }

    /// Says that the descriptor is as ready as it was.
    pub fn retain_ready(&mut self) {}

    /// What was ready, less what was cleared since.
    pub fn ready(&self) -> Ready {
        self.event.map_or(Ready::EMPTY, |event| event.ready)
    }

    /// Calls `f`. If it would have blocked, the readiness is cleared; any other result is given
    /// back, and the readiness stays.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] in place of an error of the kind `WouldBlock`.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match f(self.fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// What is waited for.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.fd
    }

    /// The object that the descriptor belongs to.
    pub fn get_inner(&self) -> &'a T {
        self.fd.get_ref()
    }
}

impl<'a, T: AsRawFd> AsyncFdReadyMutGuard<'a, T> {
    pub(super) fn new(fd: &'a mut AsyncFd<T>, event: Event) -> AsyncFdReadyMutGuard<'a, T> {
        AsyncFdReadyMutGuard {
            fd,
            event: Some(event),
        }
    }

    /// As [`AsyncFdReadyGuard::clear_ready`].
    pub fn clear_ready(&mut self) {
        if let Some(event) = self.event.take() {
            self.fd.take_back(event);
        }
    }

    /// As [`AsyncFdReadyGuard::clear_ready_matching`].
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.event = clear_matching(self.event.take(), ready, |event| self.fd.take_back(event));
    }

    /// Says that the descriptor is as ready as it was.
    pub fn retain_ready(&mut self) {}

    /// What was ready, less what was cleared since.
    pub fn ready(&self) -> Ready {
        self.event.map_or(Ready::EMPTY, |event| event.ready)
    }

    /// As [`AsyncFdReadyGuard::try_io`], with exclusive access.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] in place of an error of the kind `WouldBlock`.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&mut AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match f(self.fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// What is waited for.
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.fd
    }

    /// What is waited for, exclusively.
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.fd
    }

    /// The object that the descriptor belongs to.
    pub fn get_inner(&self) -> &T {
        self.fd.get_ref()
    }

    /// The object that the descriptor belongs to, exclusively; see [`AsyncFd::get_mut`].
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.fd.get_mut()
    }
}

/// Hands `take_back` the part of the event that is in `ready`; what is left of it.
fn clear_matching(
    event: Option<Event>,
    ready: Ready,
    take_back: impl FnOnce(Event),
) -> Option<Event> {
    let event = event?;
    take_back(event.only(ready));
    Some(event.without(ready)).filter(|left| !left.ready.is_empty())
}

impl<T: fmt::Debug + AsRawFd> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyGuard")
            .field("async_fd", &self.fd)
            .finish()
    }
}

impl<T: fmt::Debug + AsRawFd> fmt::Debug for AsyncFdReadyMutGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutReadyGuard")
            .field("async_fd", &self.fd)
            .finish()
    }
}

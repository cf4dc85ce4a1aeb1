//! Readiness of a descriptor that an object of the user's owns.
//!
//! A poll stands for each side of its interest from the start, and is armed anew when the user
//! says that the side is not ready any more: so a call that never waits hears of changes too.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};

use super::{AsyncFdReadyGuard, AsyncFdReadyMutGuard, AsyncFdRegisterError};
use crate::io::readiness::{Event, Side};
use crate::io::registration::Registration;
use crate::io::told::Caller;
use crate::io::{Interest, Ready};
use crate::reactor::Home;
use crate::sim;

/// Waits for the readiness of a descriptor that an object `T` owns: of another library's socket,
/// a timerfd, an inotify queue, a device.
///
/// The descriptor must be non-blocking, and of a kind that can be polled: regular files are not.
/// Waiting ends when a POLL_ADD operation says so; reading and writing is the caller's, on the
/// object. What is ready stays so in our eyes until the caller finds that a call would block, and
/// says so through the [guard](AsyncFdReadyGuard) that each wait yields.
///
/// Dropping it, or taking the object out, ends the polls first: the object closes its descriptor
/// at once if it was used on the thread that drives its runtime, and within milliseconds
/// elsewhere.
///
/// ```
/// use annulus::io::unix::AsyncFd;
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// ours.set_nonblocking(true)?;
/// // SAFETY: the stream owns its descriptor and is not replaced.
/// let fd = unsafe { AsyncFd::register(ours) }?;
/// theirs.write_all(b"hello")?;
/// let mut word = [0; 5];
/// let len = loop {
///     let mut guard = fd.readable().await?;
///     match guard.try_io(|fd| fd.get_ref().read(&mut word)) {
///         Ok(result) => break result?,
///         Err(_would_block) => continue,
///     }
/// };
/// assert_eq!(&word[..len], b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct AsyncFd<T: AsRawFd> {
    /// What the polls stand for.
    interest: Interest,
    registration: Registration,
    /// Present until it is taken out.
    inner: Option<T>,
    not_unwind_safe: PhantomData<Box<dyn Send + Sync>>,
}

impl<T: AsRawFd> AsyncFd<T> {
    /// Registers a descriptor with the current runtime, to be waited for in both directions.
    ///
    /// # Errors
    ///
    /// With the object inside: EBADF if the descriptor is not open, EPERM if it is of a kind that
    /// is always ready; `Unsupported` in a [simulation](crate::sim), whose world it is outside of.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    ///
    /// # Safety
    ///
    /// `inner.as_raw_fd()` is an open descriptor, and whenever it is called while this has the
    /// object, it returns the same number for the same open file, which stays open until this is
    /// dropped, forgotten or taken apart.
    #[track_caller]
    pub unsafe fn register(inner: T) -> Result<AsyncFd<T>, AsyncFdRegisterError<T>> {
        AsyncFd::enrol(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// Registers a descriptor with the current runtime, to be waited for as `interest` says.
    ///
    /// A wait for something else is answered too, but by a poll that is submitted only then.
    ///
    /// # Errors
    ///
    /// As [`register`](AsyncFd::register).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    ///
    /// # Safety
    ///
    /// As [`register`](AsyncFd::register).
    #[track_caller]
    pub unsafe fn register_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<AsyncFd<T>, AsyncFdRegisterError<T>> {
        AsyncFd::enrol(inner, interest)
    }

    /// As [`register`](AsyncFd::register), which says what it needs to be sound.
    ///
    /// # Errors
    ///
    /// As [`register`](AsyncFd::register), without the object.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    #[deprecated(note = "use `AsyncFd::register`: what it needs to be sound is not checked here")]
    pub fn new(inner: T) -> io::Result<AsyncFd<T>> {
        Ok(AsyncFd::enrol(
            inner,
            Interest::READABLE | Interest::WRITABLE,
        )?)
    }

    /// As [`register_with_interest`](AsyncFd::register_with_interest), which says what it needs to
    /// be sound.
    ///
    /// # Errors
    ///
    /// As [`register`](AsyncFd::register), without the object.
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    #[deprecated(
        note = "use `AsyncFd::register_with_interest`: what it needs to be sound is not checked \
                here"
    )]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
        Ok(AsyncFd::enrol(inner, interest)?)
    }

    /// As [`register`](AsyncFd::register), which says what it needs to be sound.
    ///
    /// # Errors
    ///
    /// As [`register`](AsyncFd::register).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    #[deprecated(note = "use `AsyncFd::register`: what it needs to be sound is not checked here")]
    pub fn try_new(inner: T) -> Result<AsyncFd<T>, AsyncFdRegisterError<T>> {
        AsyncFd::enrol(inner, Interest::READABLE | Interest::WRITABLE)
    }

    /// As [`register_with_interest`](AsyncFd::register_with_interest), which says what it needs to
    /// be sound.
    ///
    /// # Errors
    ///
    /// As [`register`](AsyncFd::register).
    ///
    /// # Panics
    ///
    /// Outside the context of a runtime.
    #[track_caller]
    #[deprecated(
        note = "use `AsyncFd::register_with_interest`: what it needs to be sound is not checked \
                here"
    )]
    pub fn try_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<AsyncFd<T>, AsyncFdRegisterError<T>> {
        AsyncFd::enrol(inner, interest)
    }

    #[track_caller]
    fn enrol(inner: T, interest: Interest) -> Result<AsyncFd<T>, AsyncFdRegisterError<T>> {
        let fd = inner.as_raw_fd();
        let registration = Registration::new(fd, Ready::EMPTY);
        if let Err(cause) = check(registration.any_home(), fd) {
            return Err(AsyncFdRegisterError::new(inner, cause));
        }
        registration.attend(interest);
        Ok(AsyncFd {
            interest,
            registration,
            inner: Some(inner),
            not_unwind_safe: PhantomData,
        })
    }

    /// The object.
    pub fn get_ref(&self) -> &T {
        self.inner.as_ref().expect("present until taken out")
    }

    /// The object, exclusively. It must keep its descriptor; see
    /// [`register`](AsyncFd::register).
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("present until taken out")
    }

    /// Ends the polls, and gives the object back.
    pub fn into_inner(mut self) -> T {
        self.registration.release();
        self.inner.take().expect("present until taken out")
    }

    /// Waits until there is something to read. Only the task of the last call is woken, of this
    /// and of [`poll_read_ready_mut`](AsyncFd::poll_read_ready_mut); any number of tasks may wait
    /// by [`readable`](AsyncFd::readable).
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let event = ready!(self.registration.poll_told(cx, Side::Read))?;
        Poll::Ready(Ok(AsyncFdReadyGuard::new(self, event)))
    }

    /// As [`poll_read_ready`](AsyncFd::poll_read_ready), with exclusive access.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let event = ready!(self.registration.poll_told(cx, Side::Read))?;
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, event)))
    }

    /// Waits until there is room to write. Only the task of the last call is woken, of this and
    /// of [`poll_write_ready_mut`](AsyncFd::poll_write_ready_mut); a task that waits to read is
    /// another.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let event = ready!(self.registration.poll_told(cx, Side::Write))?;
        Poll::Ready(Ok(AsyncFdReadyGuard::new(self, event)))
    }

    /// As [`poll_write_ready`](AsyncFd::poll_write_ready), with exclusive access.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let event = ready!(self.registration.poll_told(cx, Side::Write))?;
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(self, event)))
    }

    /// Waits until something of `interest` is ready.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let event = self.registration.ready(interest).await?;
        Ok(AsyncFdReadyGuard::new(self, event))
    }

    /// As [`ready`](AsyncFd::ready), with exclusive access.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn ready_mut(
        &mut self,
        interest: Interest,
    ) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let event = self.registration.ready(interest).await?;
        Ok(AsyncFdReadyMutGuard::new(self, event))
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable<'a>(&'a self) -> io::Result<AsyncFdReadyGuard<'a, T>> {
        self.ready(Interest::READABLE).await
    }

    /// As [`readable`](AsyncFd::readable), with exclusive access.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn readable_mut<'a>(&'a mut self) -> io::Result<AsyncFdReadyMutGuard<'a, T>> {
        self.ready_mut(Interest::READABLE).await
    }

    /// Waits until there is room to write.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn writable<'a>(&'a self) -> io::Result<AsyncFdReadyGuard<'a, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// As [`writable`](AsyncFd::writable), with exclusive access.
    ///
    /// # Errors
    ///
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn writable_mut<'a>(&'a mut self) -> io::Result<AsyncFdReadyMutGuard<'a, T>> {
        self.ready_mut(Interest::WRITABLE).await
    }

    /// Calls `f` whenever something of `interest` is ready, until it answers anything but
    /// `WouldBlock`.
    ///
    /// ```
    /// use annulus::io::Interest;
    /// use annulus::io::unix::AsyncFd;
    /// use std::io::Write;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let (ours, theirs) = UnixDatagram::pair()?;
    /// ours.set_nonblocking(true)?;
    /// // SAFETY: the socket owns its descriptor and is not replaced.
    /// let fd = unsafe { AsyncFd::register(ours) }?;
    /// fd.async_io(Interest::WRITABLE, |socket| socket.send(b"hello")).await?;
    /// assert_eq!(theirs.recv(&mut [0; 16])?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// That of `f`; also if the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// What `f` has done is lost if it answered; it is not called when dropped while it waits.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let call = || f(self.get_ref());
        self.registration.told_io(interest, call).await
    }

    /// As [`async_io`](AsyncFd::async_io), with exclusive access.
    ///
    /// # Errors
    ///
    /// That of `f`; also if the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// As [`async_io`](AsyncFd::async_io).
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut f: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let inner = self.inner.as_mut().expect("present until taken out");
        self.registration.told_io(interest, || f(inner)).await
    }

    /// Calls `f` once, if something of `interest` was seen to be ready; it is a turn of the
    /// runtime that sees it.
    ///
    /// # Errors
    ///
    /// That of `f`; `WouldBlock` if nothing is known to be ready.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let told = self.registration.told(interest);
        let call = || f(self.get_ref());
        self.registration
            .try_with(told, interest, Caller::Theirs, call)
    }

    /// As [`try_io`](AsyncFd::try_io), with exclusive access.
    ///
    /// # Errors
    ///
    /// As [`try_io`](AsyncFd::try_io).
    pub fn try_io_mut<R>(
        &mut self,
        interest: Interest,
        f: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let inner = self.inner.as_mut().expect("present until taken out");
        let told = self.registration.told(interest);
        self.registration
            .try_with(told, interest, Caller::Theirs, || f(inner))
    }

    /// The user says that `event` is over.
    pub(super) fn take_back(&self, event: Event) {
        let interest = self.interest;
        self.registration.take_back(event, interest, Caller::Theirs);
    }
}

fn check(home: &Home, fd: RawFd) -> io::Result<()> {
    sim::refuse(
        "AsyncFd::register",
        "a descriptor of the system is none of a simulated host",
    )?;
    Ok(home.kernel().check_pollable(fd)?)
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsRawFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: whoever registered the object promised that its number stays the same open
        // descriptor while this has it.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

impl<T: fmt::Debug + AsRawFd> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", &self.inner)
            .finish()
    }
}

impl<T: AsRawFd> Drop for AsyncFd<T> {
    /// The polls first: the object closes its descriptor after.
    fn drop(&mut self) {
        if self.inner.is_some() {
            self.registration.release();
        }
    }
}

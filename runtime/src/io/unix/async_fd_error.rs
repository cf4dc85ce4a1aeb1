//! Why a descriptor was not registered, and that a call would have blocked.
#![forbid(unsafe_code)]

use std::error::Error;
use std::{fmt, io};

/// The error of a descriptor that could not be registered, with the object it belongs to.
///
/// ```
/// use annulus::io::unix::AsyncFd;
/// use std::fs::File;
///
/// # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let file = File::open("/proc/self/exe")?;
/// // SAFETY: the file owns its descriptor and is not touched.
/// let error = unsafe { AsyncFd::register(file) }.expect_err("a file is always ready");
/// let (_file, cause) = error.into_parts();
/// assert_eq!(cause.kind(), std::io::ErrorKind::PermissionDenied);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct AsyncFdRegisterError<T> {
    inner: T,
    cause: io::Error,
}

/// The name that [`AsyncFdRegisterError`] had before.
#[doc(hidden)]
#[deprecated(note = "use `AsyncFdRegisterError` instead")]
pub type AsyncFdTryNewError<T> = AsyncFdRegisterError<T>;

impl<T> AsyncFdRegisterError<T> {
    pub(super) fn new(inner: T, cause: io::Error) -> AsyncFdRegisterError<T> {
        AsyncFdRegisterError { inner, cause }
    }

    /// The object that was to be registered, and why it was not.
    pub fn into_parts(self) -> (T, io::Error) {
        (self.inner, self.cause)
    }
}

impl<T> fmt::Display for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)
    }
}

impl<T> fmt::Debug for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.cause, f)
    }
}

impl<T> Error for AsyncFdRegisterError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl<T> From<AsyncFdRegisterError<T>> for io::Error {
    fn from(error: AsyncFdRegisterError<T>) -> io::Error {
        error.cause
    }
}

/// A call on a descriptor would have blocked, and its readiness was cleared; see
/// [`AsyncFdReadyGuard::try_io`](super::AsyncFdReadyGuard::try_io).
#[derive(Debug)]
pub struct TryIoError(pub(super) ());

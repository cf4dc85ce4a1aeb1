//! Readiness of descriptors that are none of ours.

mod async_fd;
mod async_fd_error;
mod async_fd_guard;

pub use self::async_fd::AsyncFd;
#[allow(deprecated, reason = "tokio has it still")]
pub use self::async_fd_error::AsyncFdTryNewError;
pub use self::async_fd_error::{AsyncFdRegisterError, TryIoError};
pub use self::async_fd_guard::{AsyncFdReadyGuard, AsyncFdReadyMutGuard};

//! Why a task has no output.
#![forbid(unsafe_code)]

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use super::Id;

/// What a task's `panic!` carried.
type Payload = Box<dyn Any + Send + 'static>;

/// The error of a join handle: the task was cancelled, or it panicked.
pub struct JoinError {
    cause: Cause,
    id: Id,
    /// As tokio's: what a panic carried is not safe to unwind past.
    not_unwind_safe: PhantomData<Box<dyn Any + Send + Sync>>,
}

enum Cause {
    Cancelled,
    /// In a mutex, which makes a payload that is only Send shareable.
    Panic(Mutex<Payload>),
}

impl JoinError {
    pub(crate) fn cancelled(id: Id) -> JoinError {
        JoinError {
            cause: Cause::Cancelled,
            id,
            not_unwind_safe: PhantomData,
        }
    }

    pub(crate) fn panic(id: Id, payload: Payload) -> JoinError {
        JoinError {
            cause: Cause::Panic(Mutex::new(payload)),
            id,
            not_unwind_safe: PhantomData,
        }
    }

    /// True if the task was aborted, or its runtime ended before it did.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.cause, Cause::Cancelled)
    }

    /// True if the task panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.cause, Cause::Panic(_))
    }

    /// What the task's panic carried, for [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; [`try_into_panic`](Self::try_into_panic) asks first.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.try_into_panic()
            .expect("`JoinError` reason is not a panic.")
    }

    /// What the task's panic carried.
    ///
    /// # Errors
    ///
    /// The error itself, if the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.cause {
            Cause::Panic(payload) => {
                Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner))
            }
            Cause::Cancelled => Err(self),
        }
    }

    /// The id of the task.
    pub fn id(&self) -> Id {
        self.id
    }
}

/// Calls `read` with the panic's message, where it is text, as it is unless
/// somebody used `panic_any`.
fn with_message<R>(payload: &Mutex<Payload>, read: impl FnOnce(Option<&str>) -> R) -> R {
    let payload = payload.lock().unwrap_or_else(PoisonError::into_inner);
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&'static str>().copied());
    read(text)
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Cancelled => write!(f, "task {} was cancelled", self.id),
            Cause::Panic(payload) => with_message(payload, |message| match message {
                Some(message) => write!(f, "task {} panicked with message {message:?}", self.id),
                None => write!(f, "task {} panicked", self.id),
            }),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Cancelled => write!(f, "JoinError::Cancelled({:?})", self.id),
            Cause::Panic(payload) => with_message(payload, |message| match message {
                Some(message) => write!(f, "JoinError::Panic({:?}, {message:?}, ...)", self.id),
                None => write!(f, "JoinError::Panic({:?}, ...)", self.id),
            }),
        }
    }
}

impl Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        io::Error::other(match error.cause {
            Cause::Cancelled => "task was cancelled",
            Cause::Panic(_) => "task panicked",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::JoinError;
    use crate::task::Id;

    #[test]
    fn the_text_names_the_task_and_the_panic() {
        let id = Id::next();
        let error = JoinError::panic(id, Box::new("ouch"));
        assert_eq!(
            error.to_string(),
            format!("task {id} panicked with message \"ouch\"")
        );
        assert_eq!(
            format!("{error:?}"),
            format!("JoinError::Panic({id:?}, \"ouch\", ...)")
        );
        let error = JoinError::panic(id, Box::new(7));
        assert_eq!(error.to_string(), format!("task {id} panicked"));
        assert!(JoinError::cancelled(id).try_into_panic().is_err());
        assert_eq!(io::Error::from(error).to_string(), "task panicked");
    }
}

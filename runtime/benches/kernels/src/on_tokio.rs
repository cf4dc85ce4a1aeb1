//! The work on tokio.
#![forbid(unsafe_code)]

use tokio as runtime;

#[path = "work.rs"]
pub(crate) mod work;

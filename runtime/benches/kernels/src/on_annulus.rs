//! The work on annulus.
#![forbid(unsafe_code)]

use annulus as runtime;

#[path = "work.rs"]
pub(crate) mod work;

//! The runtime.

pub(crate) mod blocking;

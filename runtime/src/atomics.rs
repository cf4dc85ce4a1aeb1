//! The atomics of what threads hand to one another: std's here, and loom's in the model of the
//! tests, which takes the same files.
#![forbid(unsafe_code)]

pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};

#![forbid(unsafe_code)]
//! The atomics of what threads hand to one another: std's here, and loom's in the model of the
//! tests, which takes the same files.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, Ordering};

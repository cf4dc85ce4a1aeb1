//! tokio API on io_uring.

mod context;
mod runtime;
pub mod task;

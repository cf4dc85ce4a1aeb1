//! tokio API on io_uring.

mod context;
pub mod task;

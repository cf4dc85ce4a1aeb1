//! tokio API on io_uring.

pub mod time;

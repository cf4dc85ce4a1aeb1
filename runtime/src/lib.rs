//! tokio API on io_uring.

//! tokio's API on io_uring's completions.

mod context;
mod op;
mod reactor;
pub mod runtime;
pub mod task;
pub mod time;

pub use reactor::{Leak, Stats, stats};
pub use task::spawn;

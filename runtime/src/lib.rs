//! tokio's API on io_uring's completions.

mod atomics;
mod buf;
mod context;
mod diagnose;
mod from_raw;
pub mod fs;
pub mod io;
pub mod net;
mod op;
pub mod process;
mod reactor;
pub mod runtime;
pub mod signal;
pub mod sim;
pub mod task;
pub mod time;
mod twice;
pub mod uring;

#[cfg(feature = "macros")]
pub use annulus_macros::{main, test};
pub use annulus_ring::{Opcode, Version, sim_install};
pub use diagnose::{Diagnosis, Lack, Seccomp, diagnose};
pub use reactor::{Leak, Stats, stats};
#[cfg(feature = "macros")]
pub use real::{join, select, try_join};
pub use real::{pin, sync, task_local};
pub use task::spawn;
#[doc(hidden)]
pub use twice::MARK as REAL_IS_ANNULUS;

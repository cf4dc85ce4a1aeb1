//! tokio's API on io_uring's completions.
//!
//! On systems other than Linux it is tokio itself, with all features on. What tokio does not have
//! (`uring`, `sim`, `diagnose`, and a few functions of builders and streams) is not there.
//!
//! Whoever comes from tokio finds how to move in [`guide::migrating`], and all that differs in
//! [`guide::differences`].

#[cfg(target_os = "linux")]
mod atomics;
#[cfg(target_os = "linux")]
mod buf;
#[cfg(target_os = "linux")]
mod context;
#[cfg(target_os = "linux")]
mod diagnose;
#[cfg(target_os = "linux")]
mod from_raw;
#[cfg(target_os = "linux")]
pub mod fs;
#[cfg(target_os = "linux")]
pub mod guide;
#[cfg(target_os = "linux")]
pub mod io;
#[cfg(target_os = "linux")]
pub mod net;
#[cfg(target_os = "linux")]
mod op;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(target_os = "linux")]
mod reactor;
#[cfg(target_os = "linux")]
pub mod runtime;
#[cfg(target_os = "linux")]
pub mod signal;
#[cfg(target_os = "linux")]
pub mod sim;
#[cfg(target_os = "linux")]
pub mod task;
#[cfg(target_os = "linux")]
pub mod time;
#[cfg(target_os = "linux")]
mod twice;
#[cfg(target_os = "linux")]
pub mod uring;

#[cfg(feature = "macros")]
pub use annulus_macros::{main, test};
#[cfg(target_os = "linux")]
pub use annulus_ring::{Opcode, Version, sim_install};
#[cfg(target_os = "linux")]
pub use diagnose::{Diagnosis, Lack, Seccomp, diagnose};
#[cfg(target_os = "linux")]
pub use reactor::{Leak, Stats, stats};
#[cfg(target_os = "linux")]
#[doc(hidden)]
pub use real::macros;
#[cfg(not(target_os = "linux"))]
pub use real::*;
#[cfg(all(target_os = "linux", feature = "macros"))]
pub use real::{join, select, try_join};
#[cfg(target_os = "linux")]
pub use real::{pin, sync, task_local};
#[cfg(target_os = "linux")]
pub use task::spawn;
#[cfg(target_os = "linux")]
#[doc(hidden)]
pub use twice::MARK as REAL_IS_ANNULUS;

//! Child processes.
//!
//! [`Command`] starts them as std's does. A child's end is told by its pidfd, for which a
//! POLL_ADD operation stands while somebody waits; its status is then taken by a call that does
//! not block. No handler for SIGCHLD is installed, and none of the program's is disturbed. The
//! pipes to a child are polled and moved as [those of `net`](crate::net::unix::pipe) are.
//!
//! ```
//! use annulus::process::Command;
//!
//! # annulus::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let output = Command::new("echo").arg("hello").output().await?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # std::io::Result::Ok(()) }).unwrap();
//! ```
//!
//! # Children that are dropped
//!
//! Dropping a [`Child`] neither ends it nor waits for it, unless
//! [`kill_on_drop`](Command::kill_on_drop) says so. Nobody need wait for it either: a child that
//! nobody has a handle of any more is reaped as soon as it ends, by a thread of this module that
//! lives while there are such children. That holds after its runtime has gone, too.
//!
//! A process of the program that waits for any child, by `waitpid(-1)`, takes the status of ours
//! away: waiting then fails with ECHILD.
//!
//! # Simulation
//!
//! A [simulated](crate::sim) host has no processes: starting one is `Unsupported`.

mod child;
mod command;
mod orphans;
mod stdio;
mod watched;

pub use self::child::Child;
pub use self::command::Command;
pub use self::stdio::{ChildStderr, ChildStdin, ChildStdout};

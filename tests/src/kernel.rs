//! Which kernel the runtimes of this run have.

use std::env;

/// Whether they have the emulated one, by ANNULUS_KERNEL.
pub fn is_emulated() -> bool {
    env::var("ANNULUS_KERNEL").is_ok_and(|name| name == "emulated")
}

/// Whether they have io_uring, which is what a test is about. If not, says so and why that
/// matters: it does not run then, and that is no failure anywhere.
pub fn on_uring(why: &str) -> bool {
    if is_emulated() {
        println!("skipped on the emulated kernel: {why}");
    }
    !is_emulated()
}

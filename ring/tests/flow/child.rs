//! A process of its own for what a test does to a whole process: this program again, with one test.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::support::LIMIT;

/// Set in the child to the test that it runs.
const NAME: &str = "ANNULUS_FLOW_CHILD";

/// Whether this process is the child of the test `name`.
pub(crate) fn is_child(name: &str) -> bool {
    std::env::var(NAME).is_ok_and(|child| child == name)
}

/// Starts this program with only the test `name`, which finds that it [`is_child`]. The child's
/// standard input is `input`.
pub(crate) fn start(name: &str, input: OwnedFd) -> Child {
    Command::new(std::env::current_exe().expect("a test knows its own path"))
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        .stdin(Stdio::from(input))
        .stdout(Stdio::null())
        .spawn()
        .expect("this program starts again")
}

/// Waits for the child; one that hangs is killed, and the test fails.
pub(crate) fn finish(mut child: Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            return status;
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("it lives");
            let status = child.wait().expect("it ends");
            panic!(
                "the child hung, and ended with {:?} when killed",
                status.signal()
            );
        }
        std::thread::yield_now();
    }
}

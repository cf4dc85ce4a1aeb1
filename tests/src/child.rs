//! A test in a process of its own.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Throttle;

/// Set in the child to the name of the test that it is to run.
const NAME: &str = "ANNULUS_TEST_CHILD";
/// What the child prints at the end: a name that no test has would otherwise pass, having run
/// nothing.
const MARK: &str = "annulus-test-child: ";
/// A child that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs `body` in a fresh process: this test binary again, with only the test `name`, which must
/// be the one that calls this. What cannot be undone (a seccomp filter, a limit, a leak) stays
/// there.
///
/// # Panics
///
/// If the child fails, hangs, or never ran the test.
pub fn in_child(name: &str, body: impl FnOnce()) {
    if std::env::var(NAME).is_ok_and(|child| child == name) {
        body();
        println!("{MARK}{name}");
        return;
    }
    let program = std::env::current_exe().expect("a test knows its own path");
    let mut child = Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(NAME, name)
        // A child may have made its disk slow, and a backtrace is read from there.
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test binary starts again");
    let mut out = child.stdout.take().expect("stdout is a pipe");
    let mut err = child.stderr.take().expect("stderr is a pipe");
    let out = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    let err = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("a child can be killed");
            Throttle::lift_after(child.id());
            child.wait().expect("a killed child ends");
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let out = out
        .join()
        .expect("reading does not panic")
        .unwrap_or_default();
    let err = err
        .join()
        .expect("reading does not panic")
        .unwrap_or_default();
    print!("{out}");
    eprint!("{err}");
    let status = status.unwrap_or_else(|| panic!("{name}: the child hung, and was killed"));
    assert!(status.success(), "{name}: the child ended with {status}");
    assert!(
        out.contains(&format!("{MARK}{name}")),
        "{name}: the child never ran it; is this the test's full name?"
    );
}

//! The standard streams, of a process that a test starts for it: this test program again.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;

use annulus::io::{AsyncReadExt, AsyncWriteExt, stderr, stdin, stdout};
use annulus::runtime::{Builder, Runtime};
use annulus_tests::on_a_machine;
use futures::poll;

const REAL_THREADS: &str = "its closures block each other";
/// Set in the child to the test that it is to run.
const CHILD: &str = "ANNULUS_STDIO_CHILD";
/// Around what the child writes: the harness writes too.
const MARK: &str = "\n<<<>>>\n";

/// Runs `body` in a child of the test `name`, whose input is `input`, and looks at what it wrote
/// between the marks, and at the whole.
fn of_child(name: &str, input: &[u8], body: impl FnOnce(), look: impl FnOnce(&[u8], &Output)) {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        print!("{MARK}");
        body();
        print!("{MARK}");
        return;
    }
    let program = std::env::current_exe().expect("a test knows its own path");
    let mut child = Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the test program starts again");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the child ends");
    // A child that ends without having read it all is no error of the writer's.
    let _ = writer.join().expect("it does not panic");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", output.status);
    let parts: Vec<_> = positions(&output.stdout, MARK.as_bytes()).collect();
    let [begin, end] = parts[..] else {
        panic!("{} marks: did the test run?", parts.len());
    };
    look(&output.stdout[begin + MARK.len()..end], &output);
}

fn positions<'a>(text: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(mark.len()).enumerate();
    windows
        .filter(move |(_, part)| *part == mark)
        .map(|(at, _)| at)
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .expect("the runtime builds")
}

#[test]
fn what_comes_in_goes_out_whole_and_in_order() {
    if !on_a_machine(REAL_THREADS) {
        return;
    }
    let input: Vec<u8> = (0..3_u32 << 18).flat_map(u32::to_ne_bytes).collect();
    of_child(
        "what_comes_in_goes_out_whole_and_in_order",
        &input,
        || {
            let copied = runtime().block_on(async {
                let (mut input, mut output) = (stdin(), stdout());
                let copied = annulus::io::copy(&mut input, &mut output).await;
                output.flush().await.expect("it is read");
                copied
            });
            assert_eq!(copied.expect("no error"), 3 << 20);
        },
        |written, _| assert!(written == input, "{} bytes", written.len()),
    );
}

#[test]
fn what_a_dropped_read_brought_is_the_next_reads() {
    if !on_a_machine(REAL_THREADS) {
        return;
    }
    let input = b"the whole of it, in one piece";
    of_child(
        "what_a_dropped_read_brought_is_the_next_reads",
        input,
        || {
            runtime().block_on(async {
                let mut input = stdin();
                let mut dropped = 0;
                let mut text = Vec::new();
                let mut buf = [0; 4];
                loop {
                    // Begun, and dropped: the pool reads on.
                    if let std::task::Poll::Ready(len) = poll!(std::pin::pin!(input.read(&mut buf)))
                    {
                        let len = len.expect("no error");
                        text.extend_from_slice(&buf[..len]);
                        if len == 0 {
                            break;
                        }
                    } else {
                        dropped += 1;
                        annulus::task::yield_now().await;
                    }
                }
                eprintln!("{dropped} reads dropped");
                assert!(dropped > 0);
                let mut output = stdout();
                output.write_all(&text).await.expect("it is read");
                output.flush().await.expect("it is read");
            });
        },
        |written, _| assert_eq!(written, input),
    );
}

#[test]
fn a_write_that_was_answered_outlives_the_runtime() {
    if !on_a_machine(REAL_THREADS) {
        return;
    }
    of_child(
        "a_write_that_was_answered_outlives_the_runtime",
        b"",
        || {
            let runtime = runtime();
            runtime.block_on(async {
                // 1. The only thread of the pool is busy, until the pool drops what waits.
                let (begun, has_begun) = channel();
                let (release, released) = channel::<()>();
                drop(annulus::task::spawn_blocking(move || {
                    begun.send(()).expect("the test waits");
                    released.recv()
                }));
                has_begun.recv().expect("it says so");
                drop(annulus::task::spawn_blocking(move || drop(release)));
                // 2. Both writes are answered, and wait behind it.
                stdout().write_all(b"answered\n").await.expect("copied");
                stderr().write_all(b"answered\n").await.expect("copied");
            });
            // 3. The end drops the one, and runs the others.
            drop(runtime);
        },
        |written, output| {
            assert_eq!(written, b"answered\n");
            assert_eq!(positions(&output.stderr, b"answered\n").count(), 1);
        },
    );
}

#[test]
fn a_failed_write_is_told_by_the_flush() {
    if !on_a_machine(REAL_THREADS) {
        return;
    }
    of_child(
        "a_failed_write_is_told_by_the_flush",
        b"",
        || {
            runtime().block_on(async {
                let mut error = stderr();
                // SAFETY: standard error is nobody's but this test's from here on.
                let closed = unsafe { libc::close(libc::STDERR_FILENO) };
                assert_eq!(closed, 0);
                let (reading, writing) = std::io::pipe().expect("a pipe");
                drop(reading);
                use std::os::fd::AsRawFd;
                // SAFETY: the number names nothing, or what this test has made.
                let made = unsafe { libc::dup2(writing.as_raw_fd(), libc::STDERR_FILENO) };
                assert_eq!(made, libc::STDERR_FILENO);
                error.write_all(b"into the void").await.expect("copied");
                let told = error.flush().await.expect_err("nobody reads it");
                assert_eq!(told.kind(), std::io::ErrorKind::BrokenPipe);
                // It goes on, to be told again.
                error.write_all(b"again").await.expect("copied");
                assert!(error.flush().await.is_err());
                error.flush().await.expect("there is nothing left to tell");
            });
        },
        |written, _| assert_eq!(written, b""),
    );
}

#[test]
fn they_name_their_descriptors() {
    use std::os::fd::{AsFd, AsRawFd};
    assert_eq!(stdin().as_raw_fd(), 0);
    assert_eq!(stdout().as_fd().as_raw_fd(), 1);
    assert_eq!(stderr().as_raw_fd(), 2);
}

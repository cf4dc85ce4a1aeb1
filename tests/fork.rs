//! A child made by fork has no ring: it gets errors, and its drops neither wait nor spin.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use annulus::fs::File;
use annulus::io::AsyncReadExt;
use annulus::runtime::RecvMode;
use annulus_tests::{connected, current_thread, in_child, multi_thread, turns};

/// Forks, runs `body` in the child, and says whether that ended well within ten seconds.
fn in_fork(body: impl FnOnce()) {
    // SAFETY: the child runs on with this thread only, which is what the test is about.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", io::Error::last_os_error());
    if child == 0 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        // SAFETY: it does not return.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    let start = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: the status lives across the call.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if ended == child {
            break;
        }
        if start.elapsed() > Duration::from_secs(10) {
            // SAFETY: the child is ours and not waited for.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            panic!("the forked child hung");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(status, 0, "the forked child failed");
}

struct ExitOnDrop;

impl Drop for ExitOnDrop {
    fn drop(&mut self) {
        // SAFETY: it does not return.
        unsafe { libc::_exit(1) };
    }
}

#[test]
fn a_child_of_a_sleeping_runtime_gets_errors_and_drops_all_it_has() {
    in_child(
        "a_child_of_a_sleeping_runtime_gets_errors_and_drops_all_it_has",
        || {
            let runtime = multi_thread(RecvMode::Auto)
                .build()
                .expect("the runtime builds");
            let (mut stream, peer, reading) = runtime.block_on(async {
                let (stream, peer) = connected().await;
                let (mut other, other_peer) = connected().await;
                let reading = annulus::spawn(async move {
                    let _peer = other_peer;
                    other.read_u8().await
                });
                turns().await;
                (stream, peer, reading)
            });
            // 1. Its workers sleep by now, as a rule.
            std::thread::sleep(Duration::from_millis(50));
            in_fork(|| {
                let handle = runtime.handle().clone();
                handle.block_on(async {
                    // 2. What needs a ring fails.
                    File::open("/dev/null").await.expect_err("there is no ring");
                    stream.read_u8().await.expect_err("there is no ring");
                });
                // 3. Aborting, spawning and dropping reach nobody, and do not wait for anybody.
                reading.abort();
                drop(runtime.spawn(async {}));
                drop(stream);
                drop(peer);
                drop(runtime);
            });
        },
    );
}

#[test]
fn a_child_forked_by_a_task_gets_errors_and_its_parent_goes_on() {
    in_child(
        "a_child_forked_by_a_task_gets_errors_and_its_parent_goes_on",
        || {
            let runtime = current_thread(RecvMode::Hot)
                .build()
                .expect("the runtime builds");
            let byte = runtime.block_on(async {
                let (mut stream, mut peer) = connected().await;
                let reading = annulus::spawn(async move { stream.read_u8().await });
                turns().await;
                // 1. In the child the loop runs on, without its ring.
                // SAFETY: the child runs on with this thread only.
                let child = unsafe { libc::fork() };
                if child == 0 {
                    // The thread that would hear of a panic is not here.
                    let _guard = ExitOnDrop;
                    let ended = async {
                        let open = File::open("/dev/null").await.is_err();
                        let read = reading.await.expect("it does not panic").is_err();
                        annulus::time::sleep(Duration::from_millis(5)).await;
                        open && read
                    };
                    let well = ended.await;
                    drop(peer);
                    // SAFETY: it does not return.
                    unsafe { libc::_exit(i32::from(!well)) };
                }
                let status = annulus::task::spawn_blocking(move || {
                    let start = Instant::now();
                    let mut status = 0;
                    loop {
                        // SAFETY: the status lives across the call.
                        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
                        if ended == child {
                            return status;
                        }
                        if start.elapsed() > Duration::from_secs(10) {
                            // SAFETY: the child is ours and not waited for.
                            unsafe { libc::kill(child, libc::SIGKILL) };
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
                assert_eq!(status.await.expect("it does not panic"), 0);
                // 2. The parent's read is as it was.
                peer.write_all(&[7]).expect("a byte goes");
                reading.await.expect("it ends well").expect("a byte comes")
            });
            assert_eq!(byte, 7);
        },
    );
}

//! A simulation watches memory while it is lent: whoever writes to it, moves it or frees it fails
//! the simulation, which names the operation and the seed.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use annulus::net::UnixStream;
use annulus::sim::{Fault, Faults, Outcome, Sim};
use annulus::uring;
use annulus_tests::Shared;

annulus::sim_install!();

#[global_allocator]
static ALLOC: annulus::sim::Alloc = annulus::sim::Alloc::new();

/// Runs `spoil` on memory of `len` bytes while a receive has it, and answers what the simulation
/// says of that.
fn receiving(len: usize, spoil: fn(&mut Option<Vec<u8>>)) -> Outcome {
    let mut sim = Sim::new(3);
    sim.client("client", async move {
        let (near, mut far) = UnixStream::pair()?;
        let mut bytes = Some(vec![1; len]);
        let lent = Shared::of(bytes.as_mut().expect("it is there"));
        {
            let mut receive = std::pin::pin!(uring::recv(&near, lent));
            std::future::poll_fn(|context| {
                assert!(receive.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            // The operation goes to the kernel.
            annulus::time::sleep(Duration::from_millis(1)).await;
            spoil(&mut bytes);
            annulus::io::AsyncWriteExt::write_all(&mut far, b"hello").await?;
            let (received, _) = receive.await;
            assert_eq!(received?, 5);
        }
        if let Some(bytes) = bytes {
            assert!(bytes.starts_with(b"hello") && bytes[5..].iter().all(|&byte| byte == 1));
        }
        Ok(())
    });
    sim.run()
}

/// What went wrong, in words.
fn complaint(outcome: Outcome) -> String {
    outcome.expect_err("it is caught").to_string()
}

#[test]
fn memory_that_is_left_alone_comes_back_with_what_was_received_and_the_rest_as_it_was() {
    receiving(64, |_| {}).expect("nothing is wrong");
    receiving(100_000, |_| {}).expect("nothing is wrong");
}

#[test]
fn memory_that_is_touched_while_it_is_lent_is_caught() {
    for at in [0, 9, 63] {
        thread_local!(static AT: Cell<usize> = const { Cell::new(0) });
        AT.set(at);
        let text = complaint(receiving(64, |bytes| {
            bytes.as_mut().expect("it is there")[AT.get()] = 0;
        }));
        assert!(
            text.contains("written to while it was lent to RECV"),
            "{text}"
        );
        assert!(text.contains("seed 3"), "{text}");
    }
}

#[test]
fn memory_that_is_freed_while_it_is_lent_is_caught_and_kept() {
    let text = complaint(receiving(64, |bytes| drop(bytes.take())));
    assert!(text.contains("freed while it was lent to RECV"), "{text}");
    assert!(text.contains("seed 3"), "{text}");
}

#[test]
fn memory_that_is_moved_while_it_is_lent_is_caught_and_kept() {
    let text = complaint(receiving(64, |bytes| {
        bytes.as_mut().expect("it is there").reserve(10_000);
    }));
    assert!(
        text.contains("reallocated while it was lent to RECV"),
        "{text}"
    );
}

/// Names what the program below is to do with the pages.
const TOUCH: &str = "ANNULUS_TOUCH";

#[test]
fn whole_pages_cannot_even_be_read_while_they_are_lent() {
    let run = |touch| {
        let program = std::env::current_exe().unwrap();
        let output = std::process::Command::new(program)
            .args(["pages_are_lent", "--exact", "--ignored", "--nocapture"])
            .env(TOUCH, touch)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text)
    };
    let (ended_well, text) = run("no");
    assert!(ended_well, "{text}");
    let (ended_well, text) = run("yes");
    assert!(!ended_well, "{text}");
    assert!(text.contains("touched while it was lent to RECV"), "{text}");
    assert!(text.contains("seed 5"), "{text}");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn pages_are_lent() {
    let layout = std::alloc::Layout::from_size_align(1 << 16, 1 << 16).unwrap();
    // SAFETY: the size is not 0.
    let start = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }).unwrap();
    let lent = Shared::new(start, layout.size());
    let touch = std::env::var(TOUCH).unwrap() == "yes";
    let mut sim = Sim::new(5);
    sim.client("client", async move {
        let (near, mut far) = UnixStream::pair()?;
        let receive = uring::recv(&near, lent);
        let send = async {
            annulus::time::sleep(Duration::from_millis(1)).await;
            if touch {
                // SAFETY: the block is there; that nobody may look at it is what is tested.
                std::hint::black_box(unsafe { lent.first() });
            }
            annulus::io::AsyncWriteExt::write_all(&mut far, b"hello").await
        };
        let ((received, _), sent) = annulus::join!(receive, send);
        sent?;
        assert_eq!(received?, 5);
        // SAFETY: the block is there.
        assert_eq!(unsafe { lent.first() }, b'h');
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn memory_that_is_freed_before_its_runtime_has_drained_is_caught_where_that_is_stopped() {
    static BYTES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    *BYTES.lock().unwrap() = vec![7; 1000];
    let mut sim = Sim::new(4);
    let mut faults = Faults::none();
    faults.set(Fault::LateNotification, 1000);
    sim.faults(faults);
    sim.client("client", async {
        let (near, _far) = UnixStream::pair()?;
        let lent = Shared::of(&mut BYTES.lock().unwrap());
        let (sent, buf) = uring::send_zc(&near, lent).await;
        assert_eq!(sent?, 1000);
        // Nobody waits for it any more.
        drop(buf);
        Ok(())
    });
    sim.run().unwrap();
    drop(std::mem::take(&mut *BYTES.lock().unwrap()));
    let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sim.stop("client");
    }));
    let panic = stopped.expect_err("it is caught");
    let text = panic.downcast_ref::<String>().expect("it has a text");
    assert!(
        text.contains("freed while it was lent to SEND_ZC"),
        "{text}"
    );
}

#[test]
fn memory_that_is_sent_without_a_copy_is_watched_until_the_notification() {
    static BYTES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    *BYTES.lock().unwrap() = vec![7; 1000];
    let mut sim = Sim::new(4);
    let mut faults = Faults::none();
    faults.set(Fault::LateNotification, 1000);
    sim.faults(faults);
    sim.client("client", async {
        let (near, _far) = UnixStream::pair()?;
        let lent = Shared::of(&mut BYTES.lock().unwrap());
        // The result is there, the notification is not.
        let (sent, _buf) = uring::send_zc(&near, lent).await;
        assert_eq!(sent?, 1000);
        BYTES.lock().unwrap()[500] = 0;
        annulus::time::sleep(Duration::from_millis(100)).await;
        Ok(())
    });
    let text = complaint(sim.run());
    assert!(
        text.contains("written to while it was lent to SEND_ZC"),
        "{text}"
    );
}

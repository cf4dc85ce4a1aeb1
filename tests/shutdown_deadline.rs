//! P5: a runtime whose device stalls is dropped at its deadline: the operations and their memory
//! are leaked, counted, and never freed.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annulus::fs::OpenOptions;
use annulus::runtime::{Builder, RecvMode, Runtime};
use annulus::uring::read_at;
use annulus_tests::{
    Quarantine, Throttle, current_thread, in_child, is_emulated, multi_thread, on_a_machine,
    settled_blocking, skip, turns,
};

annulus::sim_install!();

#[global_allocator]
static HEAP: Quarantine = Quarantine::new(usize::MAX);

const READS: usize = 4;
const READ_BYTES: usize = 64 << 10;
const DEADLINE: Duration = Duration::from_millis(300);
/// At this rate the reads take 32 s.
const BYTES_PER_S: u64 = 8 << 10;
const FILLING: u8 = 0x33;

/// Stalls `READS` reads of a runtime, ends it by `end`, and lets the device go on.
fn stall(mut builder: Builder, end: impl FnOnce(Runtime)) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    let path = folder.path().join("file");
    let mut file = std::fs::File::create(&path).expect("a temporary file");
    file.write_all(&vec![FILLING; READ_BYTES * READS])
        .expect("the disk has room");
    file.sync_all().expect("the disk takes it");
    // Before the throttle, which then is lifted first, also when this panics.
    let runtime = builder.build().expect("the runtime builds");
    let throttle = match Throttle::reads(&path, BYTES_PER_S) {
        Ok(throttle) => throttle,
        Err(error) => return skip(&error.to_string()),
    };

    // 1. Direct reads reach the block layer, which keeps them.
    let addresses: Arc<[AtomicUsize; READS]> = Arc::default();
    let reading = {
        let addresses = addresses.clone();
        runtime.spawn(async move {
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(libc::O_DIRECT);
            let file = Arc::new(options.open(&path).await.expect("it is there"));
            for index in 0..READS {
                let (file, addresses) = (file.clone(), addresses.clone());
                drop(annulus::spawn(async move {
                    let buf = Vec::<u8>::with_capacity(READ_BYTES);
                    addresses[index].store(buf.as_ptr().expose_provenance(), Ordering::Release);
                    read_at(&file, buf, (index * READ_BYTES) as u64).await.0
                }));
            }
            turns().await;
        })
    };
    runtime.block_on(reading).expect("it does not panic");
    // A task that another worker has just stolen may not have submitted yet.
    settled_blocking("every read is in flight", || {
        annulus::stats().ops_in_flight >= READS as u64
    });
    // What no thread of the emulated kernel has begun would be cancelled.
    settled_blocking("every read is begun", || {
        !is_emulated() || threads_on_disk() >= READS
    });

    // 2. The runtime ends while they are there.
    let start = Instant::now();
    end(runtime);
    let took = start.elapsed();
    let stalled_for = Duration::from_secs((READS * READ_BYTES) as u64 / BYTES_PER_S);
    assert!(took < stalled_for / 2, "it waited for the device: {took:?}");
    // In the background the workers come to it by themselves.
    settled_blocking("every read is leaked", || {
        annulus::stats().cells_leaked == READS as u64
    });
    println!("ended after {took:?}; {:?}", annulus::stats().leaks);

    // 3. The device goes on, and writes into memory that is still the operations' own.
    throttle.limit(0).expect("the limit is ours");
    for address in addresses.iter() {
        let last = address.load(Ordering::Acquire) + READ_BYTES - 1;
        let last = std::ptr::with_exposed_provenance::<u8>(last);
        settled_blocking("the late bytes have arrived", || {
            // SAFETY: the buffer was leaked with its operation, or lies in quarantine.
            unsafe { last.read_volatile() == FILLING }
        });
    }
    let changed = HEAP.changed();
    println!("{changed} freed blocks changed");
    assert_eq!(changed, 0);
}

/// How many threads of this process wait for a disk.
fn threads_on_disk() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("there is /proc");
    let waits = |path: std::path::PathBuf| {
        let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        // The state follows the name, which is in parentheses.
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.starts_with(" D"))
    };
    threads
        .filter(|thread| thread.as_ref().is_ok_and(|thread| waits(thread.path())))
        .count()
}

#[test]
fn a_current_thread_runtime_is_dropped_at_its_deadline() {
    if !on_a_machine("it is about a real disk") {
        return;
    }
    in_child(
        "a_current_thread_runtime_is_dropped_at_its_deadline",
        || {
            let mut builder = current_thread(RecvMode::Auto);
            builder.shutdown_deadline(DEADLINE);
            let start = Instant::now();
            stall(builder, drop);
            assert!(start.elapsed() >= DEADLINE);
        },
    );
}

#[test]
fn a_multi_thread_runtime_is_dropped_at_its_deadline() {
    if !on_a_machine("it is about a real disk") {
        return;
    }
    in_child("a_multi_thread_runtime_is_dropped_at_its_deadline", || {
        let mut builder = multi_thread(RecvMode::Auto);
        builder.shutdown_deadline(DEADLINE);
        let start = Instant::now();
        stall(builder, drop);
        assert!(start.elapsed() >= DEADLINE);
    });
}

#[test]
fn shutdown_timeout_takes_the_deadlines_place() {
    if !on_a_machine("it is about a real disk") {
        return;
    }
    in_child("shutdown_timeout_takes_the_deadlines_place", || {
        let mut builder = current_thread(RecvMode::Auto);
        builder.shutdown_deadline(Duration::MAX);
        stall(builder, |runtime| runtime.shutdown_timeout(DEADLINE));
    });
}

#[test]
fn shutdown_background_waits_for_nothing() {
    if !on_a_machine("it is about a real disk") {
        return;
    }
    in_child("shutdown_background_waits_for_nothing", || {
        let mut builder = multi_thread(RecvMode::Auto);
        builder.shutdown_deadline(Duration::MAX);
        stall(builder, |runtime| runtime.shutdown_background());
    });
}

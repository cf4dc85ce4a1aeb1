//! Signals reach whoever listens, on whatever runtime, parked or not.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annulus::io::{AsyncReadExt, AsyncWriteExt};
use annulus::net::unix::pipe;
use annulus::runtime::Runtime;
use annulus::signal::unix::{Signal, SignalKind, signal};
use annulus::time::sleep;
use annulus_tests::{for_each_runtime, nothing_in_flight, on_a_machine, serial, stress};
use futures::FutureExt;

const OF_THE_PROCESS: &str = "signals are the process', and arrive at no simulated host";
/// Signals that the full run sends over all runtimes, each to a listener that is parked, or just
/// about to be.
const SIGNALS: u64 = 40_000;
const RUNTIMES: u64 = 4;
/// Signals of each kind that the full run sends while all workers are busy.
const LOADED: u64 = 8000;

/// Sends the signal to the calling thread, which has handled it when this returns.
fn send(kind: SignalKind) {
    // SAFETY: the tests send only signals for which a handler is installed.
    let result = unsafe { libc::raise(kind.as_raw_value()) };
    assert_eq!(result, 0);
}

/// The next arrival, which is at most on its way. A timeout would poll the listener once more,
/// and so find a signal that nobody was woken for.
async fn arrival(signal: &mut Signal) {
    annulus::select! {
        biased;
        () = sleep(Duration::from_secs(30)) => panic!("the signal woke nobody"),
        arrival = signal.recv() => assert_eq!(arrival, Some(())),
    }
}

/// Whether an arrival is there to be had without waiting.
fn has_come(signal: &mut Signal) -> bool {
    signal.recv().now_or_never().is_some()
}

fn runtime() -> Runtime {
    annulus::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("the runtime is built")
}

#[test]
fn a_parked_listener_is_woken() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let rounds = stress(SIGNALS) / RUNTIMES;
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            let mut listener = signal(SignalKind::user_defined1()).expect("it is installed");
            for _ in 0..rounds {
                // The other thread is as likely to come first as this one is to park.
                let sender = std::thread::spawn(|| send(SignalKind::user_defined1()));
                arrival(&mut listener).await;
                sender.join().expect("raise does not panic");
            }
            assert!(!has_come(&mut listener));
        });
        println!("{name}: {rounds} signals sent, {rounds} received");
    });
}

#[test]
fn a_signal_is_for_all_who_listened_before_it_came() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let _serial = serial();
    runtime().block_on(async {
        let kind = SignalKind::user_defined2();
        let mut first = signal(kind).expect("it is installed");
        let mut second = signal(kind).expect("it is installed");
        // 1. Several arrivals that nobody waits for are one.
        send(kind);
        send(kind);
        // 2. Who comes later does not see them.
        let mut late = signal(kind).expect("it is installed");
        for listener in [&mut first, &mut second] {
            assert!(has_come(listener));
            assert!(!has_come(listener));
        }
        assert!(!has_come(&mut late));
        // 3. A dropped wait takes nothing with it.
        assert!(!has_come(&mut first));
        send(kind);
        assert!(has_come(&mut first) && has_come(&mut late));
        // 4. Nor does a dropped listener.
        drop(first);
        send(kind);
        arrival(&mut second).await;
    });
    nothing_in_flight("a_signal_is_for_all_who_listened_before_it_came");
}

#[test]
fn a_listener_outlives_its_runtime() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let _serial = serial();
    let kind = SignalKind::hangup();
    let first = runtime();
    let mut listener = first.block_on(async {
        let mut listener = signal(kind).expect("it is installed");
        assert!(!has_come(&mut listener));
        listener
    });
    drop(first);
    let second = runtime();
    second.block_on(async {
        let sender = std::thread::spawn(move || send(kind));
        arrival(&mut listener).await;
        sender.join().expect("raise does not panic");
    });
    drop(listener);
    drop(second);
    nothing_in_flight("a_listener_outlives_its_runtime");
}

#[test]
fn listeners_on_several_runtimes_all_get_it() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let _serial = serial();
    let kind = SignalKind::window_change();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ready = ready.clone();
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let mut listener = signal(kind).expect("it is installed");
                    ready.send(()).expect("the test waits");
                    arrival(&mut listener).await;
                })
            })
        })
        .collect();
    for _ in &threads {
        is_ready.recv().expect("each thread says so");
    }
    send(kind);
    for thread in threads {
        thread.join().expect("it does not panic");
    }
    nothing_in_flight("listeners_on_several_runtimes_all_get_it");
}

#[test]
fn ctrl_c_returns_at_sigint() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let _serial = serial();
    runtime().block_on(async {
        let mut pressed = Box::pin(annulus::signal::ctrl_c());
        assert!(futures::poll!(&mut pressed).is_pending());
        send(SignalKind::interrupt());
        pressed.await.expect("it is installed");
    });
    nothing_in_flight("ctrl_c_returns_at_sigint");
}

#[test]
fn what_nobody_may_handle_is_an_error() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    runtime().block_on(async {
        for number in [0, -1, 65, libc::SIGKILL, libc::SIGSEGV] {
            let error = signal(SignalKind::from_raw(number)).expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::Other);
        }
    });
}

#[test]
fn outside_of_a_runtime_listening_panics() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let outcome = std::panic::catch_unwind(|| signal(SignalKind::alarm()));
    assert!(outcome.is_err());
}

#[test]
fn a_signal_between_two_listeners_is_the_seconds_unless_the_loop_has_turned() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let _serial = serial();
    runtime().block_on(async {
        let kind = SignalKind::quit();
        // 1. The first goes, the signal comes, and the second is there before a turn.
        drop(signal(kind).expect("it is installed"));
        send(kind);
        let mut second = signal(kind).expect("it is installed");
        arrival(&mut second).await;
        assert!(!has_come(&mut second));
        // 2. The second goes, the signal comes, and the loop turns: it was for nobody.
        drop(second);
        send(kind);
        annulus_tests::turns().await;
        let mut third = signal(kind).expect("it is installed");
        assert!(!has_come(&mut third));
    });
    nothing_in_flight("a_signal_between_two_listeners_is_the_seconds_unless_the_loop_has_turned");
}

#[test]
fn signals_under_load_are_not_lost() {
    if !on_a_machine(OF_THE_PROCESS) {
        return;
    }
    let rounds = stress(LOADED) / RUNTIMES;
    for_each_runtime(|name, runtime| {
        runtime.block_on(async {
            // 1. Tasks that never rest, with bytes between them.
            let busy = Arc::new(AtomicBool::new(true));
            let load: Vec<_> = (0..4)
                .map(|_| annulus::spawn(churn(Arc::clone(&busy))))
                .collect();
            // 2. Several kinds at once, again when all have come: arrivals between are one.
            let kinds = [SignalKind::alarm(), SignalKind::io(), SignalKind::pipe()];
            let mut listeners = kinds.map(|kind| signal(kind).expect("it is installed"));
            for _ in 0..rounds {
                let sender = std::thread::spawn(move || kinds.into_iter().for_each(send));
                for listener in &mut listeners {
                    arrival(listener).await;
                }
                sender.join().expect("raise does not panic");
            }
            // 3. As many as were sent, and no more.
            assert!(!listeners.iter_mut().any(has_come));
            busy.store(false, Ordering::Relaxed);
            let mut moved = 0;
            for task in load {
                moved += task.await.expect("it does not panic");
            }
            println!("{name}: 3 x {rounds} signals received beside {moved} bytes");
            assert!(moved > rounds, "that is no load");
        });
    });
}

/// Moves bytes through a pipe for as long as it is told to; how many.
async fn churn(busy: Arc<AtomicBool>) -> u64 {
    let (mut sender, mut receiver) = pipe::pipe().expect("a pipe");
    let mut moved = 0;
    while busy.load(Ordering::Relaxed) {
        sender.write_all(&[7; 1024]).await.expect("it is read");
        receiver.read_exact(&mut [0; 1024]).await.expect("bytes");
        moved += 1024;
        annulus::task::yield_now().await;
    }
    moved
}

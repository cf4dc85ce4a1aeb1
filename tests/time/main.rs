//! P16 and the rest of `time`: any duration is accepted, timers fire once and never early, and a
//! paused clock gives exact times.

mod interval;
mod paused;
mod sleep;
mod timeout;

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};

use annulus::runtime::Builder;
use annulus::time::{self, Duration, Instant, Interval, Sleep};
use annulus_tests::{Random, nothing_in_flight, serial};

annulus::sim_install!();

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const YEARS_30: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

fn ms(count: u32) -> Duration {
    count * MS
}

/// Runs `body` on a current_thread runtime whose clock stands from the start.
fn paused<F: Future>(body: F) -> F::Output {
    let _serial = serial();
    let mut builder = Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build();
    let runtime = runtime.expect("the runtime builds");
    let output = runtime.block_on(body);
    drop(runtime);
    nothing_in_flight("paused");
    output
}

/// Runs `body` on runtimes of one and of two threads, whose clocks run.
fn running<F: Future>(body: impl Fn() -> F) {
    let _serial = serial();
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.worker_threads(2).enable_all().build();
        let runtime = runtime.expect("the runtime builds");
        runtime.block_on(body());
        drop(runtime);
        nothing_in_flight("running");
    }
}

/// The text that `body` panics with.
fn panic_text<R>(body: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else {
        panic!("it did not panic");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic
            .downcast_ref::<&str>()
            .map_or_else(String::new, |text| text.to_string()),
    }
}

/// Any duration below 2^63 ns (292 years), every magnitude as likely as any other.
fn any_duration(random: &mut Random) -> Duration {
    Duration::from_nanos(random.bits() >> (1 + random.below(63)))
}

#[test]
fn making_a_timer_needs_a_runtime() {
    let no_context =
        "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
    assert!(panic_text(|| time::sleep(MS)).contains(no_context));
    assert!(panic_text(|| time::timeout(MS, pending::<()>())).contains(no_context));
    assert!(panic_text(|| time::interval(MS)).contains(no_context));
}

#[test]
fn auto_traits_are_those_of_tokio() {
    fn send_sync<T: Send + Sync>(_: impl Fn() -> T) {}
    fn unpin<T: Unpin>() {}
    /// Ambiguous, and so an error, for a type that is Unpin.
    trait NotUnpin<Mark> {
        fn here() {}
    }
    struct Unpinned;
    impl<T: ?Sized> NotUnpin<()> for T {}
    impl<T: ?Sized + Unpin> NotUnpin<Unpinned> for T {}
    send_sync(|| time::sleep(MS));
    send_sync(|| time::timeout(MS, std::future::ready(())));
    send_sync(|| time::interval(MS));
    send_sync(|| time::advance(MS));
    unpin::<Interval>();
    unpin::<Instant>();
    <Sleep as NotUnpin<_>>::here();
    <time::Timeout<()> as NotUnpin<_>>::here();
}

//! The runtimes that a scenario runs on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use annulus::runtime::{Builder, LocalOptions, LocalRuntime, RecvMode, Runtime};

/// Set to 1, the runtimes of the tests are restricted.
const RESTRICTED: &str = "ANNULUS_TEST_RESTRICT";

/// A builder of a current_thread runtime with everything enabled; restricted where the variable
/// `ANNULUS_TEST_RESTRICT` is 1.
pub fn current_thread(mode: RecvMode) -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().recv_mode(mode);
    restrict_if_asked(&mut builder);
    builder
}

/// A builder of a multi_thread runtime of two workers with everything enabled; restricted as
/// [`current_thread`].
pub fn multi_thread(mode: RecvMode) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().recv_mode(mode);
    restrict_if_asked(&mut builder);
    builder
}

fn restrict_if_asked(builder: &mut Builder) {
    if std::env::var_os(RESTRICTED).is_some_and(|value| value == "1") {
        builder.restrict();
    }
}

/// Runs `scenario` on each flavour in each receive mode, and asserts after each that nothing is
/// left in flight. The name says which it is.
///
/// Holds [`serial`] throughout: the counters belong to the process.
pub fn for_each_runtime(mut scenario: impl FnMut(&str, &Runtime)) {
    let _serial = serial();
    for (mode, mode_name) in [(RecvMode::Base, "base"), (RecvMode::Hot, "hot")] {
        for (mut builder, flavor) in [
            (current_thread(mode), "current_thread"),
            (multi_thread(mode), "multi_thread"),
        ] {
            let name = format!("{flavor}, {mode_name}");
            let runtime = builder.build().expect("the runtime builds");
            scenario(&name, &runtime);
            drop(runtime);
            nothing_in_flight(&name);
        }
    }
}

/// Runs `scenario` on a local runtime in each receive mode: its ring belongs to one thread, and
/// shows what has completed only to whoever enters it. Else as [`for_each_runtime`].
pub fn for_each_local(mut scenario: impl FnMut(&str, &LocalRuntime)) {
    let _serial = serial();
    for (mode, mode_name) in [(RecvMode::Base, "base"), (RecvMode::Hot, "hot")] {
        let name = format!("local, {mode_name}");
        let runtime = current_thread(mode).build_local(LocalOptions::default());
        let runtime = runtime.expect("the runtime builds");
        scenario(&name, &runtime);
        drop(runtime);
        nothing_in_flight(&name);
    }
}

/// Asserts that no operation is in flight, no byte lent and no cell leaked in this process.
///
/// # Panics
///
/// If something is.
pub fn nothing_in_flight(name: &str) {
    let stats = annulus::stats();
    assert_eq!(
        (stats.ops_in_flight, stats.bytes_lent, stats.cells_leaked),
        (0, 0, 0),
        "{name}: operations in flight, bytes lent, cells leaked; {stats:?}"
    );
}

/// Keeps the other tests of this process out while one counts what belongs to the process.
pub fn serial() -> MutexGuard<'static, ()> {
    static SERIAL: Mutex<()> = Mutex::new(());
    // A test that failed has said so itself; the next one starts from its own counts.
    SERIAL.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What a test does beside the runtime that it is about.

use std::time::Duration;

use annulus::runtime::Handle;
use annulus::task::JoinHandle;

use crate::is_simulated;

/// A thread of the test's own. In a simulated world, which has none, a blocking closure.
#[derive(Debug)]
pub enum Aside<T> {
    /// Beside every kernel that is there.
    Thread(std::thread::JoinHandle<T>),
    /// On this one thread, by turns.
    Closure(JoinHandle<T>, Handle),
}

/// Runs `body` beside the runtime. It may block on a [`Peer`](crate::Peer), and rest.
pub fn aside<T: Send + 'static>(
    handle: &Handle,
    body: impl FnOnce() -> T + Send + 'static,
) -> Aside<T> {
    if is_simulated() {
        Aside::Closure(handle.spawn_blocking(body), handle.clone())
    } else {
        Aside::Thread(std::thread::spawn(body))
    }
}

impl<T> Aside<T> {
    /// Waits for its end; not in a task.
    ///
    /// # Errors
    ///
    /// Its panic.
    pub fn join(self) -> std::thread::Result<T> {
        match self {
            Aside::Thread(thread) => thread.join(),
            Aside::Closure(closure, handle) => handle
                .block_on(closure)
                .map_err(|error| Box::new(error) as _),
        }
    }
}

/// Waits for what needs no runtime, on the thread that [`aside`] has given.
pub fn wait<F: Future>(future: F) -> F::Output {
    if is_simulated() {
        Handle::current().block_on(future)
    } else {
        futures::executor::block_on(future)
    }
}

/// Sleeps, on the thread that [`aside`] has given.
pub fn rest(duration: Duration) {
    if is_simulated() {
        Handle::current().block_on(async { annulus::time::sleep(duration).await });
    } else {
        std::thread::sleep(duration);
    }
}

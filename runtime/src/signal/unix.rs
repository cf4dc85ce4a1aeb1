//! Any signal, as often as it comes.
#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::task::{Context, Poll, ready};

use super::table::{Place, Table};
use crate::context;
use crate::io::readiness::Side;
use crate::io::registration::Registration;
use crate::io::{Interest, Ready};
use crate::sim;
use crate::task::coop;

/// Listens to a signal.
///
/// The first listener of a kind installs a handler for it, which stays for the
/// rest of the process' life: the kernel's own answer to the signal, such as
/// ending the process, is gone even after the listener is dropped. Handlers that
/// others have installed before are still called.
///
/// Whatever arrives from this call on is seen by the listener, whether it is
/// waiting or not.
///
/// # Errors
///
/// `ErrorKind::Other` for what is no signal, and for SIGKILL, SIGSTOP, SIGSEGV,
/// SIGILL and SIGFPE, which nobody may handle; else that the kernel refused the
/// handler, or a socket for it. `Unsupported` in a [simulation](crate::sim).
///
/// # Panics
///
/// Outside of any runtime.
///
/// # Examples
///
/// ```no_run
/// use annulus::signal::unix::{SignalKind, signal};
///
/// # #[annulus::main]
/// # async fn main() -> std::io::Result<()> {
/// let mut hangup = signal(SignalKind::hangup())?;
/// while let Some(()) = hangup.recv().await {
///     println!("reading the configuration again");
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    // First of all, so that a missing runtime panics whatever the kind is.
    drop(crate::reactor::Home::current_with(
        crate::runtime::Driver::Io,
    ));
    sim::refuse(
        "signal",
        "signals are the process', and arrive at no simulated host",
    )?;
    let table = Table::get()?;
    Ok(Signal {
        place: table.listen(kind.0)?,
        registration: Registration::new(table.fd(), Ready::EMPTY),
        table,
        not_unwind_safe: PhantomData,
    })
}

/// A listener to one kind of signal; made by [`signal`].
///
/// Several arrivals that nobody has waited for are one, as they are in the
/// kernel.
#[must_use = "a listener does nothing unless it is waited on"]
pub struct Signal {
    table: &'static Table,
    place: Place,
    registration: Registration,
    /// As tokio's, which holds a future of any kind.
    not_unwind_safe: PhantomData<Box<dyn Send + Sync>>,
}

impl Signal {
    /// Waits for the next arrival. Never `None`.
    ///
    /// # Cancel safety
    ///
    /// Safe to drop: an arrival that was not returned is returned by the next
    /// call.
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Signal::recv), for hand-written futures. Only the task of the
    /// last call is woken.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let budget = ready!(coop::poll_proceed(cx));
        self.follow();
        // In this order: whatever comes after the wait is set up wakes the task,
        // and whatever came before is delivered below.
        self.table.wait(&self.place, cx);
        while let Poll::Ready(Ok(event)) = self.registration.poll_ready(cx, Side::Read) {
            self.table.drain(self.registration.home().kernel());
            self.registration
                .readiness()
                .clear(event, Interest::READABLE);
        }
        self.table.deliver();
        if self.table.take(&mut self.place) {
            budget.made_progress();
            return Poll::Ready(Some(()));
        }
        Poll::Pending
    }

    /// Signals are the process', not a runtime's: a listener whose runtime has
    /// gone goes on with the one that polls it.
    fn follow(&mut self) {
        if self.registration.alive().is_err() && context::home().is_some() {
            self.registration = Registration::new(self.table.fd(), Ready::EMPTY);
        }
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        self.table.leave(&self.place);
    }
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signal")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A kind of signal, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(i32);

impl SignalKind {
    /// The signal of this number, which [`signal`] may refuse.
    pub const fn from_raw(signum: std::ffi::c_int) -> SignalKind {
        SignalKind(signum)
    }

    /// The signal's number.
    pub const fn as_raw_value(&self) -> std::ffi::c_int {
        self.0
    }

    /// SIGALRM: a timer of alarm(2) has run out.
    pub const fn alarm() -> SignalKind {
        SignalKind(os::SIGALRM)
    }

    /// SIGCHLD: a child process has ended, stopped or gone on.
    pub const fn child() -> SignalKind {
        SignalKind(os::SIGCHLD)
    }

    /// SIGHUP: the terminal is gone; for daemons, usually to read their
    /// configuration again.
    pub const fn hangup() -> SignalKind {
        SignalKind(os::SIGHUP)
    }

    /// SIGINT: Ctrl-C.
    pub const fn interrupt() -> SignalKind {
        SignalKind(os::SIGINT)
    }

    /// SIGIO: a descriptor in signal-driven mode is ready.
    pub const fn io() -> SignalKind {
        SignalKind(os::SIGIO)
    }

    /// SIGPIPE: a write found no reader.
    pub const fn pipe() -> SignalKind {
        SignalKind(os::SIGPIPE)
    }

    /// SIGQUIT: Ctrl-\.
    pub const fn quit() -> SignalKind {
        SignalKind(os::SIGQUIT)
    }

    /// SIGTERM: the request to end, as service managers send it.
    pub const fn terminate() -> SignalKind {
        SignalKind(os::SIGTERM)
    }

    /// SIGUSR1.
    pub const fn user_defined1() -> SignalKind {
        SignalKind(os::SIGUSR1)
    }

    /// SIGUSR2.
    pub const fn user_defined2() -> SignalKind {
        SignalKind(os::SIGUSR2)
    }

    /// SIGWINCH: the terminal has another size.
    pub const fn window_change() -> SignalKind {
        SignalKind(os::SIGWINCH)
    }
}

impl From<std::ffi::c_int> for SignalKind {
    fn from(signum: std::ffi::c_int) -> SignalKind {
        SignalKind(signum)
    }
}

impl From<SignalKind> for std::ffi::c_int {
    fn from(kind: SignalKind) -> std::ffi::c_int {
        kind.0
    }
}

//! Signals that the process is sent.
//!
//! ```text
//!   kernel ──► handler ──► pending bits, a byte into a socket        (table)
//!                                  │
//!                                  ▼ POLL_ADD of every waiting listener
//!   Signal::recv ◄── counts ◄── deliver(): bits taken, listeners woken
//! ```
//!
//! There is no task and no thread that reads the socket: each [`unix::Signal`]
//! that somebody waits on has a poll of its own standing at its home, and
//! whichever is polled first delivers to all.

pub mod unix;

mod table;

use std::io;

/// Waits for Ctrl-C (SIGINT).
///
/// The first poll takes SIGINT over for the rest of the process' life: from then
/// on Ctrl-C no longer ends the process, whether somebody waits for it or not. To
/// take it over earlier, or to wait several times, use [`unix::signal`].
///
/// # Errors
///
/// That the handler could not be installed, or no socket be had for it.
///
/// # Cancel safety
///
/// Safe to drop. A Ctrl-C between two calls is not remembered for the second, unless no turn of
/// the runtime's loop was between them.
///
/// # Panics
///
/// Outside of any runtime.
///
/// # Examples
///
/// ```no_run
/// # async fn serve() {}
/// # #[annulus::main]
/// # async fn main() -> std::io::Result<()> {
/// annulus::select! {
///     () = serve() => {}
///     pressed = annulus::signal::ctrl_c() => pressed?,
/// }
/// # Ok(())
/// # }
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    unix::signal(unix::SignalKind::interrupt())?.recv().await;
    Ok(())
}

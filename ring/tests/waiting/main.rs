//! Waiting, and the two queues at their limits: when an enter returns, with how many completions,
//! and what became of the entries that it was to submit.

mod support;

mod clock;
mod completions;
mod deferred;
mod emulated;
mod fork;
mod min_wait;
mod region;
mod registered;
mod resize;
mod signals;
mod submissions;
mod timed;

//! P15: peers that are slow, greedy, broken or hostile. The server is a process of its own, so that
//! what it needs can be seen: its memory stays below a stated limit, a well-behaved client is
//! served throughout, and at the end nothing is in flight.
//!
//! Everything goes over loopback, and ends by itself.

mod broken;
mod good;
mod greedy;
mod server;
mod slow;
mod tools;

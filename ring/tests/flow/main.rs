//! How operations follow, limit, cancel and outlive each other, shown on the running kernel.

mod cancel;
mod cancel_races;
mod link_model;
mod linked_timeouts;
mod links;
mod poll;
mod support;
mod timeout_clocks;
mod timeouts;

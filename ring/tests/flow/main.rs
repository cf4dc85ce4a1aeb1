//! How operations follow, limit, cancel and outlive each other, shown on the running kernel.

mod cancel;
mod cancel_races;
mod epoll;
mod futex;
mod link_model;
mod linked_timeouts;
mod links;
mod pipes;
mod poll;
mod poll_wakes;
mod support;
mod timeout_clocks;
mod timeouts;
mod waitid;

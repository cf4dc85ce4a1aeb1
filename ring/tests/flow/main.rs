//! How operations follow, limit, cancel and outlive each other, shown on the running kernel.

mod child;
mod fifo;
mod support;

mod cancel;
mod cancel_races;
mod epoll;
mod exits;
mod futex;
mod link_model;
mod linked_timeouts;
mod links;
mod pipes;
mod poll;
mod poll_wakes;
mod teardown;
mod timeout_clocks;
mod timeouts;
mod waitid;

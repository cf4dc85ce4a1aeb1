//! io_uring queues.
#![no_std]

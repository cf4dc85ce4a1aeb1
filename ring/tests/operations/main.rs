//! What the kernel does with each operation, told as behaviour: through the public API, on the
//! running kernel, with real files and sockets.

#[path = "../support/mod.rs"]
mod support;

mod children;
mod conversations;
mod direct;
mod files;
mod kinds;
mod names;
mod queues;
mod time_namespace;
mod timeouts;

mod enter_call;
mod file_system;
mod nop;
mod open_close;
mod read_write;
mod register_call;
mod send_recv;
mod setup_call;
mod sockets;

//! Sockets beyond the first conversation: accepting, connecting, options, shutting down.

mod accept;
mod accept_many;
mod commands;
mod connect;
mod serve;
mod shutdown;
mod timestamps;
